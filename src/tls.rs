//! The server's certificate: read from PEM files, and again when they change.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
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

/// What is wrong with the files.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("{path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: {cause}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: rustls::pki_types::pem::Error,
    },
    /// The files do not make a working set.
    #[error("the certificate, its key or the client authorities do not work: {0}")]
    Unusable(String),
}

/// The contents of the files, compared to see a change.
#[derive(PartialEq)]
struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// Accepts TLS with the certificate as it is now.
#[derive(Clone)]
pub struct Tls {
    files: Files,
    opened: Arc<Contents>,
    config: Arc<ArcSwap<ServerConfig>>,
}

impl Tls {
    /// Reads the files. Fails if they do not make a working certificate.
    pub fn open(files: Files) -> Result<Self, Error> {
        let opened = files.read()?;
        let config = files.config(&opened)?;
        Ok(Self { files, opened: Arc::new(opened), config: Arc::new(ArcSwap::from(config)) })
    }

    /// Accepts one connection: HTTP/2 or HTTP/1.1, as the client likes (ALPN).
    pub async fn accept(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.config.load_full()).accept(socket).await
    }

    /// Looks at the files this often, for ever, and takes what has changed for new connections. What
    /// does not work is logged, and the last working certificate stays.
    pub async fn follow(self, every: Duration) {
        let mut last = self.opened;
        let mut ticks = interval(every);
        loop {
            ticks.tick().await;
            let now = match self.files.read() {
                Ok(contents) if contents == *last => continue,
                Ok(contents) => contents,
                Err(error) => {
                    tracing::warn!(%error, "the certificate's files cannot be read");
                    continue;
                }
            };
            match self.files.config(&now) {
                Ok(config) => {
                    self.config.store(config);
                    tracing::info!("the certificate was read again");
                }
                Err(error) => tracing::warn!(%error, "the changed certificate is not used"),
            }
            last = Arc::new(now);
        }
    }
}

impl Files {
    fn read(&self) -> Result<Contents, Error> {
        let read = |path: &PathBuf| {
            fs::read(path).map_err(|cause| Error::Read { path: path.clone(), cause })
        };
        Ok(Contents {
            cert: read(&self.cert)?,
            key: read(&self.key)?,
            client_ca: self.client_ca.as_ref().map(read).transpose()?,
        })
    }

    fn config(&self, contents: &Contents) -> Result<Arc<ServerConfig>, Error> {
        let unusable = |error: &dyn std::fmt::Display| Error::Unusable(error.to_string());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?;
        let builder = match (&self.client_ca, &contents.client_ca) {
            (Some(path), Some(pem)) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(path, pem)? {
                    roots.add(authority).map_err(|error| unusable(&error))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|error| unusable(&error))?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let key = PrivateKeyDer::from_pem_slice(&contents.key)
            .map_err(|cause| Error::Pem { path: self.key.clone(), cause })?;
        let mut config = builder
            .with_single_cert(certificates(&self.cert, &contents.cert)?, key)
            .map_err(|error| unusable(&error))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|cause| Error::Pem { path: path.to_owned(), cause })
}
