//! The key set, fetched from a server that rotates, lies, stalls, redirects and dies.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use user_service::{
    auth::{Auth, Clock, FetchError, JwksSettings, KeysState, Settings},
    error::Reason::*,
};

use crate::support::{
    NOW, Rig, auth,
    issuer::{Issuer, with},
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
    ends_in_time_and_in_size_and_follows_nobody(&issuer, &server).await;
}

/// What holds over HTTP and over HTTPS.
pub async fn ends_in_time_and_in_size_and_follows_nobody(issuer: &Issuer, server: &KeyServer) {
    // In the clear: following would even be a step down from HTTPS.
    let elsewhere = KeyServer::start(issuer.jwks()).await;
    let timeout = Duration::from_millis(200);
    let jwks = JwksSettings { timeout, ..JwksSettings::new(server.url()) };
    let settings = Settings { jwks: Some(jwks), ..settings(issuer, server) };
    let auth = auth(settings, &Clock::system());
    let half = Manner::StallInBody(issuer.jwks().to_string().into());
    for manner in [Manner::Stall, half, Manner::Die] {
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
    server.behave(Manner::Answer(b"<html>".to_vec()));
    assert!(matches!(auth.fetch_keys().await, Err(FetchError::NotAKeySet(_))));
    server.rotate(&issuer.jwks());
    assert_eq!(auth.fetch_keys().await.unwrap(), 3);
    server.rotate(&json!({"keys": [issuer.ec_jwk()]}));
    assert_eq!(auth.fetch_keys().await.unwrap(), 1);
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
