//! `SESSION_CHECK`: a sign-out, a ban and a deletion end a token before its time, on every wire.

use dev::auth::Scope;
use serde_json::json;
use tonic::Code;

use crate::support::{GET_NAME, Service, WIRES, Wire, eventually};

/// Short, so that the tests need not wait.
const CHECKED: [(&str, &str); 2] = [("SESSION_CHECK", "on"), ("SESSION_CHECK_TTL", "100ms")];

fn refused(code: Code, reason: &str) -> (Code, Option<String>) {
    (code, Some(reason.to_owned()))
}

async fn until_refused(service: &Service, token: &str, expected: (Code, Option<String>)) {
    for wire in WIRES {
        eventually(&format!("{expected:?} on {wire:?}"), async || {
            service.call(wire, GET_NAME, token, json!({})).await.refusal() == expected
        })
        .await;
    }
}

#[tokio::test]
async fn a_sign_out_ends_the_token() {
    let service = Service::with(&CHECKED).await;
    let ada = service.ada().await;
    let other = service.auth.sign_in("ada@example.com", "password").await.expect("a session");
    for wire in WIRES {
        let answer = service.call(wire, GET_NAME, ada.token(), json!({})).await;
        assert_eq!(answer.code, Code::Ok);
    }
    service.auth.sign_out(ada.token(), Scope::Local).await.expect("signed out");
    until_refused(&service, ada.token(), refused(Code::Unauthenticated, "SESSION_ENDED")).await;
    let answer = service.call(Wire::Grpc, GET_NAME, &other.access_token, json!({})).await;
    assert_eq!(answer.code, Code::Ok, "the user's other session stands");
}

#[tokio::test]
async fn a_ban_and_a_deletion_end_the_token() {
    let service = Service::with(&CHECKED).await;
    let ada = service.ada().await;
    let admin = service.superuser().await;
    let run = async |sql: &str| admin.batch_execute(sql).await.expect("done");

    run("update auth.users set banned_until = now() + interval '1 hour'").await;
    until_refused(&service, ada.token(), refused(Code::PermissionDenied, "USER_BANNED")).await;
    let answer = service.call(Wire::Json, GET_NAME, ada.token(), json!({})).await;
    let challenge = &answer.headers["www-authenticate"];
    assert_eq!(challenge, r#"Bearer error="insufficient_scope""#, "RFC 6750, section 3");
    run("update auth.users set banned_until = now() - interval '1 hour'").await;
    eventually("the ban is over", async || {
        service.call(Wire::Grpc, GET_NAME, ada.token(), json!({})).await.code == Code::Ok
    })
    .await;
    run("update auth.users set deleted_at = now()").await;
    until_refused(&service, ada.token(), refused(Code::Unauthenticated, "SESSION_ENDED")).await;
}

#[tokio::test]
async fn a_session_past_its_end_of_another_user_or_of_nobody_does_not_stand() {
    let service = Service::with(&CHECKED).await;
    let ada = service.ada().await;
    let grace = service.user("grace@example.com", json!({})).await;
    let ended = refused(Code::Unauthenticated, "SESSION_ENDED");

    let stolen = service.altered(&ada, |it| it["session_id"] = json!(grace.0.session_id()));
    let none = service.altered(&ada, |it| {
        it.as_object_mut().expect("claims").remove("session_id");
    });
    for token in [&stolen, &none] {
        let answer = service.call(Wire::Grpc, GET_NAME, token, json!({})).await;
        assert_eq!(answer.refusal(), ended);
    }
    let admin = service.superuser().await;
    admin.batch_execute("update auth.sessions set not_after = now()").await.expect("done");
    until_refused(&service, ada.token(), ended).await;
}

#[tokio::test]
async fn without_the_function_the_service_is_not_ready_and_calls_may_be_tried_again() {
    let service = Service::with(&CHECKED).await;
    let ada = service.ada().await;
    let admin = service.superuser().await;
    let drop = "drop function user_service.session_standing(uuid, uuid)";
    admin.batch_execute(drop).await.expect("dropped");
    let answer = service.call(Wire::Json, GET_NAME, ada.token(), json!({})).await;
    assert_eq!(answer.refusal(), refused(Code::Unavailable, "DATABASE_UNAVAILABLE"));
    eventually("the service is not ready", async || service.readiness().await.0 == 503).await;
}

#[tokio::test]
async fn without_the_check_a_token_outlives_the_sign_out() {
    let service = Service::start().await;
    let ada = service.ada().await;
    service.auth.sign_out(ada.token(), Scope::Global).await.expect("signed out");
    let answer = service.call(Wire::Grpc, GET_NAME, ada.token(), json!({})).await;
    assert_eq!(answer.code, Code::Ok);
}
