//! The call that a token makes.

use serde_json::json;
use uuid::Uuid;

use crate::{
    auth_support::issuer::{Issuer, with, without},
    db_support::sign_up,
    support::{Rig, now},
};

#[tokio::test]
async fn a_row_without_a_name_is_not_a_missing_row() {
    let rig = Rig::new().await;
    let nameless = Uuid::new_v4();
    rig.project.sign_up(nameless, None).await;
    let checked = rig.check_with(&rig.token(nameless)).await;
    checked.fails(&[]);
    assert!(checked.said("name").0.contains("its full_name is NULL"));
}

#[tokio::test]
async fn a_row_that_a_policy_hides_is_told_from_one_that_is_not_there() {
    let hidden =
        "alter policy \"Can view own user data\" on public.users using (full_name = 'Bob')";
    // A login that sees every row can tell them apart.
    let rig = Rig::new().await;
    let owner = rig.project.database.url("postgres");
    let rig = rig.set("DATABASE_URL", owner);
    rig.project.run(hidden).await;
    let checked = rig.check_with(&rig.token(rig.project.ada)).await;
    checked.fails(&["name"]);
    assert!(
        checked.said("name").0.ends_with("the row is there, and a policy hides it from its user")
    );

    let checked = rig.check_with(&rig.token(Uuid::new_v4())).await;
    checked.fails(&["name"]);
    assert!(checked.said("name").0.ends_with("there is no row with the user's id"));

    // The least login cannot.
    let rig = Rig::new().await;
    rig.project.run(hidden).await;
    let checked = rig.check_with(&rig.token(rig.project.ada)).await;
    checked.fails(&["name"]);
    assert!(checked.said("name").0.ends_with("there is none, or a policy hides it"));
}

#[tokio::test]
async fn a_token_that_is_refused() {
    let rig = Rig::new().await;
    let claims = rig.claims(rig.project.ada);
    let valid = rig.token(rig.project.ada);
    let stranger = Issuer::new();
    for (token, reason) in [
        (rig.issuer.es256(&with(&claims, "exp", now() - 100)), "TOKEN_EXPIRED"),
        (rig.issuer.es256(&with(&claims, "iss", "https://another.example")), "TOKEN_ISSUER"),
        (rig.issuer.es256(&with(&claims, "aud", "another")), "TOKEN_AUDIENCE"),
        (rig.issuer.es256(&with(&claims, "role", "service_role")), "TOKEN_ROLE"),
        (rig.issuer.es256(&without(&claims, "sub")), "TOKEN_SUBJECT"),
        (stranger.es256(&claims), "TOKEN_SIGNATURE"),
        (rig.issuer.hs256(&claims), "TOKEN_ALGORITHM"),
        (rig.issuer.hs256(&json!({"role": "anon", "iss": "supabase"})), "TOKEN_IS_API_KEY"),
        ("sb_secret_0123456789abcdefghijklm".to_owned(), "TOKEN_IS_API_KEY"),
        ("undefined".to_owned(), "TOKEN_PLACEHOLDER"),
        (format!("Bearer {valid}"), "AUTHORIZATION_MALFORMED"),
        (format!("{valid}{}", "A".repeat(20_000)), "TOKEN_TOO_LARGE"),
        ("é".to_owned(), "TOKEN_MALFORMED"),
        ("\u{7f}".to_owned(), "no header"),
        (String::new(), "nothing on standard input"),
        ("\n".to_owned(), "nothing on standard input"),
    ] {
        let checked = rig.check_with(&token).await;
        checked.fails(&["token"]);
        assert!(checked.said("token").0.contains(reason), "{reason}: {}", checked.said("token").0);
        assert_eq!(checked.status("name"), "skipped");
    }
}

#[tokio::test]
async fn why_an_algorithm_is_refused_is_told() {
    let rig = Rig::new().await;
    let checked = rig.check_with(&rig.issuer.hs256(&rig.claims(rig.project.ada))).await;
    let (message, hint) = checked.said("token");
    assert!(message.contains("HS256, but JWT_SECRET is not set"), "{message}");
    assert!(hint.contains("JWT_SECRET"), "{hint}");
}

#[tokio::test]
async fn a_token_may_end_in_a_newline_and_more_may_follow() {
    let rig = Rig::new().await;
    let token = rig.token(rig.project.ada);
    for input in [format!("{token}\n"), format!("{token}\r\nmore\n"), format!(" {token}")] {
        let checked = rig.check_with(&input).await;
        checked.fails(&[]);
        assert_eq!(checked.said("name").0, "GetName returns \"Ada\"");
    }
}

#[tokio::test]
async fn what_the_database_refuses_is_told() {
    let rig = Rig::new().await;
    rig.project.run("revoke select on public.users from authenticated").await;
    let checked = rig.check_with(&rig.token(rig.project.ada)).await;
    checked.fails(&["grants", "name"]);
    assert!(checked.said("name").0.contains("42501"), "{}", checked.said("name").0);
}

#[tokio::test]
async fn a_table_that_is_locked_is_not_waited_for_longer_than_a_call() {
    let rig = Rig::new().await.set("REQUEST_TIMEOUT", "1s");
    let mut admin = rig.project.admin().await;
    let lock = admin.transaction().await.unwrap();
    lock.batch_execute("lock table public.users in access exclusive mode").await.unwrap();
    let checked = rig.check_with(&rig.token(rig.project.ada)).await;
    checked.fails(&["name"]);
    assert!(checked.said("name").0.contains("deadline"), "{}", checked.said("name").0);
}

#[tokio::test]
async fn where_sessions_are_checked_the_tokens_session_must_stand() {
    let rig = Rig::new().await.set("SESSION_CHECK", "on");
    let user = Uuid::new_v4();
    sign_up(&rig.project.admin().await, user, Some("Grace")).await;
    let session = Uuid::new_v4();
    let token = rig.issuer.es256(&with(&rig.claims(user), "session_id", session.to_string()));
    let checked = rig.check_with(&token).await;
    checked.fails(&["token"]);
    assert!(checked.said("token").0.starts_with("SESSION_ENDED"));

    let sql = format!("insert into auth.sessions (id, user_id) values ('{session}', '{user}')");
    rig.project.run(&sql).await;
    let checked = rig.check_with(&token).await;
    checked.fails(&[]);
    assert_eq!(checked.said("name").0, "GetName returns \"Grace\"");

    rig.project.run("update auth.users set banned_until = now() + interval '1 day'").await;
    let checked = rig.check_with(&token).await;
    checked.fails(&["token"]);
    assert!(checked.said("token").0.starts_with("USER_BANNED"));

    let token = rig.issuer.es256(&without(&rig.claims(user), "session_id"));
    checked.fails(&["token"]);
    let checked = rig.check_with(&token).await;
    assert!(checked.said("token").0.contains("no session_id"));
}
