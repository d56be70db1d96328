//! Both RPCs on all three wires: the same outcome on each.

use crate::support::{GET_NAME, Service, UPDATE_NAME, WIRES, Wire};
use http::Method;
use serde_json::{Value, json};
use tonic::Code;
use tonic_types::pb;

fn refused(code: Code, reason: &str) -> (Code, Option<String>) {
    (code, Some(reason.to_owned()))
}

#[tokio::test]
async fn the_callers_name_comes_back_on_every_wire() {
    let service = Service::start().await;
    let ada = service.ada().await;
    for wire in WIRES {
        let answer = service.call(wire, GET_NAME, ada.token(), json!({})).await;
        assert_eq!((answer.code, answer.value), (Code::Ok, json!({"full_name": "Ada Lovelace"})));
    }
    let bearer = format!("Bearer {}", ada.token());
    let headers = [("authorization", bearer.as_str())];
    let answer = service.client.http(Method::GET, "/name", &headers, "").await;
    assert_eq!(answer.text(), r#"{"full_name":"Ada Lovelace"}"#);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn a_null_name_is_no_field() {
    let service = Service::start().await;
    let nameless = service.user("nameless@example.com", json!({})).await;
    for wire in WIRES {
        let answer = service.call(wire, GET_NAME, nameless.token(), json!({})).await;
        assert_eq!((answer.code, answer.value), (Code::Ok, json!({})));
    }
}

#[tokio::test]
async fn without_a_row_there_is_no_such_user() {
    let service = Service::start().await;
    let ada = service.ada().await;
    let admin = service.superuser().await;
    admin.execute("delete from public.users", &[]).await.expect("deleted");
    for wire in WIRES {
        for (rpc, message) in [(GET_NAME, json!({})), (UPDATE_NAME, json!({"full_name": "Ada"}))] {
            let answer = service.call(wire, rpc, ada.token(), message).await;
            assert_eq!(answer.refusal(), refused(Code::NotFound, "USER_NOT_FOUND"), "{wire:?}");
        }
    }
}

#[tokio::test]
async fn a_token_that_is_missing_expired_or_of_another_key_is_refused_for_its_reason() {
    let service = Service::start().await;
    let ada = service.ada().await;
    let expired = service.altered(&ada, |claims| claims["exp"] = json!(1_700_000_000));
    let stranger = dev::auth::Keys::generate().expect("keys");
    let of_unknown_key = stranger.sign(&ada.0.claims).expect("a token");
    let kid = service.auth.keys().current().expect("a key in use");
    let header = json!({"alg": "ES256", "kid": kid}).to_string();
    let forged = stranger.sign_parts(&header, &ada.0.claims.to_string()).expect("a token");

    for wire in WIRES {
        let answer = service.client.call(wire, GET_NAME, &[], json!({})).await;
        assert_eq!(answer.refusal(), refused(Code::Unauthenticated, "TOKEN_MISSING"));
        for (token, reason) in [
            (&expired, "TOKEN_EXPIRED"),
            (&of_unknown_key, "TOKEN_KEY_UNKNOWN"),
            (&forged, "TOKEN_SIGNATURE"),
        ] {
            let answer = service.call(wire, GET_NAME, token, json!({})).await;
            assert_eq!(answer.refusal(), refused(Code::Unauthenticated, reason), "{wire:?}");
            assert!(!answer.message.contains(token.as_str()));
        }
    }
    let answer = service.client.http(Method::GET, "/name", &[], "").await;
    assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, Some("Bearer")));
    let bearer = format!("Bearer {expired}");
    let headers = [("authorization", bearer.as_str())];
    let answer = service.client.http(Method::GET, "/name", &headers, "").await;
    let challenge = answer.header("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with(r#"Bearer error="invalid_token""#), "{challenge}");
}

#[tokio::test]
async fn nobody_meets_another_users_row() {
    let service = Service::start().await;
    let ada = service.ada().await;
    let grace = service.user("grace@example.com", json!({"full_name": "Grace Hopper"})).await;
    for wire in WIRES {
        let message = json!({"full_name": format!("Grace {wire:?}")});
        let answer = service.call(wire, UPDATE_NAME, grace.token(), message.clone()).await;
        assert_eq!((answer.code, answer.value), (Code::Ok, message));
        let answer = service.call(wire, GET_NAME, ada.token(), json!({})).await;
        assert_eq!(answer.value, json!({"full_name": "Ada Lovelace"}));
    }
}

#[tokio::test]
async fn a_new_name_is_trimmed_stored_and_returned() {
    let service = Service::start().await;
    let ada = service.ada().await;
    for wire in WIRES {
        let stored = json!({"full_name": format!("Ada, Countess of {wire:?} 🦋")});
        let message =
            json!({"full_name": format!(" \u{2003}{}\t", stored["full_name"].as_str().unwrap())});
        let answer = service.call(wire, UPDATE_NAME, ada.token(), message).await;
        assert_eq!((answer.code, &answer.value), (Code::Ok, &stored));
        let answer = service.call(wire, GET_NAME, ada.token(), json!({})).await;
        assert_eq!(answer.value, stored);
    }
    let bearer = format!("Bearer {}", ada.token());
    let headers = [("authorization", bearer.as_str())];
    let body = r#"{"fullName": "Ada King"}"#;
    let answer = service.client.http(Method::PATCH, "/name", &headers, body).await;
    assert_eq!(answer.text(), r#"{"full_name":"Ada King"}"#);
}

#[tokio::test]
async fn a_bad_name_is_refused_by_field_and_changes_nothing() {
    let service = Service::start().await;
    let ada = service.ada().await;
    let bad = [json!({}), json!({"full_name": " "}), json!({"full_name": "x".repeat(201)})];
    let bad = bad.into_iter().chain([json!({"full_name": "Ada\u{7}"})]);
    for message in bad {
        for wire in WIRES {
            let answer = service.call(wire, UPDATE_NAME, ada.token(), message.clone()).await;
            assert_eq!(answer.refusal(), refused(Code::InvalidArgument, "FIELD_INVALID"));
            let bad: pb::BadRequest = answer.detail("google.rpc.BadRequest").expect("fields");
            assert_eq!(bad.field_violations[0].field, "full_name");
        }
    }
    let answer = service.call(Wire::Grpc, GET_NAME, ada.token(), json!({})).await;
    assert_eq!(answer.value, json!({"full_name": "Ada Lovelace"}));
}

#[tokio::test]
async fn the_token_is_judged_before_the_body_is_read() {
    let service = Service::start().await;
    let ada = service.ada().await;
    let bad = "{\"full_name\": ";
    let answer = service.client.http(Method::PATCH, "/name", &[], bad).await;
    assert_eq!(answer.status, 401);
    let bearer = format!("Bearer {}", ada.token());
    let headers = [("authorization", bearer.as_str())];
    let answer = service.client.http(Method::PATCH, "/name", &headers, bad).await;
    assert_eq!((answer.status.as_u16(), reason(&answer.json())), (400, "REQUEST_MALFORMED"));
}

#[tokio::test]
async fn a_deadline_that_passes_is_told_on_every_wire_and_leaves_no_query_behind() {
    let service = Service::start().await;
    let ada = service.ada().await;
    let mut admin = service.superuser().await;
    let locked = admin.transaction().await.expect("a transaction");
    locked.batch_execute("lock table public.users").await.expect("a lock");
    let bearer = format!("Bearer {}", ada.token());
    for wire in WIRES {
        let headers = [("authorization", bearer.as_str()), ("grpc-timeout", "150m")];
        let answer = service.client.call(wire, GET_NAME, &headers, json!({})).await;
        assert_eq!(answer.refusal(), refused(Code::DeadlineExceeded, "DEADLINE"), "{wire:?}");
        if wire == Wire::Json {
            assert_eq!(answer.http, 504);
        }
    }
    let watcher = service.superuser().await;
    crate::support::eventually("no query runs", async || {
        let running = "select count(*) from pg_stat_activity where datname = current_database() \
                       and state = 'active' and pid <> pg_backend_pid()";
        watcher.query_one(running, &[]).await.expect("a count").get::<_, i64>(0) == 0
    })
    .await;
    drop(locked);
    let answer = service.call(Wire::Grpc, GET_NAME, ada.token(), json!({})).await;
    assert_eq!(answer.value, json!({"full_name": "Ada Lovelace"}));
}

#[tokio::test]
async fn a_malformed_or_spent_timeout_is_refused() {
    let service = Service::start().await;
    let ada = service.ada().await;
    let bearer = format!("Bearer {}", ada.token());
    for wire in WIRES {
        for (timeout, expected) in [
            ("soon", refused(Code::InvalidArgument, "REQUEST_MALFORMED")),
            ("123456789S", refused(Code::InvalidArgument, "REQUEST_MALFORMED")),
            ("0n", refused(Code::DeadlineExceeded, "DEADLINE")),
        ] {
            let headers = [("authorization", bearer.as_str()), ("grpc-timeout", timeout)];
            let answer = service.client.call(wire, GET_NAME, &headers, json!({})).await;
            assert_eq!(answer.refusal(), expected, "{wire:?} {timeout}");
        }
    }
}

#[tokio::test]
async fn an_unknown_method_is_not_implemented_on_grpc_and_not_found_on_http() {
    let service = Service::start().await;
    let method = service.client.method(GET_NAME);
    for wire in [Wire::Grpc, Wire::GrpcWeb] {
        let body = crate::support::client::frame(&[]);
        let path = "/user.v1.UserService/Nothing";
        let answer = service.client.framed(wire, &method, path, &[], body).await;
        assert_eq!(answer.refusal(), refused(Code::Unimplemented, "NOT_IMPLEMENTED"));
    }
    let answer = service.client.http(Method::GET, "/nothing", &[], "").await;
    assert_eq!((answer.status.as_u16(), reason(&answer.json())), (404, "ROUTE_NOT_FOUND"));
    let answer = service.client.http(Method::DELETE, "/name", &[], "").await;
    assert_eq!((answer.status.as_u16(), reason(&answer.json())), (405, "METHOD_NOT_ALLOWED"));
    assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS, PATCH"));
}

fn reason(error: &Value) -> &str {
    error["details"][0]["reason"].as_str().expect("a reason")
}
