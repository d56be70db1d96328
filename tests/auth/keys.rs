//! The key set, fetched from a server that rotates, lies, stalls, redirects and dies.

use std::{
    env, fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lc_rs::rsa::{self, KeySize};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use user_service::{
    auth::{Auth, Clock, FetchError, JwksSettings, KeySet, KeysState, Settings, SettingsError},
    error::Reason::{self, *},
};

use crate::support::{
    NOW, Rig, alone, auth, bearer,
    issuer::{Issuer, encode, rsa_jwk, with, without},
    key_server::{KeyServer, Manner},
    refusal, settings,
};

const COOLDOWN: Duration = Duration::from_secs(30);
const REFRESH: Duration = Duration::from_secs(600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The background task, running until dropped.
fn refreshing(auth: &Auth) -> AbortOnDropHandle<()> {
    let auth = auth.clone();
    AbortOnDropHandle::new(tokio::spawn(async move {
        auth.refresh_keys(CancellationToken::new()).await;
    }))
}

/// Waits for what background work brings about; the test fails when it does not.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Gives background work that must not happen the time to happen.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn before_the_first_answer_published_keys_are_unavailable_and_the_secret_works() {
    let issuer = Issuer::new();
    let server = KeyServer::start(issuer.jwks()).await;
    server.behave(Manner::Die);
    let clock = Clock::standing_at(NOW);
    let auth = auth(settings(&issuer, &server), &clock);
    let (es256, hs256) = (issuer.es256(&issuer.claims(NOW)), issuer.hs256(&issuer.claims(NOW)));
    assert_eq!(refusal(&auth, &es256), Some(KeysUnavailable));
    let _task = refreshing(&auth);
    until("a failed fetch", || auth.counts().failed_fetches() == 1).await;
    assert_eq!(auth.keys_state(), KeysState::Unavailable);
    assert_eq!(refusal(&auth, &es256), Some(KeysUnavailable));
    assert_eq!(refusal(&auth, &hs256), None);

    server.rotate(&issuer.jwks());
    clock.advance(COOLDOWN);
    until("keys", || auth.keys_state() == KeysState::Ok).await;
    assert_eq!(refusal(&auth, &es256), None);
}

#[tokio::test]
async fn an_unknown_key_is_refused_at_once_and_fetched_for_the_retry() {
    let rig = Rig::new().await;
    let _task = refreshing(&rig.auth);
    until("the first fetch", || rig.auth.counts().fetches() == 2).await;
    let successor = Issuer::new();
    let token = successor.sign(&json!({"alg": "ES256", "kid": "new"}), &successor.claims(NOW));
    rig.server
        .rotate(&json!({"keys": [rig.issuer.ec_jwk(), with(&successor.ec_jwk(), "kid", "new")]}));
    rig.clock.advance(COOLDOWN);
    assert_eq!(rig.refusal(&token), Some(TokenKeyUnknown));
    until("the retry succeeds", || rig.refusal(&token).is_none()).await;
    assert_eq!(rig.refusal(&rig.token()), None, "the previous key is still published");
}

#[tokio::test]
async fn unknown_keys_cause_one_fetch_in_a_cooldown_and_known_keys_never_wait() {
    let second = Duration::from_secs(1);
    let rig = Rig::with(|settings| settings.jwks.as_mut().unwrap().timeout = second).await;
    let _task = refreshing(&rig.auth);
    until("the first fetch", || rig.server.requests() == 2).await;
    let known = rig.token();
    let ask = || async {
        let callers = (0..64).map(|number| {
            let (auth, known) = (rig.auth.clone(), known.clone());
            let header = json!({"alg": "ES256", "kid": format!("unknown {number}")});
            let unknown = rig.issuer.sign(&header, &rig.issuer.claims(NOW));
            tokio::spawn(async move {
                assert_eq!(refusal(&auth, &unknown), Some(TokenKeyUnknown));
                assert_eq!(refusal(&auth, &known), None);
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
    };
    // Every fetch from here on never gets an answer, and no call may notice.
    rig.server.behave(Manner::Stall);
    for round in 0..3 {
        ask().await;
        settle().await;
        assert_eq!(rig.server.requests(), 2 + round, "within the cooldown");
        rig.clock.advance(COOLDOWN);
        until("the one fetch", || rig.server.requests() == 3 + round).await;
        ask().await;
        // The stalled fetch holds the task until its timeout, in real time.
        until("the timeout", || rig.auth.counts().failed_fetches() == 1 + round as u64).await;
    }
}

#[tokio::test]
async fn the_set_is_refreshed_without_anybody_asking() {
    let rig = Rig::new().await;
    let _task = refreshing(&rig.auth);
    until("the first fetch", || rig.auth.counts().fetches() == 2).await;
    rig.clock.advance(REFRESH - Duration::from_secs(1));
    settle().await;
    assert_eq!(rig.server.requests(), 2);
    rig.clock.advance(Duration::from_secs(1));
    until("the refresh", || rig.server.requests() == 3).await;
}

#[tokio::test]
async fn what_a_vanished_key_signed_is_dropped_and_the_rest_stays_cached() {
    let rig = Rig::new().await;
    let (es256, hs256) = (rig.token(), rig.issuer.hs256(&rig.issuer.claims(NOW)));
    for token in [&es256, &hs256, &es256, &hs256] {
        assert_eq!(rig.refusal(token), None);
    }
    assert_eq!((rig.auth.counts().cache_hits(), rig.auth.counts().cache_misses()), (2, 2));

    rig.auth.fetch_keys().await.unwrap();
    assert_eq!(rig.refusal(&es256), None);
    assert_eq!(rig.auth.counts().cache_hits(), 3, "the same set again costs nothing");

    rig.server.rotate(&json!({"keys": [Issuer::new().ec_jwk()]}));
    rig.auth.fetch_keys().await.unwrap();
    assert_eq!(rig.refusal(&es256), Some(TokenSignature));
    assert_eq!(rig.refusal(&hs256), None);
    assert_eq!(rig.auth.counts().cache_hits(), 4);

    rig.server.rotate(&json!({"keys": []}));
    rig.auth.fetch_keys().await.unwrap();
    assert_eq!(rig.auth.keys_state(), KeysState::Ok, "an empty set is an answer");
    assert_eq!(rig.refusal(&es256), Some(TokenKeyUnknown));
}

/// Verifications race a rotation; none of them may leave a token of the vanished key in the cache.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verification_that_races_a_rotation_leaves_nothing_behind() {
    let rig = Arc::new(Rig::new().await);
    let stranger = Issuer::new();
    for round in 0..20 {
        rig.server.rotate(&rig.issuer.jwks());
        rig.auth.fetch_keys().await.unwrap();
        // Each token is new, so that one is being verified whenever the keys change.
        let racer = tokio::task::spawn_blocking({
            let rig = Arc::clone(&rig);
            move || {
                let claims = with(&rig.issuer.claims(NOW), "round", round);
                let sign = |number: u32| rig.issuer.es256(&with(&claims, "number", number));
                let tokens = (0..).map(sign);
                tokens.take_while(|token| rig.refusal(token).is_none()).collect::<Vec<_>>()
            }
        });
        rig.server.rotate(&stranger.jwks());
        let rotated = rig.auth.fetch_keys().await;
        if rotated.is_err() {
            rig.clock.advance(DAY * 2); // ends the race, so that the test can fail
        }
        rotated.unwrap();
        for token in racer.await.unwrap() {
            assert_eq!(rig.refusal(&token), Some(TokenSignature));
        }
    }
}

#[tokio::test]
async fn the_last_good_keys_outlive_an_outage_up_to_the_limit() {
    let rig = Rig::with(|settings| settings.max_lifetime = None).await;
    let claims = with(&rig.issuer.claims(NOW), "exp", NOW + 3 * 24 * 3600);
    let token = rig.issuer.es256(&claims);
    let lies: [Manner; 8] = [
        Manner::Die,
        Manner::Status(503),
        Manner::Status(404),
        Manner::Status(204),
        Manner::Answer(b"<html>".to_vec()),
        Manner::Answer(br#"{"keys":{}}"#.to_vec()),
        Manner::Answer(b"[]".to_vec()),
        Manner::Answer(br#"{"keys":[],"keys":[]}"#.to_vec()),
    ];
    for lie in lies {
        rig.server.behave(lie.clone());
        rig.auth.fetch_keys().await.expect_err(&format!("{lie:?}"));
        assert_eq!(rig.refusal(&token), None, "{lie:?}");
    }
    rig.clock.advance(DAY);
    assert_eq!(rig.auth.keys_state(), KeysState::Ok);
    assert_eq!(rig.refusal(&token), None, "as old as allowed");
    // In the cache by now: it must not be a way around the limit.
    rig.clock.advance(Duration::from_millis(1));
    assert_eq!(rig.auth.keys_state(), KeysState::Unavailable);
    assert_eq!(rig.refusal(&token), Some(KeysUnavailable));

    rig.server.rotate(&rig.issuer.jwks());
    rig.auth.fetch_keys().await.unwrap();
    assert_eq!(rig.refusal(&token), None);
}

#[tokio::test]
async fn a_fetch_ends_in_time_and_in_size_and_follows_nobody() {
    let issuer = Issuer::new();
    let server = KeyServer::start(issuer.jwks()).await;
    let elsewhere = KeyServer::start(issuer.jwks()).await;
    let mut settings = settings(&issuer, &server);
    settings.jwks = Some(JwksSettings {
        timeout: Duration::from_millis(200),
        ..JwksSettings::new(server.url())
    });
    let auth = auth(settings, &Clock::system());
    for manner in [Manner::Stall, Manner::StallInBody(issuer.jwks().to_string().into())] {
        server.behave(manner.clone());
        let fetched = tokio::time::timeout(Duration::from_secs(5), auth.fetch_keys()).await;
        let error = fetched.expect("it ends").unwrap_err();
        assert!(matches!(error, FetchError::Unreachable(_)), "{manner:?}: {error}");
    }
    server.behave(Manner::Flood);
    assert!(matches!(auth.fetch_keys().await, Err(FetchError::TooLarge)));
    server.behave(Manner::Redirect(elsewhere.url()));
    assert!(matches!(auth.fetch_keys().await, Err(FetchError::Status(302))));
    assert_eq!(elsewhere.requests(), 0);
    server.rotate(&issuer.jwks());
    assert_eq!(auth.fetch_keys().await.unwrap(), 3);
}

#[tokio::test]
async fn the_background_task_stops_when_told_even_during_a_stalled_fetch() {
    let rig = Rig::new().await;
    rig.server.behave(Manner::Stall);
    let stop = CancellationToken::new();
    let task = tokio::spawn({
        let (auth, stop) = (rig.auth.clone(), stop.clone());
        async move { auth.refresh_keys(stop).await }
    });
    until("the fetch", || rig.server.requests() == 2).await;
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(1), task).await.expect("it stops").unwrap();
}

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

/// By `SSL_CERT_FILE`, which is the process's: the one way in which a private authority is given to
/// the service.
#[tokio::test]
async fn a_private_authority_is_trusted_by_ssl_cert_file_and_no_other() {
    const NAME: &str = "keys::a_private_authority_is_trusted_by_ssl_cert_file_and_no_other";
    const FILES: [&str; 4] = ["ca.pem", "cert.der", "key.der", "elsewhere.der"];
    if let Some(directory) = alone::variable("SSL_CERT_FILE") {
        let directory = Path::new(&directory).parent().unwrap();
        let [_, certificate, key, elsewhere] =
            FILES.map(|file| fs::read(directory.join(file)).unwrap());
        return trusts_only([&certificate, &elsewhere], &key).await;
    }
    let directory = env::temp_dir().join(format!("user-service-authority-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let authority = authority();
    let key = KeyPair::generate().unwrap();
    let (here, elsewhere) =
        (leaf(&authority, &key, "127.0.0.1"), leaf(&authority, &key, "other.example"));
    let contents = [authority.pem().into(), here, key.serialize_der(), elsewhere];
    for (file, content) in FILES.iter().zip(contents) {
        fs::write(directory.join(file), content).unwrap();
    }
    let authorities = directory.join("ca.pem");
    alone::run(NAME, &[("SSL_CERT_FILE", authorities.as_os_str())]);
    fs::remove_dir_all(&directory).unwrap();
}

async fn trusts_only([here, elsewhere]: [&[u8]; 2], key: &[u8]) {
    let issuer = Issuer::new();
    let fetch = async |server: &KeyServer| {
        auth(settings(&issuer, server), &Clock::system()).fetch_keys().await
    };
    let trusted = KeyServer::start_tls(issuer.jwks(), acceptor(here, key)).await;
    assert_eq!(fetch(&trusted).await.unwrap(), 3);

    let stranger_key = KeyPair::generate().unwrap();
    let stranger = leaf(&authority(), &stranger_key, "127.0.0.1");
    for (who, certificate, key) in [
        ("a stranger's authority", stranger.as_slice(), stranger_key.serialize_der().as_slice()),
        ("RFC 7515, 8: a certificate of another host", elsewhere, key),
    ] {
        let server = KeyServer::start_tls(issuer.jwks(), acceptor(certificate, key)).await;
        let error = fetch(&server).await.expect_err(who);
        assert!(error.to_string().contains("certificate"), "{who}: {error}");
        assert_eq!(server.requests(), 0, "{who}");
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for this host.
fn leaf(authority: &CertifiedIssuer<'static, KeyPair>, key: &KeyPair, host: &str) -> Vec<u8> {
    let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.signed_by(key, authority).unwrap().der().to_vec()
}

fn acceptor(certificate: &[u8], key: &[u8]) -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.to_vec().into()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
