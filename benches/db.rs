//! Work as the caller, beside `pgbench -M prepared` with the same statements and as many clients:
//! the ratio of calls a second, round by round in one run.

#[path = "../tests/db_support/mod.rs"]
mod db_support;
mod figure;

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use db_support::{Project, caller};
use diesel::QueryDsl as _;
use tokio::{process::Command, task::JoinSet, time::Instant};
use user_service::{
    auth::Caller,
    db::{CallerConnection, Db, Error, users},
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
    let db = project.db_of("postgres", CLIENTS);

    let one = |db: Db, ada: Caller| async move { users::full_name(&db, &ada).await.map(drop) };
    measure("db.one", 0.8, &project, &db, &ada, &[BEGIN_READ, BECOME, SELECT, "COMMIT;"], one)
        .await;
    let id = project.ada;
    let read = move |db: Db, ada: Caller| async move { select(&db, &ada, id).await };
    let script = [BEGIN_READ, BECOME, SELECT, "ROLLBACK;"];
    measure("db.read", 0.6, &project, &db, &ada, &script, read).await;
    let write =
        |db: Db, ada: Caller| async move { users::set_full_name(&db, &ada, "Ada").await.map(drop) };
    let script = [BEGIN_WRITE, BECOME, UPDATE, "SELECT;", "COMMIT;"];
    measure("db.write", 0.6, &project, &db, &ada, &script, write).await;
}

async fn select(db: &Db, ada: &Caller, id: Uuid) -> Result<(), Error> {
    use diesel_async::RunQueryDsl as _; // its `load` would be every type's above

    let read = async move |c: &mut CallerConnection<'_>| {
        let row = table::users::table.find(id).select(table::users::full_name);
        row.get_result::<Option<String>>(c).await
    };
    db.as_caller(ada).read(read).await.map(drop)
}

/// Prints how many calls a second `call` makes, for each that pgbench makes with `script`.
async fn measure<F, A>(
    name: &str,
    at_least: f64,
    project: &Project,
    db: &Db,
    ada: &Caller,
    script: &[&str],
    call: F,
) where
    F: Fn(Db, Caller) -> A + Copy + Send + 'static,
    A: Future<Output = Result<(), Error>> + Send,
{
    let file = std::env::temp_dir().join(format!("{}.sql", Uuid::new_v4()));
    fs::write(&file, script.join("\n")).expect("a script");
    ours(db, ada, call).await; // warm
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let theirs = pgbench(project, ada, &file).await;
        ratios.push(ours(db, ada, call).await / theirs);
    }
    fs::remove_file(file).expect("removed");
    figure::print(name, ratios, at_least..);
}

/// Calls a second, by [`CLIENTS`] tasks.
async fn ours<F, A>(db: &Db, ada: &Caller, call: F) -> f64
where
    F: Fn(Db, Caller) -> A + Copy + Send + 'static,
    A: Future<Output = Result<(), Error>> + Send,
{
    let (calls, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut clients = JoinSet::new();
    let start = Instant::now();
    for _ in 0..CLIENTS {
        let (db, ada, calls, over) = (db.clone(), ada.clone(), calls.clone(), over.clone());
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
async fn pgbench(project: &Project, ada: &Caller, script: &Path) -> f64 {
    let ran = Command::new("pgbench")
        .args(["-n", "-M", "prepared", "-j", "1"])
        .args(["-c", &CLIENTS.to_string(), "-T", &ROUND.as_secs().to_string()])
        .args(["-D", "role=authenticated", "-D", &format!("claims={}", ada.claims())])
        .args(["-D", &format!("id={}", project.ada)])
        .arg("-f")
        .arg(script)
        .arg(project.database.url("postgres"))
        .output()
        .await
        .expect("pgbench: it comes with PostgreSQL's server programs");
    let text = String::from_utf8_lossy(&ran.stdout);
    let tps = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next());
    let said = || panic!("pgbench: {}", String::from_utf8_lossy(&ran.stderr));
    tps.and_then(|tps| tps.parse().ok()).unwrap_or_else(said)
}
