//! Everything that a developer needs running, in order: PostgreSQL, Supabase's parts of it, the
//! Auth stand-in, the migrated schema, two users, the service.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::auth::{Auth, Keys};
use crate::http;
use crate::ports::{Ports, is_free};
use crate::postgres::{Cluster, Options, write_private};
use crate::process::Supervised;
use crate::seed::{Seeds, seed};
use crate::state::{ENV, Folder, KEYS};
use crate::supabase;

/// Not a real one; the stand-in looks at no key.
const PUBLISHABLE_KEY: &str = "sb_publishable_dev";
/// Where the web example runs.
const ORIGINS: &str = "http://127.0.0.1:3000,http://localhost:3000";
/// How long the service may take to be ready.
const READY: Duration = Duration::from_secs(30);
/// How long the service may take to finish its calls.
const STOP: Duration = Duration::from_secs(30);

/// Settings of the service that would lead it away from this stack; those that the stack does not
/// set itself are removed from its environment, all others reach it as they are.
const FOREIGN: [&str; 25] = [
    "ADMIN_ADDR",
    "DATABASE_URL_FILE",
    "JWKS_URL",
    "JWT_AUDIENCE",
    "JWT_ISSUER",
    "JWT_SECRET",
    "JWT_SECRET_FILE",
    "JWT_SECRET_PREVIOUS",
    "JWT_SECRET_PREVIOUS_FILE",
    "MIGRATE_DATABASE_URL",
    "MIGRATE_DATABASE_URL_FILE",
    "PGDATABASE",
    "PGHOST",
    "PGHOSTADDR",
    "PGOPTIONS",
    "PGPASSFILE",
    "PGPASSWORD",
    "PGPORT",
    "PGSSLMODE",
    "PGSSLROOTCERT",
    "PGUSER",
    "PORT",
    "SUPABASE_JWT_SECRET",
    "TLS_CERT",
    "TLS_KEY",
];

/// A running stack. Dropping it stops its parts in the order of the fields.
#[derive(Debug)]
pub struct Stack {
    service: Supervised,
    auth: Auth,
    cluster: Cluster,
    ports: Ports,
    seeds: Seeds,
}

impl Stack {
    /// Starts everything and waits until the service is ready. `progress` is told of each step.
    pub async fn start(
        folder: &Folder,
        service: &Path,
        ports: Ports,
        progress: impl Fn(&str),
    ) -> Result<Self> {
        if !service.is_file() {
            bail!("{} is not built: cargo build", service.display());
        }
        ports.http.wait_until_free().await?;
        ports.auth.wait_until_free().await?;

        progress("PostgreSQL …");
        let options = Options::persistent(folder.postgres()?, ports.database.number);
        let cluster = Cluster::start(options).await.map_err(|error| {
            // Its own words follow, where it was not the port.
            match is_free(ports.database.number) {
                true => error,
                false => anyhow!(ports.database.taken()),
            }
        })?;
        supabase::install(&cluster).await?;
        let keys = Keys::load_or_create(&folder.file(KEYS))?;
        let database = cluster.config("supabase_auth_admin", "postgres");
        let auth = Auth::start(database, ports.auth.number, keys).await?;

        progress("migrating …");
        let environment = environment(&cluster, &auth, ports);
        let mut migrate = Command::new(service);
        migrate.arg("migrate");
        prepare(&mut migrate, &environment);
        let status = migrate.status().context("cannot run user-service migrate")?;
        if !status.success() {
            bail!("user-service migrate failed, {status}: its words are above");
        }
        let seeds = seed(&auth).await?;

        progress("the service …");
        let service =
            Supervised::spawn(service, ["serve"], "TERM", None, |it| prepare(it, &environment))?;
        let mut stack = Self { service, auth, cluster, ports, seeds };
        stack.wait_until_ready().await?;
        write_private(&folder.file(ENV), &stack.variables())?;
        Ok(stack)
    }

    /// The two users' sessions.
    pub fn seeds(&self) -> &Seeds {
        &self.seeds
    }

    /// Where the service answers.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.http.number)
    }

    /// Resolves when a part has ended by itself, and tells which.
    pub async fn ended(&mut self) -> anyhow::Error {
        let service = async {
            loop {
                if let Some(status) = self.service.exited() {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::select! {
            status = service => anyhow!("user-service ended by itself, {status}"),
            log = self.cluster.ended() => anyhow!("PostgreSQL ended by itself; it said:\n{log}"),
        }
    }

    /// Stops everything: the service first, which finishes its calls.
    pub async fn stop(mut self) -> Result<()> {
        if self.service.exited().is_none() {
            self.service.signal("TERM")?;
        }
        if self.service.wait(STOP).await.is_err() {
            self.service.signal("KILL")?;
        }
        drop(self.auth);
        self.cluster.stop().await
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let end = Instant::now() + READY;
        loop {
            if let Some(status) = self.service.exited() {
                bail!("user-service ended while it started, {status}: its words are above");
            }
            let answer = http::get_status(self.ports.http.number, "/readyz");
            let answer = tokio::time::timeout(Duration::from_secs(2), answer).await;
            if matches!(answer, Ok(Ok(200))) {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("user-service is not ready after {READY:?}: {}/readyz tells why", self.url());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// `.dev/env`, to source.
    fn variables(&self) -> String {
        [
            ("TOKEN", self.seeds.ada.access_token.clone()),
            ("USER_SERVICE_URL", self.url()),
            ("SUPABASE_URL", self.auth.url()),
            ("SUPABASE_PUBLISHABLE_KEY", PUBLISHABLE_KEY.into()),
            ("DATABASE_URL", self.cluster.url("postgres", "postgres")),
            ("ADA_ID", self.seeds.ada.user_id().to_string()),
            ("NAMELESS_ID", self.seeds.nameless.user_id().to_string()),
        ]
        .map(|(name, value)| format!("{name}={value}\n"))
        .concat()
    }
}

/// The built service beside this program.
pub fn built_service() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.with_file_name("user-service"))
}

fn environment(cluster: &Cluster, auth: &Auth, ports: Ports) -> Vec<(&'static str, String)> {
    vec![
        ("DATABASE_URL", cluster.url("postgres", "postgres")),
        ("SUPABASE_URL", auth.url()),
        ("SUPABASE_PUBLISHABLE_KEY", PUBLISHABLE_KEY.into()),
        ("LISTEN_ADDR", format!("127.0.0.1:{}", ports.http.number)),
        ("CORS_ALLOWED_ORIGINS", ORIGINS.into()),
        ("DOCS", "on".into()),
        ("EXPLORER", "on".into()),
    ]
}

/// The service's log goes where ours goes; what it prints must not mix with what we print.
fn prepare(command: &mut Command, environment: &[(&'static str, String)]) {
    for name in FOREIGN {
        command.env_remove(name);
    }
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdout(std::io::stderr());
}
