//! Work as the caller, beside pgbench with the same statements and as many clients: the ratio of
//! calls a second, round by round in one run. Direct, pgbench has them prepared (`-M prepared`);
//! through a pooler in transaction mode neither side can (`-M extended`), and there is no limit.
//!
//! What bounds each:
//!
//! - `one`: the server's work on four statements, which come to it in one flight;
//! - `read`: the same, and that a connection is kept from the next call until its `ROLLBACK`, a
//!   flight of its own, was answered;
//! - `write`: the lock on the one row that all clients change, held from the update until `COMMIT`,
//!   one flight later;
//! - `one_pooled`, `read_pooled`: that each statement is prepared first and run when that was
//!   answered, where pgbench sends both at once, and the pooler's one thread, which carries all;
//! - `write_pooled`: the lock, as without the pooler.

#[path = "../tests/db_support/mod.rs"]
mod db_support;
mod figure;

use std::{
    fs,
    ops::Bound,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use db_support::{Project, caller, pgbouncer::Pgbouncer};
use diesel::QueryDsl as _;
use tokio::{process::Command, task::JoinSet, time::Instant};
use user_service::{
    auth::Caller,
    db::{CallerConnection, Db, Error, Settings, users},
};
use uuid::Uuid;

mod table {
    diesel::table! {
        users (id) {
            id -> Uuid,
            full_name -> Nullable<Text>,
        }
    }
}

const CLIENTS: u32 = 8;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);

/// What the service sends around a query, as pgbench sends it.
const BEGIN_READ: &str = "BEGIN READ ONLY;";
const BEGIN_WRITE: &str = "BEGIN READ WRITE;";
const BECOME: &str = "SELECT set_config('role', :role, true), \
    set_config('request.jwt.claims', :claims, true), \
    set_config('request.jwt.claim', '', true), \
    set_config('request.jwt.claim.sub', '', true), \
    set_config('request.jwt.claim.role', '', true), \
    set_config('request.jwt.claim.email', '', true), \
    set_config('search_path', 'public, extensions', true), \
    set_config('statement_timeout', '10000', true);";
const SELECT: &str = "SELECT full_name FROM users WHERE id = :id;";
const UPDATE: &str = "UPDATE users SET full_name = 'Ada' WHERE id = :id RETURNING full_name;";

#[tokio::main]
async fn main() {
    let project = Project::new().await;
    let ada = caller::user(project.ada).await;
    let url = project.database.url("postgres");
    let port = project.database.config("postgres").get_ports()[0];
    let pooler = Pgbouncer::start(port, CLIENTS, &[&url]).await;

    let direct = Way::new(&url, "prepared", ada.clone());
    direct.measure("db.one", Some(0.8), &ONE, one).await;
    direct.measure("db.read", Some(0.6), &READ, read).await;
    direct.measure("db.write", Some(0.6), &WRITE, write).await;
    // What is prepared does not outlive a transaction there, on either side.
    let pooled = Way::new(&pooler.url(&url), "extended", ada);
    pooled.measure("db.one_pooled", None, &ONE, one).await;
    pooled.measure("db.read_pooled", None, &READ, read).await;
    pooled.measure("db.write_pooled", None, &WRITE, write).await;
}

const ONE: [&str; 4] = [BEGIN_READ, BECOME, SELECT, "COMMIT;"];

async fn one(db: Db, ada: Caller) -> Result<(), Error> {
    users::full_name(&db, &ada).await.map(drop)
}

const READ: [&str; 4] = [BEGIN_READ, BECOME, SELECT, "ROLLBACK;"];

async fn read(db: Db, ada: Caller) -> Result<(), Error> {
    use diesel_async::RunQueryDsl as _; // its `load` would be every type's above

    let id = ada.id().expect("a signed-in user");
    let read = async move |c: &mut CallerConnection<'_>| {
        let row = table::users::table.find(id).select(table::users::full_name);
        row.get_result::<Option<String>>(c).await
    };
    db.as_caller(&ada).read(read).await.map(drop)
}

const WRITE: [&str; 5] = [BEGIN_WRITE, BECOME, UPDATE, "SELECT;", "COMMIT;"];

async fn write(db: Db, ada: Caller) -> Result<(), Error> {
    users::set_full_name(&db, &ada, "Ada").await.map(drop)
}

/// A way to the server, for the service and for pgbench.
struct Way {
    db: Db,
    ada: Caller,
    /// Where pgbench connects to, and how it sends (`-M`).
    url: String,
    mode: &'static str,
}

impl Way {
    fn new(url: &str, mode: &'static str, ada: Caller) -> Self {
        let db = Db::new(Settings { pool_size: CLIENTS, ..db_support::settings(url) });
        // The service's own parameter, which PostgreSQL's programs do not know.
        Self { db, ada, url: url.replace("?pgbouncer=true", ""), mode }
    }

    /// Prints how many calls a second `call` makes, for each that pgbench makes with `script`.
    async fn measure<F, A>(&self, name: &str, at_least: Option<f64>, script: &[&str], call: F)
    where
        F: Fn(Db, Caller) -> A + Copy + Send + 'static,
        A: Future<Output = Result<(), Error>> + Send,
    {
        let file = std::env::temp_dir().join(format!("{}.sql", Uuid::new_v4()));
        fs::write(&file, script.join("\n")).expect("a script");
        self.ours(call).await; // warm
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            let theirs = self.pgbench(&file).await;
            ratios.push(self.ours(call).await / theirs);
        }
        fs::remove_file(file).expect("removed");
        let at_least = at_least.map_or(Bound::Unbounded, Bound::Included);
        figure::print(name, ratios, (at_least, Bound::Unbounded));
    }

    /// Calls a second, by [`CLIENTS`] tasks.
    async fn ours<F, A>(&self, call: F) -> f64
    where
        F: Fn(Db, Caller) -> A + Copy + Send + 'static,
        A: Future<Output = Result<(), Error>> + Send,
    {
        let (calls, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let mut clients = JoinSet::new();
        let start = Instant::now();
        for _ in 0..CLIENTS {
            let (db, ada) = (self.db.clone(), self.ada.clone());
            let (calls, over) = (calls.clone(), over.clone());
            clients.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    call(db.clone(), ada.clone()).await.expect("a call that succeeds");
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        tokio::time::sleep(ROUND).await;
        over.store(true, Ordering::Relaxed);
        clients.join_all().await;
        calls.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64()
    }

    /// Transactions a second, as pgbench counts them.
    async fn pgbench(&self, script: &Path) -> f64 {
        let id = self.ada.id().expect("a signed-in user");
        let ran = Command::new("pgbench")
            .args(["-n", "-M", self.mode, "-j", "1"])
            .args(["-c", &CLIENTS.to_string(), "-T", &ROUND.as_secs().to_string()])
            .args(["-D", "role=authenticated", "-D", &format!("claims={}", self.ada.claims())])
            .args(["-D", &format!("id={id}")])
            .arg("-f")
            .arg(script)
            .arg(&self.url)
            .output()
            .await
            .expect("pgbench: it comes with PostgreSQL's server programs");
        let text = String::from_utf8_lossy(&ran.stdout);
        let tps = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next());
        let said = || panic!("pgbench: {}", String::from_utf8_lossy(&ran.stderr));
        tps.and_then(|tps| tps.parse().ok()).unwrap_or_else(said)
    }
}
