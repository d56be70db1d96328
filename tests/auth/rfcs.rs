//! What the RFCs demand of whoever verifies a token, section by section, and their own examples.

use serde_json::{Value, json};
use user_service::{
    auth::{Clock, KeySet, Secret, Settings, SettingsError},
    error::Reason::{self, *},
};

use crate::support::{
    NOW, Rig, accepted, auth, authorization,
    issuer::{Issuer, encode, hs256_signature, with, without},
    key_server::KeyServer,
    refusal,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

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
            "RFC 7515, 10.12: nothing behind the JSON text",
            issuer.sign_text(r#"{"alg":"ES256","kid":"ec"} x"#, &payload),
            TokenMalformed,
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
            "RFC 8725, 3.6: no compression",
            signed(json!({"alg": "ES256", "kid": "ec", "zip": "DEF"})),
            TokenHeader,
        ),
        (
            "RFC 8725, 3.8: the issuer's keys are for its tokens",
            claim("iss", json!("https://other.example/auth/v1")),
            TokenIssuer,
        ),
        ("RFC 8725, 3.8: the subject is a user's", claim("sub", json!("client:7")), TokenSubject),
        ("RFC 8725, 3.9: aud is required", no_claim("aud"), TokenAudience),
        ("RFC 8725, 3.10: jwk is not trusted", with_own_key(&claims, "jwk"), TokenSignature),
        (
            "RFC 8725, 3.10: jku is not followed",
            Issuer::new().sign(
                &json!({"alg": "ES256", "kid": "ec", "jku": rig.server.url().as_str()}),
                &claims,
            ),
            TokenSignature,
        ),
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

/// RFC 7517, appendix A.1: an EC key for encryption and an RSA key for signatures.
#[test]
fn of_rfc_7517_a_1_the_signing_key_is_used() {
    let set = json!({"keys": [
        {
            "kty": "EC", "crv": "P-256", "use": "enc", "kid": "1",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        },
        {
            "kty": "RSA", "alg": "RS256", "kid": "2011-04-29", "e": "AQAB",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        },
    ]});
    assert_eq!(KeySet::parse(set.to_string().as_bytes()).unwrap().len(), 1);
}

const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
/// RFC 7515, A.1 (and RFC 7519, 3.1).
const A1_SECRET: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const A1_HEADER: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9";
const A1_SIGNATURE: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// RFC 7515, A.2.
const A2_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const A2_HEADER: &str = "eyJhbGciOiJSUzI1NiJ9";
const A2_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
/// RFC 7515, A.3.
const A3_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const A3_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const A3_HEADER: &str = "eyJhbGciOiJFUzI1NiJ9";
const A3_SIGNATURE: &str =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

/// Their signatures verify; that they are no access tokens is found afterwards.
#[tokio::test]
async fn the_examples_of_rfc_7515_verify_and_are_no_access_tokens() {
    let keys = json!({"keys": [
        {"kty": "RSA", "n": A2_N, "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": A3_X, "y": A3_Y},
    ]});
    let server = KeyServer::start(keys).await;
    let secret = URL_SAFE_NO_PAD.decode(A1_SECRET).unwrap();
    let settings = |issuer: Option<&str>| Settings {
        secrets: vec![Secret::new(&secret).unwrap()],
        jwks: Some(user_service::auth::JwksSettings::new(server.url())),
        issuer: issuer.map(str::to_owned),
        ..Settings::default()
    };
    // Ten seconds before Joe's token expires.
    let then = Clock::standing_at(1_300_819_370);
    let (strict, joes) = (auth(settings(Some("x")), &then), auth(settings(Some("joe")), &then));
    let today = auth(settings(Some("joe")), &Clock::system());
    for auth in [&strict, &joes, &today] {
        assert_eq!(auth.fetch_keys().await.unwrap(), 2);
    }
    for (header, signature) in
        [(A1_HEADER, A1_SIGNATURE), (A2_HEADER, A2_SIGNATURE), (A3_HEADER, A3_SIGNATURE)]
    {
        let token = format!("{header}.{JOE}.{signature}");
        assert_eq!(refusal(&today, &token), Some(TokenExpired));
        assert_eq!(refusal(&strict, &token), Some(TokenIssuer));
        assert_eq!(refusal(&joes, &token), Some(TokenAudience));
        let first = if signature.starts_with('Z') { 'Y' } else { 'Z' };
        let altered = format!("{header}.{JOE}.{first}{}", &signature[1..]);
        assert_eq!(refusal(&joes, &altered), Some(TokenSignature));
    }
    // RFC 7515, A.5, and RFC 7519, 6.1.
    assert_eq!(refusal(&joes, &format!("eyJhbGciOiJub25lIn0.{JOE}.")), Some(TokenAlgorithm));
    // RFC 8037, A.4: the payload is a sentence.
    let sentence = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(refusal(&joes, sentence), Some(TokenMalformed));
    // RFC 7515, A.7: the JSON serialization has no place in a header.
    let json = format!(r#"Bearer {{"payload":"{JOE}","signature":"{A1_SIGNATURE}"}}"#);
    let error = joes.verify(&authorization(json.as_bytes())).unwrap_err();
    assert_eq!(error.reason(), AuthorizationMalformed);
}

fn rs256_as_hs256(issuer: &Issuer, body: &str) -> String {
    let input = format!("{}.{body}", encode(br#"{"alg":"HS256","kid":"rsa"}"#));
    let signature = hs256_signature(&issuer.rsa_public_der(), input.as_bytes());
    format!("{input}.{}", encode(&signature))
}

fn with_own_key(claims: &Value, name: &str) -> String {
    let stranger = Issuer::new();
    stranger.sign(&json!({"alg": "ES256", "kid": "ec", name: stranger.ec_jwk()}), claims)
}
