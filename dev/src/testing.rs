//! For tests: one server for the process, and for each test a database of its own, copied from a
//! migrated template.

use std::future::Future;

use anyhow::{Context, Result};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, Config};
use uuid::Uuid;

use crate::postgres::{Cluster, SUPERUSER};
use crate::supabase;

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

/// The server that all tests of this process share, started by the first that asks.
///
/// A static is never dropped; the server stops, and its directory goes, with the process.
pub async fn cluster() -> Result<&'static Cluster> {
    CLUSTER
        .get_or_try_init(|| async {
            let cluster = Cluster::temporary().await?;
            supabase::install(&cluster).await?;
            Ok(cluster)
        })
        .await
}

/// A database to copy: prepared once for the process, then closed to connections. Keep it in a
/// static.
#[derive(Debug)]
pub struct Template(OnceCell<String>);

impl Template {
    /// A template that is prepared when it is first copied.
    #[expect(clippy::new_without_default, reason = "a default is not const")]
    pub const fn new() -> Self {
        Self(OnceCell::const_new())
    }

    /// Copies the template into a new database.
    ///
    /// The first call makes the template: a database as a new Supabase project has it, on which
    /// `prepare` works, given its connection string for the role `postgres`.
    pub async fn copy<F>(&self, prepare: impl FnOnce(String) -> F) -> Result<Database>
    where
        F: Future<Output = Result<()>>,
    {
        let cluster = cluster().await?;
        let template = self.0.get_or_try_init(|| make(cluster, prepare)).await?;
        let name = unique("test");
        cluster.create_database(&name, Some(template)).await?;
        Ok(Database { cluster, name })
    }
}

async fn make<F>(cluster: &Cluster, prepare: impl FnOnce(String) -> F) -> Result<String>
where
    F: Future<Output = Result<()>>,
{
    let name = unique("template");
    cluster.create_database(&name, None).await?;
    supabase::install_in(cluster, &name).await?;
    prepare(cluster.url("postgres", &name)).await.context("cannot prepare the template")?;
    let client = cluster.connect(SUPERUSER, "postgres").await?;
    client.batch_execute(&format!("alter database {name} allow_connections false")).await?;
    Ok(name)
}

fn unique(prefix: &str) -> String {
    format!("{prefix}_{}", Uuid::new_v4().simple())
}

/// A test's own database. Dropping it removes it, whoever is still connected.
#[derive(Debug)]
pub struct Database {
    cluster: &'static Cluster,
    name: String,
}

impl Database {
    /// Its name on the shared server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A connection string for a role that logs in: see [`Cluster::url`].
    pub fn url(&self, role: &str) -> String {
        self.cluster.url(role, &self.name)
    }

    /// The same for tokio-postgres.
    pub fn config(&self, role: &str) -> Config {
        self.cluster.config(role, &self.name)
    }

    /// Connects as a role that logs in.
    pub async fn connect(&self, role: &str) -> Result<Client> {
        self.cluster.connect(role, &self.name).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (cluster, name) = (self.cluster, std::mem::take(&mut self.name));
        // Its own thread and runtime, since a test's runtime may be ending. Nobody waits for it:
        // what it does not come to is removed with the server.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|it| it.block_on(cluster.drop_database(&name)))
        });
    }
}
