//! The project's keys, and whose tokens are good.

use serde_json::{Value, json};

use crate::{
    auth_support::{issuer::encode, key_server::Manner},
    support::Rig,
};

fn none() -> Value {
    json!({"keys": []})
}

#[tokio::test]
async fn keys_that_cannot_be_fetched() {
    let rig = Rig::new().await.set("SUPABASE_URL", "http://127.0.0.1:1");
    let checked = rig.check().await;
    checked.fails(&["keys"]);
    assert!(checked.said("keys").0.contains("http://127.0.0.1:1/auth/v1/.well-known/jwks.json"));
    // The rest is looked at all the same.
    assert_eq!(checked.status("policies"), "ok");
    assert_eq!(checked.status("issuer"), "ok");

    let rig = Rig::new().await.set("JWKS_TIMEOUT", "300ms");
    for (manner, told) in [
        (Manner::Status(404), "HTTP 404"),
        (Manner::Answer(b"<html>".to_vec()), "not a JSON object"),
        (Manner::Redirect("https://elsewhere.example/".parse().unwrap()), "HTTP 302"),
        (Manner::Flood, "larger"),
        (Manner::Stall, "operation timed out"),
    ] {
        rig.keys.behave(manner);
        let checked = rig.check().await;
        checked.fails(&["keys"]);
        assert!(checked.said("keys").0.contains(told), "{}", checked.said("keys").0);
    }
}

#[tokio::test]
async fn each_key_is_told() {
    let rig = Rig::new().await;
    let mut short = rig.issuer.rsa_jwk();
    short["n"] = json!(encode(&[0xff; 64]));
    rig.keys.rotate(&json!({"keys": [rig.issuer.ec_jwk(), short, {"kty": "oct", "k": "AA"}]}));
    let checked = rig.check().await;
    checked.fails(&[]);
    assert!(checked.said("keys").0.starts_with("1 from http://127.0.0.1:"));
    assert_eq!(checked.said("key").0, "ES256, kid ec");
    assert_eq!(checked.with("warning"), ["key", "key"]);
    let ran = rig.run(&[], None).await;
    for why in ["n has less than 2048", "kty is none of EC, OKP, RSA"] {
        assert!(ran.stdout.contains(why), "{why} in:\n{}", ran.stdout);
    }
}

#[tokio::test]
async fn a_project_with_its_legacy_secret_needs_it_here() {
    let rig = Rig::new().await;
    rig.keys.rotate(&none());
    let checked = rig.check().await;
    checked.fails(&["keys"]);
    assert!(checked.said("keys").1.contains("set JWT_SECRET"));

    let secret: String = rig.issuer.secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let rig = rig.set("JWT_SECRET", secret.clone());
    let checked = rig.check().await;
    checked.fails(&[]);
    assert!(checked.said("secret").0.contains("HS256 tokens are accepted"));

    let checked = Rig::new().await.set("SUPABASE_URL", "").set("JWT_SECRET", secret).check().await;
    checked.fails(&[]);
    assert_eq!(checked.status("keys"), "skipped");
    assert_eq!(checked.with("warning"), ["issuer"]); // none is asked for
}

#[tokio::test]
async fn whose_tokens_are_good_is_told() {
    let rig = Rig::new().await;
    let issuer = format!("{}/auth/v1", rig.keys.url().origin().ascii_serialization());
    let told = format!("tokens must be from {issuer}, for authenticated");
    assert_eq!(rig.check().await.said("issuer").0, told);
    for (name, value) in [("JWT_ISSUER", "*"), ("JWT_AUDIENCE", "*")] {
        let checked = Rig::new().await.set(name, value).check().await;
        checked.fails(&[]);
        assert_eq!(checked.with("warning"), ["issuer"]);
    }
}

#[tokio::test]
async fn the_issuers_clock() {
    let rig = Rig::new().await;
    let body = rig.issuer.jwks().to_string().into_bytes();
    for (ahead, status, told) in [
        (0, "ok", "agrees with ours"),
        (600, "failed", "s ahead of ours, and JWT_CLOCK_SKEW allows 30s"),
        (-600, "failed", "s behind ours, and JWT_CLOCK_SKEW allows 30s"),
        (25, "warning", "s ahead of ours"),
    ] {
        rig.keys.behave(Manner::AnswerAhead(ahead, body.clone()));
        let checked = rig.check().await;
        assert_eq!(checked.status("issuer-clock"), status, "{}", checked.said("issuer-clock").0);
        assert!(
            checked.said("issuer-clock").0.contains(told),
            "{}",
            checked.said("issuer-clock").0
        );
        assert_eq!(checked.code, Some(i32::from(status == "failed")));
    }
    assert_eq!(rig.check().await.said("database-clock").0, "agrees with ours");
}
