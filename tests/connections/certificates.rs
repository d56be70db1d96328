//! Certificates: read again when their files change, and asked of clients.

use std::{
    fs, io,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Duration, Instant, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use user_service::{
    config::{self, Problems},
    tls::{Files, Tls},
};

use crate::server::{SOON, Server, eventually};

/// How often the tests have the files looked at.
const OFTEN: Duration = Duration::from_millis(10);

/// An authority, and certificates of it.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    /// The PEM of a certificate for `localhost`, and of its key.
    fn issue(&self) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }
}

/// The server's files, in a folder of the test's own.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static FOLDERS: AtomicUsize = AtomicUsize::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("certificates-{}-{number}", std::process::id());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).expect("written");
        path
    }

    fn files(&self, (cert, key): (String, String), client_ca: Option<&Authority>) -> Files {
        Files {
            cert: self.write("cert.pem", &cert),
            key: self.write("key.pem", &key),
            client_ca: client_ca.map(|it| self.write("client.pem", &it.0.pem())),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Connects, trusting one authority, with a certificate or without.
async fn connect(
    server: &Server,
    trusted: &Authority,
    own: Option<(String, String)>,
) -> Option<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.0.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = match own {
        None => config.with_no_client_auth(),
        Some((cert, key)) => {
            let cert = CertificateDer::from_pem_slice(cert.as_bytes()).expect("a certificate");
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
            config.with_client_auth_cert(vec![cert], key).expect("a pair")
        }
    };
    let name = ServerName::try_from("localhost").expect("a name");
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, server.connect().await);
    timeout(SOON, connecting).await.expect("in time").ok()
}

/// Whether a request is answered. In TLS 1.3 only this shows that a client's certificate will do.
async fn answers(stream: Option<TlsStream<TcpStream>>) -> bool {
    let Some(mut stream) = stream else { return false };
    let sent = stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut byte = [0];
    sent.is_ok() && timeout(SOON, stream.read_exact(&mut byte)).await.expect("in time").is_ok()
}

#[tokio::test]
async fn a_changed_certificate_is_used_for_new_connections_without_a_restart() {
    let folder = Folder::new();
    let (old, new) = (Authority::new(), Authority::new());
    let tls = Tls::open(folder.files(old.issue(), None)).expect("a working certificate");
    let following = tokio::spawn(tls.clone().follow(OFTEN));
    let server = Server::over(Some(tls), &[]).await;
    let kept = connect(&server, &old, None).await;
    assert!(kept.is_some() && connect(&server, &new, None).await.is_none());

    // Half of the change, and nonsense: the old one stays.
    let (cert, key) = new.issue();
    folder.write("cert.pem", &cert);
    tokio::time::sleep(OFTEN * 5).await;
    assert!(answers(connect(&server, &old, None).await).await);
    folder.write("key.pem", "nonsense");
    tokio::time::sleep(OFTEN * 5).await;
    assert!(answers(connect(&server, &old, None).await).await);

    folder.write("key.pem", &key);
    eventually("the new certificate is used", async || {
        answers(connect(&server, &new, None).await).await
    })
    .await;
    assert!(connect(&server, &old, None).await.is_none());
    assert!(answers(kept).await, "a connection keeps the certificate it began with");
    following.abort();
}

/// What this process warns of.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// The whole process's: where one thread alone has a log, callsites that another thread reaches
    /// first stay silent for all.
    fn start() -> Self {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::WARN)
            .with_writer(move || writer.clone());
        subscriber.init();
        log
    }

    /// The lines about files in a folder.
    fn about(&self, folder: &Folder) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().expect("the log").clone()).expect("UTF-8");
        let folder = folder.0.display().to_string();
        text.lines().filter(|line| line.contains(&folder)).map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_file_that_is_gone_is_told_once_each_time() {
    let log = Log::start();
    let folder = Folder::new();
    let authority = Authority::new();
    let (cert, key) = authority.issue();
    let tls = Tls::open(folder.files((cert, key.clone()), None)).expect("a working certificate");
    let following = tokio::spawn(tls.follow(OFTEN));
    for times in 1..=2 {
        fs::remove_file(folder.0.join("key.pem")).expect("removed");
        eventually("it is told", async || log.about(&folder).len() >= times).await;
        tokio::time::sleep(OFTEN * 10).await;
        let lines = log.about(&folder);
        assert_eq!(lines.len(), times, "{lines:#?}");
        assert!(lines.iter().all(|line| line.contains("key.pem cannot be read")), "{lines:#?}");
        folder.write("key.pem", &key);
        tokio::time::sleep(OFTEN * 10).await;
    }
    following.abort();
}

#[tokio::test]
async fn clients_need_a_certificate_of_the_named_authority_and_of_a_changed_one_after_it_changes() {
    let folder = Folder::new();
    let (ours, theirs, others) = (Authority::new(), Authority::new(), Authority::new());
    let tls = Tls::open(folder.files(ours.issue(), Some(&theirs))).expect("a working set");
    let following = tokio::spawn(tls.clone().follow(OFTEN));
    let server = Server::over(Some(tls), &[]).await;
    let with = async |own| answers(connect(&server, &ours, own).await).await;
    assert!(with(Some(theirs.issue())).await);
    assert!(!with(Some(others.issue())).await);
    assert!(!with(None).await);

    folder.write("client.pem", &others.0.pem());
    eventually("the new authority counts", async || with(Some(others.issue())).await).await;
    assert!(!with(Some(theirs.issue())).await);
    following.abort();
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_ended() {
    let folder = Folder::new();
    let tls = Tls::open(folder.files(Authority::new().issue(), None)).expect("a certificate");
    let server = Server::over(Some(tls), &[("TLS_HANDSHAKE_TIMEOUT", "300ms")]).await;
    // Nothing; the head of a record without its body; another protocol.
    for said in [&b""[..], &[0x16, 3, 1, 2, 0, 1], b"GET / HTTP/1.1\r\n\r\n"] {
        let began = Instant::now();
        let mut io = server.connect().await;
        io.write_all(said).await.expect("sent");
        let mut rest = Vec::new();
        let _ = timeout(SOON, io.read_to_end(&mut rest)).await.expect("the connection ends");
        assert!(!rest.starts_with(b"HTTP"), "{rest:?}");
        if said.is_empty() {
            assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
        }
    }
}

#[tokio::test]
async fn files_that_make_no_working_set_are_refused_at_the_start() {
    let folder = Folder::new();
    let authority = Authority::new();
    let good = folder.files(authority.issue(), Some(&authority));
    assert!(Tls::open(good.clone()).is_ok());
    let (_, another_key) = authority.issue();
    for files in [
        Files { key: folder.write("another.pem", &another_key), ..good.clone() },
        Files { cert: folder.write("nonsense.pem", "nonsense"), ..good.clone() },
        Files { client_ca: Some(folder.write("none.pem", "")), ..good.clone() },
        Files { key: folder.0.join("missing.pem"), ..good.clone() },
    ] {
        assert!(Tls::open(files.clone()).is_err(), "{files:?}");
    }
}

#[test]
fn a_file_that_will_not_do_is_a_problem_of_the_setting_that_names_it() {
    let folder = Folder::new();
    let authority = Authority::new();
    let (cert, key) = authority.issue();
    let (_, another_key) = authority.issue();
    let named = |name, content: &str| folder.write(name, content).display().to_string();
    let (cert, key) = (named("cert.pem", &cert), named("key.pem", &key));
    let another_key = named("another.pem", &another_key);
    let nonsense = named("nonsense.pem", "nonsense");
    let missing = folder.0.join("missing.pem").display().to_string();

    let problems = |cert: &str, key: &str, client_ca: &str| {
        let lookup = |name: &str| {
            let value = match name {
                "TLS_CERT" => cert,
                "TLS_KEY" => key,
                "TLS_CLIENT_CA" => client_ca,
                "DATABASE_URL" => "postgresql://nobody@127.0.0.1:1/none",
                "JWT_SECRET" => "nobody's secret, which signs nothing",
                _ => return None,
            };
            Some(value.to_owned())
        };
        match config::serve(&lookup) {
            Ok(_) => Vec::new(),
            Err(Problems(problems)) => problems,
        }
    };
    assert_eq!(problems(&cert, &key, &cert), Vec::<String>::new());
    let unreadable = "cannot be read: No such file or directory (os error 2)";
    assert_eq!(
        problems(&missing, &missing, &missing),
        ["TLS_CERT", "TLS_KEY", "TLS_CLIENT_CA"].map(|it| format!("{it}: {missing} {unreadable}"))
    );
    assert_eq!(
        problems(&nonsense, &nonsense, &nonsense),
        [("TLS_CERT", "certificate"), ("TLS_KEY", "private key"), ("TLS_CLIENT_CA", "certificate")]
            .map(|(it, what)| format!("{it}: {nonsense} holds no {what} in PEM form"))
    );
    assert_eq!(
        problems(&cert, &another_key, ""),
        [format!("TLS_KEY: {another_key} is the key of another certificate")]
    );
}
