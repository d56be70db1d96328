//! Queries. The input: what stands behind the question mark.
#![no_main]

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use libfuzzer_sys::fuzz_target;
use user_service_fuzz::wires::call;

fuzz_target!(|query: &[u8]| {
    let target = [b"/v1/books:search?", query].concat();
    let Ok(uri) = Uri::try_from(target) else { return };
    let answer = call(Method::GET, uri, HeaderMap::new(), Bytes::new());
    assert!(matches!(answer.status.as_u16(), 200 | 400), "{answer:?}");
});
