//! Key sets, as an issuer that was broken into might publish them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use user_service::auth::KeySet;

fuzz_target!(|body: &[u8]| {
    if let Ok(keys) = KeySet::parse(body) {
        assert!(keys.len() <= body.len());
    }
});
