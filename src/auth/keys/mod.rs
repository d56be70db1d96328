//! The keys that verify signatures: the configured secrets, and the project's published set, kept
//! fresh in the background.

mod jwk;
mod jwks;
mod key_set;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use tokio::{select, sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::error::Reason;

use super::{
    Clock, Settings, SettingsError,
    counts::Counts,
    header::{Algorithm, Header},
    refusal::Refusal,
    settings::Secret,
};

use jwks::{Answered, Jwks};
pub use jwks::{FetchError, Sent};
pub use key_set::{KeySet, NotAKeySet};

/// Whether tokens that published keys signed can be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysState {
    /// Yes, or there is no key address and nothing to fetch.
    Ok,
    /// The key set's address never answered, or not for longer than allowed.
    Unavailable,
}

/// Counts the changes of the key set. What was verified under one generation is worth nothing in
/// the next.
pub(super) type Generation = u64;

/// Every key, wherever it comes from.
#[derive(Debug)]
pub(super) struct Keys {
    secrets: Vec<Secret>,
    published: Option<Published>,
}

/// The published set and the way to a fresher one.
#[derive(Debug)]
struct Published {
    jwks: Jwks,
    refresh: Duration,
    cooldown: Duration,
    max_stale: Duration,
    answer: ArcSwapOption<Answer>,
    /// Somebody sent a token whose key is not in the set.
    wanted: Notify,
}

#[derive(Debug)]
struct Answer {
    keys: Arc<KeySet>,
    generation: Generation,
    sent: Option<Sent>,
    at: Instant,
}

/// The keys of one moment. A call that verifies reads them once, so that what it then caches
/// carries the generation of the keys that it was verified with.
pub(super) struct Snapshot<'k> {
    keys: &'k Keys,
    /// `None` without a key address, before the first answer, and when the last is too old.
    answer: Option<Arc<Answer>>,
}

impl Keys {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        if settings.secrets.is_empty() && settings.jwks.is_none() {
            return Err(SettingsError::NoKeys);
        }
        let published = match &settings.jwks {
            None => None,
            Some(jwks) => Some(Published {
                jwks: Jwks::new(jwks)?,
                refresh: jwks.refresh,
                cooldown: jwks.cooldown,
                max_stale: jwks.max_stale,
                answer: ArcSwapOption::empty(),
                wanted: Notify::new(),
            }),
        };
        Ok(Self { secrets: settings.secrets.clone(), published })
    }

    /// The keys as they are now.
    pub(super) fn snapshot(&self, now: Instant) -> Snapshot<'_> {
        Snapshot { keys: self, answer: self.published.as_ref().and_then(|keys| keys.answer(now)) }
    }

    pub(super) fn state(&self, now: Instant) -> KeysState {
        match &self.published {
            Some(published) if published.answer(now).is_none() => KeysState::Unavailable,
            _ => KeysState::Ok,
        }
    }

    /// The last answer of the key address, unless it is too old to be trusted.
    pub(super) fn published(&self, now: Instant) -> Option<(Arc<KeySet>, Option<Sent>)> {
        let answer = self.published.as_ref()?.answer(now)?;
        Some((Arc::clone(&answer.keys), answer.sent))
    }

    /// Fetches once and keeps what comes, however long ago the last fetch was.
    pub(super) async fn fetch(&self, clock: &Clock, counts: &Counts) -> Result<usize, FetchError> {
        let Some(published) = &self.published else {
            return Ok(0);
        };
        let fetched = published.jwks.fetch().await;
        counts.fetched(fetched.is_ok());
        let Answered { keys, sent } = fetched?;
        let usable = keys.len();
        if keys.is_empty() && self.secrets.is_empty() {
            tracing::warn!(
                "the project publishes no keys: it still signs with its legacy secret, \
                 and JWT_SECRET is not set"
            );
        }
        published.keep(keys, sent, clock.instant());
        Ok(usable)
    }

    /// Keeps the published set fresh until told to stop. The one place that fetches while the
    /// service runs: that is what makes it one fetch at a time and one in a cooldown.
    pub(super) async fn refresh(&self, clock: &Clock, counts: &Counts, stop: CancellationToken) {
        let Some(published) = &self.published else {
            return;
        };
        let rounds = async {
            loop {
                let begun = clock.instant();
                let pause = match self.fetch(clock, counts).await {
                    Ok(keys) => {
                        tracing::debug!(keys, "fetched the key set");
                        published.refresh.max(published.cooldown)
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the key set could not be fetched");
                        published.cooldown
                    }
                };
                select! {
                    () = clock.sleep(begun, pause) => {}
                    () = async {
                        published.wanted.notified().await;
                        clock.sleep(begun, published.cooldown).await;
                    } => {}
                }
            }
        };
        // The result says only which of the two came first.
        let _ = stop.run_until_cancelled(rounds).await;
    }
}

impl Published {
    /// The last answer, unless it is too old to be trusted.
    fn answer(&self, now: Instant) -> Option<Arc<Answer>> {
        let is_fresh =
            |answer: &Arc<Answer>| now.saturating_duration_since(answer.at) <= self.max_stale;
        self.answer.load_full().filter(is_fresh)
    }

    /// Replaces the set. The generation changes only when the keys do, so that a refresh that
    /// brings nothing new does not cost the cache.
    fn keep(&self, keys: KeySet, sent: Option<Sent>, now: Instant) {
        let keys = Arc::new(keys);
        self.answer.rcu(|last| {
            let (keys, generation) = match last {
                Some(last) if last.keys == keys => (Arc::clone(&last.keys), last.generation),
                Some(last) => (Arc::clone(&keys), last.generation + 1),
                None => (Arc::clone(&keys), 0),
            };
            Some(Arc::new(Answer { keys, generation, sent, at: now }))
        });
    }
}

impl Snapshot<'_> {
    /// The generation of the published keys; `None` while there are none to trust.
    pub(super) fn generation(&self) -> Option<Generation> {
        self.answer.as_ref().map(|answer| answer.generation)
    }

    /// Refuses algorithms for which nothing is configured.
    pub(super) fn check_family(&self, algorithm: Algorithm) -> Result<(), Refusal> {
        let cause = match algorithm {
            Algorithm::Hs256 if self.keys.secrets.is_empty() => "HS256, but JWT_SECRET is not set",
            Algorithm::Hs256 => return Ok(()),
            _ if self.keys.published.is_none() => "a published key's algorithm, but no key address",
            _ => return Ok(()),
        };
        Err(Refusal::new(Reason::TokenAlgorithm, cause))
    }

    /// Finds the key and verifies the signature with it. An unknown key asks for a fresh set.
    pub(super) fn verify(
        &self,
        header: &Header<'_>,
        message: &[u8],
        signature: &str,
    ) -> Result<(), Refusal> {
        let verified = if header.algorithm.is_published() {
            self.published_key(header, message, signature)?
        } else {
            // No set names the secrets, so `kid` says nothing about them.
            self.keys.secrets.iter().any(|secret| secret.verifies(message, signature))
        };
        if !verified {
            return Err(Refusal::new(Reason::TokenSignature, "the signature does not verify"));
        }
        Ok(())
    }

    fn published_key(
        &self,
        header: &Header<'_>,
        message: &[u8],
        signature: &str,
    ) -> Result<bool, Refusal> {
        let answer = self.answer.as_ref().ok_or(Refusal::new(
            Reason::KeysUnavailable,
            "the key set never came, or is too old to be trusted",
        ))?;
        let key = answer.keys.choose(header).inspect_err(|refusal| {
            if let (Reason::TokenKeyUnknown, Some(published)) =
                (refusal.reason, &self.keys.published)
            {
                published.wanted.notify_one();
            }
        })?;
        Ok(key.verifies(message, signature))
    }
}
