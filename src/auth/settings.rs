//! What the verification of tokens can be told.

use std::{fmt, time::Duration};

use jsonwebtoken::DecodingKey;
use url::{Host, Url};

use super::header::Algorithm;

/// The shortest HS256 secret, in bytes: RFC 7518, section 3.2, wants a key as long as the hash.
pub const MIN_SECRET_BYTES: usize = 32;

/// Everything that decides which tokens are accepted. `Default` is what the documentation names.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The HS256 secrets: the current one, and during a rotation the previous one.
    pub secrets: Vec<Secret>,
    /// Where the project publishes its asymmetric keys.
    pub jwks: Option<JwksSettings>,
    /// The `iss` that tokens must have; `None` accepts any.
    pub issuer: Option<String>,
    /// The `aud` that tokens must have; `None` accepts any.
    pub audience: Option<String>,
    /// How far the issuer's clock may be from this one, for `exp`, `nbf` and `iat`.
    pub clock_skew: Duration,
    /// The longest time between `iat` (now, without one) and `exp`.
    pub max_lifetime: Option<Duration>,
    /// The largest token, in bytes.
    pub token_max_bytes: usize,
    /// The memory that verified tokens may take, in bytes; 0 switches the cache off.
    pub cache_bytes: usize,
    /// How long a verified token is taken for verified.
    pub cache_ttl: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            secrets: Vec::new(),
            jwks: None,
            issuer: None,
            audience: Some("authenticated".to_owned()),
            clock_skew: Duration::from_secs(30),
            max_lifetime: None,
            token_max_bytes: 16 * 1024,
            cache_bytes: 8 * 1024 * 1024,
            cache_ttl: Duration::from_secs(60),
        }
    }
}

/// Where and how the project's JSON Web Key Set (RFC 7517, section 5) is fetched.
#[derive(Clone, Debug)]
pub struct JwksSettings {
    /// The set's address.
    pub url: Url,
    /// The time between two fetches when nothing calls for one sooner.
    pub refresh: Duration,
    /// The shortest time between the beginnings of two fetches, failed ones included.
    pub cooldown: Duration,
    /// The longest time for one fetch, from the connection to the last byte.
    pub timeout: Duration,
    /// How old the last answer may be before its keys are no longer trusted.
    pub max_stale: Duration,
    /// Accepts `http:` for hosts other than loopback.
    pub allow_http: bool,
}

impl JwksSettings {
    /// The documented defaults for this address.
    pub fn new(url: Url) -> Self {
        Self {
            url,
            refresh: Duration::from_secs(600),
            cooldown: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            max_stale: Duration::from_secs(24 * 3600),
            allow_http: false,
        }
    }

    /// Refuses an address over which anybody on the way could hand out keys.
    ///
    /// # Errors
    /// [`SettingsError::InsecureKeyAddress`], [`SettingsError::KeyAddressScheme`].
    pub fn check(&self) -> Result<(), SettingsError> {
        match self.url.scheme() {
            "https" => Ok(()),
            "http" if self.allow_http || self.is_loopback() => Ok(()),
            "http" => Err(SettingsError::InsecureKeyAddress),
            _ => Err(SettingsError::KeyAddressScheme),
        }
    }

    /// Whether the address is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

/// An HS256 secret that is long enough. It does not show itself in debug output, and
/// is wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(DecodingKey);

impl Secret {
    /// Takes the secret's bytes as they are: Supabase does not encode them further.
    ///
    /// # Errors
    /// [`SettingsError::ShortSecret`] under [`MIN_SECRET_BYTES`].
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, SettingsError> {
        let bytes = bytes.as_ref();
        if bytes.len() < MIN_SECRET_BYTES {
            return Err(SettingsError::ShortSecret(bytes.len()));
        }
        Ok(Self(DecodingKey::from_secret(bytes)))
    }

    /// Tells whether this secret made the signature, in constant time.
    pub(super) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        Algorithm::Hs256.verifies(&self.0, message, signature)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Settings that no service can be built from.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Nothing could ever verify a token.
    #[error("there is no key to verify tokens with: set SUPABASE_URL, JWKS_URL or JWT_SECRET")]
    NoKeys,
    /// A secret that can be guessed from one token.
    #[error(
        "the secret has {0} bytes, and HS256 needs at least {MIN_SECRET_BYTES}: \
         copy the whole JWT secret from the project's settings"
    )]
    ShortSecret(usize),
    /// A key address in the clear.
    #[error(
        "the key address must be https: over http anybody on the way could hand out keys \
         (set JWKS_ALLOW_HTTP where the network is trusted)"
    )]
    InsecureKeyAddress,
    /// A key address that no HTTP client can fetch.
    #[error("the key address must begin with https:// (or http:// on loopback)")]
    KeyAddressScheme,
    /// No certificate authority to check the key address's certificate by.
    #[error(
        "no certificate authorities were found to check the key address by: \
         install ca-certificates or set SSL_CERT_FILE"
    )]
    NoRoots,
    /// The TLS library takes none of its own protocol versions.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// The HTTP client cannot be built.
    #[error("the HTTP client for the key address cannot be set up")]
    Client(#[from] reqwest::Error),
    /// A method with a requirement that this version does not know.
    #[error("the method {0} requires something that this version does not know")]
    UnknownRequirement(String),
}
