//! A token's header: which key, which algorithm, and nothing that is not understood.

use jsonwebtoken::DecodingKey;

use crate::error::Reason;

use super::{
    json::{Object, Value},
    refusal::Refusal,
};

/// The accepted algorithms (RFC 7518, section 3.1; RFC 8037). There is no `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSA PKCS #1 v1.5 with SHA-256.
    Rs256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The value of `alg`.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Tells whether `key` made this signature, given in base64url, over the message.
    pub(super) fn verifies(self, key: &DecodingKey, message: &[u8], signature: &str) -> bool {
        let algorithm = match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        };
        jsonwebtoken::crypto::verify(signature, message, key, algorithm).unwrap_or(false)
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Hs256, Self::Es256, Self::Rs256, Self::EdDsa]
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
    }
}

/// What the header says of the key. `jku`, `jwk`, `x5u`, `x5c`, `x5t` are not even read: a token
/// must not bring its own key (RFC 8725, section 3.10).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<&'a str>,
}

/// Members that change what the token means, in ways that are not supported:
/// `crit` (RFC 7515, section 4.1.11: extensions that are not understood must be refused),
/// `b64` (RFC 7797), `zip` (RFC 7516; a decompression bomb), `cty` (RFC 7519, section 5.2: a nested
/// token).
const REFUSED: [&str; 4] = ["crit", "b64", "zip", "cty"];

/// Checks the header's members, then reads its algorithm.
pub(super) fn check<'a>(header: &'a Object<'_>) -> Result<Header<'a>, Refusal> {
    if REFUSED.into_iter().any(|name| header.has(name)) {
        return Err(refused("crit, b64, zip or cty"));
    }
    match header.get("typ").map(Value::as_str) {
        None => {}
        Some(Some(typ)) if is_access_token(typ) => {}
        Some(_) => return Err(refused("typ is neither JWT nor at+jwt")),
    }
    let kid = match header.get("kid") {
        None => None,
        Some(kid) => Some(kid.as_str().ok_or(refused("kid is not a string"))?),
    };
    let algorithm =
        header.get("alg").and_then(Value::as_str).and_then(Algorithm::from_name).ok_or(
            Refusal::new(Reason::TokenAlgorithm, "alg is none of HS256, ES256, RS256, EdDSA"),
        )?;
    Ok(Header { algorithm, kid })
}

/// A media type (RFC 7515, section 4.1.9): case does not matter, and `application/` goes without
/// saying. `at+jwt` is RFC 9068's; RFC 8725, section 3.11, is why other kinds are refused.
fn is_access_token(typ: &str) -> bool {
    const PREFIX: &str = "application/";
    let name = match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, name)) if prefix.eq_ignore_ascii_case(PREFIX) => name,
        _ => typ,
    };
    name.eq_ignore_ascii_case("JWT") || name.eq_ignore_ascii_case("at+jwt")
}

fn refused(cause: &'static str) -> Refusal {
    Refusal::new(Reason::TokenHeader, cause)
}
