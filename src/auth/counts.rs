//! What happened, in numbers that only grow, for the metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters since the start.
#[derive(Debug, Default)]
pub struct Counts {
    cache_hits: AtomicU64,
    cache_misses: AtomicU64,
    fetches: AtomicU64,
    failed_fetches: AtomicU64,
}

impl Counts {
    /// Tokens that were found verified in the cache.
    pub fn cache_hits(&self) -> u64 {
        self.cache_hits.load(Relaxed)
    }

    /// Tokens that were not, whatever became of them.
    pub fn cache_misses(&self) -> u64 {
        self.cache_misses.load(Relaxed)
    }

    /// Fetches of the key set that brought one.
    pub fn fetches(&self) -> u64 {
        self.fetches.load(Relaxed)
    }

    /// Fetches of the key set that failed.
    pub fn failed_fetches(&self) -> u64 {
        self.failed_fetches.load(Relaxed)
    }

    pub(super) fn looked_up(&self, hit: bool) {
        if hit { &self.cache_hits } else { &self.cache_misses }.fetch_add(1, Relaxed);
    }

    pub(super) fn fetched(&self, succeeded: bool) {
        if succeeded { &self.fetches } else { &self.failed_fetches }.fetch_add(1, Relaxed);
    }
}
