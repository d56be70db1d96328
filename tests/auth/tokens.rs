//! What is accepted, to the second, and what is named first. The table of attacks is walked over
//! the wires: `tests/service/attacks.rs`.

use std::time::Duration;

use serde_json::{Value, json};
use user_service::error::Reason::*;

use crate::support::{
    NOW, Rig, accepted,
    issuer::{ISSUER, Issuer, USER, random_secret, with, without},
};

#[tokio::test]
async fn a_valid_token_of_every_algorithm_is_accepted() {
    let rig = Rig::new().await;
    let claims = rig.issuer.claims(NOW);
    for token in [
        rig.issuer.hs256(&claims),
        rig.issuer.es256(&claims),
        rig.issuer.rs256(&claims),
        rig.issuer.eddsa(&claims),
    ] {
        let verified = accepted(&rig.auth, &token);
        assert_eq!(verified.subject().to_string(), USER);
        assert_eq!(**verified.claims(), claims.to_string());
    }
}

/// The second in which a time begins or ceases to be good.
#[tokio::test]
async fn a_time_counts_to_the_second() {
    let rig = Rig::with(|settings| settings.max_lifetime = Some(Duration::from_secs(3600))).await;
    let claims = rig.issuer.claims(NOW);
    let rows = [
        ("exp", json!(NOW - 29), None),
        ("exp", json!(NOW - 30), Some(TokenExpired)),
        ("exp", json!(f64::from(NOW) - 29.5), None),
        ("exp", json!(NOW + 3600), None),
        ("exp", json!(NOW + 3601), Some(TokenLifetime)),
        ("iat", json!(NOW + 30), None),
        ("iat", json!(NOW + 31), Some(TokenNotYetValid)),
        ("iat", json!(f64::from(NOW) + 30.5), Some(TokenNotYetValid)),
        ("nbf", json!(NOW + 30), None),
        ("nbf", json!(NOW + 31), Some(TokenNotYetValid)),
    ];
    for (name, time, reason) in rows {
        let token = rig.issuer.es256(&with(&claims, name, time.clone()));
        assert_eq!(rig.refusal(&token), reason, "{name} {time}");
    }
    // Without iat the lifetime counts from now.
    for (exp, reason) in [(NOW + 3600, None), (NOW + 3601, Some(TokenLifetime))] {
        let token = rig.issuer.es256(&without(&with(&claims, "exp", exp), "iat"));
        assert_eq!(rig.refusal(&token), reason, "exp {exp} without iat");
    }
}

/// Of two defects the one that is checked earlier is named.
#[tokio::test]
async fn the_earlier_of_two_defects_is_named() {
    let rig = Rig::with(|settings| {
        settings.max_lifetime = Some(Duration::from_secs(3600));
    })
    .await;
    let stranger = Issuer::new();
    // Each step mends the defect that was named, until nothing is left.
    let mut claims = json!({
        "exp": NOW - 3600, "nbf": NOW + 9000, "iss": "x", "aud": "x", "role": "x", "sub": "x",
        "session_id": "x",
    });
    let mut header = json!({"alg": "none", "typ": "x", "kid": "other"});
    let mut token = stranger.sign(&header, &claims) + ".x";
    assert_eq!(rig.refusal(&token), Some(TokenMalformed));
    let mut sign = |issuer: &Issuer, header: &Value, claims: &Value, reason| {
        token = issuer.sign(header, claims);
        assert_eq!(rig.refusal(&token), reason);
    };
    sign(&stranger, &header, &claims, Some(TokenHeader));
    header["typ"] = json!("JWT");
    sign(&stranger, &header, &claims, Some(TokenAlgorithm));
    header["alg"] = json!("ES256");
    sign(&stranger, &header, &claims, Some(TokenKeyUnknown));
    header["kid"] = json!("ec");
    sign(&stranger, &header, &claims, Some(TokenSignature));
    for (name, value, reason) in [
        ("iat", json!(NOW), Some(TokenExpired)),
        ("exp", json!(NOW + 9000), Some(TokenNotYetValid)),
        ("nbf", json!(NOW), Some(TokenLifetime)),
        ("exp", json!(NOW + 60), Some(TokenIssuer)),
        ("iss", json!(ISSUER), Some(TokenAudience)),
        ("aud", json!("authenticated"), Some(TokenRole)),
        ("role", json!("authenticated"), Some(TokenSubject)),
        ("sub", json!(USER), Some(TokenClaims)),
        ("session_id", json!(USER), None),
    ] {
        claims[name] = value;
        sign(&rig.issuer, &header, &claims, reason);
    }
}

#[tokio::test]
async fn a_previous_secret_verifies_during_a_rotation_and_no_other_does() {
    let previous = random_secret();
    let second = user_service::auth::Secret::new(&previous).unwrap();
    let rig = Rig::with(|settings| settings.secrets.push(second)).await;
    let claims = rig.issuer.claims(NOW);
    let old = Issuer { secret: previous, ..Issuer::new() };
    assert_eq!(rig.refusal(&rig.issuer.hs256(&claims)), None);
    assert_eq!(rig.refusal(&old.hs256(&claims)), None);
    assert_eq!(rig.refusal(&Issuer::new().hs256(&claims)), Some(TokenSignature));
}
