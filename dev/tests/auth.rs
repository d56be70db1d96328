//! The Auth stand-in on a database, without HTTP: what tests of the service build on.

use std::os::unix::fs::PermissionsExt;

use anyhow::Result;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use dev::auth::{Auth, Keys, Scope};
use dev::testing::{Database, Template};
use serde_json::{Value, json};

static TEMPLATE: Template = Template::new();

async fn auth() -> Result<(Auth, Database)> {
    let database = TEMPLATE.copy(async |_| Ok(())).await?;
    let config = database.config("supabase_auth_admin");
    Ok((Auth::start(config, 0, Keys::generate()?).await?, database))
}

#[tokio::test]
async fn a_session_is_in_the_tables_that_a_session_check_reads() -> Result<()> {
    let (auth, database) = auth().await?;
    let session = auth.sign_up("ada@example.com", "password", json!({})).await?;
    let client = database.connect("postgres").await?;
    let sql = "select user_id from auth.sessions where id = $1 and aal = 'aal1'";
    let id = session.session_id();
    let rows = client.query(sql, &[&id]).await?;
    assert_eq!(rows[0].get::<_, uuid::Uuid>(0), session.user_id());

    auth.sign_out(&session.access_token, Scope::Global).await?;
    assert!(client.query(sql, &[&id]).await?.is_empty());
    let error = auth.sign_out(&session.access_token, Scope::Global).await.expect_err("ended");
    assert_eq!((error.status, error.code), (403, "session_not_found"));
    Ok(())
}

#[tokio::test]
async fn a_used_refresh_token_is_good_for_ten_seconds_more() -> Result<()> {
    let (auth, database) = auth().await?;
    let first = auth.sign_up("ada@example.com", "password", json!({})).await?.refresh_token;
    let second = auth.refresh(&first).await?.refresh_token;
    let third = auth.refresh(&second).await?.refresh_token;
    assert_eq!(auth.refresh(&first).await?.refresh_token, third);

    let client = database.connect("postgres").await?;
    client
        .batch_execute("update auth.refresh_tokens set updated_at = now() - interval '11 s'")
        .await?;
    let error = auth.refresh(&first).await.expect_err("used long ago");
    assert_eq!((error.status, error.code), (400, "refresh_token_already_used"));
    // Whoever holds the second one never stored the third.
    assert_eq!(auth.refresh(&second).await?.refresh_token, third);
    Ok(())
}

#[tokio::test]
async fn a_failing_sign_up_trigger_leaves_no_user() -> Result<()> {
    let (auth, database) = auth().await?;
    let owner = database.connect("postgres").await?;
    owner
        .batch_execute(
            "create function public.refuse() returns trigger language plpgsql
               as $$ begin raise exception 'no'; end $$;
             create trigger refuse after insert on auth.users
               for each row execute function public.refuse()",
        )
        .await?;
    let error = auth.sign_up("ada@example.com", "password", json!({})).await.expect_err("refused");
    assert_eq!((error.status, error.code), (500, "unexpected_failure"));
    assert!(owner.query("select 1 from auth.users", &[]).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn keys_in_a_file_last_and_are_ours_alone() -> Result<()> {
    let path = std::env::temp_dir().join(format!("keys-{}", uuid::Uuid::new_v4()));
    let made = Keys::load_or_create(&path)?;
    let read = Keys::load_or_create(&path)?;
    let mode = std::fs::metadata(&path)?.permissions().mode();
    std::fs::remove_file(&path)?;
    assert_eq!(made.jwks()?, read.jwks()?);
    assert_eq!(mode & 0o777, 0o600);
    Ok(())
}

#[tokio::test]
async fn a_banned_user_cannot_sign_in() -> Result<()> {
    let (auth, database) = auth().await?;
    auth.sign_up("ada@example.com", "password", json!({})).await?;
    let client = database.connect("postgres").await?;
    client.batch_execute("update auth.users set banned_until = now() + interval '1 day'").await?;
    let error = auth.sign_in("ada@example.com", "password").await.expect_err("banned");
    assert_eq!((error.status, error.code), (400, "user_banned"));
    Ok(())
}

#[tokio::test]
async fn the_database_may_go_and_come_back() -> Result<()> {
    let (auth, database) = auth().await?;
    auth.sign_up("ada@example.com", "password", json!({})).await?;
    let client = database.connect("supabase_admin").await?;
    let sql = "select pg_terminate_backend(pid, 5000) from pg_stat_activity
               where datname = current_database() and pid <> pg_backend_pid()";
    client.query(sql, &[]).await?;
    let mut outcome = auth.sign_in("ada@example.com", "password").await;
    if outcome.is_err() {
        // The one request that met the broken connection.
        outcome = auth.sign_in("ada@example.com", "password").await;
    }
    outcome?;
    Ok(())
}

#[tokio::test]
async fn keys_rotate_through_standby_in_use_previous_and_revoked() -> Result<()> {
    let (auth, _database) = auth().await?;
    let published = || -> Result<Vec<Value>> {
        let jwks = auth.keys().jwks()?;
        Ok(jwks["keys"].as_array().into_iter().flatten().map(|key| key["kid"].clone()).collect())
    };
    let kid = |token: &str| -> Result<Value> {
        let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap_or_default())?;
        Ok(serde_json::from_slice::<Value>(&header)?["kid"].clone())
    };
    let first = auth.keys().current()?;
    let standby = auth.keys().add_standby()?;
    assert_eq!(published()?, [first.as_str(), &standby]);
    assert_eq!(kid(&auth.mint(&json!({}))?)?, *first);

    assert_eq!(auth.keys().rotate()?, standby);
    assert_eq!(published()?, [first.as_str(), &standby]);
    assert_eq!(kid(&auth.mint(&json!({}))?)?, *standby);

    auth.keys().revoke(&first);
    assert_eq!(published()?, [standby.as_str()]);
    assert_eq!(kid(&auth.keys().sign_by(&first, &json!({}))?)?, *first);
    Ok(())
}

#[tokio::test]
async fn policies_see_the_caller_through_auth_uid() -> Result<()> {
    let (_auth, database) = auth().await?;
    let owner = database.connect("postgres").await?;
    owner
        .batch_execute(
            "create table note (id uuid, text text);
             alter table note enable row level security;
             create policy own on note for select using (auth.uid() = id);
             insert into note values ('11111111-1111-4111-8111-111111111111', 'mine'),
               ('22222222-2222-4222-8222-222222222222', 'yours')",
        )
        .await?;
    assert_eq!(owner.query("select * from note", &[]).await?.len(), 2, "above policies");

    let api = database.connect("authenticator").await?;
    assert!(api.query("select * from note", &[]).await.is_err(), "no role, no right");
    let claims = r#"{"sub":"11111111-1111-4111-8111-111111111111","role":"authenticated"}"#;
    let sql = "select set_config('role', 'authenticated', false),
                 set_config('request.jwt.claims', $1, false)";
    api.query(sql, &[&claims]).await?;
    let rows = api.query("select text, auth.role() from note", &[]).await?;
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].get(0), rows[0].get(1)), ("mine", "authenticated"));
    Ok(())
}

#[tokio::test]
async fn the_projects_owner_is_what_it_is_on_supabase() -> Result<()> {
    let (_auth, database) = auth().await?;
    let owner = database.connect("postgres").await?;
    let sql = "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb from pg_roles
               where rolname = current_user";
    let row = owner.query_one(sql, &[]).await?;
    let flags: Vec<bool> = (0..4).map(|column| row.get(column)).collect();
    assert_eq!(flags, [false, true, true, true]);
    // Triggers on auth.users and references to it are what every starter makes.
    owner
        .batch_execute(
            "create table profile (id uuid primary key references auth.users);
             create function public.new_user() returns trigger language plpgsql security definer
               as $$ begin insert into public.profile values (new.id); return new; end $$;
             create trigger made after insert on auth.users
               for each row execute function public.new_user();
             create schema mine",
        )
        .await?;
    assert!(owner.batch_execute("create table auth.mine (n int)").await.is_err());
    assert!(owner.batch_execute("drop table auth.sessions").await.is_err());
    Ok(())
}
