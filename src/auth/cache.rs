//! Verified tokens, so that a client's next call costs a hash and not a signature.
//!
//! Tokens are known by their SHA-256: a look-up compares no secret byte by byte, and the memory
//! holds none. Only verified ones are kept.

use std::time::Duration;

use quick_cache::{Weighter, sync};
use tokio::time::Instant;

use super::{Digest, keys::Generation, verified::Verified};

/// What the cache itself needs for an entry beside what is counted, rounded up: its place in the
/// table, its links, and the allocations' heads.
const OVERHEAD_BYTES: usize = 192;
/// For sizing the table: a usual token's claims with everything around them.
const USUAL_ENTRY_BYTES: usize = 1024;

/// A bounded map of verified tokens.
#[derive(Debug)]
pub(super) struct Cache {
    entries: sync::Cache<Digest, Entry, Bytes>,
    ttl: Duration,
}

#[derive(Clone, Debug)]
struct Entry {
    verified: Verified,
    /// The published keys that it was verified with; `None` for a secret, which never changes.
    generation: Option<Generation>,
    since: Instant,
}

#[derive(Clone, Debug)]
struct Bytes;

impl Weighter<Digest, Entry> for Bytes {
    fn weight(&self, _: &Digest, entry: &Entry) -> u64 {
        let size = size_of::<Digest>() + size_of::<Entry>() + entry.verified.heap_bytes();
        (size + OVERHEAD_BYTES) as u64
    }
}

impl Cache {
    /// A cache that takes up to so many bytes and keeps an entry for up to `ttl`.
    pub(super) fn new(bytes: usize, ttl: Duration) -> Self {
        let usual_entries = (bytes / USUAL_ENTRY_BYTES).max(1);
        Self { entries: sync::Cache::with_weighter(usual_entries, bytes as u64, Bytes), ttl }
    }

    /// Finds a token that was verified not long ago, with keys that are still the current ones.
    pub(super) fn get(
        &self,
        digest: &Digest,
        generation: Option<Generation>,
        now: Instant,
    ) -> Option<Verified> {
        let entry = self.entries.get(digest)?;
        let current = entry.generation.is_none() || entry.generation == generation;
        let recent = now.saturating_duration_since(entry.since) < self.ttl;
        (current && recent).then_some(entry.verified)
    }

    /// Remembers a verified token.
    pub(super) fn insert(
        &self,
        digest: Digest,
        verified: Verified,
        generation: Option<Generation>,
        now: Instant,
    ) {
        let entry = Entry { verified, generation, since: now };
        self.entries.insert(digest, entry);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::auth::{claims::Claims, json::Object};

    /// An entry with claims of this many bytes.
    fn verified(claims_bytes: usize) -> Verified {
        let text =
            r#"{"exp":2,"role":"authenticated","sub":"00000000-0000-0000-0000-000000000000"}"#;
        let settings = crate::auth::Settings { audience: None, ..Default::default() };
        let object = Object::parse(text).expect("an object");
        let claims: Claims =
            crate::auth::claims::check(&object, text, &settings, 1.0).expect("good claims");
        assert_eq!(claims.subject, Uuid::nil());
        Verified::new(claims, &"x".repeat(claims_bytes))
    }

    fn digest(number: u64) -> Digest {
        let mut digest = Digest::default();
        digest[..8].copy_from_slice(&number.to_le_bytes());
        digest
    }

    #[test]
    fn a_million_distinct_tokens_stay_inside_the_bound() {
        const BOUND: usize = 1 << 20;
        let cache = Cache::new(BOUND, Duration::from_secs(60));
        let now = Instant::now();
        let token = verified(700);
        for number in 0..1_000_000 {
            cache.insert(digest(number), token.clone(), None, now);
        }
        assert!(cache.entries.weight() <= BOUND as u64, "{}", cache.entries.weight());
        assert!(cache.entries.weight() > BOUND as u64 / 2, "{}", cache.entries.weight());
        let table = cache.entries.memory_used().total();
        assert!(table < BOUND / 2, "{table} bytes of table, most of them counted as overhead");
    }

    #[test]
    fn a_token_larger_than_the_bound_is_not_kept() {
        let cache = Cache::new(4096, Duration::from_secs(60));
        let now = Instant::now();
        cache.insert(digest(1), verified(10_000), None, now);
        assert!(cache.get(&digest(1), None, now).is_none());
    }

    #[test]
    fn only_the_generation_that_it_was_verified_with_finds_it() {
        let cache = Cache::new(1 << 20, Duration::from_secs(60));
        let now = Instant::now();
        cache.insert(digest(1), verified(10), Some(7), now);
        cache.insert(digest(2), verified(10), None, now);
        assert!(cache.get(&digest(1), Some(7), now).is_some());
        assert!(cache.get(&digest(1), Some(8), now).is_none());
        assert!(cache.get(&digest(1), None, now).is_none());
        assert!(cache.get(&digest(2), Some(8), now).is_some());
        assert!(cache.get(&digest(2), None, now).is_some());
    }
}
