//! The issuer that is down, back and changed, and the one that has nothing but a secret.

use std::sync::Arc;

use serde_json::{Value, json};
use tonic::Code;
use tonic_types::pb;

use crate::{
    attacks::{Project, Target},
    auth_support::{
        issuer::{Issuer, random_secret, with, without},
        key_server::Manner,
    },
    support::{GET_NAME, Service, WIRES, Wire, eventually},
};

fn refused(code: Code, reason: &str) -> (Code, Option<String>) {
    (code, Some(reason.to_owned()))
}

#[tokio::test]
async fn without_keys_a_call_may_be_tried_again_and_their_coming_and_going_needs_no_restart() {
    let project = Project::start().await;
    project.keys.behave(Manner::Die);
    let settings = project.settings();
    let mut settings: Vec<_> = settings.iter().map(|(name, it)| (*name, it.as_str())).collect();
    settings.extend([("JWKS_COOLDOWN", "50ms"), ("JWKS_REFRESH", "100ms")]);
    let service = Service::begin(&settings).await;
    let user = service.ada().await.0.user_id().to_string();
    let target = Target::now(Arc::clone(&project.issuer), &user);
    let outcome = async |wire, token: &str| service.call(wire, GET_NAME, token, json!({})).await;

    eventually("not ready for want of keys alone", async || {
        service.readiness().await == (503, json!({"database": "ok", "keys": "unavailable"}))
    })
    .await;
    for wire in WIRES {
        let answer = outcome(wire, &target.token).await;
        assert_eq!(answer.refusal(), refused(Code::Unavailable, "KEYS_UNAVAILABLE"), "{wire:?}");
        assert!(answer.detail::<pb::RetryInfo>("google.rpc.RetryInfo").is_some(), "{wire:?}");
        if wire == Wire::Json {
            let retry_after = answer.headers.contains_key("retry-after");
            assert_eq!((answer.http.as_u16(), retry_after), (503, true));
        }
        let by_secret = project.issuer.hs256(&target.claims);
        assert_eq!(outcome(wire, &by_secret).await.code, Code::Ok, "the secret needs no fetch");
    }

    project.keys.rotate(&project.issuer.jwks());
    service.ready().await;
    for wire in WIRES {
        assert_eq!(outcome(wire, &target.token).await.code, Code::Ok, "{wire:?}");
    }

    project.keys.behave(Manner::Die);
    let failed = async || {
        let page = service.admin.http(http::Method::GET, "/metrics", &[], "").await;
        let name = r#"user_service_jwks_fetches_total{result="failed"} "#;
        let line = page.text().lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        line.expect("a count of failed fetches").parse::<u64>().expect("a number")
    };
    let before = failed().await;
    eventually("fetches fail", async || failed().await > before).await;
    for wire in WIRES {
        assert_eq!(outcome(wire, &target.token).await.code, Code::Ok, "the last good keys");
    }

    project.keys.rotate(&Issuer::new().jwks());
    for wire in WIRES {
        eventually("the vanished key is no longer trusted", async || {
            let refusal = outcome(wire, &target.token).await.refusal();
            refusal == refused(Code::Unauthenticated, "TOKEN_SIGNATURE")
        })
        .await;
    }
}

/// As in the old tutorials, and as self-hosted installations sign that set no issuer.
#[tokio::test]
async fn a_secret_alone_is_enough_for_a_token_without_issuer_and_date() {
    let (issuer, previous) = (Issuer::new(), random_secret());
    let text = |secret: &[u8]| String::from_utf8(secret.to_vec()).expect("text");
    let service = Service::with(&[
        ("SUPABASE_URL", ""),
        ("JWT_SECRET", &text(&issuer.secret)),
        ("JWT_SECRET_PREVIOUS", &text(&previous)),
    ])
    .await;
    let user = service.ada().await.0.user_id().to_string();
    let issuer = Arc::new(issuer);
    let target = Target::now(Arc::clone(&issuer), &user);
    let tutorial = json!({
        "aud": "authenticated",
        "exp": target.claims["exp"],
        "sub": user,
        "email": "ada@example.com",
        "app_metadata": {"provider": "email"},
        "user_metadata": Value::Null,
        "role": "authenticated",
    });
    let of_previous = Issuer { secret: previous, ..Issuer::new() };
    let refusals = [
        ("a token of the old tutorials", issuer.hs256(&tutorial), None),
        ("by the previous secret", of_previous.hs256(&tutorial), None),
        ("by another secret", Issuer::new().hs256(&tutorial), Some("TOKEN_SIGNATURE")),
        ("by a key that nobody publishes", target.token.clone(), Some("TOKEN_ALGORITHM")),
        ("without audience", issuer.hs256(&without(&tutorial, "aud")), Some("TOKEN_AUDIENCE")),
        ("without end", issuer.hs256(&without(&tutorial, "exp")), Some("TOKEN_CLAIMS")),
        (
            "for the service role",
            issuer.hs256(&with(&tutorial, "role", "service_role")),
            Some("TOKEN_ROLE"),
        ),
    ];
    for (what, token, reason) in refusals {
        for wire in WIRES {
            let answer = service.call(wire, GET_NAME, &token, json!({})).await;
            let expected = reason.map_or((Code::Ok, None), |it| refused(Code::Unauthenticated, it));
            assert_eq!(answer.refusal(), expected, "{what} over {wire:?}");
        }
    }
}
