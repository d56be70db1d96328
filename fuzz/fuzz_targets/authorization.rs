//! The `Authorization` header. The input: one value a line.
#![no_main]

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use libfuzzer_sys::fuzz_target;
use user_service::error::Reason;
use user_service_fuzz::tokens::{AUTH, is_refusal};

fuzz_target!(|lines: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else { return };
        headers.append(AUTHORIZATION, value);
    }
    match AUTH.verify(&headers) {
        Ok(verified) => assert!(verified.is_some() && headers.len() == 1),
        Err(error) if headers.len() > 1 => {
            assert_eq!(error.reason(), Reason::AuthorizationMalformed);
        }
        Err(error) => is_refusal(&error),
    }
});
