//! Methods and paths. The input: a method, a space, a target, as a request line begins.
#![no_main]

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, header};
use libfuzzer_sys::fuzz_target;
use user_service_fuzz::wires::{Answer, call};

fuzz_target!(|line: &[u8]| {
    let Some(space) = line.iter().position(|byte| *byte == b' ') else { return };
    let (method, target) = line.split_at(space);
    let (Ok(method), Ok(uri)) = (Method::from_bytes(method), Uri::try_from(&target[1..])) else {
        return;
    };
    let ask = |method| call(method, uri.clone(), HeaderMap::new(), Bytes::new());
    let allowed = |answer: &Answer| answer.headers.get(header::ALLOW).cloned();

    let (answer, options) = (ask(method.clone()), ask(Method::OPTIONS));
    assert_eq!(answer.status == 404, options.status == 404, "{answer:?} {options:?}");
    if answer.status == 405 {
        assert_eq!(allowed(&answer), allowed(&options));
    }
    let named = allowed(&options)
        .is_some_and(|allow| allow.to_str().expect("ASCII").split(", ").any(|it| method == it));
    assert_eq!(named, !matches!(answer.status.as_u16(), 404 | 405), "{answer:?} {options:?}");
});
