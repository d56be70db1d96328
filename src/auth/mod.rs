//! `Authorization` → [`Caller`].
//!
//! A token's way, one module each, in the order in which defects are named:
//!
//! ```text
//! authorization  header → token: scheme, placeholders, size
//! token          compact form → two JSON objects; API keys
//! header         crit, b64, zip, typ, cty; the algorithm
//! keys           kid and algorithm → key → signature
//! claims         time, issuer, audience, role, subject, the rest
//! requirement    what the method asks for
//! session        whether the session still stands
//! ```

mod authorization;
mod cache;
mod caller;
mod claims;
mod clock;
mod counts;
mod guard;
mod header;
mod interceptor;
mod json;
mod jsonb;
mod keys;
mod refusal;
mod requirement;
mod session;
mod settings;
mod token;
mod verified;

use std::sync::Arc;

use aws_lc_rs::digest;
use http::HeaderMap;
use prost_reflect::DescriptorPool;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

use cache::Cache;
use keys::Keys;
use refusal::Refusal;
use requirement::Requirements;
use token::Compact;

pub use caller::{Caller, Role};
pub use clock::Clock;
pub use counts::Counts;
pub use guard::{Guarded, SessionChecked};
pub use interceptor::AuthInterceptor;
pub use keys::{FetchError, KeySet, KeysState, NotAKeySet, Sent};
pub use requirement::Requirement;
pub use session::{Session, Sessions, Standing};
pub use settings::{JwksSettings, MIN_SECRET_BYTES, Secret, Settings, SettingsError};
pub use verified::Verified;

/// A token's SHA-256: its name in the cache, and its first bytes in the log.
type Digest = [u8; 32];

/// Verifies tokens and guards services with it. Cheap to clone; clones share keys and cache.
#[derive(Clone, Debug)]
pub struct Auth(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: Settings,
    clock: Clock,
    keys: Keys,
    cache: Option<Cache>,
    requirements: Requirements,
    counts: Counts,
}

impl Auth {
    /// Sets verification up. It fetches nothing yet: [`Auth::refresh_keys`] does.
    ///
    /// # Errors
    /// Settings that cannot work, each with what to do.
    pub fn new(
        settings: Settings,
        descriptors: &DescriptorPool,
        clock: Clock,
    ) -> Result<Self, SettingsError> {
        let keys = Keys::new(&settings)?;
        let requirements = Requirements::read(descriptors)?;
        let cache = (settings.cache_bytes > 0)
            .then(|| Cache::new(settings.cache_bytes, settings.cache_ttl));
        let counts = Counts::default();
        Ok(Self(Arc::new(Shared { settings, clock, keys, cache, requirements, counts })))
    }

    /// Verifies the token in these headers; `None` when they hold no `Authorization`.
    ///
    /// # Errors
    /// The reason for which the token is refused, with its cause for the log; a first verification
    /// while no keys could be had is `KEYS_UNAVAILABLE`.
    pub fn verify(&self, headers: &HeaderMap) -> Result<Option<Verified>, Error> {
        let token = authorization::token(headers, self.0.settings.token_max_bytes)
            .map_err(|refusal| refusal.into_error(None))?;
        let Some(token) = token else {
            return Ok(None);
        };
        let digest = sha256(token);
        let verified = self.0.verify(token, digest);
        verified.map(Some).map_err(|refusal| refusal.into_error(Some(digest)))
    }

    /// Keeps the published keys fresh until told to stop; returns at once without a key address.
    pub async fn refresh_keys(&self, stop: CancellationToken) {
        self.0.keys.refresh(&self.0.clock, &self.0.counts, stop).await;
    }

    /// Fetches the published keys once; tells how many can be used. For checking a setup: a
    /// running service refreshes them by itself.
    ///
    /// # Errors
    /// Why no key set was had.
    pub async fn fetch_keys(&self) -> Result<usize, FetchError> {
        self.0.keys.fetch(&self.0.clock, &self.0.counts).await
    }

    /// The published keys that were fetched last, and when the issuer says that it sent them;
    /// `None` while there are none to trust.
    pub fn published_keys(&self) -> Option<(Arc<KeySet>, Option<Sent>)> {
        self.0.keys.published(self.0.clock.instant())
    }

    /// Whether the keys are there, for readiness.
    pub fn keys_state(&self) -> KeysState {
        self.0.keys.state(self.0.clock.instant())
    }

    /// What a method requires, by its path on the gRPC wire; `None` for one that the descriptors do
    /// not know.
    pub fn requirement(&self, path: &str) -> Option<Requirement> {
        self.0.requirements.of(path)
    }

    /// What happened so far, in numbers.
    pub fn counts(&self) -> &Counts {
        &self.0.counts
    }
}

impl Shared {
    fn verify(&self, token: &[u8], digest: Digest) -> Result<Verified, Refusal> {
        let now = self.clock.instant();
        let keys = self.keys.snapshot(now);
        let cached = self.cache.as_ref().and_then(|c| c.get(&digest, keys.generation(), now));
        self.counts.looked_up(cached.is_some());
        if let Some(verified) = cached {
            let settings = &self.settings;
            let unix = self.clock.unix();
            verified.times().check(settings.clock_skew, settings.max_lifetime, unix)?;
            return Ok(verified);
        }
        let compact = Compact::decode(token)?;
        let (header, claims) = compact.parse()?;
        let header = header::check(&header)?;
        keys.check_family(header.algorithm)?;
        keys.verify(&header, compact.signing_input, compact.signature)?;
        let claims = claims::check(&claims, &compact.payload, &self.settings, self.clock.unix())?;
        let verified = Verified::new(claims, &compact.payload);
        if let Some(cache) = &self.cache {
            let generation = keys.generation().filter(|_| header.algorithm.is_published());
            cache.insert(digest, verified.clone(), generation, now);
        }
        Ok(verified)
    }
}

fn sha256(token: &[u8]) -> Digest {
    let mut digest = Digest::default();
    digest.copy_from_slice(digest::digest(&digest::SHA256, token).as_ref());
    digest
}
