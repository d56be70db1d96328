//! The database slow, full, restarted, cut off, read only; the pool exhausted.

#![expect(missing_docs, reason = "diesel's macros make public items")]

mod db_support;

use std::time::Duration;

use db_support::{Project, SLACK, SUPERUSER, caller, proxy::Proxy, settings, until};
use dev::{
    postgres::{Cluster, Options},
    supabase,
};
use diesel::{ExpressionMethods as _, QueryDsl as _, dsl::select, sql_types};
use diesel_async::RunQueryDsl as _;
use tokio::time::{Instant, sleep};
use user_service::{
    auth::Caller,
    db::{self, CallerConnection as Conn, Connections, Db, Error, Settings, users},
    error::{self, Reason},
};
use uuid::Uuid;

#[diesel::declare_sql_function]
extern "SQL" {
    fn pg_sleep(seconds: sql_types::Double) -> sql_types::Nullable<sql_types::Text>;
}

/// "Within two seconds of the database's return."
const SOON: Duration = Duration::from_secs(2);

/// A server of the test's own, migrated, with Ada in it.
struct Server {
    cluster: Cluster,
    ada: Uuid,
}

impl Server {
    async fn start() -> Self {
        let cluster = Cluster::start(Options::temporary()).await.unwrap();
        supabase::install(&cluster).await.unwrap();
        let server = Self { cluster, ada: Uuid::new_v4() };
        db::migrate(&settings(&server.url()), |_| ()).await.unwrap();
        let admin = server.cluster.connect(SUPERUSER, "postgres").await.unwrap();
        db_support::sign_up(&admin, server.ada, Some("Ada")).await;
        server
    }

    fn url(&self) -> String {
        self.cluster.url("postgres", "postgres")
    }

    fn db(&self) -> Db {
        Db::new(settings(&self.url()))
    }

    async fn ada(&self) -> Caller {
        caller::user(self.ada).await
    }
}

async fn name_is_read(db: &Db, caller: &Caller) -> bool {
    match users::full_name(db, caller).await {
        Ok(name) => {
            assert_eq!(name, Some(Some("Ada".to_owned())));
            true
        }
        Err(Error::Unavailable(_)) => false,
        Err(other) => panic!("{other:?}"),
    }
}

async fn sleep_in_database(db: &Db, caller: &Caller, seconds: f64) -> Result<(), Error> {
    let sleep = db.as_caller(caller).one::<Option<String>, _>(select(pg_sleep(seconds)));
    sleep.await.map(drop)
}

#[track_caller]
fn assert_unavailable<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    let text = error.to_string();
    assert_eq!(error::Error::from(error).reason(), Reason::DatabaseUnavailable);
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_is_survived_and_nothing_fails_after_it() {
    let mut server = Server::start().await;
    let (db, ada) = (server.db(), server.ada().await);
    assert!(name_is_read(&db, &ada).await);
    // Several connections, which all go stale.
    let calls = (0..10).map(|_| sleep_in_database(&db, &ada, 0.1));
    futures_util::future::try_join_all(calls).await.unwrap();
    until("all are at rest", async || db.connections().idle > 5).await;
    server.cluster.restart().await.unwrap();

    let back = Instant::now();
    until("calls succeed", async || name_is_read(&db, &ada).await).await;
    assert!(back.elapsed() < SOON + SLACK, "{:?}", back.elapsed());
    for _ in 0..50 {
        assert!(name_is_read(&db, &ada).await, "an error after the first success");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_in_a_crash_is_unavailable_and_the_next_succeeds() {
    let mut server = Server::start().await;
    let db = Db::new(Settings { pool_wait: Duration::from_secs(3), ..settings(&server.url()) });
    let ada = server.ada().await;
    until("the first call succeeds", async || name_is_read(&db, &ada).await).await;
    let (calling, caller) = (db.clone(), ada.clone());
    let call = tokio::spawn(async move { sleep_in_database(&calling, &caller, 20.0).await });
    until("it runs", async || db.connections().busy == 1).await;
    server.cluster.kill().await.unwrap();
    assert_unavailable(call.await.unwrap());
    assert_unavailable(db.ping().await);

    // While the server is away a call waits as long as it may, and says why.
    let start = Instant::now();
    let told = assert_unavailable(users::full_name(&db, &ada).await);
    assert!(told.contains("127.0.0.1") && told.contains("refused"), "{told}");
    assert!(start.elapsed() < Duration::from_secs(3) + SLACK, "{:?}", start.elapsed());

    server.cluster.start_again().await.unwrap();
    let back = Instant::now();
    until("calls succeed", async || name_is_read(&db, &ada).await).await;
    assert!(back.elapsed() < SOON + SLACK, "{:?}", back.elapsed());
    db.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_waits_for_the_server_is_answered_when_it_comes_back() {
    let mut server = Server::start().await;
    let (db, ada) = (server.db(), server.ada().await);
    server.cluster.stop().await.unwrap();
    let calls = (0..5).map(|_| {
        let (db, ada) = (db.clone(), ada.clone());
        tokio::spawn(async move { name_is_read(&db, &ada).await })
    });
    let calls: Vec<_> = calls.collect();
    until("they wait", async || db.connections().waiting == 5).await;
    server.cluster.start_again().await.unwrap();
    for call in calls {
        assert!(call.await.unwrap());
    }
}

#[tokio::test]
async fn a_server_that_is_full_or_refuses_the_login_is_unavailable_with_the_cause() {
    let project = Project::new().await;
    let ada = caller::user(project.ada).await;
    let database = project.database.name();
    let quick = Settings { pool_wait: Duration::from_secs(3), ..project.settings("postgres") };

    project.run(&format!("alter database {database} connection limit 0")).await;
    let db = Db::new(quick.clone());
    let told = assert_unavailable(users::full_name(&db, &ada).await);
    assert!(told.contains("53300"), "{told}");
    assert!(assert_unavailable(db.ping().await).contains("53300"));
    project.run(&format!("alter database {database} connection limit -1")).await;
    assert!(name_is_read(&db, &ada).await);

    let url = project.database.url("postgres");
    let (head, tail) = url.split_once('@').unwrap();
    let wrong = format!("{}wrong@{tail}", head.rsplit_once(':').unwrap().0.to_owned() + ":");
    let db = Db::new(Settings { target: db_support::target(&wrong), ..quick });
    let told = assert_unavailable(users::full_name(&db, &ada).await);
    assert!(told.contains("28P01") && !told.contains("wrong@"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exhausted_pool_answers_each_call_inside_its_limit() {
    let project = Project::new().await;
    let db = Db::new(Settings {
        pool_size: 1,
        pool_wait: Duration::from_millis(300),
        pool_queue: 2,
        ..project.settings("postgres")
    });
    let ada = caller::user(project.ada).await;
    until("a connection is there", async || name_is_read(&db, &ada).await).await;
    until("it is at rest", async || db.connections().idle == 1).await;
    let (holding, holder) = (db.clone(), ada.clone());
    let hold = tokio::spawn(async move { sleep_in_database(&holding, &holder, 5.0).await });
    project.until_running(1).await;

    // Two wait, the third is refused at once, and the probe is not impressed.
    let wait = || {
        let (db, ada) = (db.clone(), ada.clone());
        tokio::spawn(async move { users::full_name(&db, &ada).await })
    };
    let (first, second) = (wait(), wait());
    until("they wait", async || db.connections().waiting == 2).await;
    assert_eq!(db.connections(), Connections { idle: 0, busy: 1, waiting: 2 });
    let start = Instant::now();
    let third = users::full_name(&db, &ada).await.unwrap_err();
    assert!(matches!(third, Error::Overloaded), "{third:?}");
    assert_eq!(error::Error::from(third).reason(), Reason::Overloaded);
    assert!(start.elapsed() < Duration::from_millis(300), "it did not wait");
    db.ping().await.unwrap();
    for waiter in [first, second] {
        let told = assert_unavailable(waiter.await.unwrap());
        assert!(told.contains("1 connections were busy"), "{told}");
    }
    // The deadline is earlier than the end of the wait.
    let hurried = caller::user_within(project.ada, Duration::from_millis(50)).await;
    assert!(matches!(users::full_name(&db, &hurried).await, Err(Error::Deadline)));

    hold.await.unwrap().unwrap();
    assert!(name_is_read(&db, &ada).await);
    assert_eq!(db.connections().waiting, 0);
}

#[tokio::test]
async fn a_locked_table_is_waited_for_until_the_deadline() {
    let project = Project::new().await;
    let db = project.db_of("authenticator", 1);
    let mut admin = project.admin().await;
    let lock = admin.transaction().await.unwrap();
    lock.batch_execute("lock table public.users in access exclusive mode").await.unwrap();
    let hurried = caller::user_within(project.ada, Duration::from_millis(200)).await;
    assert!(matches!(users::full_name(&db, &hurried).await, Err(Error::Deadline)));
    lock.rollback().await.unwrap();
    assert!(name_is_read(&db, &caller::user(project.ada).await).await);
}

#[tokio::test]
async fn a_server_that_takes_no_changes_says_so_and_is_asked_again() {
    let project = Project::new().await;
    let ada = caller::user(project.ada).await;
    let set = async |to: &str| {
        let database = project.database.name();
        project
            .run(&format!("alter database {database} set default_transaction_read_only = {to}"))
            .await;
    };
    let admin = project.admin().await;
    set("on").await;
    let db = project.db("postgres");
    let error = users::set_full_name(&db, &ada, "x").await.unwrap_err();
    assert!(matches!(error, Error::ReadOnly), "{error:?}");
    assert_eq!(error::Error::from(error).reason(), Reason::DatabaseReadOnly);
    assert!(name_is_read(&db, &ada).await);
    let reset = format!(
        "set default_transaction_read_only = off; alter database {} reset default_transaction_read_only",
        project.database.name()
    );
    admin.batch_execute(&reset).await.unwrap();

    let back = Instant::now();
    until("it takes changes", async || users::set_full_name(&db, &ada, "Ada").await.is_ok()).await;
    assert!(back.elapsed() < SOON + SLACK, "{:?}", back.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_switched_to_read_only_takes_no_more_writes() {
    let server = Server::start().await;
    let ada = server.ada().await;
    let admin = server.cluster.connect(SUPERUSER, "postgres").await.unwrap();
    let file = async |to: &str| {
        let sql = format!("alter system set default_transaction_read_only = {to}");
        admin.batch_execute("set default_transaction_read_only = off").await.unwrap();
        admin.batch_execute(&sql).await.unwrap();
        admin.batch_execute("select pg_reload_conf()").await.unwrap();
    };
    let database = async |to: &str| {
        let sql = format!("alter database postgres set default_transaction_read_only = {to}");
        admin.batch_execute("set default_transaction_read_only = off").await.unwrap();
        admin.batch_execute(&sql).await.unwrap();
    };
    let db = server.db();
    // Two connections, of which the probe asks one.
    let at_once = async || {
        let calls = (0..2).map(|_| sleep_in_database(&db, &ada, 0.2));
        futures_util::future::try_join_all(calls).await.unwrap();
        until("all are at rest", async || db.connections().busy == 0).await;
    };
    let takes_changes = async || match users::set_full_name(&db, &ada, "Ada").await {
        Ok(_) => true,
        Err(Error::ReadOnly) => false,
        Err(other) => panic!("{other:?}"),
    };
    for way in 0..2 {
        let set = async |to: &str| if way == 0 { file(to).await } else { database(to).await };
        at_once().await;
        assert!(takes_changes().await);
        set("on").await;
        let switched = Instant::now();
        until("it is noticed", async || {
            db.ping().await.unwrap(); // what the readiness probe does every second
            !takes_changes().await
        })
        .await;
        assert!(switched.elapsed() < SOON + SLACK, "{:?}", switched.elapsed());
        at_once().await;
        let writes = (0..4).map(|_| takes_changes());
        let took = futures_util::future::join_all(writes).await;
        assert_eq!(took, [false; 4], "no connection of before is left");
        assert!(name_is_read(&db, &ada).await);
        set("off").await;
        until("it takes changes", takes_changes).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_that_is_never_idle_learns_of_read_only_too() {
    let server = Server::start().await;
    let ada = server.ada().await;
    let admin = server.cluster.connect(SUPERUSER, "postgres").await.unwrap();
    let db = Db::new(Settings { pool_size: 1, ..settings(&server.url()) });
    db.ping().await.unwrap();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (db, ada) = (db.clone(), ada.clone());
            tokio::spawn(async move {
                loop {
                    let _ = sleep_in_database(&db, &ada, 0.05).await;
                    sleep(Duration::from_millis(1)).await; // lets those that wait go first
                }
            })
        })
        .collect();
    until("calls wait", async || db.connections().waiting >= 2).await;
    admin.batch_execute("alter system set default_transaction_read_only = on").await.unwrap();
    admin.batch_execute("select pg_reload_conf()").await.unwrap();
    until("it is noticed", async || {
        db.ping().await.unwrap();
        matches!(users::set_full_name(&db, &ada, "Ada").await, Err(Error::ReadOnly))
    })
    .await;
    readers.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_take_all_of_the_logins_connections_are_no_outage() {
    let project = Project::new().await;
    let login = format!("narrow_{}", Uuid::new_v4().simple());
    let make = format!(
        "create role {login} login noinherit connection limit 2 password 'narrow';
         grant anon, authenticated to {login}"
    );
    project.run(&make).await;
    let url = project.database.url("postgres");
    let (_, place) = url.split_once('@').unwrap();
    let ada = caller::user(project.ada).await;
    // A pool as large as the limit, and one that has room for more than the server.
    for pool_size in [2, 10] {
        let url = format!("postgresql://{login}:narrow@{place}");
        let db = Db::new(Settings { pool_size, ..settings(&url) });
        db.ping().await.unwrap();
        let mut admin = project.admin().await;
        let lock = admin.transaction().await.unwrap();
        lock.batch_execute("lock table public.users in access exclusive mode").await.unwrap();
        let calls: Vec<_> = (0..2)
            .map(|_| {
                let (db, ada) = (db.clone(), ada.clone());
                tokio::spawn(async move { users::full_name(&db, &ada).await })
            })
            .collect();
        project.until_running(2).await;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(3) {
            let asked = Instant::now();
            db.ping().await.unwrap();
            assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
        }
        lock.rollback().await.unwrap();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap(), Some(Some("Ada".to_owned())));
        }
        until("all are at rest", async || db.connections().busy == 0).await;
        drop(db);
        let left = "select count(*) from pg_stat_activity where usename like 'narrow\\_%'";
        until("they are gone", async || project.ask::<i64>(left).await == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_cut_in_mid_query_fails_one_call() {
    let project = Project::new().await;
    let proxy = Proxy::start(project.database.config("postgres").get_ports()[0]).await;
    let url = proxy.url(&project.database.url("postgres"));
    let db = Db::new(settings(&url));
    let ada = caller::user(project.ada).await;
    for _ in 0..3 {
        let (calling, caller) = (db.clone(), ada.clone());
        let call = tokio::spawn(async move { sleep_in_database(&calling, &caller, 20.0).await });
        project.until_running(1).await;
        proxy.cut();
        assert_unavailable(call.await.unwrap());
        // Idle connections were cut, too, and it takes a moment until that is known.
        until("the next call succeeds", async || name_is_read(&db, &ada).await).await;
    }
    proxy.refuse(true);
    proxy.cut();
    until("the probe sees it", async || db.ping().await.is_err()).await;
    proxy.refuse(false);
    let back = Instant::now();
    until("calls succeed", async || name_is_read(&db, &ada).await).await;
    assert!(back.elapsed() < SOON + SLACK, "{:?}", back.elapsed());
    db.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_were_cut_at_rest_unnoticed_cost_no_read_and_at_most_one_write() {
    let project = Project::new().await;
    let proxy = Proxy::start(project.database.config("postgres").get_ports()[0]).await;
    let url = proxy.url(&project.database.url("postgres")) + "?sslmode=disable";
    let db = Db::new(settings(&url));
    let ada = caller::user(project.ada).await;
    let at_once = async || {
        let calls = (0..5).map(|_| sleep_in_database(&db, &ada, 0.2));
        futures_util::future::try_join_all(calls).await.unwrap();
        until("all are at rest", async || db.connections().busy == 0).await;
    };
    at_once().await;
    assert!(db.connections().idle >= 5);

    proxy.fail_over();
    assert!(name_is_read(&db, &ada).await);
    at_once().await;

    proxy.fail_over();
    assert_unavailable(users::set_full_name(&db, &ada, "lost").await);
    assert!(name_is_read(&db, &ada).await);
    users::set_full_name(&db, &ada, "Ada").await.unwrap();
    at_once().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_that_stalls_costs_each_call_its_deadline_and_no_more() {
    let project = Project::new().await;
    let proxy = Proxy::start(project.database.config("postgres").get_ports()[0]).await;
    let url = proxy.url(&project.database.url("postgres"));
    let db = Db::new(Settings { pool_size: 2, ..settings(&url) });
    let ada = caller::user(project.ada).await;
    assert!(name_is_read(&db, &ada).await);
    proxy.stall(true);
    for _ in 0..4 {
        let start = Instant::now();
        let hurried = caller::user_within(project.ada, Duration::from_millis(300)).await;
        let call = users::full_name(&db, &hurried).await;
        assert!(matches!(call, Err(Error::Deadline)), "{call:?}");
        assert!(start.elapsed() < Duration::from_millis(300) + SLACK, "{:?}", start.elapsed());
    }
    let start = Instant::now();
    assert_unavailable(db.ping().await);
    assert!(start.elapsed() < Duration::from_secs(2) + SLACK, "{:?}", start.elapsed());
    proxy.stall(false);
    let back = Instant::now();
    until("calls succeed", async || name_is_read(&db, &ada).await).await;
    assert!(back.elapsed() < SOON + SLACK, "{:?}", back.elapsed());
    for _ in 0..20 {
        assert!(name_is_read(&db, &ada).await);
    }
}

#[tokio::test]
async fn a_write_of_many_is_whole_or_not_at_all_when_it_is_cut() {
    let project = Project::new().await;
    let proxy = Proxy::start(project.database.config("postgres").get_ports()[0]).await;
    let db = Db::new(settings(&proxy.url(&project.database.url("postgres"))));
    let ada = caller::user(project.ada).await;
    let written = db.as_caller(&ada).write(async |c: &mut Conn<'_>| {
        let target = table::users::table.find(project.ada);
        diesel::update(target).set(table::users::full_name.eq("half")).execute(c).await?;
        proxy.cut();
        select(pg_sleep(0.0)).get_result::<Option<String>>(c).await
    });
    assert_unavailable(written.await);
    assert!(name_is_read(&db, &ada).await);
}

mod table {
    diesel::table! {
        users (id) {
            id -> Uuid,
            full_name -> Nullable<Text>,
        }
    }
}
