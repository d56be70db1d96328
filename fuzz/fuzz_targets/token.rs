//! Tokens whose signature is good. The input: the header, a line break, the claims.
#![no_main]

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use user_service_fuzz::tokens::{AUTH, NOW, is_refusal, sign};

fuzz_target!(|token: &[u8]| {
    let Some(end) = token.iter().position(|byte| *byte == b'\n') else { return };
    let (header, claims) = (&token[..end], &token[end + 1..]);
    let bearer = format!("Bearer {}", sign(header, claims));
    let value = HeaderValue::try_from(bearer).expect("base64url and dots");
    match AUTH.verify(&HeaderMap::from_iter([(AUTHORIZATION, value)])) {
        Ok(verified) => {
            // Another reader of the claims agrees on what counts.
            let verified = verified.expect("a token");
            let claims: Value = serde_json::from_slice(claims).expect("JSON");
            assert_eq!(claims["iss"], "https://issuer.example");
            assert_eq!(claims["role"], "authenticated");
            let subject: uuid::Uuid = claims["sub"].as_str().expect("text").parse().expect("an id");
            assert_eq!(verified.subject(), subject);
            assert!(claims["exp"].as_f64().expect("a number") > f64::from(NOW) - 30.0);
            let header: Value = serde_json::from_slice(header).expect("JSON");
            assert_eq!(header["alg"], "HS256");
        }
        Err(error) => is_refusal(&error),
    }
});
