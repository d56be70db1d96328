//! What holds for every input, not only for those that somebody thought of.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use user_service::auth::{Auth, Clock, KeySet, Secret, Settings};

use crate::support::{
    NOW, auth, authorization, bearer,
    issuer::{ISSUER, Issuer, USER, encode, with},
    refusal,
};

static ISSUER_OF_ALL: LazyLock<Issuer> = LazyLock::new(Issuer::new);

/// By secret alone: no key server, no runtime.
static AUTH: LazyLock<Auth> = LazyLock::new(|| {
    let settings = Settings {
        secrets: vec![Secret::new(&ISSUER_OF_ALL.secret).unwrap()],
        issuer: Some(ISSUER.to_owned()),
        ..Settings::default()
    };
    auth(settings, &Clock::standing_at(NOW))
});

/// Any JSON that a claim could be.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!("authenticated")),
        Just(json!(NOW)),
        Just(json!(USER)),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_in_the_header_are_accepted(value in prop::collection::vec(prop_oneof![Just(9u8), 32u8..127, 128u8..=255], 0..200)) {
        prop_assert!(AUTH.verify(&authorization(&value)).is_err());
    }

    #[test]
    fn no_text_behind_bearer_is_accepted(token in "[A-Za-z0-9_.=-]{0,300}") {
        prop_assert!(AUTH.verify(&bearer(&token)).is_err());
    }

    #[test]
    fn no_three_json_parts_are_accepted_unsigned(header in any_json(), payload in any_json()) {
        let encode = |value: &Value| encode(value.to_string().as_bytes());
        let token = format!("{}.{}.{}", encode(&header), encode(&payload), encode(&payload));
        prop_assert!(AUTH.verify(&bearer(&token)).is_err());
    }

    /// Any other byte anywhere in a valid token spoils it, whatever the cache remembers.
    #[test]
    fn every_byte_of_a_token_counts(at in any::<prop::sample::Index>(), byte in 33u8..127) {
        let token = ISSUER_OF_ALL.hs256(&ISSUER_OF_ALL.claims(NOW));
        prop_assert_eq!(refusal(&AUTH, &token), None);
        let mut altered = token.clone().into_bytes();
        let at = at.index(altered.len());
        prop_assume!(altered[at] != byte);
        altered[at] = byte;
        prop_assert!(refusal(&AUTH, std::str::from_utf8(&altered).unwrap()).is_some());
    }

    /// Cut anywhere, a token is refused.
    #[test]
    fn no_part_of_a_token_is_a_token(at in any::<prop::sample::Index>()) {
        let token = ISSUER_OF_ALL.hs256(&ISSUER_OF_ALL.claims(NOW));
        let at = at.index(token.len());
        prop_assert!(AUTH.verify(&bearer(&token[..at])).is_err());
        prop_assert!(at == 0 || AUTH.verify(&bearer(&token[at..])).is_err());
    }

    /// Whatever a signed claim is, it is accepted only where the rules say so, and handed on as
    /// it was written.
    #[test]
    fn a_claim_is_accepted_by_the_rules_alone(
        name in prop::sample::select(vec!["exp", "nbf", "iat", "iss", "aud", "role", "sub", "session_id", "aal", "is_anonymous", "other"]),
        value in any_json(),
    ) {
        let claims = with(&ISSUER_OF_ALL.claims(NOW), name, value.clone());
        let token = ISSUER_OF_ALL.hs256(&claims);
        let now = f64::from(NOW);
        let uuid = |text: &str| text.len() == 36 && uuid::Uuid::try_parse(text).is_ok();
        let by_rule = match name {
            "exp" => value.as_f64().is_some_and(|exp| exp > now - 30.0),
            "nbf" | "iat" => value.as_f64().is_some_and(|time| time <= now + 30.0),
            "iss" => value == json!(ISSUER),
            "role" => value == json!("authenticated"),
            "aud" => match &value {
                Value::Array(list) => list.iter().all(Value::is_string) && list.contains(&json!("authenticated")),
                other => *other == json!("authenticated"),
            },
            "sub" | "session_id" => value.as_str().is_some_and(uuid),
            "aal" => value.is_string(),
            "is_anonymous" => value.is_boolean(),
            _ => true,
        };
        let expected = by_rule && !holds_nul(&value);
        match AUTH.verify(&bearer(&token)) {
            Ok(verified) => {
                prop_assert!(expected, "{name} {value}");
                let verified = verified.unwrap();
                prop_assert_eq!(verified.claims().to_string(), claims.to_string());
            }
            Err(error) => prop_assert!(!expected, "{} {}: {:?}", name, value, error),
        }
    }

    #[test]
    fn no_bytes_upset_the_reading_of_a_key_set(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = KeySet::parse(&body);
    }

    #[test]
    fn no_json_upsets_the_reading_of_a_key(key in any_json(), member in "kty|crv|x|y|n|e|kid|use|alg|key_ops", value in any_json()) {
        let set = json!({"keys": [key, with(&ISSUER_OF_ALL.ec_jwk(), &member, value.clone()), with(&ISSUER_OF_ALL.rsa_jwk(), &member, value)]});
        let set = KeySet::parse(set.to_string().as_bytes()).unwrap();
        prop_assert!(set.len() <= 2);
    }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(object) => object.iter().any(|(k, v)| k.contains('\0') || holds_nul(v)),
        _ => false,
    }
}
