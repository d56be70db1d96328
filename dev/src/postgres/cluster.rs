//! One server: started, stopped, killed, started again; its databases.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::time::timeout;
use tokio_postgres::{Client, Config, NoTls};

use super::account::Account;
use super::binaries::Binaries;
use super::directory::Directory;
use super::options::{Options, setting};
use crate::process::Supervised;

/// The role that owns the server, as on Supabase.
pub const SUPERUSER: &str = "supabase_admin";

/// The roles that log in; each has its own random password.
pub(super) const LOGINS: [&str; 4] =
    [SUPERUSER, "postgres", "supabase_auth_admin", "authenticator"];

/// How long a server may take until it answers; after a crash it replays its log first.
const START: Duration = Duration::from_secs(60);
/// How long one attempt to connect may take: another program on the port may never answer.
const ANSWER: Duration = Duration::from_secs(1);
/// How long a server may take to stop.
const STOP: Duration = Duration::from_secs(30);

/// A running PostgreSQL server on 127.0.0.1. Dropping it stops the server.
#[derive(Debug)]
pub struct Cluster {
    options: Options,
    binaries: Binaries,
    directory: Directory,
    passwords: BTreeMap<String, String>,
    port: u16,
    server: Option<Supervised>,
}

impl Cluster {
    /// Makes the data where it is missing, ends what a killed run left, starts the server and
    /// waits until it answers.
    pub async fn start(options: Options) -> Result<Self> {
        let binaries = Binaries::find()?;
        let directory = Directory::open(&options.directory, Account::find()?)?;
        let passwords = directory.passwords()?;
        directory.init(&binaries, &passwords[SUPERUSER])?;
        directory.release().await?;
        let port = options.port;
        let mut cluster = Self { options, binaries, directory, passwords, port, server: None };
        cluster.launch().await?;
        Ok(cluster)
    }

    /// Starts a server for tests: see [`Options::temporary`].
    pub async fn temporary() -> Result<Self> {
        Self::start(Options::temporary()).await
    }

    /// The port on 127.0.0.1; it stays the same across restarts of this value.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the server keeps its data, passwords and log.
    pub fn directory(&self) -> &Path {
        &self.directory.path
    }

    /// A connection string for `role`, one of `postgres` (what a project's owner has),
    /// `authenticator`, `supabase_auth_admin` and [`SUPERUSER`].
    ///
    /// # Panics
    ///
    /// When no such role logs in.
    pub fn url(&self, role: &str, database: &str) -> String {
        let password = &self.passwords[role];
        format!("postgresql://{role}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// The same as [`url`](Self::url), for tokio-postgres.
    pub fn config(&self, role: &str, database: &str) -> Config {
        let mut config = Config::new();
        config.host(Ipv4Addr::LOCALHOST.to_string()).port(self.port).dbname(database);
        config.user(role).password(&self.passwords[role]);
        config
    }

    /// Connects as `role`. The connection lives on the current runtime.
    pub async fn connect(&self, role: &str, database: &str) -> Result<Client> {
        Ok(connect(&self.config(role, database)).await?)
    }

    /// The password of a role that logs in.
    pub(crate) fn passwords(&self) -> &BTreeMap<String, String> {
        &self.passwords
    }

    /// Makes a database that `postgres` owns; `template` is copied, and nobody may be connected
    /// to it. Without one it is empty.
    pub async fn create_database(&self, name: &str, template: Option<&str>) -> Result<()> {
        let template = template.unwrap_or("template0");
        let client = self.connect(SUPERUSER, "postgres").await?;
        let sql = format!("create database {name} owner postgres template {template}");
        client.batch_execute(&sql).await.with_context(|| format!("cannot create {name}"))
    }

    /// Removes a database and ends its connections.
    pub async fn drop_database(&self, name: &str) -> Result<()> {
        let client = self.connect(SUPERUSER, "postgres").await?;
        Ok(client.batch_execute(&format!("drop database if exists {name} with (force)")).await?)
    }

    /// Stops the server: running statements are ended, connections closed.
    pub async fn stop(&mut self) -> Result<()> {
        self.end("INT").await
    }

    /// Kills the server as a crash would, with SIGKILL.
    pub async fn kill(&mut self) -> Result<()> {
        self.end("KILL").await
    }

    /// Starts the server again on the same port, after [`stop`](Self::stop) or
    /// [`kill`](Self::kill).
    pub async fn start_again(&mut self) -> Result<()> {
        if self.server.is_some() {
            bail!("the server runs already");
        }
        self.run().await
    }

    /// Stops the server and starts it again on the same port.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        self.run().await
    }

    /// Resolves when the server has ended by itself.
    pub async fn ended(&mut self) -> String {
        while self.server.as_mut().is_none_or(|server| server.exited().is_none()) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        self.directory.log_tail()
    }

    async fn end(&mut self, signal: &str) -> Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        server.signal(signal)?;
        server.wait(STOP).await?;
        Ok(())
    }

    /// Runs the server on its port; where any port will do, another process may take the one that
    /// was just found free, so a few are tried.
    async fn launch(&mut self) -> Result<()> {
        if self.options.port != 0 {
            return self.run().await;
        }
        let mut outcome = Ok(());
        for _ in 0..5 {
            self.port = free_port()?;
            outcome = self.run().await;
            if outcome.is_ok() || !self.directory.log_tail().contains("in use") {
                return outcome;
            }
        }
        outcome
    }

    /// Runs the server until it answers. After a crash its other processes take a moment to
    /// notice; while they use the data, a new server refuses to start.
    async fn run(&mut self) -> Result<()> {
        let end = Instant::now() + START;
        loop {
            let outcome = self.attempt(end).await;
            let in_use = "pre-existing shared memory block";
            if outcome.is_ok() || !self.directory.log_tail().contains(in_use) {
                return outcome;
            }
        }
    }

    async fn attempt(&mut self, end: Instant) -> Result<()> {
        let log = File::create(self.directory.log())?;
        let error_log = log.try_clone()?;
        let (stop, remove) = match self.options.temporary {
            true => ("QUIT", Some(self.directory.path.as_path())),
            false => ("INT", None),
        };
        let postgres = self.binaries.program("postgres");
        let server = Supervised::spawn(&postgres, self.arguments(), stop, remove, |command| {
            self.directory.prepare(command);
            command.stdout(log).stderr(error_log);
        })?;
        let config = self.config(SUPERUSER, "postgres");
        let server = self.server.insert(server);
        loop {
            if timeout(ANSWER, connect(&config)).await.is_ok_and(|it| it.is_ok()) {
                return Ok(());
            }
            if server.exited().is_some() || Instant::now() > end {
                self.server = None;
                let log = self.directory.log_tail();
                bail!("PostgreSQL did not start on port {}; it said:\n{log}", self.port);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Settings of the command line win over every file in the data directory.
    fn arguments(&self) -> Vec<OsString> {
        let mut settings = vec![
            setting("listen_addresses", "127.0.0.1"),
            setting("port", &self.port.to_string()),
            setting("unix_socket_directories", ""),
            setting("password_encryption", "scram-sha-256"),
            setting("timezone", "UTC"),
            setting("log_timezone", "UTC"),
        ];
        settings.extend(self.options.settings.iter().cloned());
        let mut arguments = vec![OsString::from("-D"), self.directory.data().into()];
        for (name, value) in settings {
            arguments.extend(["-c".into(), format!("{name}={value}").into()]);
        }
        arguments
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.server.take());
        if self.options.temporary {
            // The shell does it while the server runs; after `stop` or `kill` there is no shell.
            let _ = std::fs::remove_dir_all(&self.directory.path);
        }
    }
}

/// Connects without TLS, which nothing on 127.0.0.1 needs.
pub(crate) async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
