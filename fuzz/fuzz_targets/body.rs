//! Bodies: JSON of every kind of field, and gzip where it begins like one.
#![no_main]

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use libfuzzer_sys::fuzz_target;
use user_service_fuzz::wires::{Answer, call, json};

const GZIP: &[u8] = &[0x1f, 0x8b];

fn post(body: Bytes) -> Answer {
    let mut headers = HeaderMap::new();
    if body.starts_with(GZIP) {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    call(Method::POST, Uri::from_static("/v1/echo"), headers, body)
}

fuzz_target!(|body: &[u8]| {
    let answer = post(Bytes::copy_from_slice(body));
    if answer.status == 200 {
        // What was understood is written so that it is understood as the same.
        let again = post(answer.body.clone());
        assert_eq!(again.status, 200, "{answer:?}");
        // Maps have no order.
        assert_eq!(json(&again), json(&answer));
    }
    // One field, alone.
    let tags = Uri::from_static("/v1/books/1/tags");
    call(Method::PUT, tags, HeaderMap::new(), Bytes::copy_from_slice(body));
});
