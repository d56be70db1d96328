//! TLS on a server of the tests' own.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

use dev::postgres::Cluster;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::{SUPERUSER, until};

/// Two authorities' certificates, in files.
pub struct Authorities {
    /// Signed the server's certificate.
    pub right: PathBuf,
    /// Did not.
    pub wrong: PathBuf,
}

/// Gives a server a certificate for `localhost`.
pub async fn switch_on(cluster: &Cluster) -> Authorities {
    let directory = cluster.directory().to_owned();
    let (right, wrong) = (authority(), authority());
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &right).unwrap();
    let write = |name: &str, pem: &str| {
        let path = directory.join(name);
        fs::write(&path, pem).unwrap();
        path
    };
    let right = write("right.crt", &right.pem());
    let wrong = write("wrong.crt", &wrong.pem());
    let certificate = write("tls.crt", &certificate.pem());
    let key = write("tls.key", &key.serialize_pem());
    own(&certificate, &directory);
    own(&key, &directory);

    let admin = cluster.connect(SUPERUSER, "postgres").await.unwrap();
    for setting in [
        "ssl = on".to_owned(),
        format!("ssl_cert_file = '{}'", certificate.display()),
        format!("ssl_key_file = '{}'", key.display()),
    ] {
        admin.batch_execute(&format!("alter system set {setting}")).await.unwrap();
    }
    admin.batch_execute("select pg_reload_conf()").await.unwrap();
    // A new connection is as the server is by then.
    until("TLS is on", async || {
        let new = cluster.connect(SUPERUSER, "postgres").await.unwrap();
        new.query_one("show ssl", &[]).await.unwrap().get::<_, &str>(0) == "on"
    })
    .await;
    Authorities { right, wrong }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Gives a file to whom the server runs as, and to nobody else.
fn own(path: &Path, like: &Path) {
    let owner = fs::metadata(like).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
}
