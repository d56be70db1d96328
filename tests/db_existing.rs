//! Projects that were there before the service, where `user-service migrate` has never run.

#![expect(missing_docs, reason = "diesel's macros make public items")]

mod db_support;

use std::{cell::RefCell, io, time::Duration};

use db_support::{LOGINS, Project, caller, inventory, pgbouncer::Pgbouncer, settings, until};
use dev::testing::Database;
use diesel::ExpressionMethods as _;
use diesel_async::RunQueryDsl as _;
use user_service::db::{self, CallerConnection as Conn, Db, Error, Settings, users as queries};
use uuid::Uuid;

diesel::table! {
    users (id) {
        id -> Uuid,
        full_name -> Nullable<Text>,
    }
}

/// A project whose owner has run this SQL, with Ada and Bob in it.
async fn existing(sql: &str) -> (Database, [Uuid; 2]) {
    let database = Project::unmigrated().await;
    database.connect("postgres").await.unwrap().batch_execute(sql).await.unwrap();
    let (admin, ids) = (database.connect(db_support::SUPERUSER).await.unwrap(), [(); 2]);
    let ids = ids.map(|()| Uuid::new_v4());
    for (id, name) in ids.iter().zip(["Ada", "Bob"]) {
        db_support::sign_up(&admin, *id, Some(name)).await;
    }
    (database, ids)
}

fn db(database: &Database, login: &str, schema: &str) -> Db {
    let settings = settings(&database.url(login));
    Db::new(Settings { schema: schema.to_owned(), ..settings })
}

/// Each of the two reads and changes their own row and no other, with every login.
async fn callers_work(database: &Database, schema: &str, ids: [Uuid; 2]) {
    for login in LOGINS {
        let db = db(database, login, schema);
        for (id, name) in ids.into_iter().zip(["Ada", "Bob"]) {
            let caller = caller::user(id).await;
            let stored = queries::full_name(&db, &caller).await.unwrap();
            assert_eq!(stored, Some(Some(name.to_owned())), "{login}");
            let stored = queries::set_full_name(&db, &caller, "changed").await.unwrap();
            assert_eq!(stored.as_deref(), Some("changed"), "{login}");
            // Without a filter, so that it is the policy that decides.
            let write = db.as_caller(&caller).write(async |c: &mut Conn<'_>| {
                diesel::update(users::table).set(users::full_name.eq(name)).execute(c).await
            });
            assert_eq!(write.await.unwrap(), 1, "{login}");
        }
    }
}

/// Migrates, and finds everything as it was.
async fn migrate_changes_nothing(database: &Database, schema: &str) {
    let before = inventory(database).await;
    let settings = settings(&database.url("postgres"));
    let settings = Settings { schema: schema.to_owned(), ..settings };
    db::migrate(&settings, |_| ()).await.unwrap();
    let after = inventory(database).await;
    let changed: Vec<_> = before.symmetric_difference(&after).collect();
    assert!(changed.is_empty(), "{changed:#?}");
}

/// A table with columns, constraints and triggers that the service knows nothing of.
const OTHER_COLUMNS: &str = "
    create schema if not exists SCHEMA;
    grant usage on schema SCHEMA to authenticated;
    create table SCHEMA.users (
        serial bigint generated always as identity,
        id uuid not null unique references auth.users,
        email text not null,
        plan text not null check (plan in ('free', 'paid')),
        full_name varchar(80),
        initial text generated always as (left(full_name, 1)) stored,
        changes int not null default 0,
        primary key (serial)
    );
    create table SCHEMA.changes (of uuid not null, old_name text not null, new_name text not null);
    alter table SCHEMA.users enable row level security;
    create policy own on SCHEMA.users using (auth.uid() = id) with check (auth.uid() = id and plan = 'free');
    grant select, update (full_name) on SCHEMA.users to authenticated;
    create function SCHEMA.sign_up() returns trigger language plpgsql security definer as $$
        begin
            insert into SCHEMA.users (id, email, plan, full_name)
            values (new.id, 'somebody@example.com', 'free', new.raw_user_meta_data ->> 'full_name');
            return new;
        end $$;
    create trigger sign_up after insert on auth.users for each row execute function SCHEMA.sign_up();
    create function SCHEMA.count() returns trigger language plpgsql as $$
        begin new.changes := old.changes + 1; return new; end $$;
    create trigger count before update on SCHEMA.users for each row execute function SCHEMA.count();
    create function SCHEMA.audit() returns trigger language plpgsql security definer as $$
        begin insert into SCHEMA.changes values (old.id, old.full_name, new.full_name); return null; end $$;
    create trigger audit after update on SCHEMA.users for each row execute function SCHEMA.audit();";

#[tokio::test]
async fn a_table_with_other_columns_and_triggers_serves_wherever_it_is() {
    for schema in ["public", "app"] {
        let (database, ids) = existing(&OTHER_COLUMNS.replace("SCHEMA", schema)).await;
        callers_work(&database, schema, ids).await;
        migrate_changes_nothing(&database, schema).await;
        callers_work(&database, schema, ids).await;

        // Its own triggers ran, once for every change.
        let owner = database.connect("postgres").await.unwrap();
        let counts = format!(
            "select changes, (select count(*) from {schema}.changes c where c.of = u.id) from {schema}.users u"
        );
        for row in owner.query(&counts, &[]).await.unwrap() {
            let changes = 2 * 2 * LOGINS.len();
            assert_eq!(row.get::<_, i32>(0), i32::try_from(changes).unwrap());
            assert_eq!(row.get::<_, i64>(1), i64::try_from(changes).unwrap());
        }
    }
}

/// `public.profiles`, with the columns, policies and trigger of Supabase's User Management Starter.
const PROFILES: &str = r#"
    create table public.profiles (
        id uuid primary key references auth.users on delete cascade,
        updated_at timestamptz,
        username text unique check (char_length(username) >= 3),
        full_name text,
        avatar_url text,
        website text
    );
    alter table public.profiles enable row level security;
    create policy "Public profiles are viewable by everyone." on public.profiles for select using (true);
    create policy "Users can insert their own profile." on public.profiles for insert with check ((select auth.uid()) = id);
    create policy "Users can update own profile." on public.profiles for update using ((select auth.uid()) = id);
    create function public.handle_new_user() returns trigger language plpgsql security definer set search_path = '' as $$
        begin
            insert into public.profiles (id, full_name, avatar_url)
            values (new.id, new.raw_user_meta_data ->> 'full_name', new.raw_user_meta_data ->> 'avatar_url');
            return new;
        end $$;
    create trigger on_auth_user_created after insert on auth.users
        for each row execute function public.handle_new_user();"#;

/// The SQL of `docs/profiles.md`.
fn sql_of_the_page() -> &'static str {
    let page = include_str!("../docs/profiles.md");
    let (_, rest) = page.split_once("```sql\n").expect("a block of SQL");
    rest.split_once("```").expect("its end").0
}

#[tokio::test]
async fn profiles_serve_through_the_view_of_the_page() {
    let page = sql_of_the_page();
    let in_public = page.replace("create schema backend;", "").replace("backend", "public");
    for (schema, view) in [("backend", page), ("public", &in_public)] {
        let (database, ids) = existing(&format!("{PROFILES}\n{view}")).await;
        callers_work(&database, schema, ids).await;
        migrate_changes_nothing(&database, schema).await;
        callers_work(&database, schema, ids).await;

        // The table's policies decide, those on reading included.
        let owner = database.connect("postgres").await.unwrap();
        let hide = r#"alter policy "Public profiles are viewable by everyone." on public.profiles
                      using (auth.uid() = id and full_name <> 'Ada')"#;
        owner.batch_execute(hide).await.unwrap();
        for login in LOGINS {
            let db = db(&database, login, schema);
            let [ada, bob] = [caller::user(ids[0]).await, caller::user(ids[1]).await];
            assert_eq!(queries::full_name(&db, &ada).await.unwrap(), None, "{login}");
            assert_eq!(queries::set_full_name(&db, &ada, "x").await.unwrap(), None, "{login}");
            let all = async |c: &mut Conn<'_>| users::table.load::<(Uuid, Option<String>)>(c).await;
            let seen = db.as_caller(&bob).read(all).await.unwrap();
            assert_eq!(seen, [(ids[1], Some("Bob".to_owned()))], "{login}");
        }
    }
}

#[tokio::test]
async fn a_view_serves_for_columns_of_other_names() {
    let view = sql_of_the_page().replace(
        "select id, full_name from",
        "select user_id as id, display_name as full_name from",
    );
    let rename = "alter table public.profiles rename id to user_id;
                  alter table public.profiles rename full_name to display_name;
                  create or replace function public.handle_new_user() returns trigger language plpgsql security definer as $$
                      begin
                          insert into public.profiles (user_id, display_name)
                          values (new.id, new.raw_user_meta_data ->> 'full_name');
                          return new;
                      end $$;";
    let (database, ids) = existing(&format!("{PROFILES}\n{rename}\n{view}")).await;
    callers_work(&database, "backend", ids).await;
}

/// What stands in the way of a schema, how it comes to that, and how it is mended.
const UNUSABLE: [(&str, &str, &str); 3] = [
    ("there is no schema app", "drop schema app cascade", "create schema app"),
    (
        "authenticated may not use the schema app",
        "revoke usage on schema app from authenticated",
        "grant usage on schema app to authenticated",
    ),
    (
        "there is no table users in the schema app",
        "alter table app.users rename to people",
        "alter table app.people rename to users",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_cannot_be_used_is_no_way_into_public() {
    for (why, spoil, mend) in UNUSABLE {
        let project = Project::new().await;
        let port = project.database.config("postgres").get_ports()[0];
        let url = project.database.url("postgres");
        let pooler = Pgbouncer::start(port, 1, &[&url]).await;
        let make = OTHER_COLUMNS.replace("SCHEMA", "app").replace("create trigger sign_up", "--");
        let make = format!(
            "{make} insert into app.users (id, email, plan, full_name)
             select id, 'somebody@example.com', 'free', full_name from public.users"
        );
        project.run(&make).await;
        let ada = caller::user(project.ada).await;
        let dbs = [url.clone(), pooler.url(&url)].map(|url| {
            let wait = Duration::from_millis(500);
            let settings = Settings { pool_wait: wait, ..settings(&url) };
            Db::new(Settings { schema: "app".to_owned(), ..settings })
        });

        let refused = async |db: &Db| {
            for told in [
                queries::set_full_name(db, &ada, "stray").await.unwrap_err(),
                queries::full_name(db, &ada).await.unwrap_err(),
                db.ping().await.unwrap_err(),
            ] {
                assert!(matches!(told, Error::Unavailable(_)), "{told:?}");
                assert!(told.to_string().contains(&format!("DATABASE_SCHEMA: {why}")), "{told}");
            }
            let name = format!("select full_name from public.users where id = '{}'", project.ada);
            assert_eq!(project.ask::<String>(&name).await, "Ada");
        };
        for db in &dbs {
            queries::set_full_name(db, &ada, "Lovelace").await.unwrap();
            db.ping().await.unwrap();
        }
        // While it serves, the probe notices.
        project.run(spoil).await;
        for db in &dbs {
            until("the probe notices", async || db.ping().await.is_err()).await;
            refused(db).await;
        }
        project.run(mend).await;
        if why.contains("no schema") {
            project.run(&make).await;
        }
        for db in &dbs {
            until("it is usable", async || queries::full_name(db, &ada).await.is_ok()).await;
            db.ping().await.unwrap();
        }
    }
}

#[tokio::test]
async fn why_there_is_no_connection_is_logged_once_per_change() {
    log_by_thread();
    let project = Project::new().await;
    let db = db(&project.database, "authenticator", "nope");
    let said = |text: &str| log().iter().filter(|line| line.contains(text)).count();
    let [missing, empty] =
        ["there is no schema nope", "there is no table users in the schema nope"];
    for _ in 0..3 {
        db.ping().await.unwrap_err();
    }
    assert_eq!((said(missing), said(empty)), (1, 0), "{:#?}", log());
    project.run("create schema nope; grant usage on schema nope to authenticated").await;
    for _ in 0..3 {
        db.ping().await.unwrap_err();
    }
    assert_eq!((said(missing), said(empty)), (1, 1), "{:#?}", log());
    project.run("create table nope.users ()").await;
    for _ in 0..3 {
        db.ping().await.unwrap();
    }
    assert_eq!(log().len(), 3, "{:#?}", log());
    assert_eq!(said("connected to the database again"), 1);
}

#[tokio::test]
async fn a_schema_that_was_never_there_is_no_way_into_public() {
    let project = Project::new().await;
    let ada = caller::user(project.ada).await;
    for (schema, why) in
        [("nope", "there is no schema nope"), ("My App", "there is no schema My App")]
    {
        let db = db(&project.database, "authenticator", schema);
        let hurried = caller::user_within(project.ada, Duration::from_secs(1)).await;
        assert!(matches!(
            queries::set_full_name(&db, &hurried, "stray").await,
            Err(Error::Deadline)
        ));
        let told = db.ping().await.unwrap_err().to_string();
        assert!(told.contains(&format!("DATABASE_SCHEMA: {why}")), "{told}");
    }
    assert_eq!(
        queries::full_name(&project.db("postgres"), &ada).await.unwrap(),
        Some(Some("Ada".to_owned()))
    );
}

thread_local! {
    /// What this thread has logged: a test and all that it spawns run on one.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Has every thread log for itself. One subscriber for all, since a place in the code that was first
/// reached without one may stay silent.
fn log_by_thread() {
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(|| ThreadLog);
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
}

/// The lines of ours that this thread has logged.
fn log() -> Vec<String> {
    let text = LOG.with_borrow(|log| String::from_utf8(log.clone()).unwrap());
    text.lines().filter(|line| line.contains("user_service")).map(str::to_owned).collect()
}

struct ThreadLog;

impl io::Write for ThreadLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
