//! The key set over HTTPS, with an authority of the test's own.

use std::{env, fs, path::Path, sync::Arc, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use user_service::auth::{Clock, FetchError, JwksSettings, Settings};

use crate::{
    keys::ends_in_time_and_in_size_and_follows_nobody,
    support::{alone, auth, issuer::Issuer, key_server::KeyServer, settings},
};

/// By `SSL_CERT_FILE`, which is the process's: the one way in which a private authority is given to
/// the service.
#[tokio::test]
async fn a_private_authority_is_trusted_by_ssl_cert_file_and_no_other() {
    const NAME: &str = "https::a_private_authority_is_trusted_by_ssl_cert_file_and_no_other";
    const FILES: [&str; 4] = ["ca.pem", "cert.der", "key.der", "elsewhere.der"];
    if let Some(directory) = alone::variable("SSL_CERT_FILE") {
        let directory = Path::new(&directory).parent().unwrap();
        let [_, certificate, key, elsewhere] =
            FILES.map(|file| fs::read(directory.join(file)).unwrap());
        return trusts_only([&certificate, &elsewhere], &key).await;
    }
    let directory = env::temp_dir().join(format!("user-service-authority-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let authority = authority();
    let key = KeyPair::generate().unwrap();
    let (here, elsewhere) =
        (leaf(&authority, &key, "127.0.0.1"), leaf(&authority, &key, "other.example"));
    let contents = [authority.pem().into(), here, key.serialize_der(), elsewhere];
    for (file, content) in FILES.iter().zip(contents) {
        fs::write(directory.join(file), content).unwrap();
    }
    let authorities = directory.join("ca.pem");
    alone::run(NAME, &[("SSL_CERT_FILE", authorities.as_os_str())]);
    fs::remove_dir_all(&directory).unwrap();
}

async fn trusts_only([here, elsewhere]: [&[u8]; 2], key: &[u8]) {
    let issuer = Issuer::new();
    let fetch = async |server: &KeyServer| {
        auth(settings(&issuer, server), &Clock::system()).fetch_keys().await
    };
    let trusted = KeyServer::start_tls(issuer.jwks(), acceptor(here, key)).await;
    assert_eq!(fetch(&trusted).await.unwrap(), 3);
    ends_in_time_and_in_size_and_follows_nobody(&issuer, &trusted).await;

    let stranger_key = KeyPair::generate().unwrap();
    let stranger = leaf(&authority(), &stranger_key, "127.0.0.1");
    for (who, certificate, key) in [
        ("a stranger's authority", stranger.as_slice(), stranger_key.serialize_der().as_slice()),
        ("RFC 7515, 8: a certificate of another host", elsewhere, key),
    ] {
        let server = KeyServer::start_tls(issuer.jwks(), acceptor(certificate, key)).await;
        let error = fetch(&server).await.expect_err(who);
        assert!(error.to_string().contains("certificate"), "{who}: {error}");
        assert_eq!(server.requests(), 0, "{who}");
    }

    // Its backlog takes the connection, and nobody takes up the handshake.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", silent.local_addr().unwrap()).parse().unwrap();
    let jwks = JwksSettings { timeout: Duration::from_millis(200), ..JwksSettings::new(url) };
    let settings = Settings { jwks: Some(jwks), ..settings(&issuer, &trusted) };
    let auth = auth(settings, &Clock::system());
    let fetched = tokio::time::timeout(Duration::from_secs(5), auth.fetch_keys()).await;
    assert!(matches!(fetched.expect("it ends"), Err(FetchError::Unreachable(_))));
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for this host.
fn leaf(authority: &CertifiedIssuer<'static, KeyPair>, key: &KeyPair, host: &str) -> Vec<u8> {
    let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.signed_by(key, authority).unwrap().der().to_vec()
}

fn acceptor(certificate: &[u8], key: &[u8]) -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.to_vec().into()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
