//! The server's certificate: read from PEM files, and again when they change.

use std::{fmt, fs, io, path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::CryptoProvider,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject as _},
    },
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tokio::{net::TcpStream, time::interval};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// How often `main` has the files looked at.
pub const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The paths of PEM files.
#[derive(Clone, Debug)]
pub struct Files {
    /// The certificate chain, the server's own first.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities that clients' certificates must come from; `None` asks clients for none.
    pub client_ca: Option<PathBuf>,
}

/// One of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// [`Files::cert`].
    Cert,
    /// [`Files::key`].
    Key,
    /// [`Files::client_ca`].
    ClientCa,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[error("{path} {why}")]
pub struct Error {
    /// Which it is.
    pub file: File,
    /// Where it is.
    path: PathBuf,
    why: String,
}

/// The contents of the files, or why they cannot be read: compared to see a change.
#[derive(PartialEq)]
struct Contents {
    cert: Content,
    key: Content,
    client_ca: Option<Content>,
}

type Content = Result<Vec<u8>, String>;

/// Accepts TLS with the certificate as it is now.
#[derive(Clone)]
pub struct Tls {
    files: Files,
    opened: Arc<Contents>,
    config: Arc<ArcSwap<ServerConfig>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// Everything that keeps them from being a working set.
    pub fn open(files: Files) -> Result<Self, Vec<Error>> {
        let opened = files.read();
        let config = files.config(&opened)?;
        Ok(Self { files, opened: Arc::new(opened), config: Arc::new(ArcSwap::from(config)) })
    }

    /// Accepts one connection: HTTP/2 or HTTP/1.1, as the client likes (ALPN).
    pub async fn accept(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.config.load_full()).accept(socket).await
    }

    /// Looks at the files this often, for ever, and takes what has changed for new connections. What
    /// does not work is logged, once for each change, and the last working certificate stays.
    pub async fn follow(self, every: Duration) {
        let mut last = self.opened;
        let mut ticks = interval(every);
        loop {
            ticks.tick().await;
            let now = self.files.read();
            if now == *last {
                continue;
            }
            match self.files.config(&now) {
                Ok(config) => {
                    self.config.store(config);
                    tracing::info!("the certificate was read again");
                }
                Err(errors) => {
                    for error in errors {
                        tracing::warn!(%error, "the changed certificate is not used");
                    }
                }
            }
            last = Arc::new(now);
        }
    }
}

impl fmt::Debug for Tls {
    /// Names the files. Their contents are a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.files).finish()
    }
}

impl Files {
    fn read(&self) -> Contents {
        let read =
            |path: &PathBuf| fs::read(path).map_err(|cause| format!("cannot be read: {cause}"));
        Contents {
            cert: read(&self.cert),
            key: read(&self.key),
            client_ca: self.client_ca.as_ref().map(read),
        }
    }

    fn config(&self, contents: &Contents) -> Result<Arc<ServerConfig>, Vec<Error>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let cert = certificates(&contents.cert).map_err(|why| self.error(File::Cert, why));
        let key = private_key(&contents.key).map_err(|why| self.error(File::Key, why));
        let clients = match &contents.client_ca {
            None => Ok(WebPkiClientVerifier::no_client_auth()),
            Some(pem) => {
                clients(pem, Arc::clone(&provider)).map_err(|why| self.error(File::ClientCa, why))
            }
        };
        let (cert, key, clients) = match (cert, key, clients) {
            (Ok(cert), Ok(key), Ok(clients)) => (cert, key, clients),
            (cert, key, clients) => {
                return Err([cert.err(), key.err(), clients.err()].into_iter().flatten().collect());
            }
        };

        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|it| it.with_client_cert_verifier(clients).with_single_cert(cert, key));
        let mut config = config.map_err(|cause| match cause {
            rustls::Error::InvalidCertificate(_) => {
                vec![self.error(File::Cert, format!("does not work: {cause}"))]
            }
            rustls::Error::InconsistentKeys(_) => {
                vec![self.error(File::Key, "is the key of another certificate".to_owned())]
            }
            cause => vec![self.error(File::Key, format!("does not work: {cause}"))],
        })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn error(&self, file: File, why: String) -> Error {
        let path = match file {
            File::Cert => Some(&self.cert),
            File::Key => Some(&self.key),
            File::ClientCa => self.client_ca.as_ref(),
        };
        Error { file, path: path.cloned().unwrap_or_default(), why }
    }
}

/// The certificates in a file: one at least.
fn certificates(content: &Content) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_slice_iter(content.as_ref().map_err(String::clone)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|cause| format!("is not in PEM form: {cause}"))?;
    match certificates.is_empty() {
        true => Err("holds no certificate in PEM form".to_owned()),
        false => Ok(certificates),
    }
}

fn private_key(content: &Content) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(content.as_ref().map_err(String::clone)?).map_err(|cause| {
        match cause {
            pem::Error::NoItemsFound => "holds no private key in PEM form".to_owned(),
            cause => format!("is not in PEM form: {cause}"),
        }
    })
}

/// What demands of clients a certificate of the authorities in a file.
fn clients(
    content: &Content,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(content)? {
        roots.add(authority).map_err(|cause| format!("does not work: {cause}"))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|cause| format!("does not work: {cause}"))
}
