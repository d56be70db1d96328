//! A token's form: JWS compact serialization (RFC 7515, section 7.1) of two JSON objects.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::error::Reason;

use super::{
    json::{Object, Value},
    refusal::Refusal,
};

/// How Supabase's newer API keys begin. They are no JWTs and belong into the `apikey` header.
const API_KEY_PREFIX: &[u8] = b"sb_";
/// The roles of Supabase's older API keys, JWTs without a subject.
const API_KEY_ROLES: [&str; 2] = ["anon", "service_role"];

/// The decoded parts of a token. Nothing in it is verified yet.
pub(super) struct Compact<'t> {
    /// What the signature covers: the first two parts as they were sent.
    pub(super) signing_input: &'t [u8],
    pub(super) header: String,
    pub(super) payload: String,
    /// As it was sent: base64url, and checked to be just that.
    pub(super) signature: &'t str,
}

impl<'t> Compact<'t> {
    /// Splits and decodes a token.
    pub(super) fn decode(token: &'t [u8]) -> Result<Self, Refusal> {
        if token.starts_with(API_KEY_PREFIX) {
            return Err(api_key());
        }
        let mut parts = token.split(|byte| *byte == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed("not three parts"));
        };
        let signed = header.len() + 1 + payload.len();
        Ok(Self {
            signing_input: token.get(..signed).unwrap_or_default(),
            header: text(header)?,
            payload: text(payload)?,
            signature: encoded(signature)?,
        })
    }

    /// Reads header and payload, and recognizes API keys by what they claim.
    pub(super) fn parse(&self) -> Result<(Object<'_>, Object<'_>), Refusal> {
        let header = object(&self.header)?;
        let claims = object(&self.payload)?;
        let role = claims.get("role").and_then(Value::as_str);
        if role.is_some_and(|role| API_KEY_ROLES.contains(&role)) && !claims.has("sub") {
            return Err(api_key());
        }
        Ok((header, claims))
    }
}

/// RFC 7515, section 2: base64url without padding; stray bits at the end would give one token
/// several spellings.
fn bytes(part: &[u8]) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed("a part is not base64url"))
}

fn encoded(part: &[u8]) -> Result<&str, Refusal> {
    bytes(part)?;
    std::str::from_utf8(part).map_err(|_| malformed("a part is not base64url"))
}

fn text(part: &[u8]) -> Result<String, Refusal> {
    String::from_utf8(bytes(part)?).map_err(|_| malformed("a part is not UTF-8"))
}

fn object(text: &str) -> Result<Object<'_>, Refusal> {
    Object::parse(text).ok_or(malformed("a part is not one JSON object with distinct members"))
}

fn malformed(cause: &'static str) -> Refusal {
    Refusal::new(Reason::TokenMalformed, cause)
}

fn api_key() -> Refusal {
    Refusal::new(Reason::TokenIsApiKey, "an API key in the place of a user's token")
}
