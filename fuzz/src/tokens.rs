//! Verification with a secret that is known here, so that tokens get past their signature.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use prost_reflect::DescriptorPool;
use tonic::Code;
use user_service::{
    auth::{Auth, Clock, Secret, Settings},
    error::Error,
    proto,
};

const SECRET: &[u8] = b"a secret of thirty-two bytes, at least";
/// Where the clock stands: the tokens of the corpus are valid then.
pub const NOW: u32 = 1_700_000_000;

/// Verifies tokens of one issuer, each anew.
pub static AUTH: LazyLock<Auth> = LazyLock::new(|| {
    let settings = Settings {
        secrets: vec![Secret::new(SECRET).expect("long enough")],
        issuer: Some("https://issuer.example".to_owned()),
        cache_bytes: 0,
        ..Settings::default()
    };
    let descriptors = DescriptorPool::decode(proto::DESCRIPTORS).expect("descriptors");
    Auth::new(settings, &descriptors, Clock::standing_at(NOW)).expect("settings that work")
});

/// The compact form of a header and claims, signed, whatever they are.
pub fn sign(header: &[u8], claims: &[u8]) -> String {
    let base64 = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let message = format!("{}.{}", base64(header), base64(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), message.as_bytes());
    format!("{message}.{}", base64(signature.as_ref()))
}

/// A refusal is the client's fault, not a failure of the service.
pub fn is_refusal(error: &Error) {
    assert_eq!(error.reason().code(), Code::Unauthenticated, "{error:?}");
}
