//! Defects of the claims, in tokens whose signatures verify, and what is none.

use serde_json::{Value, json};
use user_service::error::Reason::{self, *};

use super::Target;
use crate::auth_support::issuer::{ISSUER, with, without};

/// What is wrong with each token's claims, and the reason for which it is refused; `None` where
/// nothing is. The times leave the clock some twenty seconds to move on.
pub fn rows(target: &Target) -> Vec<(&'static str, Value, Option<Reason>)> {
    let claims = &target.claims;
    let now = claims["iat"].as_u64().unwrap();
    let subject = claims["sub"].as_str().unwrap();
    let set = |name: &str, value: Value| with(claims, name, value);
    let unset = |name: &str| without(claims, name);
    vec![
        ("nothing changed", claims.clone(), None),
        ("exp missing", unset("exp"), Some(TokenClaims)),
        ("exp a string", set("exp", json!("1")), Some(TokenClaims)),
        ("exp null", set("exp", Value::Null), Some(TokenClaims)),
        ("exp within the skew", set("exp", json!(now - 5)), None),
        ("exp at the skew's end", set("exp", json!(now - 30)), Some(TokenExpired)),
        ("exp in 1970", set("exp", json!(0)), Some(TokenExpired)),
        ("exp before 1970", set("exp", json!(-1)), Some(TokenExpired)),
        ("exp with a fraction", set("exp", json!(now as f64 + 0.5)), None),
        ("exp far beyond", set("exp", json!(1e300)), Some(TokenLifetime)),
        ("exp too far", set("exp", json!(now + 3601)), Some(TokenLifetime)),
        (
            "exp too far, no iat",
            without(&set("exp", json!(now + 7200)), "iat"),
            Some(TokenLifetime),
        ),
        ("iat missing", unset("iat"), None),
        ("iat a string", set("iat", json!("1")), Some(TokenClaims)),
        ("iat null", set("iat", Value::Null), Some(TokenClaims)),
        ("iat within the skew", set("iat", json!(now + 30)), None),
        ("iat in the future", set("iat", json!(now + 600)), Some(TokenNotYetValid)),
        ("nbf past", set("nbf", json!(now)), None),
        ("nbf a list", set("nbf", json!([now])), Some(TokenClaims)),
        ("nbf within the skew", set("nbf", json!(now + 30)), None),
        ("nbf in the future", set("nbf", json!(now + 600)), Some(TokenNotYetValid)),
        ("iss missing", unset("iss"), Some(TokenIssuer)),
        ("iss another", set("iss", json!("https://evil.example/auth/v1")), Some(TokenIssuer)),
        ("iss with a slash more", set("iss", json!(format!("{ISSUER}/"))), Some(TokenIssuer)),
        ("iss a list", set("iss", json!([ISSUER])), Some(TokenIssuer)),
        ("aud missing", unset("aud"), Some(TokenAudience)),
        ("aud another", set("aud", json!("anon")), Some(TokenAudience)),
        ("aud a longer word", set("aud", json!("authenticated2")), Some(TokenAudience)),
        ("aud a list of others", set("aud", json!(["a", "b"])), Some(TokenAudience)),
        ("aud an empty list", set("aud", json!([])), Some(TokenAudience)),
        ("aud a list with a number", set("aud", json!(["authenticated", 1])), Some(TokenAudience)),
        ("aud an object", set("aud", json!({"authenticated": 1})), Some(TokenAudience)),
        ("aud a list with it", set("aud", json!(["other", "authenticated"])), None),
        ("role missing", unset("role"), Some(TokenRole)),
        ("role service_role", set("role", json!("service_role")), Some(TokenRole)),
        ("role postgres", set("role", json!("postgres")), Some(TokenRole)),
        ("role anon", set("role", json!("anon")), Some(TokenRole)),
        ("role in capitals", set("role", json!("Authenticated")), Some(TokenRole)),
        ("role a list", set("role", json!(["authenticated"])), Some(TokenRole)),
        ("sub missing", unset("sub"), Some(TokenSubject)),
        ("sub empty", set("sub", json!("")), Some(TokenSubject)),
        ("sub a number", set("sub", json!(1)), Some(TokenSubject)),
        ("sub a name", set("sub", json!("ada")), Some(TokenSubject)),
        ("sub in braces", set("sub", json!(format!("{{{subject}}}"))), Some(TokenSubject)),
        ("sub as a URN", set("sub", json!(format!("urn:uuid:{subject}"))), Some(TokenSubject)),
        ("sub without hyphens", set("sub", json!(subject.replace('-', ""))), Some(TokenSubject)),
        ("sub in capitals", set("sub", json!(subject.to_uppercase())), None),
        ("session_id missing", unset("session_id"), None),
        ("session_id a word", set("session_id", json!("x")), Some(TokenClaims)),
        ("is_anonymous a string", set("is_anonymous", json!("false")), Some(TokenClaims)),
        ("aal a number", set("aal", json!(2)), Some(TokenClaims)),
        ("user_metadata null", set("user_metadata", Value::Null), None),
        ("U+0000 in a text", set("email", json!("a\0b")), Some(TokenClaims)),
        ("U+0000 in a name", set("a\0b", json!(1)), Some(TokenClaims)),
        (
            "U+0000 deep inside",
            set("user_metadata", json!({"a": [{"b": "\0"}]})),
            Some(TokenClaims),
        ),
        ("a number that PostgreSQL can hold", set("number", json!(1e-300)), None),
        ("an exponent in a text", set("email", json!("1e-20000")), None),
        ("the escape's own characters", set("email", json!("\\u0000")), None),
    ]
}
