//! One JSON Web Key (RFC 7517, section 4), read as strictly as its use demands.
//!
//! `DecodingKey` takes any bytes: whether they are a key is seen here, when they are read.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;

use crate::auth::{
    header::Algorithm,
    json::{Object, Value},
};

/// The bytes of one coordinate on P-256, and of an Ed25519 key (RFC 7518, section 6.2.1.2;
/// RFC 8037, section 2).
const COORDINATE_BYTES: usize = 32;
/// How SEC 1 marks a point that is not compressed.
const UNCOMPRESSED: u8 = 0x04;
/// RFC 7518, section 3.3, wants 2048 bits or more; what is larger than the other bound only
/// costs time.
const RSA_MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// More than any exponent in use; the library refuses longer ones too.
const RSA_EXPONENT_MAX_BYTES: usize = 4;

/// A public key that verifies signatures of one algorithm.
pub(super) struct Key {
    pub(super) kid: Option<String>,
    pub(super) algorithm: Algorithm,
    /// What makes two keys the same: modulus and exponent, or the point.
    material: Vec<Vec<u8>>,
    key: DecodingKey,
}

impl Key {
    /// Reads a key, or says why it is left out.
    pub(super) fn read(text: &str) -> Result<Self, Unusable> {
        let jwk = Object::parse(text).ok_or("not one JSON object with distinct members")?;
        let kid = match jwk.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str().ok_or("kid is not a string")?.to_owned()),
        };
        if jwk.has("d") {
            return Err("a private key is published: it must be revoked");
        }
        check_use(&jwk)?;
        let (algorithm, material, key) = match jwk.get("kty").and_then(Value::as_str) {
            Some("EC") => elliptic_curve(&jwk)?,
            Some("OKP") => edwards_curve(&jwk)?,
            Some("RSA") => rsa(&jwk)?,
            _ => return Err("kty is none of EC, OKP, RSA"),
        };
        match jwk.get("alg").map(Value::as_str) {
            None => {}
            Some(Some(name)) if name == algorithm.as_str() => {}
            Some(_) => return Err("alg is not the one that such keys are accepted for"),
        }
        Ok(Self { kid, algorithm, material, key })
    }

    /// Tells whether the key's owner made this signature.
    pub(super) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        self.algorithm.verifies(&self.key, message, signature)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        (self.algorithm, &self.kid, &self.material)
            == (other.algorithm, &other.kid, &other.material)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// Why a key is left out, for the log.
type Unusable = &'static str;
type Parts = (Algorithm, Vec<Vec<u8>>, DecodingKey);

/// `use` and `key_ops`, where they are given (RFC 7517, sections 4.2 and 4.3).
fn check_use(jwk: &Object<'_>) -> Result<(), Unusable> {
    match jwk.get("use").map(Value::as_str) {
        None | Some(Some("sig")) => {}
        Some(_) => return Err("use is not sig"),
    }
    let Some(operations) = jwk.get("key_ops") else {
        return Ok(());
    };
    let Value::Array(operations) = operations else {
        return Err("key_ops is not a list");
    };
    let mut names = operations
        .iter()
        .map(|operation| operation.as_str().ok_or("key_ops holds something else than names"))
        .collect::<Result<Vec<_>, _>>()?;
    names.sort_unstable();
    if names.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
        return Err("key_ops names an operation twice");
    }
    if !names.contains(&"verify") {
        return Err("key_ops does not name verify");
    }
    Ok(())
}

fn elliptic_curve(jwk: &Object<'_>) -> Result<Parts, Unusable> {
    if jwk.get("crv").and_then(Value::as_str) != Some("P-256") {
        return Err("crv is not P-256");
    }
    let mut point = vec![UNCOMPRESSED];
    for name in ["x", "y"] {
        let coordinate = octets(jwk, name)?;
        if coordinate.len() != COORDINATE_BYTES {
            return Err("a coordinate has not 32 bytes");
        }
        point.extend(coordinate);
    }
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point)
        .map_err(|_| "the point is not on the curve")?;
    let key = DecodingKey::from_ec_der(&point);
    Ok((Algorithm::Es256, vec![point], key))
}

fn edwards_curve(jwk: &Object<'_>) -> Result<Parts, Unusable> {
    if jwk.get("crv").and_then(Value::as_str) != Some("Ed25519") {
        return Err("crv is not Ed25519");
    }
    let point = octets(jwk, "x")?;
    if point.len() != COORDINATE_BYTES {
        return Err("x has not 32 bytes");
    }
    ParsedPublicKey::new(&ED25519, &point).map_err(|_| "x is not an Ed25519 public key")?;
    let key = DecodingKey::from_ed_der(&point);
    Ok((Algorithm::EdDsa, vec![point], key))
}

fn rsa(jwk: &Object<'_>) -> Result<Parts, Unusable> {
    let (n, e) = (octets(jwk, "n")?, octets(jwk, "e")?);
    // RFC 7518, section 2: a Base64urlUInt has no leading zero octets.
    let (Some(first @ 1..), Some(1..)) = (n.first(), e.first()) else {
        return Err("n or e is not a positive integer in its shortest form");
    };
    let bits = n.len().saturating_mul(8) - first.leading_zeros() as usize;
    if !RSA_MODULUS_BITS.contains(&bits) {
        return Err("n has less than 2048 or more than 8192 bits");
    }
    let is_odd = e.last().is_some_and(|byte| byte & 1 == 1);
    if e.len() > RSA_EXPONENT_MAX_BYTES || !is_odd || e == [1] {
        return Err("e is not a usable exponent");
    }
    RsaPublicKeyComponents { n: &n, e: &e }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .map_err(|_| "n and e make no RSA key")?;
    let key = DecodingKey::from_rsa_raw_components(&n, &e);
    Ok((Algorithm::Rs256, vec![n, e], key))
}

fn octets(jwk: &Object<'_>, name: &str) -> Result<Vec<u8>, Unusable> {
    jwk.get(name)
        .and_then(Value::as_str)
        .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
        .ok_or("a member of the key is missing or not base64url")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendices A.2 and A.4. Its payload is a sentence, so that no access token can
    /// show that the signature verifies.
    #[test]
    fn the_example_of_rfc_8037_verifies() {
        let jwk =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let key = Key::read(jwk).expect("a key");
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let mut signature = URL_SAFE_NO_PAD
            .decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
            .expect("base64url");
        assert!(key.verifies(message, &URL_SAFE_NO_PAD.encode(&signature)));
        signature[0] ^= 1;
        assert!(!key.verifies(message, &URL_SAFE_NO_PAD.encode(&signature)));
    }
}
