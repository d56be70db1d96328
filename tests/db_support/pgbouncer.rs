//! A real pgbouncer in transaction mode.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use uuid::Uuid;

/// A pooler in front of a server. Dropping it ends it.
pub struct Pgbouncer {
    child: Child,
    directory: PathBuf,
    upstream: u16,
    port: u16,
}

impl Pgbouncer {
    /// Starts one that has this many server connections, for logins with these URLs.
    ///
    /// # Panics
    /// Without the program.
    pub async fn start(upstream: u16, size: u32, logins: &[&str]) -> Self {
        let directory = std::env::temp_dir().join(format!("pgbouncer-{}", Uuid::new_v4().simple()));
        fs::create_dir(&directory).expect("a folder for pgbouncer");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let users: String = logins.iter().map(|url| user_line(url)).collect();
        fs::write(directory.join("users.txt"), users).expect("a file");
        let config = format!(
            "[databases]\n* = host=127.0.0.1 port={upstream}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = scram-sha-256\nauth_file = {0}/users.txt\n\
             pool_mode = transaction\ndefault_pool_size = {size}\nmax_client_conn = 500\n",
            directory.display(),
        );
        fs::write(directory.join("pgbouncer.ini"), config).expect("a file");
        for (path, mode) in [("", 0o755), ("users.txt", 0o644), ("pgbouncer.ini", 0o644)] {
            let mode = fs::Permissions::from_mode(mode);
            fs::set_permissions(directory.join(path), mode).expect("a file of ours");
        }

        // It refuses to work as root, and takes another user's place when told.
        let as_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
        let user: &[&str] = if as_root { &["-u", "postgres"] } else { &[] };
        let child = Command::new("pgbouncer")
            .args(user)
            .arg(directory.join("pgbouncer.ini"))
            .env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()))
            .stderr(if std::env::var_os("PGBLOG").is_some() {
                Stdio::inherit()
            } else {
                Stdio::null()
            })
            .spawn()
            .expect("pgbouncer is needed: apt-get install pgbouncer, or brew install pgbouncer");
        super::until("pgbouncer listens", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
        Self { child, directory, upstream, port }
    }

    /// The URL with the pooler's port in place of the server's.
    pub fn url(&self, url: &str) -> String {
        url.replace(&format!(":{}/", self.upstream), &format!(":{}/", self.port))
            + "?pgbouncer=true"
    }
}

fn user_line(url: &str) -> String {
    let login = url.strip_prefix("postgresql://").and_then(|rest| rest.split_once('@'));
    let (user, password) = login.and_then(|(login, _)| login.split_once(':')).expect("a login");
    format!("\"{user}\" \"{password}\"\n")
}

impl Drop for Pgbouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
