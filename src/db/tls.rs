//! TLS to PostgreSQL, with libpq's meaning of `sslmode`.

use std::{fmt, path::Path, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::target::SslMode;

/// The TLS client, ready to use.
pub(super) type Tls = MakeRustlsConnect;

/// What is verified of a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Nothing.
    Nothing,
    /// That a trusted authority signed it.
    Authority,
    /// That, and that it is for this host's name.
    AuthorityAndName,
}

/// Builds the client for an `sslmode` (`None`: the default, which does not verify) and the file
/// of `sslrootcert`.
///
/// | sslmode | what is verified |
/// |---|---|
/// | prefer, require | nothing; with `sslrootcert`, require is verify-ca, as in libpq |
/// | verify-ca | the chain of certificates |
/// | verify-full | the chain, and the host's name |
///
/// The roots are those of `sslrootcert`; without it, or where it is `system`, those of the system,
/// where `SSL_CERT_FILE` and `SSL_CERT_DIR` say otherwise those.
pub(super) fn client(
    mode: Option<SslMode>,
    root_file: Option<&Path>,
) -> Result<(Tls, Verification), String> {
    let system = root_file.is_some_and(|file| file == Path::new("system"));
    let trust = match mode {
        Some(SslMode::VerifyFull) => Trust::Full(roots(root_file)?),
        Some(SslMode::VerifyCa | SslMode::Require) if system => {
            return Err("sslrootcert=system needs sslmode=verify-full: anybody can have a certificate of a public authority".to_owned());
        }
        Some(SslMode::VerifyCa) => Trust::Chain(roots(root_file)?),
        Some(SslMode::Require) if root_file.is_some() => Trust::Chain(roots(root_file)?),
        None if root_file.is_some() => {
            return Err("sslrootcert is set but sslmode is not: set sslmode=verify-full (or verify-ca where the host's name is not in the certificate)".to_owned());
        }
        _ => Trust::Anything,
    };
    let verified = match &trust {
        Trust::Anything => Verification::Nothing,
        Trust::Chain(_) => Verification::Authority,
        Trust::Full(_) => Verification::AuthorityAndName,
    };
    let config = config(trust).map_err(|error| format!("TLS: {error}"))?;
    Ok((MakeRustlsConnect::new(config), verified))
}

enum Trust {
    Anything,
    Chain(RootCertStore),
    Full(RootCertStore),
}

fn config(trust: Trust) -> Result<ClientConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    let builder = match trust {
        Trust::Full(roots) => {
            return Ok(builder.with_root_certificates(roots).with_no_client_auth());
        }
        Trust::Chain(roots) => {
            let inner = WebPkiServerVerifier::builder_with_provider(roots.into(), provider)
                .build()
                .map_err(|error| Error::General(error.to_string()))?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyName(inner)))
        }
        Trust::Anything => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyChain(provider)))
        }
    };
    Ok(builder.with_no_client_auth())
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, String> {
    let certificates = match file.filter(|file| *file != Path::new("system")) {
        Some(file) => CertificateDer::pem_file_iter(file)
            .and_then(Iterator::collect)
            .map_err(|error| format!("sslrootcert: {}: {error}", file.display()))?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    match (added, file) {
        (0, Some(file)) => Err(format!("sslrootcert: no certificate in {}", file.display())),
        (0, None) => {
            Err("no root certificates on this system: name the project's with sslrootcert"
                .to_owned())
        }
        _ => Ok(roots),
    }
}

/// Verifies the chain, not the name: `verify-ca`.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // The name is the last thing that is verified, so this error says that the chain holds.
        match self.0.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Accepts any certificate whose key the server has: `prefer` and `require`.
struct AnyChain(Arc<CryptoProvider>);

impl fmt::Debug for AnyChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyChain")
    }
}

impl ServerCertVerifier for AnyChain {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
