//! Behind a pooler in transaction mode: a real pgbouncer, with more clients than server
//! connections.

#![expect(missing_docs, reason = "diesel's macros make public items")]

mod db_support;

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use db_support::{
    LOGINS, Project, Random, caller, pgbouncer::Pgbouncer, proxy::Proxy, settings, until,
};
use diesel::{ExpressionMethods as _, QueryDsl as _, dsl::count_star};
use diesel_async::RunQueryDsl as _;
use tokio::time::timeout;
use user_service::{
    auth::Caller,
    db::{CallerConnection as Conn, Db, Error, PoolMode, Settings, users as queries},
};
use uuid::Uuid;

diesel::table! {
    users (id) {
        id -> Uuid,
        full_name -> Nullable<Text>,
    }
}

/// A project behind a pooler with this many server connections.
async fn pooled(size: u32) -> (Project, Pgbouncer) {
    let project = Project::new().await;
    let urls = LOGINS.map(|login| project.database.url(login));
    let port = project.database.config("postgres").get_ports()[0];
    let pooler = Pgbouncer::start(port, size, &urls.each_ref().map(String::as_str)).await;
    (project, pooler)
}

async fn reads_and_writes(db: &Db, caller: &Caller, name: &str) -> Result<(), Error> {
    let stored = queries::set_full_name(db, caller, name).await?;
    assert_eq!(stored.as_deref(), Some(name));
    assert_eq!(queries::full_name(db, caller).await?, Some(Some(name.to_owned())));
    let ids = db
        .as_caller(caller)
        .read(async |c: &mut Conn<'_>| {
            let ids = users::table.select(users::id).load::<Uuid>(c).await?;
            assert_eq!(users::table.select(count_star()).get_result::<i64>(c).await?, 1);
            Ok(ids)
        })
        .await?;
    assert_eq!(ids, [caller.id().unwrap()]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_clients_than_server_connections_are_all_answered_rightly() {
    let (project, pooler) = pooled(4).await;
    let callers = [caller::user(project.ada).await, caller::user(project.bob).await];
    for login in LOGINS {
        let url = pooler.url(&project.database.url(login));
        assert_eq!(settings(&url).pool_mode, PoolMode::Transaction);
        let db = Db::new(Settings { pool_size: 24, ..settings(&url) });
        let clients = (0..24).map(|client| {
            let (db, caller) = (db.clone(), callers[client % 2].clone());
            tokio::spawn(async move {
                let name = caller.id().unwrap().to_string();
                for _ in 0..20 {
                    reads_and_writes(&db, &caller, &name).await.unwrap();
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
        db.ping().await.unwrap();
    }
    let rest = "select count(*) from pg_stat_activity where application_name = 'user-service' and state like 'idle in transaction%'";
    // The last reads roll back in the background.
    until("no transaction is left", async || project.ask::<i64>(rest).await == 0).await;
}

/// What the processes of the next test do: calls, one in three of them cut short.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker() {
    let Ok(url) = std::env::var("POOLER_URL") else { return };
    let id: Uuid = std::env::var("POOLER_USER").unwrap().parse().unwrap();
    let caller = caller::user(id).await;
    let db = Db::new(Settings { pool_size: 8, ..settings(&url) });
    let mut random = Random::new();
    let clients = (0..8).map(|_| {
        let (db, caller, mut random) = (db.clone(), caller.clone(), random.split());
        tokio::spawn(async move {
            let name = caller.id().unwrap().to_string();
            for _ in 0..40 {
                let call = reads_and_writes(&db, &caller, &name);
                if random.below(3) > 0 {
                    call.await.unwrap();
                    continue;
                }
                let left = Duration::from_micros(random.below(20_000));
                if let Ok(ended) = timeout(left, call).await {
                    ended.unwrap();
                }
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    println!("worker done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_at_once_do_not_get_in_each_others_way() {
    let (project, pooler) = pooled(3).await;
    let url = pooler.url(&project.database.url("postgres"));
    // Each process counts its statements' names from zero, so the second two come by every name
    // that the first two left.
    for _ in 0..2 {
        let workers = [project.ada, project.bob].map(|user| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "worker", "--nocapture"])
                .env("POOLER_URL", &url)
                .env("POOLER_USER", user.to_string())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        });
        for worker in workers {
            let ended = worker.wait_with_output().unwrap();
            let told = String::from_utf8_lossy(&ended.stdout);
            assert!(ended.status.success() && told.contains("worker done"), "{told}");
        }
    }
}

#[tokio::test]
async fn an_error_and_a_refusal_are_the_same_behind_a_pooler() {
    let (project, pooler) = pooled(1).await;
    let db = Db::new(settings(&pooler.url(&project.database.url("authenticator"))));
    let ada = caller::user(project.ada).await;
    let swallowed = db.as_caller(&ada).write(async |c: &mut Conn<'_>| {
        let _ = diesel::update(users::table).set(users::id.eq(Uuid::nil())).execute(c).await;
        Ok(())
    });
    let error = swallowed.await.unwrap_err();
    assert_eq!(error.sqlstate().unwrap().as_str(), "42501", "{error}");
    let read_only = db.as_caller(&ada).read(async |c: &mut Conn<'_>| {
        diesel::update(users::table).set(users::full_name.eq("?")).execute(c).await
    });
    assert_eq!(read_only.await.unwrap_err().sqlstate().unwrap().as_str(), "25006");
    let hurried = caller::user_within(project.ada, Duration::from_millis(200)).await;
    let late = db.as_caller(&hurried).one::<Option<String>, _>(diesel::dsl::select(pg_sleep(20.0)));
    assert!(matches!(late.await, Err(Error::Deadline)));
    project.until_running(0).await;
    reads_and_writes(&db, &ada, "Ada").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_is_slow_to_pass_a_cancel_request_on_survives_it() {
    let project = Project::new().await;
    let proxy = Proxy::start(project.database.config("postgres").get_ports()[0]).await;
    let url = proxy.url(&project.database.url("postgres"));
    let pooler = Pgbouncer::start(proxy.port(), 4, &[&url]).await;
    let db = Db::new(settings(&pooler.url(&url)));
    let ada = caller::user(project.ada).await;
    for _ in 0..3 {
        reads_and_writes(&db, &ada, "Ada").await.unwrap();
        proxy.delay(Duration::from_millis(50));
        let call = db.as_caller(&ada).one::<Option<String>, _>(diesel::dsl::select(pg_sleep(20.0)));
        tokio::select! {
            ended = call => panic!("{ended:?}"),
            () = project.until_running(1) => {}
        }
        project.until_running(0).await;
        until("its end was acknowledged", async || db.connections().busy == 0).await;
        proxy.delay(Duration::ZERO);
    }
}

#[diesel::declare_sql_function]
extern "SQL" {
    fn pg_sleep(
        seconds: diesel::sql_types::Double,
    ) -> diesel::sql_types::Nullable<diesel::sql_types::Text>;
}
