//! `user-service migrate`, on new projects and on those that have much already.

mod db_support;

use std::{collections::BTreeMap, fs, process::Command};

use db_support::{Project, caller, inventory, settings};
use dev::testing::Database;
use regex::Regex;
use user_service::{
    auth::{Session, Standing},
    db::{self, Db, Error, PoolMode, Settings, sessions, users},
};
use uuid::Uuid;

/// Migrates as the project's owner, who is no superuser, and returns what was reported.
async fn migrate(settings: &Settings) -> Result<Vec<String>, Error> {
    let mut lines = Vec::new();
    db::migrate(settings, |line| lines.push(line.to_owned())).await?;
    Ok(lines)
}

async fn migrate_database(database: &Database) -> Vec<String> {
    migrate(&settings(&database.url("postgres"))).await.unwrap()
}

async fn run(database: &Database, sql: &str) {
    database.connect("postgres").await.unwrap().batch_execute(sql).await.unwrap();
}

#[tokio::test]
async fn a_new_project_gets_the_table_and_its_users_their_rows() {
    let database = Project::unmigrated().await;
    let lines = migrate_database(&database).await;
    assert!(lines[0].starts_with("made: table public.users"), "{lines:#?}");
    assert!(lines[1].starts_with("made: function public.handle_new_user"), "{lines:#?}");
    assert!(lines.last().unwrap().starts_with("applied: "), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.starts_with("left alone")), "{lines:#?}");

    let ada = Uuid::new_v4();
    run(&database, &format!("insert into auth.users (id, raw_user_meta_data) values ('{ada}', '{{\"full_name\": \"Ada\"}}')")).await;
    let db = Db::new(settings(&database.url("authenticator")));
    let name = users::full_name(&db, &caller::user(ada).await).await.unwrap();
    assert_eq!(name, Some(Some("Ada".to_owned())));
}

#[tokio::test]
async fn a_second_run_finds_nothing_to_do() {
    let database = Project::unmigrated().await;
    migrate_database(&database).await;
    let before = inventory(&database).await;
    let lines = migrate_database(&database).await;
    assert_eq!(lines, ["nothing to do: every migration has been applied"]);
    assert_eq!(inventory(&database).await, before);
}

#[tokio::test]
async fn the_bookkeeping_is_out_of_the_apis_reach() {
    let database = Project::unmigrated().await;
    migrate_database(&database).await;
    let client = database.connect("postgres").await.unwrap();
    let schemas = "select relnamespace::regnamespace::text from pg_class where relname = '__diesel_schema_migrations'";
    let schemas: Vec<String> =
        client.query(schemas, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(schemas, ["user_service"]);
    for role in ["anon", "authenticated"] {
        let reads =
            "select has_table_privilege($1, 'user_service.__diesel_schema_migrations', 'select')";
        assert!(!client.query_one(reads, &[&role]).await.unwrap().get::<_, bool>(0), "{role}");
    }
}

#[tokio::test]
async fn a_table_that_is_there_stays_as_it_is() {
    let database = Project::unmigrated().await;
    run(
        &database,
        "create table public.users (id uuid primary key, name text, full_name text);
         create policy mine on public.users using (true);
         create function public.sign_up() returns trigger language plpgsql as $$ begin return new; end $$;
         create trigger my_own after insert on auth.users for each row execute function public.sign_up();",
    )
    .await;
    let before = inventory(&database).await;
    let lines = migrate_database(&database).await;
    assert!(lines[0].starts_with("left alone: public.users exists"), "{lines:#?}");
    let in_public = |line: &String| line.starts_with("made") && line.contains("public");
    assert!(!lines.iter().any(in_public), "{lines:#?}");
    assert_eq!(inventory(&database).await, before);
}

#[tokio::test]
async fn a_view_in_the_tables_place_stays_too() {
    let database = Project::unmigrated().await;
    run(&database, "create view public.users as select id from auth.users").await;
    let before = inventory(&database).await;
    let lines = migrate_database(&database).await;
    assert!(lines[0].starts_with("left alone: public.users exists"), "{lines:#?}");
    assert_eq!(inventory(&database).await, before);
}

#[tokio::test]
async fn a_sign_up_function_or_trigger_that_is_there_stays_as_it_is() {
    for existing in [
        "create function public.handle_new_user(whatever int) returns int language sql as 'select 1'",
        "create function public.own() returns trigger language plpgsql as $$ begin return new; end $$;
         create trigger on_auth_user_created after insert on auth.users for each row execute function public.own()",
    ] {
        let database = Project::unmigrated().await;
        run(&database, existing).await;
        let before = inventory(&database).await;
        let lines = migrate_database(&database).await;
        assert!(lines[0].starts_with("made: table public.users"), "{lines:#?}");
        assert!(lines[1].starts_with("left alone: public.handle_new_user or"), "{lines:#?}");
        let after = inventory(&database).await;
        assert!(before.iter().all(|line| after.contains(line)), "{before:#?}\n{after:#?}");
        // Nobody's sign-up is broken.
        run(&database, &format!("insert into auth.users (id) values ('{}')", Uuid::new_v4())).await;
    }
}

#[tokio::test]
async fn users_in_another_schema_leaves_public_alone() {
    let database = Project::unmigrated().await;
    let before = inventory(&database).await;
    let settings = Settings { schema: "app's".to_owned(), ..settings(&database.url("postgres")) };
    let lines = migrate(&settings).await.unwrap();
    assert!(lines[0].starts_with("left alone: users is in the schema"), "{lines:#?}");
    assert_eq!(inventory(&database).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_at_once_do_the_work_once() {
    let database = Project::unmigrated().await;
    let settings = settings(&database.url("postgres"));
    let all = futures_util::future::join_all((0..8).map(|_| migrate(&settings))).await;
    let made = all.iter().filter(|lines| lines.as_ref().unwrap().len() > 1).count();
    assert_eq!(made, 1, "{all:#?}");
}

#[tokio::test]
async fn a_database_that_is_no_supabase_project_is_left_without_a_trace() {
    let database = Project::unmigrated().await;
    let admin = database.connect(db_support::SUPERUSER).await.unwrap();
    admin.batch_execute("drop schema auth cascade").await.unwrap();
    let error = migrate(&settings(&database.url("postgres"))).await.unwrap_err();
    assert!(error.to_string().contains("auth.users is missing"), "{error}");
    let there = "select exists (select from pg_namespace where nspname = 'user_service')";
    assert!(!admin.query_one(there, &[]).await.unwrap().get::<_, bool>(0));
}

#[tokio::test]
async fn a_pooler_in_transaction_mode_is_refused_and_the_way_out_told() {
    let database = Project::unmigrated().await;
    let settings =
        Settings { pool_mode: PoolMode::Transaction, ..settings(&database.url("postgres")) };
    let error = migrate(&settings).await.unwrap_err().to_string();
    assert!(error.contains("MIGRATE_DATABASE_URL"), "{error}");
}

/// The same migrations, for the Supabase CLI.
const FOR_SUPABASE: &str = "supabase/migrations";

fn files(folder: &str) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let named = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
    };
    entries.map(named).collect()
}

/// Applies them in the order of their names, each in one transaction, as the CLI does.
fn apply_for_supabase(database: &Database) {
    for file in files(FOR_SUPABASE).keys() {
        let psql = Command::new("psql")
            .args(["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--single-transaction"])
            .arg(format!("--file={FOR_SUPABASE}/{file}"))
            .arg(database.url("postgres"))
            .output()
            .expect("psql: it comes with PostgreSQL");
        assert!(psql.status.success(), "{file}: {}", String::from_utf8_lossy(&psql.stderr));
    }
}

#[test]
fn the_files_for_the_supabase_cli_are_current() {
    let folder = std::env::temp_dir().join(Uuid::new_v4().to_string());
    let written = Command::new("scripts/supabase-migrations.sh").arg(&folder).status().unwrap();
    assert!(written.success());
    let current = files(folder.to_str().unwrap());
    fs::remove_dir_all(folder).unwrap();
    let committed = files(FOR_SUPABASE);
    assert!(current == committed, "run scripts/supabase-migrations.sh and commit what it wrote");
    let name = Regex::new(r"^\d{14}_\w+\.sql$").unwrap();
    assert!(current.keys().all(|file| name.is_match(file)), "{:?}", current.keys());
    assert_eq!(current.len(), fs::read_dir("migrations").unwrap().count());
}

#[tokio::test]
async fn the_files_for_the_supabase_cli_and_migrate_do_the_same_in_any_order() {
    for supabase_first in [true, false] {
        let database = Project::unmigrated().await;
        if supabase_first {
            apply_for_supabase(&database);
        } else {
            migrate_database(&database).await;
        }
        let made = inventory(&database).await;
        assert!(made.iter().any(|line| line.contains("on_auth_user_created")), "{made:#?}");

        let (ada, session) = (Uuid::new_v4(), Uuid::new_v4());
        run(
            &database,
            &format!(
                "insert into auth.users (id, raw_user_meta_data) values ('{ada}', '{{\"full_name\": \"Ada\"}}');
                 insert into auth.sessions (id, user_id) values ('{session}', '{ada}');"
            ),
        )
        .await;
        let db = Db::new(settings(&database.url("authenticator")));
        let caller = caller::user(ada).await;
        let works = async || {
            let stored = users::set_full_name(&db, &caller, "Ada L.").await.unwrap();
            assert_eq!(stored.as_deref(), Some("Ada L."));
            let name = users::full_name(&db, &caller).await.unwrap();
            assert_eq!(name, Some(Some("Ada L.".to_owned())));
            let session = Session { id: session, user: ada };
            assert_eq!(sessions::standing(&db, session).await.unwrap(), Standing::Active);
        };
        works().await;
        if supabase_first {
            let lines = migrate_database(&database).await;
            assert!(lines[0].starts_with("left alone: public.users exists"), "{lines:#?}");
        } else {
            apply_for_supabase(&database);
        }
        assert_eq!(inventory(&database).await, made);
        works().await;
    }
}
