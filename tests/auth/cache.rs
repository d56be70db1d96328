//! The cache of verified tokens: never longer than allowed, never more than allowed.

use std::{fs, time::Duration};

use user_service::{
    auth::{Clock, Settings},
    error::Reason::{TokenExpired, TokenSignature},
};

use crate::support::{
    NOW, Rig, accepted, alone, auth,
    issuer::{Issuer, with},
    key_server::KeyServer,
    refusal, settings,
};

#[tokio::test]
async fn a_token_is_verified_again_when_its_time_in_the_cache_is_over() {
    let rig = Rig::new().await;
    let token = rig.token();
    let hits = |hits, misses| {
        let counts = rig.auth.counts();
        assert_eq!((counts.cache_hits(), counts.cache_misses()), (hits, misses));
    };
    let first = accepted(&rig.auth, &token);
    hits(0, 1);
    rig.clock.advance(Duration::from_millis(59_999));
    let second = accepted(&rig.auth, &token);
    assert_eq!(first.claims(), second.claims());
    hits(1, 1);
    rig.clock.advance(Duration::from_millis(1));
    accepted(&rig.auth, &token);
    hits(1, 2);
}

#[tokio::test]
async fn a_token_expires_in_the_cache_as_it_does_outside() {
    let rig = Rig::new().await;
    let token = rig.issuer.es256(&with(&rig.issuer.claims(NOW), "exp", NOW + 1));
    accepted(&rig.auth, &token);
    rig.clock.advance(Duration::from_millis(30_999));
    accepted(&rig.auth, &token);
    rig.clock.advance(Duration::from_millis(1));
    assert_eq!(rig.refusal(&token), Some(TokenExpired));
    assert_eq!(rig.auth.counts().cache_hits(), 2, "both times it was in the cache");
}

#[tokio::test]
async fn a_refusal_is_never_remembered() {
    let rig = Rig::new().await;
    let forged = Issuer::new().es256(&rig.issuer.claims(NOW));
    for misses in 1..4 {
        assert_eq!(rig.refusal(&forged), Some(TokenSignature));
        assert_eq!(rig.auth.counts().cache_misses(), misses);
    }
    // Early yesterday, good today: the first refusal must not stick.
    let early = rig.issuer.es256(&with(&rig.issuer.claims(NOW), "nbf", NOW + 60));
    assert!(rig.refusal(&early).is_some());
    rig.clock.advance(Duration::from_secs(60));
    accepted(&rig.auth, &early);
}

#[tokio::test]
async fn without_a_cache_every_token_is_verified() {
    let rig = Rig::with(|settings| settings.cache_bytes = 0).await;
    for _ in 0..3 {
        accepted(&rig.auth, &rig.token());
    }
    assert_eq!(rig.auth.counts().cache_hits(), 0);
}

/// Measured by the memory of the process, so in one of its own.
#[tokio::test]
async fn distinct_tokens_take_no_more_memory_than_allowed() {
    const MIB: usize = 1024 * 1024;
    if !alone::is() {
        return alone::run("cache::distinct_tokens_take_no_more_memory_than_allowed", &[]);
    }
    let issuer = Issuer::new();
    let server = KeyServer::start(issuer.jwks()).await;
    let bounded = Settings { cache_bytes: 8 * MIB, ..settings(&issuer, &server) };
    let auth = auth(bounded, &Clock::standing_at(NOW));
    let claims = issuer.claims(NOW).to_string();
    let verify = |number: u32| {
        let claims = claims.replacen('{', &format!("{{\"number\":{number},"), 1);
        let token = issuer.sign_text(r#"{"alg":"HS256"}"#, &claims);
        assert_eq!(refusal(&auth, &token), None);
    };
    (0..100).for_each(verify);
    let before = resident_bytes();
    (100..60_000).for_each(verify);
    let grown = resident_bytes().saturating_sub(before);
    // 60,000 tokens hold some 30 MiB of claims.
    assert!(grown < 14 * MIB, "{grown} bytes");
    assert!(grown > 2 * MIB, "{grown} bytes: it did not remember any");
}

/// The memory that this process has in use (Linux; elsewhere the claim is not checked).
fn resident_bytes() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or_default();
    pages * 4096
}
