//! Which keys are used, where they may come from, and which of them a token may choose.

use aws_lc_rs::rsa::{self, KeySize};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use user_service::{
    auth::{Auth, Clock, JwksSettings, KeySet, KeysState, Settings, SettingsError},
    error::Reason::{self, *},
};

use crate::support::{
    NOW, Rig, auth, bearer,
    issuer::{Issuer, encode, rsa_jwk, with, without},
    key_server::KeyServer,
    refusal, settings,
};

#[test]
fn a_key_address_in_the_clear_is_for_loopback_only() {
    let built = |url: &str, allow_http: bool| {
        let jwks = JwksSettings { allow_http, ..JwksSettings::new(url.parse().unwrap()) };
        let settings = Settings { jwks: Some(jwks), ..Settings::default() };
        let pool = prost_reflect::DescriptorPool::decode(user_service::proto::DESCRIPTORS).unwrap();
        Auth::new(settings, &pool, Clock::system()).map(drop)
    };
    for url in ["http://localhost:1/", "http://127.0.0.1:1/", "http://127.9.9.9/", "http://[::1]/"]
    {
        built(url, false).unwrap();
    }
    for url in ["http://10.0.0.1/", "http://localhost.evil.example/", "http://example.com/"] {
        assert!(matches!(built(url, false), Err(SettingsError::InsecureKeyAddress)), "{url}");
        built(url, true).unwrap();
    }
    assert!(matches!(built("file:///etc/passwd", true), Err(SettingsError::KeyAddressScheme)));
}

#[test]
fn without_any_key_there_is_no_verification() {
    let pool = prost_reflect::DescriptorPool::decode(user_service::proto::DESCRIPTORS).unwrap();
    let error = Auth::new(Settings::default(), &pool, Clock::system()).unwrap_err();
    assert!(error.to_string().contains("JWT_SECRET"), "{error}");
}

/// One bad key never costs the others; what cannot be used strictly is not used.
#[test]
fn a_set_is_read_leniently_and_its_keys_strictly() {
    let issuer = Issuer::new();
    let (ec, ed, rsa) = (issuer.ec_jwk(), issuer.ed_jwk(), issuer.rsa_jwk());
    let small = rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
    let small = with(&rsa_jwk(&small), "n", encode(&[0xff; 255]));
    let n = URL_SAFE_NO_PAD.decode(rsa["n"].as_str().unwrap()).unwrap();
    let leading_zero = encode(&[&[0], n.as_slice()].concat());
    let usable: &[(&str, Value)] = &[
        ("as published", ec.clone()),
        ("without kid", without(&ec, "kid")),
        ("without use, key_ops and alg", without(&without(&without(&ec, "use"), "key_ops"), "alg")),
        ("RFC 7517, 4: with members that are not known", with(&ec, "x5c", json!([1]))),
        ("Ed25519", ed.clone()),
        ("RSA", rsa.clone()),
        ("RSA for RS256", with(&rsa, "alg", "RS256")),
    ];
    let unusable: &[(&str, Value)] = &[
        ("no object", json!("key")),
        ("RFC 7517, 4.1: no kty", without(&ec, "kty")),
        ("RFC 7517, 4.1: kty in lower case", with(&ec, "kty", "ec")),
        (
            "RFC 7518, 6.4: a symmetric key",
            json!({"kty": "oct", "kid": "x", "k": encode(&issuer.secret)}),
        ),
        ("RFC 7517, 4.5: kid a number", with(&ec, "kid", 1)),
        ("RFC 7517, 4.2: for encryption", with(&ec, "use", "enc")),
        ("use a list", with(&ec, "use", json!(["sig"]))),
        ("RFC 7517, 4.3: not for verifying", with(&ec, "key_ops", json!(["sign"]))),
        ("key_ops a string", with(&ec, "key_ops", "verify")),
        (
            "RFC 7517, 4.3: key_ops twice the same",
            with(&ec, "key_ops", json!(["verify", "verify"])),
        ),
        ("RFC 7517, 4.4: alg of another kind", with(&ec, "alg", "RS256")),
        ("alg of another curve", with(&ec, "alg", "ES384")),
        ("RSA for PS256", with(&rsa, "alg", "PS256")),
        ("alg null", with(&ec, "alg", Value::Null)),
        ("RFC 7518, 6.2.1.1: another curve", with(&ec, "crv", "P-384")),
        ("Ed448", with(&ed, "crv", "Ed448")),
        ("RFC 8037, 2: X25519, for key agreement", with(&ed, "crv", "X25519")),
        ("RFC 7518, 6.2.1: no y", without(&ec, "y")),
        (
            "RFC 8725, 3.4: a point that is not on the curve",
            with(&with(&ec, "x", ec["y"].clone()), "y", ec["x"].clone()),
        ),
        ("RFC 7518, 6.2.1.2: a short x", with(&ec, "x", encode(&[1; 31]))),
        ("RFC 7518, 6.2.1.2: a long x", with(&ec, "x", encode(&[1; 33]))),
        ("x with padding", with(&ec, "x", format!("{}=", ec["x"].as_str().unwrap()))),
        (
            "RFC 8725, 3.4: the point at zero",
            with(&with(&ec, "x", encode(&[0; 32])), "y", encode(&[0; 32])),
        ),
        ("RFC 8037, 2: a short Ed25519 x", with(&ed, "x", encode(&[1; 31]))),
        ("RFC 7518, 3.3: RSA of 2040 bits", small),
        ("RSA of 8200 bits", with(&rsa, "n", encode(&[0xff; 1025]))),
        ("RSA with e of 1", with(&rsa, "e", encode(&[1]))),
        ("RSA with an even e", with(&rsa, "e", encode(&[1, 0]))),
        ("RSA with e of 5 bytes", with(&rsa, "e", encode(&[1, 0, 0, 0, 1]))),
        ("RSA with no e", with(&rsa, "e", "")),
        ("RFC 7518, 6.3.1.1: n with a leading zero", with(&rsa, "n", leading_zero)),
        ("RFC 8037, 2: no crv", without(&ed, "crv")),
        ("RFC 7517, 4.3: use and key_ops that differ", with(&ec, "key_ops", json!(["encrypt"]))),
        ("RFC 7518, 6.3.1.2: e with a leading zero", with(&rsa, "e", encode(&[0, 1, 0, 1]))),
        ("RFC 7518, 6.2.2: its private half", with(&ec, "d", encode(&[1; 32]))),
    ];
    let count =
        |keys: Value| KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap().len();
    for (what, key) in usable {
        assert_eq!(count(json!([key])), 1, "{what}");
    }
    for (what, key) in unusable {
        assert_eq!(count(json!([key, ec])), 1, "{what}");
        assert_eq!(count(json!([key])), 0, "{what}");
    }
    let twice = format!(r#"{{"keys":[{{"kty":"EC","kty":"EC"}},{ec}]}}"#);
    assert_eq!(KeySet::parse(twice.as_bytes()).unwrap().len(), 1, "RFC 7517, 4: a member twice");
    let more = format!(r#"{{"version":7,"keys":[{ec}],"next":null}}"#);
    assert_eq!(KeySet::parse(more.as_bytes()).unwrap().len(), 1, "RFC 7517, 5: more members");
    for no_set in [r#"{"key":[]}"#, r#"{"keys":null}"#, r#"{"keys":[],"keys":[]}"#, "{}", "[]", ""]
    {
        assert!(KeySet::parse(no_set.as_bytes()).is_err(), "RFC 7517, 5: {no_set}");
    }
}

#[tokio::test]
async fn exactly_one_key_must_fit() {
    let rig = Rig::new().await;
    let issuer = &rig.issuer;
    let other = Issuer::new();
    let claims = issuer.claims(NOW);
    let named = issuer.es256(&claims);
    let nameless = issuer.sign(&json!({"alg": "ES256"}), &claims);
    let rows: [(&str, Value, Option<Reason>, Option<Reason>); 7] = [
        ("one of each kind", issuer.jwks(), None, None),
        (
            "one without kid",
            json!({"keys": [without(&issuer.ec_jwk(), "kid")]}),
            Some(TokenKeyUnknown),
            None,
        ),
        (
            "two of a kind",
            json!({"keys": [issuer.ec_jwk(), with(&other.ec_jwk(), "kid", "b")]}),
            None,
            Some(TokenKeyUnknown),
        ),
        (
            "a kid twice",
            json!({"keys": [issuer.ec_jwk(), other.ec_jwk()]}),
            Some(TokenKeyUnknown),
            Some(TokenKeyUnknown),
        ),
        (
            "a kid twice, of two kinds",
            json!({"keys": [issuer.ec_jwk(), with(&issuer.rsa_jwk(), "kid", "ec")]}),
            None,
            None,
        ),
        (
            "the kid of another kind",
            json!({"keys": [with(&issuer.rsa_jwk(), "kid", "ec")]}),
            Some(TokenAlgorithm),
            Some(TokenKeyUnknown),
        ),
        ("none", json!({"keys": []}), Some(TokenKeyUnknown), Some(TokenKeyUnknown)),
    ];
    for (what, set, with_kid, without_kid) in rows {
        rig.server.rotate(&set);
        rig.auth.fetch_keys().await.unwrap();
        assert_eq!(rig.refusal(&named), with_kid, "{what}, with kid");
        assert_eq!(rig.refusal(&nameless), without_kid, "{what}, without kid");
    }
}

#[tokio::test]
async fn a_family_that_is_not_configured_is_an_algorithm_that_is_not_accepted() {
    let issuer = Issuer::new();
    let server = KeyServer::start(issuer.jwks()).await;
    let claims = issuer.claims(NOW);
    let clock = Clock::standing_at(NOW);
    let only_keys = auth(Settings { secrets: Vec::new(), ..settings(&issuer, &server) }, &clock);
    let only_secret = auth(Settings { jwks: None, ..settings(&issuer, &server) }, &clock);
    only_keys.fetch_keys().await.unwrap();
    assert_eq!(refusal(&only_keys, &issuer.hs256(&claims)), Some(TokenAlgorithm));
    assert_eq!(refusal(&only_keys, &issuer.es256(&claims)), None);
    assert_eq!(refusal(&only_secret, &issuer.es256(&claims)), Some(TokenAlgorithm));
    assert_eq!(refusal(&only_secret, &issuer.hs256(&claims)), None);
    assert_eq!(only_secret.keys_state(), KeysState::Ok);
    assert!(only_secret.verify(&bearer("a.b.c")).is_err());
}
