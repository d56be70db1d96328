//! Defects of the compact form, the JOSE header, the key and the signature.

use serde_json::{Value, json};
use user_service::error::Reason::{self, *};

use super::Target;
use crate::auth_support::issuer::{Issuer, encode, hs256_signature, with};

/// What is wrong with each token, and the reason for which it is refused.
pub fn rows(target: &Target) -> Vec<(&'static str, String, Option<Reason>)> {
    let Target { issuer, claims, token } = target;
    let stranger = Issuer::new();
    let payload = claims.to_string();
    let subject = claims["sub"].as_str().unwrap();
    let exp = &claims["exp"];
    let [header, body, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let signed = |header: Value| issuer.sign(&header, claims);
    let es256 = |name: &str, value: Value| {
        signed(with(&json!({"alg": "ES256", "typ": "JWT", "kid": "ec"}), name, value))
    };
    let hs256_input = format!("{}.{body}", encode(br#"{"alg":"HS256","typ":"JWT","kid":"rsa"}"#));
    let rows = vec![
        // Form.
        ("one part", header.to_owned(), TokenMalformed),
        ("two parts", format!("{header}.{body}"), TokenMalformed),
        ("four parts", format!("{token}.{signature}"), TokenMalformed),
        ("five parts, a JWE", format!("{token}.{body}.{signature}"), TokenMalformed),
        ("an empty header", format!(".{body}.{signature}"), TokenMalformed),
        ("an empty payload", format!("{header}..{signature}"), TokenMalformed),
        ("padding", format!("{header}.{body}.{signature}=="), TokenMalformed),
        ("stray bits", format!("{header}.{body}.{}", stray_bits(signature)), TokenMalformed),
        ("the standard alphabet", format!("{header}.{body}.+{}", &signature[1..]), TokenMalformed),
        ("a header that is a list", issuer.sign_text("[]", &payload), TokenMalformed),
        ("a header that is no JSON", issuer.sign_text("{", &payload), TokenMalformed),
        ("a payload that is a list", signed_payload(issuer, "[]"), TokenMalformed),
        ("a payload that is a string", signed_payload(issuer, "\"x\""), TokenMalformed),
        (
            "a payload with more behind",
            signed_payload(issuer, &format!("{payload}{{}}")),
            TokenMalformed,
        ),
        (
            "a byte order mark",
            signed_payload(issuer, &format!("\u{feff}{payload}")),
            TokenMalformed,
        ),
        (
            "a payload that is not UTF-8",
            issuer.sign_bytes("ES256", br#"{"alg":"ES256"}"#, b"{\"a\":\"\xff\"}"),
            TokenMalformed,
        ),
        (
            "a lone surrogate",
            signed_payload(issuer, &payload.replace("Some One", r"\ud800")),
            TokenMalformed,
        ),
        (
            "nesting without end",
            signed_payload(issuer, &payload.replace("\"Some One\"", &"[".repeat(5000))),
            TokenMalformed,
        ),
        (
            "a claim twice",
            signed_payload(issuer, &payload.replacen('{', &format!("{{\"sub\":\"{subject}\","), 1)),
            TokenMalformed,
        ),
        (
            "a claim twice, once escaped",
            signed_payload(
                issuer,
                &payload.replacen('{', &format!(r#"{{"s\u0075b":"{subject}","#), 1),
            ),
            TokenMalformed,
        ),
        (
            "a member twice, deep inside",
            signed_payload(
                issuer,
                &payload.replace("\"full_name\":", "\"full_name\":1,\"full_name\":"),
            ),
            TokenMalformed,
        ),
        (
            "alg twice",
            issuer.sign_text(r#"{"alg":"ES256","alg":"ES256","kid":"ec"}"#, &payload),
            TokenMalformed,
        ),
        (
            "the anon key",
            signed_payload(
                issuer,
                &format!(r#"{{"iss":"supabase","ref":"x","role":"anon","exp":{exp}}}"#),
            ),
            TokenIsApiKey,
        ),
        (
            "the service_role key",
            issuer.hs256(&json!({"iss": "supabase", "role": "service_role", "exp": exp})),
            TokenIsApiKey,
        ),
        (
            "a foreign service_role key",
            stranger.hs256(&json!({"role": "service_role", "exp": exp})),
            TokenIsApiKey,
        ),
        // Header.
        ("crit", es256("crit", json!(["exp"])), TokenHeader),
        ("an empty crit", es256("crit", json!([])), TokenHeader),
        ("b64 false", es256("b64", json!(false)), TokenHeader),
        ("b64 true", es256("b64", json!(true)), TokenHeader),
        ("zip", es256("zip", json!("DEF")), TokenHeader),
        ("cty JWT", es256("cty", json!("JWT")), TokenHeader),
        ("typ of an ID token's logout sibling", es256("typ", json!("logout+jwt")), TokenHeader),
        ("typ dpop+jwt", es256("typ", json!("dpop+jwt")), TokenHeader),
        ("typ empty", es256("typ", json!("")), TokenHeader),
        ("typ a number", es256("typ", json!(1)), TokenHeader),
        ("typ null", es256("typ", Value::Null), TokenHeader),
        ("kid a number", es256("kid", json!(1)), TokenHeader),
        // Algorithm.
        ("alg missing", signed(json!({"typ": "JWT", "kid": "ec"})), TokenAlgorithm),
        ("alg a number", es256("alg", json!(256)), TokenAlgorithm),
        ("alg none", format!("{}.{body}.", encode(br#"{"alg":"none"}"#)), TokenAlgorithm),
        ("alg NoNe", format!("{}.{body}.", encode(br#"{"alg":"NoNe"}"#)), TokenAlgorithm),
        ("alg empty", es256("alg", json!("")), TokenAlgorithm),
        ("alg in lower case", es256("alg", json!("es256")), TokenAlgorithm),
        ("alg HS512", es256("alg", json!("HS512")), TokenAlgorithm),
        ("alg ES384", es256("alg", json!("ES384")), TokenAlgorithm),
        ("alg ES256K", es256("alg", json!("ES256K")), TokenAlgorithm),
        ("alg PS256", es256("alg", json!("PS256")), TokenAlgorithm),
        ("alg RSA-OAEP", es256("alg", json!("RSA-OAEP")), TokenAlgorithm),
        ("the EC key under RS256", signed(json!({"alg": "RS256", "kid": "ec"})), TokenAlgorithm),
        ("the RSA key under ES256", signed(json!({"alg": "ES256", "kid": "rsa"})), TokenAlgorithm),
        ("the RSA key under EdDSA", signed(json!({"alg": "EdDSA", "kid": "rsa"})), TokenAlgorithm),
        // Key.
        ("an unknown kid", es256("kid", json!("other")), TokenKeyUnknown),
        ("a kid in another case", es256("kid", json!("EC")), TokenKeyUnknown),
        ("an empty kid", es256("kid", json!("")), TokenKeyUnknown),
        ("a kid that is a path", es256("kid", json!("../../dev/null")), TokenKeyUnknown),
        // Signature.
        ("no signature", format!("{header}.{body}."), TokenSignature),
        ("a signature cut short", format!("{header}.{body}.{}", &signature[..84]), TokenSignature),
        ("a longer signature", format!("{header}.{body}.AAAA{signature}"), TokenSignature),
        ("a signature of zeros", format!("{header}.{body}.{}", encode(&[0; 64])), TokenSignature),
        ("a signature in DER", der_signature(issuer, header, body), TokenSignature),
        (
            "one bit of the signature",
            format!("{header}.{body}.{}", flip_first(signature)),
            TokenSignature,
        ),
        (
            "another payload",
            format!(
                "{header}.{}.{signature}",
                encode(
                    with(claims, "sub", "22222222-2222-4222-8222-222222222222")
                        .to_string()
                        .as_bytes()
                )
            ),
            TokenSignature,
        ),
        (
            "another header",
            format!("{}.{body}.{signature}", encode(br#"{"alg":"ES256","kid":"ec"}"#)),
            TokenSignature,
        ),
        ("a stranger's EC key", stranger.es256(claims), TokenSignature),
        ("a stranger's RSA key", stranger.rs256(claims), TokenSignature),
        ("a stranger's Ed25519 key", stranger.eddsa(claims), TokenSignature),
        ("a stranger's secret", stranger.hs256(claims), TokenSignature),
        (
            "an empty secret",
            format!("{hs256_input}.{}", encode(&hs256_signature(b"", hs256_input.as_bytes()))),
            TokenSignature,
        ),
        (
            "the public RSA key as a secret",
            format!(
                "{hs256_input}.{}",
                encode(&hs256_signature(&issuer.rsa_public_der(), hs256_input.as_bytes()))
            ),
            TokenSignature,
        ),
        (
            "the token's own jwk",
            stranger.sign(&json!({"alg": "ES256", "kid": "ec", "jwk": stranger.ec_jwk()}), claims),
            TokenSignature,
        ),
        (
            "the token's own jku",
            stranger
                .sign(&json!({"alg": "ES256", "kid": "ec", "jku": "http://127.0.0.1/"}), claims),
            TokenSignature,
        ),
        (
            "the token's own x5c",
            stranger.sign(&json!({"alg": "ES256", "kid": "ec", "x5c": ["AAAA"]}), claims),
            TokenSignature,
        ),
        (
            "the token's own x5t",
            stranger.sign(&json!({"alg": "ES256", "kid": "ec", "x5t": "AAAA"}), claims),
            TokenSignature,
        ),
        (
            "the token's own x5t#S256",
            stranger.sign(&json!({"alg": "ES256", "kid": "ec", "x5t#S256": "AAAA"}), claims),
            TokenSignature,
        ),
        // A claim that no JSON library writes.
        (
            "a number that PostgreSQL cannot hold",
            signed_payload(issuer, &payload.replace("\"Some One\"", "1e-20000")),
            TokenClaims,
        ),
    ];
    rows.into_iter().map(|(defect, token, reason)| (defect, token, Some(reason))).collect()
}

fn signed_payload(issuer: &Issuer, payload: &str) -> String {
    issuer.sign_text(r#"{"alg":"ES256","typ":"JWT","kid":"ec"}"#, payload)
}

/// Another spelling of the same bytes: the last character's unused bits set.
fn stray_bits(part: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = part.split_at(part.len() - 1);
    let index = ALPHABET.find(last).unwrap();
    format!("{rest}{}", &ALPHABET[index + 1..=index + 1])
}

fn flip_first(part: &str) -> String {
    let first = if part.starts_with('A') { 'B' } else { 'A' };
    format!("{first}{}", &part[1..])
}

/// The same signature as X.509 writes it, which JWS does not (RFC 7518, section 3.4).
fn der_signature(issuer: &Issuer, header: &str, body: &str) -> String {
    let signature = issuer.signature("ES256", format!("{header}.{body}").as_bytes());
    let integer = |bytes: &[u8]| {
        let mut integer = vec![0];
        integer.extend(bytes);
        [&[2, integer.len() as u8], integer.as_slice()].concat()
    };
    let both = [integer(&signature[..32]), integer(&signature[32..])].concat();
    let der = [&[0x30, both.len() as u8], both.as_slice()].concat();
    format!("{header}.{body}.{}", encode(&der))
}
