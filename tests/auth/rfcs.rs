//! What the RFCs demand of whoever verifies a token, section by section. What they demand of keys is
//! in `key_set.rs`, their own examples are in `rfc_examples.rs`.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use user_service::{
    auth::{Secret, SettingsError},
    error::Reason::{self, *},
};

use crate::support::{
    NOW, Rig, accepted,
    issuer::{Issuer, encode, hs256_signature, with, without},
};

/// Each row breaks one rule. (RFC, section: rule), the token, the reason.
#[tokio::test]
async fn what_a_verifier_must_refuse_is_refused() {
    let rig = Rig::new().await;
    let issuer = &rig.issuer;
    let claims = issuer.claims(NOW);
    let payload = claims.to_string();
    let token = rig.token();
    let [header, body, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let signed = |header: Value| issuer.sign(&header, &claims);
    let text = |payload: &str| issuer.sign_text(r#"{"alg":"ES256","kid":"ec"}"#, payload);
    let bytes =
        |payload: Vec<u8>| issuer.sign_bytes("ES256", br#"{"alg":"ES256","kid":"ec"}"#, &payload);
    let stranger = Issuer::new();
    let url = json!(rig.server.url());
    // Signed by a key that the token itself brings or tells the way to.
    let own = |name: &str, value: Value| {
        stranger.sign(&json!({"alg": "ES256", "kid": "ec", name: value}), &claims)
    };
    let claim = |name: &str, value: Value| issuer.es256(&with(&claims, name, value));
    let no_claim = |name: &str| issuer.es256(&without(&claims, name));
    let rows: &[(&str, String, Reason)] = &[
        (
            "RFC 7515, 2: base64url without padding",
            format!("{header}.{body}.{signature}="),
            TokenMalformed,
        ),
        (
            "RFC 7515, 4: header names are unique",
            issuer.sign_text(r#"{"alg":"ES256","kid":"ec","kid":"ec"}"#, &payload),
            TokenMalformed,
        ),
        ("RFC 7515, 4.1.1: alg is present", signed(json!({"kid": "ec"})), TokenAlgorithm),
        (
            "RFC 7515, 4.1.1: alg is a string",
            signed(json!({"alg": ["ES256"], "kid": "ec"})),
            TokenAlgorithm,
        ),
        (
            "RFC 7515, 4.1.1: alg is case-sensitive",
            signed(json!({"alg": "Es256", "kid": "ec"})),
            TokenAlgorithm,
        ),
        (
            "RFC 7515, 4.1.1: alg is one of the key's",
            signed(json!({"alg": "RS256", "kid": "ec"})),
            TokenAlgorithm,
        ),
        (
            "RFC 7515, 4.1.4: kid is a string",
            signed(json!({"alg": "ES256", "kid": 7})),
            TokenHeader,
        ),
        (
            "RFC 7515, 4.1.4: kid is case-sensitive",
            signed(json!({"alg": "ES256", "kid": "Ec"})),
            TokenKeyUnknown,
        ),
        (
            "RFC 7515, 4.1.11: an extension in crit is not understood",
            signed(
                json!({"alg": "ES256", "kid": "ec", "crit": ["http://example.com/x"], "http://example.com/x": 1}),
            ),
            TokenHeader,
        ),
        (
            "RFC 7515, 4.1.11: crit names no registered parameter",
            signed(json!({"alg": "ES256", "kid": "ec", "crit": ["alg"]})),
            TokenHeader,
        ),
        (
            "RFC 7515, 4.1.11: crit is not empty",
            signed(json!({"alg": "ES256", "kid": "ec", "crit": []})),
            TokenHeader,
        ),
        (
            "RFC 7515, 4.1.11: crit is a list",
            signed(json!({"alg": "ES256", "kid": "ec", "crit": "exp", "exp": 1})),
            TokenHeader,
        ),
        (
            "RFC 7515, 4.1.11: crit names what is in the header",
            signed(json!({"alg": "ES256", "kid": "ec", "crit": ["exp"]})),
            TokenHeader,
        ),
        ("RFC 7515, 5.2, step 1: three parts", format!("{token}."), TokenMalformed),
        (
            "RFC 7515, 5.2, step 2: the header is base64url",
            format!("{header}*.{body}.{signature}"),
            TokenMalformed,
        ),
        (
            "RFC 7515, 5.2, step 3: the header is UTF-8",
            issuer.sign_bytes(
                "ES256",
                b"{\"alg\":\"ES256\",\"x\":\"\xc3\x28\"}",
                payload.as_bytes(),
            ),
            TokenMalformed,
        ),
        (
            "RFC 7515, 5.2, step 3: the header is a JSON object",
            issuer.sign_text(r#""ES256""#, &payload),
            TokenMalformed,
        ),
        (
            "RFC 7515, 5.2, step 6: the payload is base64url",
            format!("{header}.{body}*.{signature}"),
            TokenMalformed,
        ),
        (
            "RFC 7515, 5.2, step 7: the signature is base64url",
            format!("{header}.{body}.{}*", &signature[1..]),
            TokenMalformed,
        ),
        (
            "RFC 7515, 5.2, step 8: the signature verifies",
            format!("{header}.{}.{signature}", encode(b"{}")),
            TokenSignature,
        ),
        (
            "RFC 7515, 5.3: names are compared without normalization",
            signed(json!({"alg": "ES256", "kid": "\u{ff45}\u{ff43}"})),
            TokenKeyUnknown,
        ),
        (
            "RFC 7515, 10.12: nothing behind the JSON text",
            issuer.sign_text(r#"{"alg":"ES256","kid":"ec"} x"#, &payload),
            TokenMalformed,
        ),
        (
            "RFC 7518, 3.2: HMAC has all its octets",
            shortened(&issuer.hs256(&claims), 16),
            TokenSignature,
        ),
        (
            "RFC 7518, 3.3: the hash is SHA-256",
            rsa_signed(issuer, &RSA_PKCS1_SHA512, body),
            TokenSignature,
        ),
        (
            "RFC 7518, 3.3: the padding is that of PKCS #1, version 1.5",
            rsa_signed(issuer, &RSA_PSS_SHA256, body),
            TokenSignature,
        ),
        (
            "RFC 7518, 3.4: R and S have 32 octets each",
            format!("{header}.{body}.{}", encode(&[1; 63])),
            TokenSignature,
        ),
        (
            "RFC 7518, 3.4: R and S are not zero",
            format!("{header}.{body}.{}", encode(&[0; 64])),
            TokenSignature,
        ),
        (
            "RFC 7518, 3.6: `none` is refused",
            format!("{}.{body}.", encode(br#"{"alg":"none"}"#)),
            TokenAlgorithm,
        ),
        (
            "RFC 7519, 4: claim names are unique",
            text(&payload.replacen('{', r#"{"role":"authenticated","#, 1)),
            TokenMalformed,
        ),
        ("RFC 7519, 4.1.1: iss is a string", claim("iss", json!({})), TokenIssuer),
        ("RFC 7519, 4.1.2: sub is a string", claim("sub", json!(7)), TokenSubject),
        (
            "RFC 7519, 4.1.3: this audience is named",
            claim("aud", json!("someone else")),
            TokenAudience,
        ),
        (
            "RFC 7519, 4.1.3: aud is a string or a list of them",
            claim("aud", json!(["authenticated", {}])),
            TokenAudience,
        ),
        ("RFC 7519, 4.1.4: not on exp", claim("exp", json!(NOW - 30)), TokenExpired),
        ("RFC 7519, 4.1.4: exp is a number", claim("exp", json!("4102444800")), TokenClaims),
        ("RFC 7519, 4.1.5: not before nbf", claim("nbf", json!(NOW + 31)), TokenNotYetValid),
        ("RFC 7519, 4.1.5: nbf is a number", claim("nbf", json!(true)), TokenClaims),
        ("RFC 7519, 4.1.6: iat is a number", claim("iat", json!({})), TokenClaims),
        ("RFC 7519, 7.2: there is a period", "token".to_owned(), TokenMalformed),
        (
            "RFC 7519, 7.2: a nested token",
            signed(json!({"alg": "ES256", "kid": "ec", "cty": "JWT"})),
            TokenHeader,
        ),
        ("RFC 7519, 7.2: the message is a JSON object", text(r#"["a"]"#), TokenMalformed),
        (
            "RFC 7519, 7.2: the message is UTF-8",
            bytes(payload.replace("Some One", "Some \u{e9}").chars().map(|it| it as u8).collect()),
            TokenMalformed,
        ),
        (
            "RFC 7519, 7.2: an encrypted token",
            format!("{header}.{body}.{body}.{body}.{signature}"),
            TokenMalformed,
        ),
        (
            "RFC 7797, 6: b64 false without crit",
            signed(json!({"alg": "ES256", "kid": "ec", "b64": false})),
            TokenHeader,
        ),
        (
            "RFC 8725, 2.1: the public key is no secret",
            rs256_as_hs256(issuer, body),
            TokenSignature,
        ),
        (
            "RFC 8725, 3.1: only the expected algorithms",
            signed(json!({"alg": "ES512", "kid": "ec"})),
            TokenAlgorithm,
        ),
        (
            "RFC 8725, 3.1: a key is used with one algorithm",
            signed(json!({"alg": "EdDSA", "kid": "ec"})),
            TokenAlgorithm,
        ),
        (
            "RFC 8725, 3.6: no compression",
            signed(json!({"alg": "ES256", "kid": "ec", "zip": "DEF"})),
            TokenHeader,
        ),
        (
            "RFC 8725, 3.7: no other encoding than UTF-8",
            bytes(payload.encode_utf16().flat_map(u16::to_be_bytes).collect()),
            TokenMalformed,
        ),
        (
            "RFC 8725, 3.8: the issuer's keys are for its tokens",
            claim("iss", json!("https://other.example/auth/v1")),
            TokenIssuer,
        ),
        ("RFC 8725, 3.8: the subject is a user's", claim("sub", json!("client:7")), TokenSubject),
        ("RFC 8725, 3.9: aud is required", no_claim("aud"), TokenAudience),
        ("RFC 8725, 3.10: jwk is not trusted", own("jwk", stranger.ec_jwk()), TokenSignature),
        ("RFC 8725, 3.10: jku is not followed", own("jku", url.clone()), TokenSignature),
        ("RFC 8725, 3.10: x5u is not followed", own("x5u", url.clone()), TokenSignature),
        ("RFC 7515, 4.1.6: x5c is not trusted", own("x5c", json!(["AAAA"])), TokenSignature),
        (
            "RFC 8725, 3.10: kid is a name and no query",
            signed(json!({"alg": "ES256", "kid": "' or 1=1 --"})),
            TokenKeyUnknown,
        ),
        (
            "RFC 8725, 3.11: another kind of token",
            signed(json!({"alg": "ES256", "kid": "ec", "typ": "secevent+jwt"})),
            TokenHeader,
        ),
        (
            "RFC 8725, 3.12: an OpenID Connect ID token",
            issuer.es256(&without(&with(&claims, "aud", "client"), "role")),
            TokenAudience,
        ),
    ];
    let requests = rig.server.requests();
    for (rule, token, reason) in rows {
        assert_eq!(rig.refusal(token), Some(*reason), "{rule}");
    }
    assert_eq!(rig.server.requests(), requests, "no token may send the verifier anywhere");
    assert_eq!(rig.refusal(&token), None);
}

#[tokio::test]
async fn what_a_verifier_must_accept_is_accepted() {
    let rig = Rig::new().await;
    let issuer = &rig.issuer;
    let claims = issuer.claims(NOW);
    let typ = |typ: &str| issuer.sign(&json!({"alg": "ES256", "kid": "ec", "typ": typ}), &claims);
    let claim = |name: &str, value: Value| issuer.es256(&with(&claims, name, value));
    let rows = [
        (
            "RFC 7515, 4: unknown header members are ignored",
            issuer.sign(&json!({"alg": "ES256", "kid": "ec", "x": {"y": 1}}), &claims),
        ),
        (
            "RFC 7515, 5.3: escapes are undone before names are compared",
            issuer.sign_bytes(
                "ES256",
                br#"{"\u0061lg":"\u0045S256","\u006bid":"\u0065c"}"#,
                claims.to_string().replacen("\"role", r#""\u0072ole"#, 1).as_bytes(),
            ),
        ),
        ("RFC 7515, 4.1.9: typ in any case", typ("jwt")),
        ("RFC 7515, 4.1.9: `application/` goes without saying", typ("application/jwt")),
        ("RFC 7519, 2: a date may have a fraction", claim("exp", json!(f64::from(NOW) + 1.25))),
        (
            "RFC 7519, 3: white space is part of the text",
            issuer.sign_text(
                "{\r\n \"alg\" : \"ES256\",\"kid\":\"ec\"}",
                &serde_json::to_string_pretty(&claims).unwrap(),
            ),
        ),
        (
            "RFC 7519, 4: unknown claims are ignored",
            claim("https://example.com/x", json!([null, 1.5e10])),
        ),
        ("RFC 7519, 4.1.3: one audience of several", claim("aud", json!(["a", "authenticated"]))),
        ("RFC 7519, 4.1.6: iat may be missing", issuer.es256(&without(&claims, "iat"))),
        (
            "RFC 7519, 5.1: typ may be missing",
            issuer.sign(&json!({"alg": "ES256", "kid": "ec"}), &claims),
        ),
        ("RFC 9068, 4: at+jwt", typ("at+jwt")),
        ("RFC 9068, 4: application/at+jwt", typ("Application/AT+JWT")),
    ];
    for (rule, token) in rows {
        assert_eq!(rig.refusal(&token), None, "{rule}");
    }
    let text = serde_json::to_string_pretty(&claims).unwrap();
    let token = issuer.sign_text(r#"{"alg":"ES256","kid":"ec"}"#, &text);
    assert_eq!(
        **accepted(&rig.auth, &token).claims(),
        text,
        "the claims stay as they were written"
    );
}

#[test]
fn rfc_7518_3_2_a_secret_has_at_least_the_size_of_the_hash() {
    assert!(matches!(Secret::new([7; 31]), Err(SettingsError::ShortSecret(31))));
    let secret = Secret::new([7; 32]).unwrap();
    assert_eq!(format!("{secret:?}"), "…");
}

fn rs256_as_hs256(issuer: &Issuer, body: &str) -> String {
    let input = format!("{}.{body}", encode(br#"{"alg":"HS256","kid":"rsa"}"#));
    let signature = hs256_signature(&issuer.rsa_public_der(), input.as_bytes());
    format!("{input}.{}", encode(&signature))
}

/// A token under RS256 with an RSA signature of another kind.
fn rsa_signed(issuer: &Issuer, encoding: &'static dyn RsaEncoding, body: &str) -> String {
    let input = format!("{}.{body}", encode(br#"{"alg":"RS256","kid":"rsa"}"#));
    let mut signature = vec![0; issuer.rsa.public_modulus_len()];
    let random = SystemRandom::new();
    issuer.rsa.sign(encoding, &random, input.as_bytes(), &mut signature).unwrap();
    format!("{input}.{}", encode(&signature))
}

/// The token with the first octets of its signature alone.
fn shortened(token: &str, octets: usize) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    format!("{input}.{}", encode(&URL_SAFE_NO_PAD.decode(signature).unwrap()[..octets]))
}
