//! The caller's transaction, under attack.

#![expect(missing_docs, reason = "diesel's macros make public items")]

mod db_support;

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use db_support::{
    LOGINS, Project, Random, SLACK, SUPERUSER, caller, proxy::Proxy, settings, until,
};
use diesel::{
    ExpressionMethods as _, OptionalExtension as _, QueryDsl as _,
    dsl::{count_star, select},
    expression::AsExpression,
    pg::Pg,
    serialize::{IsNull, Output, ToSql},
    sql_types,
};
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};
use futures_util::poll;
use serde_json::json;
use tokio::time::{Instant, timeout};
use user_service::{
    auth::Caller,
    db::{CallerConnection as Conn, Db, Error, Settings, users as queries},
};
use uuid::Uuid;

diesel::table! {
    users (id) {
        id -> Uuid,
        full_name -> Nullable<Text>,
    }
}

#[diesel::declare_sql_function]
extern "SQL" {
    fn pg_sleep(seconds: sql_types::Double) -> sql_types::Nullable<sql_types::Text>;
    fn current_setting(name: sql_types::Text) -> sql_types::Text;
}

/// How many rows there are, with no filter but the policy.
async fn count(db: &Db, caller: &Caller) -> Result<Option<i64>, Error> {
    db.as_caller(caller).one(users::table.select(count_star())).await
}

/// Whose rows there are, with no filter but the policy.
async fn ids(c: &mut Conn<'_>) -> diesel::QueryResult<Vec<Uuid>> {
    users::table.select(users::id).load(c).await
}

#[tokio::test]
async fn a_query_without_a_filter_sees_the_callers_row_alone() {
    let project = Project::new().await;
    let ada = caller::user(project.ada).await;
    for login in LOGINS {
        let db = project.db_of(login, 1);
        for round in ["cold", "warm", "warm again"] {
            assert_eq!(count(&db, &ada).await.unwrap(), Some(1), "{login}, {round}");
            let read = db.as_caller(&ada).read(ids).await.unwrap();
            assert_eq!(read, [project.ada], "{login}, {round}");
            let write = db.as_caller(&ada).write(async |c: &mut Conn<'_>| {
                diesel::update(users::table).set(users::full_name.eq("Ada")).execute(c).await
            });
            assert_eq!(write.await.unwrap(), 1, "{login}, {round}");
        }
    }
}

/// A count that tasks share.
#[derive(Clone, Default)]
struct Tally(Arc<AtomicU64>);

impl Tally {
    fn add(&self) -> u64 {
        self.0.as_ref().fetch_add(1, Ordering::SeqCst)
    }

    fn get(&self) -> u64 {
        AtomicU64::load(&self.0, Ordering::SeqCst)
    }
}

/// One call with a random shape, and what it must not see.
async fn any_call(db: &Db, caller: &Caller, shape: u64) -> Result<(), Error> {
    let me = caller.id().unwrap();
    let name = me.to_string();
    match shape {
        0 => {
            let id = db.as_caller(caller).one(users::table.select(users::id)).await?;
            assert_eq!(id, Some(me));
        }
        1 => assert_eq!(db.as_caller(caller).read(ids).await?, [me]),
        2 => {
            let (rows, sub) = db
                .as_caller(caller)
                .read(async |c: &mut Conn<'_>| {
                    let rows = ids(c).await?;
                    let sub = select(current_setting("request.jwt.claims")).get_result::<String>(c);
                    Ok((rows, sub.await?))
                })
                .await?;
            assert_eq!(rows, [me]);
            assert!(sub.contains(&name), "another's claims");
        }
        3 => {
            let stored = queries::set_full_name(db, caller, &name).await?;
            assert_eq!(stored.as_deref(), Some(&*name));
        }
        _ => {
            let slept =
                db.as_caller(caller).one::<Option<String>, _>(select(pg_sleep(0.002))).await?;
            assert_eq!(slept, Some(Some(String::new())));
        }
    }
    Ok(())
}

/// Cancels calls at random moments, and looks at every answer that comes.
async fn cancel_at_random(login: &'static str, pool_size: u32, moments: u64) {
    let mut random = Random::new();
    let project = Project::new().await;
    let proxy = Proxy::start(project.database.config(login).get_ports()[0]).await;
    // In the clear, so that the proxy can tell a cancel request from a login.
    let url = proxy.url(&project.database.url(login)) + "?sslmode=disable";
    let db = Db::new(Settings { pool_size, ..settings(&url) });
    let callers = [caller::user(project.ada).await, caller::user(project.bob).await];
    let (answered, cancelled) = (Tally::default(), Tally::default());
    any_call(&db, &callers[0], 0).await.unwrap(); // the first connection is there

    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let (db, mut random) = (db.clone(), random.split());
            let caller = callers[task % 2].clone();
            let (answered, cancelled) = (answered.clone(), cancelled.clone());
            tokio::spawn(async move {
                while cancelled.get() < moments {
                    let shape = random.below(5);
                    // One in five may take its time, however busy the machine is.
                    let left = match random.below(5) {
                        0 => caller::LONG,
                        _ => Duration::from_micros(random.below(100_000 / u64::from(pool_size))),
                    };
                    match timeout(left, any_call(&db, &caller, shape)).await {
                        Ok(Ok(())) => answered.add(),
                        Ok(Err(error)) => panic!("{error}"),
                        Err(_) => cancelled.add(),
                    };
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let (answers, cancellations) = (answered.get(), cancelled.get());
    // A connection that was sent a cancel request is replaced; nothing else costs one.
    let (connections, cancel_requests) = (proxy.sessions(), proxy.cancel_requests());
    println!(
        "{login}: {answers} answered, {cancellations} cancelled, {connections} connections, {cancel_requests} cancel requests"
    );
    assert!(answers > 100, "too few answers to say anything");
    assert!(connections <= u64::from(pool_size) + cancel_requests, "{connections} connections");
    for caller in &callers {
        for shape in 0..5 {
            any_call(&db, caller, shape).await.unwrap();
        }
    }
    // Whatever was cancelled changed nobody else's row.
    let wrong: i64 = project
        .ask("select count(*) from public.users where full_name not in (id::text, 'Ada', 'Bob')")
        .await;
    assert_eq!(wrong, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_users_on_one_connection_never_meet_however_calls_are_cancelled() {
    cancel_at_random("postgres", 1, 1000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_users_on_three_connections_never_meet_however_calls_are_cancelled() {
    cancel_at_random(SUPERUSER, 3, 1000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_a_closure_leaves_nothing_behind() {
    let project = Project::new().await;
    let db = project.db_of("postgres", 1);
    let (ada, bob) = (caller::user(project.ada).await, caller::user(project.bob).await);
    for _ in 0..20 {
        let (db, ada) = (db.clone(), ada.clone());
        let panicked = tokio::spawn(async move {
            db.as_caller(&ada)
                .write(async |c: &mut Conn<'_>| {
                    diesel::update(users::table).set(users::full_name.eq("?")).execute(c).await?;
                    if users::table.count().get_result::<i64>(c).await? == 1 {
                        panic!("as it may happen");
                    }
                    Ok(())
                })
                .await
        });
        assert!(panicked.await.unwrap_err().is_panic());
        let db = project.db_of("postgres", 1);
        assert_eq!(count(&db, &bob).await.unwrap(), Some(1));
    }
    assert_eq!(queries::full_name(&db, &ada).await.unwrap(), Some(Some("Ada".to_owned())));
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_and_so_does_its_query() {
    let project = Project::new().await;
    let db = project.db_of("postgres", 1);
    for _ in 0..2 {
        let start = Instant::now();
        let ada = caller::user_within(project.ada, Duration::from_millis(150)).await;
        let slept = db.as_caller(&ada).one::<Option<String>, _>(select(pg_sleep(20.0))).await;
        assert!(matches!(slept, Err(Error::Deadline)), "{slept:?}");
        assert!(start.elapsed() < Duration::from_millis(150) + SLACK, "{:?}", start.elapsed());
        project.until_running(0).await;
        assert!(start.elapsed() < Duration::from_millis(1150) + SLACK, "{:?}", start.elapsed());
    }
    let ada = caller::user(project.ada).await;
    assert_eq!(count(&db, &ada).await.unwrap(), Some(1));
    let late = caller::user_within(project.ada, Duration::from_millis(1)).await;
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert!(matches!(count(&db, &late).await, Err(Error::Deadline)));
}

#[tokio::test]
async fn the_server_ends_a_query_by_itself_when_its_time_is_over() {
    let project = Project::new().await;
    let ada = caller::user_within(project.ada, Duration::from_secs(60)).await;
    let timeout = project
        .db("postgres")
        .as_caller(&ada)
        .read(async |c: &mut Conn<'_>| {
            select(current_setting("statement_timeout")).get_result::<String>(c).await
        })
        .await
        .unwrap();
    let left: u64 = timeout.strip_suffix("ms").unwrap_or("0").parse().unwrap();
    assert!((1..=60_000).contains(&left), "{timeout}");
}

#[tokio::test]
async fn a_cancelled_query_ends_within_a_second() {
    let project = Project::new().await;
    let db = project.db_of("authenticator", 1);
    let ada = caller::user(project.ada).await;
    let start = {
        let call = db.as_caller(&ada).one::<Option<String>, _>(select(pg_sleep(20.0)));
        tokio::select! {
            ended = call => panic!("{ended:?}"),
            () = project.until_running(1) => Instant::now(),
        }
    };
    project.until_running(0).await;
    assert!(start.elapsed() < Duration::from_secs(1) + SLACK, "{:?}", start.elapsed());
    assert_eq!(count(&db, &ada).await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_connection_is_at_rest_only_when_the_end_of_its_transaction_was_acknowledged() {
    let project = Project::new().await;
    let proxy = Proxy::start(project.database.config("postgres").get_ports()[0]).await;
    // In the clear, so that the proxy can tell a cancel request from a login.
    let url = proxy.url(&project.database.url("postgres")) + "?sslmode=disable";
    let db = Db::new(Settings { pool_size: 1, ..settings(&url) });
    let bob = caller::user(project.bob).await;
    for shape in ["one", "read", "write"] {
        // The first ROLLBACK is still to be sent; the second call had its COMMIT answered.
        for (what, at_rest) in [("cold", 0), ("warm", 1)] {
            assert_eq!(count(&db, &bob).await.unwrap(), Some(1));
            assert_eq!(db.connections().idle, at_rest, "{what}");
        }
        let (sessions, cancel_requests) = (proxy.sessions(), proxy.cancel_requests());

        // From here on the server's answers do not come through.
        let ada = caller::user_within(project.ada, Duration::from_secs(1)).await;
        let stalls = async |c: &mut Conn<'_>| {
            ids(c).await?;
            proxy.stall(true);
            Ok(())
        };
        let ended = match shape {
            "one" => {
                proxy.stall(true);
                count(&db, &ada).await.map(drop)
            }
            "read" => db.as_caller(&ada).read(stalls).await,
            _ => db.as_caller(&ada).write(stalls).await,
        };
        match shape {
            "read" => ended.unwrap(), // it waits for nothing more
            _ => assert!(matches!(ended, Err(Error::Deadline)), "{shape}: {ended:?}"),
        }
        until("the server is asked to stop", async || {
            assert_eq!(
                db.connections().idle,
                0,
                "{shape}: at rest, though nothing was acknowledged"
            );
            proxy.cancel_requests() > cancel_requests
        })
        .await;

        proxy.stall(false);
        assert_eq!(db.as_caller(&bob).read(ids).await.unwrap(), [project.bob], "{shape}");
        assert_eq!(
            proxy.sessions(),
            sessions + 1,
            "{shape}: a late cancel request must meet nobody"
        );
    }
}

#[tokio::test]
async fn an_error_that_a_closure_swallows_is_an_error() {
    let project = Project::new().await;
    let db = project.db("postgres");
    let ada = caller::user(project.ada).await;
    for _ in 0..3 {
        let written = db.as_caller(&ada).write(async |c: &mut Conn<'_>| {
            diesel::update(users::table).set(users::full_name.eq("lost")).execute(c).await?;
            let swallowed =
                diesel::update(users::table).set(users::id.eq(Uuid::nil())).execute(c).await;
            assert!(swallowed.is_err());
            Ok(())
        });
        let error = written.await.unwrap_err();
        assert_eq!(error.sqlstate().unwrap().as_str(), "42501", "the first cause: {error}");
    }
    assert_eq!(queries::full_name(&db, &ada).await.unwrap(), Some(Some("Ada".to_owned())));
}

#[tokio::test]
async fn writing_where_only_reading_was_begun_is_an_error() {
    let project = Project::new().await;
    let ada = caller::user(project.ada).await;
    for login in LOGINS {
        let db = project.db_of(login, 1);
        for _ in 0..3 {
            let read = db.as_caller(&ada).read(async |c: &mut Conn<'_>| {
                diesel::update(users::table).set(users::full_name.eq("?")).execute(c).await
            });
            let error = read.await.unwrap_err();
            assert!(matches!(error, Error::Query(_)), "{error:?}");
            assert_eq!(error.sqlstate().unwrap().as_str(), "25006");
        }
        assert_eq!(queries::full_name(&db, &ada).await.unwrap(), Some(Some("Ada".to_owned())));
    }
}

#[tokio::test]
async fn a_closure_runs_no_batches() {
    let project = Project::new().await;
    let db = project.db_of("postgres", 1);
    let ada = caller::user(project.ada).await;
    let batch = db.as_caller(&ada).write(async |c: &mut Conn<'_>| {
        #[expect(clippy::disallowed_methods, reason = "that it does not work is the point")]
        c.batch_execute("COMMIT; RESET ROLE").await
    });
    assert!(matches!(batch.await, Err(Error::Query(_))));
    assert_eq!(count(&db, &ada).await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_query_that_a_closure_leaves_behind_ends_with_its_transaction() {
    let project = Project::new().await;
    let (ada, bob) = (caller::user(project.ada).await, caller::user(project.bob).await);
    for login in LOGINS {
        let db = project.db_of(login, 1);
        for _ in 0..10 {
            let left = db.as_caller(&ada).write(async |c: &mut Conn<'_>| {
                let query = users::table.select(users::full_name).load::<Option<String>>(c);
                tokio::pin!(query);
                assert!(poll!(query).is_pending());
                Ok(())
            });
            left.await.unwrap();
            assert_eq!(db.as_caller(&bob).read(ids).await.unwrap(), [project.bob]);
        }
    }
}

#[tokio::test]
async fn queries_of_a_closure_may_share_a_flight() {
    let project = Project::new().await;
    let db = project.db("postgres");
    let ada = caller::user(project.ada).await;
    let both = db.as_caller(&ada).read(async |c: &mut Conn<'_>| {
        let count = users::table.count().get_result::<i64>(c);
        let name = users::table.select(users::full_name).get_result::<Option<String>>(c);
        futures_util::try_join!(count, name)
    });
    assert_eq!(both.await.unwrap(), (1, Some("Ada".to_owned())));
}

#[derive(Clone, sql_types::SqlType, diesel::query_builder::QueryId)]
#[diesel(postgres_type(name = "mood"))]
pub struct MoodType;

#[derive(Clone, Copy, Debug, AsExpression)]
#[diesel(sql_type = MoodType)]
pub struct Happy;

impl ToSql<MoodType, Pg> for Happy {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> diesel::serialize::Result {
        out.write_all(b"happy")?;
        Ok(IsNull::No)
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::MoodType;

    notes (id) {
        id -> BigInt,
        mood -> MoodType,
    }
}

#[tokio::test]
async fn a_query_that_looks_a_type_up_first_is_the_callers_all_the_same() {
    let project = Project::new().await;
    // With a login that row level security does not bind, a query that ran before or after the
    // caller's transaction would see all 10,001 rows.
    project
        .run(&format!(
            "create type public.mood as enum ('happy', 'sad');
             create table public.notes (id bigserial primary key, owner uuid not null, mood public.mood not null);
             alter table public.notes enable row level security;
             create policy own on public.notes using ((select auth.uid()) = owner);
             grant select on public.notes to authenticated;
             insert into public.notes (owner, mood) select gen_random_uuid(), 'happy' from generate_series(1, 10000);
             insert into public.notes (owner, mood) values ('{}', 'happy');",
            project.ada,
        ))
        .await;
    let ada = caller::user(project.ada).await;
    let query = || notes::table.filter(notes::mood.eq(Happy)).select(count_star());
    for login in ["postgres", SUPERUSER] {
        for _ in 0..16 {
            let cold = project.db_of(login, 1);
            assert_eq!(
                cold.as_caller(&ada).one(query()).await.unwrap(),
                Some(1_i64),
                "{login}, cold"
            );
            let read = async |c: &mut Conn<'_>| query().get_result::<i64>(c).await;
            let cold = project.db_of(login, 1);
            assert_eq!(cold.as_caller(&ada).read(read).await.unwrap(), 1, "{login}, cold read");
            // What comes before is prepared, the type is not looked up yet.
            let warm = project.db_of(login, 1);
            assert_eq!(warm.as_caller(&ada).read(ids).await.unwrap(), [project.ada]);
            assert_eq!(
                warm.as_caller(&ada).one(query()).await.unwrap(),
                Some(1),
                "{login}, half warm"
            );
        }
        let warm = project.db_of(login, 1);
        for _ in 0..200 {
            assert_eq!(
                warm.as_caller(&ada).one(query()).await.unwrap(),
                Some(1_i64),
                "{login}, warm"
            );
        }
        // A first run that is cut short teaches the connection nothing.
        for wait in 0..20 {
            let db = project.db_of(login, 1);
            assert_eq!(db.as_caller(&ada).read(ids).await.unwrap(), [project.ada]);
            let cut =
                timeout(Duration::from_micros(100 * wait), db.as_caller(&ada).one(query())).await;
            assert!(!matches!(cut, Ok(Ok(Some(2..)))), "{cut:?}");
            for _ in 0..3 {
                assert_eq!(
                    db.as_caller(&ada).one(query()).await.unwrap(),
                    Some(1_i64),
                    "{login}, cut"
                );
            }
        }
    }
}

#[tokio::test]
async fn policies_of_a_projects_own_choosing_apply() {
    let project = Project::new().await;
    project
        .run(
            r#"drop policy "Can view own user data" on public.users;
               create policy tenant on public.users for select
               using (auth.role() = 'authenticated' and full_name = auth.jwt() -> 'app_metadata' ->> 'tenant');
               create policy aal on public.users as restrictive for select
               using (auth.jwt() ->> 'aal' = 'aal2');"#,
        )
        .await;
    let ask = async |claims| {
        let ada = caller::user_with(project.ada, claims, caller::LONG).await;
        let db = project.db_of("authenticator", 1);
        let names = users::table.select(users::full_name);
        db.as_caller(&ada)
            .read(async |c: &mut Conn<'_>| names.load::<Option<String>>(c).await)
            .await
            .unwrap()
    };
    let tenant = json!({"tenant": "Bob"});
    assert_eq!(ask(json!({"app_metadata": tenant, "aal": "aal2"})).await, [Some("Bob".to_owned())]);
    assert!(ask(json!({"app_metadata": tenant, "aal": "aal1"})).await.is_empty());
    assert!(ask(json!({"aal": "aal2"})).await.is_empty());
}

#[tokio::test]
async fn settings_left_over_from_elsewhere_do_not_make_a_caller_somebody_else() {
    let project = Project::new().await;
    // The older setting wins in auth.uid() where it is there.
    let (database, bob) = (project.database.name(), project.bob);
    project
        .run(&format!(
            r#"alter role authenticator in database {database} set "request.jwt.claim.sub" = '{bob}';
               alter role authenticator in database {database} set "request.jwt.claim" = '{{"sub": "{bob}"}}';"#
        ))
        .await;
    let db = project.db("authenticator");
    let ada = caller::user(project.ada).await;
    assert_eq!(db.as_caller(&ada).read(ids).await.unwrap(), [project.ada]);
    let name = db.as_caller(&ada).read(async |c: &mut Conn<'_>| {
        users::table.select(users::full_name).first::<Option<String>>(c).await.optional()
    });
    assert_eq!(name.await.unwrap(), Some(Some("Ada".to_owned())));
}

#[tokio::test]
async fn an_unseen_value_in_a_message_of_postgresql_is_not_told() {
    let project = Project::new().await;
    project
        .run(
            "alter table public.users add column born date;
             create function public.parse() returns trigger language plpgsql as $$
             begin new.born := new.full_name::date; return new; end $$;
             create trigger parse before update on public.users
             for each row execute function public.parse();",
        )
        .await;
    let ada = caller::user(project.ada).await;
    let error = queries::set_full_name(&project.db("postgres"), &ada, "S3CRET").await.unwrap_err();
    assert_eq!(error.sqlstate().unwrap().as_str(), "22007");
    assert!(!format!("{error} {error:?}").contains("S3CRET"), "{error:?}");
}
