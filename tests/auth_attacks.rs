//! One defect a row, each made from a valid token by changing one thing.

mod auth_support;

use serde_json::{Value, json};
use user_service::error::Reason::{self, *};

use auth_support::{
    NOW, Rig, accepted, authorization,
    issuer::{ISSUER, Issuer, USER, encode, hs256_signature, random_secret, with, without},
};

#[tokio::test]
async fn a_valid_token_of_every_algorithm_is_accepted() {
    let rig = Rig::new().await;
    let claims = rig.issuer.claims(NOW);
    for token in [
        rig.issuer.hs256(&claims),
        rig.issuer.es256(&claims),
        rig.issuer.rs256(&claims),
        rig.issuer.eddsa(&claims),
    ] {
        let verified = accepted(&rig.auth, &token);
        assert_eq!(verified.subject().to_string(), USER);
        assert_eq!(**verified.claims(), claims.to_string());
    }
}

/// Every defect in the `Authorization` header.
#[tokio::test]
async fn a_defective_header_is_refused_for_what_is_wrong_with_it() {
    let rig = Rig::new().await;
    let token = rig.token();
    let rows: &[(&str, Vec<u8>, Reason)] = &[
        ("nothing", b"".to_vec(), AuthorizationMalformed),
        ("the token alone", token.clone().into(), AuthorizationMalformed),
        ("the scheme alone", b"Bearer".to_vec(), AuthorizationMalformed),
        ("the scheme and a space", b"Bearer ".to_vec(), AuthorizationMalformed),
        ("another scheme", format!("Basic {token}").into(), AuthorizationMalformed),
        ("two spaces", format!("Bearer  {token}").into(), AuthorizationMalformed),
        ("a tab", format!("Bearer\t{token}").into(), AuthorizationMalformed),
        ("a space behind", format!("Bearer {token} ").into(), AuthorizationMalformed),
        ("two tokens", format!("Bearer {token} {token}").into(), AuthorizationMalformed),
        ("a list", format!("Bearer {token},Bearer {token}").into(), AuthorizationMalformed),
        ("a list of tokens", format!("Bearer {token},{token}").into(), AuthorizationMalformed),
        ("the scheme twice", format!("Bearer Bearer {token}").into(), AuthorizationMalformed),
        ("undefined", b"Bearer undefined".to_vec(), TokenPlaceholder),
        ("null", b"Bearer null".to_vec(), TokenPlaceholder),
        ("a publishable key", b"Bearer sb_publishable_abc".to_vec(), TokenIsApiKey),
        ("a secret key", b"bearer sb_secret_abc".to_vec(), TokenIsApiKey),
        ("bytes beyond ASCII", b"Bearer a.\xff.c".to_vec(), TokenMalformed),
        ("one byte too much", [b"Bearer ".as_slice(), &[b'a'; 16_385]].concat(), TokenTooLarge),
        ("as much as allowed", [b"Bearer ".as_slice(), &[b'a'; 16_384]].concat(), TokenMalformed),
    ];
    for (defect, value, reason) in rows {
        let error = rig.auth.verify(&authorization(value)).expect_err(defect);
        assert_eq!(error.reason(), *reason, "{defect}");
    }
}

#[tokio::test]
async fn two_authorization_headers_are_refused_even_when_both_are_good() {
    let rig = Rig::new().await;
    let mut headers = auth_support::bearer(&rig.token());
    let (name, value) = headers.iter().next().map(|(n, v)| (n.clone(), v.clone())).unwrap();
    headers.append(name, value);
    assert_eq!(rig.auth.verify(&headers).unwrap_err().reason(), AuthorizationMalformed);
}

#[tokio::test]
async fn the_scheme_may_have_any_case_and_no_header_is_no_token() {
    let rig = Rig::new().await;
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let headers = authorization(format!("{scheme} {}", rig.token()).as_bytes());
        assert!(rig.auth.verify(&headers).unwrap().is_some(), "{scheme}");
    }
    assert!(rig.auth.verify(&http::HeaderMap::new()).unwrap().is_none());
}

/// Every defect in the compact form, the JOSE header, key and signature.
#[tokio::test]
async fn a_defective_token_is_refused_for_what_is_wrong_with_it() {
    let rig = Rig::new().await;
    let issuer = &rig.issuer;
    let stranger = Issuer::new();
    let claims = issuer.claims(NOW);
    let payload = claims.to_string();
    let token = rig.token();
    let [header, body, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let signed = |header: Value| issuer.sign(&header, &claims);
    let es256 = |name: &str, value: Value| {
        signed(with(&json!({"alg": "ES256", "typ": "JWT", "kid": "ec"}), name, value))
    };
    let hs256_input = format!("{}.{body}", encode(br#"{"alg":"HS256","typ":"JWT","kid":"rsa"}"#));
    let rows: &[(&str, String, Reason)] = &[
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
            signed_payload(issuer, &payload.replacen('{', &format!("{{\"sub\":\"{USER}\","), 1)),
            TokenMalformed,
        ),
        (
            "a claim twice, once escaped",
            signed_payload(
                issuer,
                &payload.replacen('{', &format!(r#"{{"s\u0075b":"{USER}","#), 1),
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
                &format!(
                    r#"{{"iss":"supabase","ref":"x","role":"anon","iat":{NOW},"exp":{}}}"#,
                    NOW + 9
                ),
            ),
            TokenIsApiKey,
        ),
        (
            "the service_role key",
            issuer.hs256(&json!({"iss": "supabase", "role": "service_role", "exp": NOW + 9})),
            TokenIsApiKey,
        ),
        (
            "a foreign service_role key",
            stranger.hs256(&json!({"role": "service_role", "exp": NOW + 9})),
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
                    with(&claims, "sub", "22222222-2222-4222-8222-222222222222")
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
        ("a stranger's EC key", stranger.es256(&claims), TokenSignature),
        ("a stranger's RSA key", stranger.rs256(&claims), TokenSignature),
        ("a stranger's Ed25519 key", stranger.eddsa(&claims), TokenSignature),
        ("a stranger's secret", stranger.hs256(&claims), TokenSignature),
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
            stranger.sign(&json!({"alg": "ES256", "kid": "ec", "jwk": stranger.ec_jwk()}), &claims),
            TokenSignature,
        ),
        (
            "the token's own jku",
            stranger
                .sign(&json!({"alg": "ES256", "kid": "ec", "jku": "http://127.0.0.1/"}), &claims),
            TokenSignature,
        ),
        (
            "the token's own x5c",
            stranger.sign(&json!({"alg": "ES256", "kid": "ec", "x5c": ["AAAA"]}), &claims),
            TokenSignature,
        ),
    ];
    for (defect, token, reason) in rows {
        assert_eq!(rig.refusal(token), Some(*reason), "{defect}");
    }
    assert_eq!(rig.refusal(&token), None, "the token that all rows were made from");
}

/// Every defect in the claims, of tokens whose signatures verify.
#[tokio::test]
async fn a_defective_claim_is_refused_for_what_is_wrong_with_it() {
    let rig = Rig::with(|settings| {
        settings.max_lifetime = Some(std::time::Duration::from_secs(3600));
    })
    .await;
    let claims = rig.issuer.claims(NOW);
    let set = |name: &str, value: Value| with(&claims, name, value);
    let unset = |name: &str| without(&claims, name);
    let rows: &[(&str, Value, Option<Reason>)] = &[
        ("nothing changed", claims.clone(), None),
        ("exp missing", unset("exp"), Some(TokenClaims)),
        ("exp a string", set("exp", json!("1")), Some(TokenClaims)),
        ("exp null", set("exp", Value::Null), Some(TokenClaims)),
        ("exp within the skew", set("exp", json!(NOW - 29)), None),
        ("exp at the skew's end", set("exp", json!(NOW - 30)), Some(TokenExpired)),
        ("exp in 1970", set("exp", json!(0)), Some(TokenExpired)),
        ("exp before 1970", set("exp", json!(-1)), Some(TokenExpired)),
        ("exp with a fraction", set("exp", json!(f64::from(NOW) + 0.5)), None),
        ("exp far beyond", set("exp", json!(1e300)), Some(TokenLifetime)),
        ("exp too far", set("exp", json!(NOW + 3601)), Some(TokenLifetime)),
        (
            "exp too far, no iat",
            without(&set("exp", json!(NOW + 3601)), "iat"),
            Some(TokenLifetime),
        ),
        ("iat missing", unset("iat"), None),
        ("iat a string", set("iat", json!("1")), Some(TokenClaims)),
        ("iat null", set("iat", Value::Null), Some(TokenClaims)),
        ("iat within the skew", set("iat", json!(NOW + 30)), None),
        ("iat in the future", set("iat", json!(NOW + 31)), Some(TokenNotYetValid)),
        ("nbf past", set("nbf", json!(NOW)), None),
        ("nbf a list", set("nbf", json!([NOW])), Some(TokenClaims)),
        ("nbf within the skew", set("nbf", json!(NOW + 30)), None),
        ("nbf in the future", set("nbf", json!(NOW + 31)), Some(TokenNotYetValid)),
        ("iss missing", unset("iss"), Some(TokenIssuer)),
        ("iss another", set("iss", json!("https://evil.example/auth/v1")), Some(TokenIssuer)),
        ("iss with a slash more", set("iss", json!(format!("{ISSUER}/"))), Some(TokenIssuer)),
        ("iss a list", set("iss", json!([ISSUER])), Some(TokenIssuer)),
        ("aud missing", unset("aud"), Some(TokenAudience)),
        ("aud another", set("aud", json!("anon")), Some(TokenAudience)),
        ("aud a longer word", set("aud", json!("authenticated2")), Some(TokenAudience)),
        ("aud a list of others", set("aud", json!(["a", "b"])), Some(TokenAudience)),
        ("aud an empty list", set("aud", json!([])), Some(TokenAudience)),
        ("aud a list with a number", set("aud", json!(["authenticated", 1])), Some(TokenAudience)),
        ("aud an object", set("aud", json!({"authenticated": 1})), Some(TokenAudience)),
        ("aud a list with it", set("aud", json!(["other", "authenticated"])), None),
        ("role missing", unset("role"), Some(TokenRole)),
        ("role service_role", set("role", json!("service_role")), Some(TokenRole)),
        ("role postgres", set("role", json!("postgres")), Some(TokenRole)),
        ("role anon", set("role", json!("anon")), Some(TokenRole)),
        ("role in capitals", set("role", json!("Authenticated")), Some(TokenRole)),
        ("role a list", set("role", json!(["authenticated"])), Some(TokenRole)),
        ("sub missing", unset("sub"), Some(TokenSubject)),
        ("sub empty", set("sub", json!("")), Some(TokenSubject)),
        ("sub a number", set("sub", json!(1)), Some(TokenSubject)),
        ("sub a name", set("sub", json!("ada")), Some(TokenSubject)),
        ("sub in braces", set("sub", json!(format!("{{{USER}}}"))), Some(TokenSubject)),
        ("sub as a URN", set("sub", json!(format!("urn:uuid:{USER}"))), Some(TokenSubject)),
        ("sub without hyphens", set("sub", json!(USER.replace('-', ""))), Some(TokenSubject)),
        ("sub in capitals", set("sub", json!(USER.to_uppercase())), None),
        ("session_id missing", unset("session_id"), None),
        ("session_id a word", set("session_id", json!("x")), Some(TokenClaims)),
        ("is_anonymous a string", set("is_anonymous", json!("false")), Some(TokenClaims)),
        ("aal a number", set("aal", json!(2)), Some(TokenClaims)),
        ("user_metadata null", set("user_metadata", Value::Null), None),
        ("U+0000 in a text", set("email", json!("a\0b")), Some(TokenClaims)),
        ("U+0000 in a name", set("a\0b", json!(1)), Some(TokenClaims)),
        (
            "U+0000 deep inside",
            set("user_metadata", json!({"a": [{"b": "\0"}]})),
            Some(TokenClaims),
        ),
        ("an exponent in a text", set("email", json!("1e-20000")), None),
        ("the escape's own characters", set("email", json!("\\u0000")), None),
    ];
    for (defect, claims, reason) in rows {
        assert_eq!(rig.refusal(&rig.issuer.es256(claims)), *reason, "{defect}");
        assert_eq!(rig.refusal(&rig.issuer.hs256(claims)), *reason, "{defect}, HS256");
    }
}

/// JSON has numbers that PostgreSQL has not: every policy that reads the claims would fail.
#[tokio::test]
async fn a_number_that_postgresql_cannot_hold_is_refused() {
    let rig = Rig::new().await;
    let claims = with(&rig.issuer.claims(NOW), "number", 1.5).to_string();
    for (number, reason) in [("1.5", None), ("1e-300", None), ("1e-20000", Some(TokenClaims))] {
        let token = signed_payload(&rig.issuer, &claims.replace("1.5", number));
        assert_eq!(rig.refusal(&token), reason, "{number}");
    }
}

/// Of two defects the one that is checked earlier is named.
#[tokio::test]
async fn the_earlier_of_two_defects_is_named() {
    let rig = Rig::with(|settings| {
        settings.max_lifetime = Some(std::time::Duration::from_secs(3600));
    })
    .await;
    let stranger = Issuer::new();
    // Each step mends the defect that was named, until nothing is left.
    let mut claims = json!({
        "exp": NOW - 3600, "nbf": NOW + 9000, "iss": "x", "aud": "x", "role": "x", "sub": "x",
        "session_id": "x",
    });
    let mut header = json!({"alg": "none", "typ": "x", "kid": "other"});
    let mut token = stranger.sign(&header, &claims) + ".x";
    assert_eq!(rig.refusal(&token), Some(TokenMalformed));
    let mut sign = |issuer: &Issuer, header: &Value, claims: &Value, reason| {
        token = issuer.sign(header, claims);
        assert_eq!(rig.refusal(&token), reason);
    };
    sign(&stranger, &header, &claims, Some(TokenHeader));
    header["typ"] = json!("JWT");
    sign(&stranger, &header, &claims, Some(TokenAlgorithm));
    header["alg"] = json!("ES256");
    sign(&stranger, &header, &claims, Some(TokenKeyUnknown));
    header["kid"] = json!("ec");
    sign(&stranger, &header, &claims, Some(TokenSignature));
    for (name, value, reason) in [
        ("iat", json!(NOW), Some(TokenExpired)),
        ("exp", json!(NOW + 9000), Some(TokenNotYetValid)),
        ("nbf", json!(NOW), Some(TokenLifetime)),
        ("exp", json!(NOW + 60), Some(TokenIssuer)),
        ("iss", json!(ISSUER), Some(TokenAudience)),
        ("aud", json!("authenticated"), Some(TokenRole)),
        ("role", json!("authenticated"), Some(TokenSubject)),
        ("sub", json!(USER), Some(TokenClaims)),
        ("session_id", json!(USER), None),
    ] {
        claims[name] = value;
        sign(&rig.issuer, &header, &claims, reason);
    }
}

#[tokio::test]
async fn a_previous_secret_verifies_during_a_rotation_and_no_other_does() {
    let previous = random_secret();
    let second = user_service::auth::Secret::new(&previous).unwrap();
    let rig = Rig::with(|settings| settings.secrets.push(second)).await;
    let claims = rig.issuer.claims(NOW);
    let old = Issuer { secret: previous, ..Issuer::new() };
    assert_eq!(rig.refusal(&rig.issuer.hs256(&claims)), None);
    assert_eq!(rig.refusal(&old.hs256(&claims)), None);
    assert_eq!(rig.refusal(&Issuer::new().hs256(&claims)), Some(TokenSignature));
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
