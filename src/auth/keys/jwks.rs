//! Fetches the project's key set over HTTP, and trusts that address no further than it must.

use std::{sync::Arc, time::UNIX_EPOCH};

use http::header::{AGE, DATE, HeaderName};
use reqwest::{Client, Response, redirect::Policy};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use url::Url;

use crate::auth::settings::{JwksSettings, SettingsError};

use super::key_set::{KeySet, NotAKeySet};

/// Several hundred keys. What is longer is no key set.
const MAX_BYTES: usize = 256 * 1024;

/// The key set's address, and the client that fetches it.
#[derive(Debug)]
pub(super) struct Jwks {
    url: Url,
    client: Client,
}

/// What the key address answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) keys: KeySet,
    pub(super) sent: Option<Sent>,
}

/// When an answer was sent, by the sender's clock, in seconds since 1970. A span: `Date` counts whole
/// seconds, and whether a cache on the way has counted the answer's age into it is not known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sent {
    /// Not before.
    pub from: f64,
    /// Not after.
    pub to: f64,
}

/// A fetch that brought no key set.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not reached, not in time, or its certificate was not accepted.
    #[error("{0}")]
    Unreachable(String),
    /// Any status but 200. Redirects are not followed: the address is a setting, and where it
    /// leads is not for others to decide.
    #[error("the answer is HTTP {0}")]
    Status(u16),
    /// More than a key set can be.
    #[error("the answer is larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// Something else than a key set.
    #[error(transparent)]
    NotAKeySet(#[from] NotAKeySet),
}

impl Jwks {
    pub(super) fn new(settings: &JwksSettings) -> Result<Self, SettingsError> {
        settings.check()?;
        let client = Client::builder()
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .timeout(settings.timeout)
            // One fetch in minutes: a connection kept open would only be a stale one.
            .pool_max_idle_per_host(0)
            .tls_backend_preconfigured(tls(&settings.url)?);
        // Loopback is not on the other side of a proxy.
        let client = if settings.is_loopback() { client.no_proxy() } else { client };
        Ok(Self { url: settings.url.clone(), client: client.build()? })
    }

    /// Fetches and reads the set, within the time and the size allowed.
    pub(super) async fn fetch(&self) -> Result<Answered, FetchError> {
        let response = self.client.get(self.url.clone()).send().await?;
        if response.status() != http::StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let sent = sent(&response);
        Ok(Answered { keys: KeySet::parse(&read(response).await?)?, sent })
    }
}

/// `Date`, in whole seconds, and `Age` (RFC 9110, section 6.6.1; RFC 9111, section 5.1).
fn sent(response: &Response) -> Option<Sent> {
    let header = |name: HeaderName| response.headers().get(name)?.to_str().ok();
    let date = httpdate::parse_http_date(header(DATE)?).ok()?;
    let from = date.duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
    let age = header(AGE).and_then(|age| age.parse::<u32>().ok()).unwrap_or(0);
    Some(Sent { from, to: from + f64::from(age) + 1.0 })
}

async fn read(mut response: Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The system's authorities, or those in `SSL_CERT_FILE` and `SSL_CERT_DIR`.
fn tls(url: &Url) -> Result<ClientConfig, SettingsError> {
    let mut roots = RootCertStore::empty();
    if url.scheme() == "https" {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "a certificate authority is left out");
        }
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(SettingsError::NoRoots);
        }
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

impl From<reqwest::Error> for FetchError {
    /// Keeps the chain of causes: the outermost says no more than that the request failed.
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            text.push_str(": ");
            text.push_str(&inner.to_string());
            cause = inner.source();
        }
        Self::Unreachable(text)
    }
}
