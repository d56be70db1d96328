//! The `Authorization` header → the token's bytes (RFC 6750, section 2.1).

use http::{HeaderMap, header::AUTHORIZATION};

use crate::error::Reason;

use super::refusal::Refusal;

const SCHEME: &[u8] = b"bearer";

/// Takes the token out of the headers; `None` when there is no `Authorization` at all.
///
/// The size is checked here, before anything is decoded.
pub(super) fn token(headers: &HeaderMap, max_bytes: usize) -> Result<Option<&[u8]>, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(malformed("more than one authorization header"));
    }
    let mut parts = value.as_bytes().splitn(2, |byte| *byte == b' ');
    let (Some(scheme), Some(token)) = (parts.next(), parts.next()) else {
        return Err(malformed("the header is not a scheme, one space and a token"));
    };
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(malformed("the scheme is not Bearer"));
    }
    if token.is_empty() {
        return Err(malformed("no token behind the scheme"));
    }
    if token.iter().any(|byte| matches!(byte, b' ' | b'\t' | b',')) {
        return Err(malformed("more than a token behind the scheme"));
    }
    if matches!(token, b"undefined" | b"null") {
        let cause = "the client sent a placeholder for a session that it does not have";
        return Err(Refusal::new(Reason::TokenPlaceholder, cause));
    }
    if token.len() > max_bytes {
        return Err(Refusal::new(Reason::TokenTooLarge, "larger than TOKEN_MAX_BYTES"));
    }
    Ok(Some(token))
}

fn malformed(cause: &'static str) -> Refusal {
    Refusal::new(Reason::AuthorizationMalformed, cause)
}
