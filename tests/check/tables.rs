//! What the database lacks.

use dev::testing::Database;

use crate::{
    db_support::Project,
    support::{Rig, login},
};

/// A rig whose project these statements have changed.
async fn after(sql: &str) -> Rig {
    let rig = Rig::new().await;
    rig.project.run(sql).await;
    rig
}

/// A rig in front of a project without our migrations, where these statements were run.
async fn unmigrated(sql: &str) -> (Rig, Database) {
    let database = Project::unmigrated().await;
    database.connect("postgres").await.unwrap().batch_execute(sql).await.unwrap();
    let rig = Rig::new()
        .await
        .set("DATABASE_URL", login(&database))
        .set("MIGRATE_DATABASE_URL", database.url("postgres"));
    (rig, database)
}

/// A table that an existing project might have, with nothing of ours.
const OWN_TABLE: &str = "
    create table public.users (id uuid primary key, full_name varchar(80), plan text);
    alter table public.users enable row level security;
    create policy own on public.users to authenticated using (auth.uid() = id);";

#[tokio::test]
async fn no_table() {
    let (rig, _database) = unmigrated("").await;
    let checked = rig.check().await;
    checked.fails(&["users"]);
    assert_eq!(checked.said("users").0, "there is no table users in the schema public");
    assert!(checked.said("users").1.contains("user-service migrate"));
    for check in ["columns", "grants", "row-security", "policies"] {
        assert_eq!(checked.status(check), "skipped");
    }
    assert_eq!(checked.with("warning"), ["migrations"]);
    assert!(checked.said("migrations").0.contains("2025-01-01-000000-0000_users"));
}

#[tokio::test]
async fn a_table_of_the_projects_own_needs_no_migration() {
    let (rig, _database) = unmigrated(OWN_TABLE).await;
    let checked = rig.check().await;
    checked.fails(&[]);
    assert_eq!(checked.with("warning"), [""; 0]);
    assert!(checked.said("migrations").0.contains("none is needed"));
    assert_eq!(checked.said("policy").0, "\"own\": ALL for authenticated");
    assert_eq!(checked.status("session-check"), "skipped");
}

#[tokio::test]
async fn a_table_in_another_schema() {
    let rig = Rig::new().await.set("DATABASE_SCHEMA", "app");
    let checked = rig.check().await;
    checked.fails(&["users"]);
    assert!(checked.said("users").0.starts_with("DATABASE_SCHEMA: there is no schema app"));
    assert_eq!(checked.said("users").1, "there is one in public: set DATABASE_SCHEMA");
    assert_eq!(checked.status("rights"), "skipped"); // calls get no connection

    let rig = after("create schema app; alter table public.users set schema app;").await;
    let rig = rig.set("DATABASE_SCHEMA", "app");
    let checked = rig.check_with(&rig.token(rig.project.ada)).await;
    checked.fails(&["grants"]);
    assert_eq!(checked.said("grants").1, "grant usage on schema app to authenticated;");
    assert_eq!(checked.status("name"), "skipped");
}

#[tokio::test]
async fn a_column_that_is_missing_or_of_another_type() {
    let checked = after("alter table public.users drop column full_name").await.check().await;
    checked.fails(&["columns"]);
    assert_eq!(checked.said("columns").0, "there is no column full_name");
    assert_eq!(checked.status("grants"), "skipped");
    assert!(
        checked
            .said("columns")
            .1
            .starts_with("alter table public.users add column full_name text;")
    );

    let (rig, _database) = unmigrated(&OWN_TABLE.replace("varchar(80)", "bytea")).await;
    let checked = rig.check().await;
    checked.fails(&["columns"]);
    assert_eq!(checked.said("columns").0, "full_name is bytea, and must be text");
}

#[tokio::test]
async fn what_authenticated_may_not_do() {
    let checked = after("revoke all on public.users from authenticated").await.check().await;
    checked.fails(&["grants"]);
    let checked = after("revoke update on public.users from authenticated").await.check().await;
    checked.fails(&[]);
    assert_eq!(checked.with("warning"), ["grants"]);
}

#[tokio::test]
async fn row_level_security_that_is_off() {
    let checked = after("alter table public.users disable row level security").await.check().await;
    checked.fails(&["row-security"]);
    assert_eq!(checked.status("policies"), "skipped");
}

#[tokio::test]
async fn policies_that_open_nothing() {
    let none = "drop policy \"Can view own user data\" on public.users; drop policy \"Can update own user data\" on public.users;";
    let checked = after(none).await.check().await;
    checked.fails(&["policies"]);
    assert!(checked.said("policies").1.contains("for select using"));

    // For others, or only narrowing, they open nothing either.
    for policy in ["to anon", "as restrictive to authenticated"] {
        let sql = format!("{none} create policy other on public.users {policy} using (true)");
        let checked = after(&sql).await.check().await;
        checked.fails(&["policies"]);
    }

    let only_select = "drop policy \"Can update own user data\" on public.users;";
    let checked = after(only_select).await.check().await;
    checked.fails(&[]);
    assert_eq!(checked.with("warning"), ["policies"]);
    assert_eq!(checked.said("policy").0, "\"Can view own user data\": SELECT for public");
}

#[tokio::test]
async fn a_view_must_read_as_the_caller() {
    let view = "
        alter table public.users rename to people;
        create view public.users as select id, full_name from public.people;";
    let checked = after(view).await.check().await;
    checked.fails(&["row-security"]);
    assert!(checked.said("row-security").1.contains("security_invoker = on"));

    let rig = after(&format!("{view} alter view public.users set (security_invoker = on)")).await;
    let checked = rig.check_with(&rig.token(rig.project.ada)).await;
    checked.fails(&[]);
    assert_eq!(checked.said("name").0, "GetName returns \"Ada\"");
}

#[tokio::test]
async fn auth_uid_that_is_missing_or_closed() {
    let checked = after("drop function auth.uid() cascade").await.check().await;
    checked.fails(&["policies", "auth.uid"]); // the policies that asked it are gone with it
    let checked = after("revoke usage on schema auth from authenticated").await.check().await;
    checked.fails(&["auth.uid"]);
    assert!(checked.said("auth.uid").1.contains("grant usage on schema auth"));
}

#[tokio::test]
async fn the_session_function_matters_where_sessions_are_checked() {
    let rig = after("drop function user_service.session_standing").await;
    let checked = rig.check().await;
    checked.fails(&[]);
    assert_eq!(checked.status("session-check"), "skipped");
    assert!(checked.said("session-check").0.contains("session_standing is not there"));

    let checked = rig.set("SESSION_CHECK", "on").check().await;
    checked.fails(&["session-check"]);
    assert!(checked.said("session-check").1.contains("user-service migrate"));

    let checked = Rig::new().await.set("SESSION_CHECK", "on").check().await;
    checked.fails(&[]);
    assert_eq!(checked.status("session-check"), "ok");

    // There, and it does not answer.
    let rig = after(
        "create or replace function user_service.session_standing(session uuid, subject uuid) returns text
         language sql as $$ select (1 / 0)::text $$",
    )
    .await;
    let checked = rig.check().await;
    checked.fails(&[]);
    let told = checked.said("session-check").0;
    assert!(told.contains("is not known: 22012") && !told.contains("not there"), "{told}");
}

#[tokio::test]
async fn migrations_are_read_as_their_owner() {
    // The least login may not, and there is no other.
    let checked = Rig::new().await.set("MIGRATE_DATABASE_URL", "").check().await;
    checked.fails(&[]);
    assert_eq!(checked.status("migrations"), "skipped");

    let rig = Rig::new().await;
    let owner = rig.project.database.url("postgres");
    let checked = rig.set("MIGRATE_DATABASE_URL", "").set("DATABASE_URL", owner).check().await;
    assert_eq!(checked.said("migrations").0, "all 2 were applied");

    // The Supabase CLI keeps a record of its own, and has made the same.
    let cli = "drop table user_service.__diesel_schema_migrations";
    let checked = after(cli).await.set("SESSION_CHECK", "on").check().await;
    checked.fails(&[]);
    assert_eq!(checked.status("migrations"), "ok");
    assert!(checked.said("migrations").0.ends_with("and so is user_service.session_standing"));
    let gone = "drop table user_service.__diesel_schema_migrations; drop function user_service.session_standing";
    let checked = after(gone).await.set("SESSION_CHECK", "on").check().await;
    checked.fails(&["session-check"]);
    assert_eq!(checked.with("warning"), ["migrations"]);

    let nowhere = "postgresql://me:correct-horse@127.0.0.1:1/postgres";
    let checked = Rig::new().await.set("MIGRATE_DATABASE_URL", nowhere).check().await;
    checked.fails(&["migrations"]);

    let one = "delete from user_service.__diesel_schema_migrations where version like '20250102%'";
    let checked = after(one).await.check().await;
    checked.fails(&[]);
    assert_eq!(checked.with("warning"), ["migrations"]);
    assert_eq!(checked.said("migrations").0, "pending: 2025-01-02-000000-0000_session_standing");
}

/// `public.profiles` behind a view that reads as the caller.
const BEHIND_A_VIEW: &str = "
    alter table public.users rename to profiles;
    create view public.users with (security_invoker = on) as select id, full_name from public.profiles;
    grant select, update on public.users to authenticated;";

#[tokio::test]
async fn what_is_behind_a_view_has_grants_of_its_own() {
    let sql = format!("{BEHIND_A_VIEW} revoke all on public.profiles from authenticated;");
    let rig = after(&sql).await;
    let checked = rig.check_with(&rig.token(rig.project.ada)).await;
    checked.fails(&["grants", "name"]);
    assert!(checked.said("grants").0.contains("42501"), "{}", checked.said("grants").0);

    let sql = format!("{BEHIND_A_VIEW} revoke update on public.profiles from authenticated;");
    let checked = after(&sql).await.check().await;
    checked.fails(&[]);
    assert_eq!(checked.with("warning"), ["grants"]);
}

#[tokio::test]
async fn a_view_that_takes_no_changes_is_a_warning() {
    let distinct = BEHIND_A_VIEW.replace("as select id", "as select distinct id");
    let rig = after(&distinct).await;
    let checked = rig.check_with(&rig.token(rig.project.ada)).await;
    checked.fails(&[]);
    assert_eq!(checked.with("warning"), ["users"]);
    assert!(checked.said("users").0.contains("55000"), "{}", checked.said("users").0);

    // Unless a trigger makes them.
    let trigger = "
        create function public.rename() returns trigger language plpgsql as $$ begin
            update public.profiles set full_name = new.full_name where id = old.id;
            return new;
        end $$;
        create trigger rename instead of update on public.users
            for each row execute function public.rename();";
    let checked = after(&format!("{distinct} {trigger}")).await.check().await;
    checked.fails(&[]);
    assert_eq!(checked.with("warning"), [""; 0]);
}
