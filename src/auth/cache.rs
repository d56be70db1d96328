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
const OVERHEAD_BYTES: usize = 128;
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
    until: Instant,
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
        (current && now < entry.until).then_some(entry.verified)
    }

    /// Remembers a verified token.
    pub(super) fn insert(
        &self,
        digest: Digest,
        verified: Verified,
        generation: Option<Generation>,
        now: Instant,
    ) {
        let entry = Entry { verified, generation, until: now + self.ttl };
        self.entries.insert(digest, entry);
    }
}
