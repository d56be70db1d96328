//! Whose tokens are good: the project's keys, the secret, the issuer.

use std::sync::Arc;

use url::Url;

use super::{Check, Finding, Setup, Tell, clocks};
use crate::auth::{Clock, FetchError, JwksSettings, KeySet};

/// Fetches the keys, and looks at what tokens must be.
pub(super) async fn check(setup: &Setup, tell: Tell<'_>) {
    let settings = &setup.config.auth;
    let clock = match &settings.jwks {
        None => {
            let why = "there is no key address: SUPABASE_URL and JWKS_URL are not set";
            tell(Check::Keys.skipped(why));
            Check::IssuerClock.skipped(why)
        }
        Some(jwks) => keys(setup, jwks, tell).await,
    };
    tell(secret(setup));
    tell(issuer(setup));
    tell(clock);
}

/// The published keys. Returns what their answer tells of the issuer's clock.
async fn keys(setup: &Setup, jwks: &JwksSettings, tell: Tell<'_>) -> Finding {
    let asked = Clock::system().unix();
    let fetched = setup.auth.fetch_keys().await;
    let ours = (asked, Clock::system().unix());
    let address = shown(&jwks.url);
    if let Err(error) = fetched {
        tell(unfetched(&address, &error));
        return Check::IssuerClock.skipped("the key address does not answer");
    }
    let (keys, sent) = setup.auth.published_keys().unzip();
    if let Some(keys) = keys {
        tell(published(setup, &address, &keys));
        for (kid, algorithm) in keys.usable() {
            let kid = kid.map_or("without a kid".to_owned(), |kid| format!("kid {kid}"));
            tell(Check::Key.ok(format!("{algorithm}, {kid}")));
        }
        for why in keys.left_out() {
            let advice =
                "tokens that it signs are refused; ES256, RS256 and EdDSA keys are accepted";
            tell(Check::Key.warning(format!("cannot be used: {why}")).hint(advice));
        }
    }
    clocks::issuer(setup, ours, sent.flatten())
}

fn published(setup: &Setup, address: &str, keys: &Arc<KeySet>) -> Finding {
    match keys.len() {
        0 if setup.config.auth.secrets.is_empty() => Check::Keys
            .failed(format!("{address} publishes no key that can be used, and JWT_SECRET is not set: every token is refused"))
            .hint("the project still signs with its legacy secret: set JWT_SECRET (Dashboard, Settings, JWT Keys), or move it to signing keys"),
        0 => Check::Keys.ok(format!("{address} publishes none: tokens are signed with JWT_SECRET")),
        1 => Check::Keys.ok(format!("1 from {address}")),
        count => Check::Keys.ok(format!("{count} from {address}")),
    }
}

fn unfetched(address: &str, error: &FetchError) -> Finding {
    let hint = match error {
        FetchError::Unreachable(_) => {
            "is SUPABASE_URL (or JWKS_URL) right, and can this machine reach it? SSL_CERT_FILE names the authorities where they are not the system's"
        }
        FetchError::Status(300..=399) => {
            "redirects are not followed: set SUPABASE_URL (or JWKS_URL) to where it leads"
        }
        FetchError::Status(_) | FetchError::NotAKeySet(_) | FetchError::TooLarge => {
            "SUPABASE_URL is the project's address alone (https://<project>.supabase.co); JWKS_URL is for keys that are elsewhere"
        }
    };
    Check::Keys.failed(format!("{address}: {error}")).hint(hint)
}

/// An address without what may be secret in it.
fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

fn secret(setup: &Setup) -> Finding {
    Check::Secret.ok(match setup.config.auth.secrets.len() {
        0 => "JWT_SECRET is not set: HS256 tokens are refused",
        1 => "JWT_SECRET is set: HS256 tokens are accepted",
        _ => "JWT_SECRET and JWT_SECRET_PREVIOUS are set: HS256 tokens of both are accepted",
    })
}

fn issuer(setup: &Setup) -> Finding {
    let settings = &setup.config.auth;
    match (&settings.issuer, &settings.audience) {
        (Some(issuer), Some(audience)) => {
            Check::Issuer.ok(format!("tokens must be from {issuer}, for {audience}"))
        }
        (None, _) => Check::Issuer
            .warning("any issuer is accepted, as long as a key fits")
            .hint("set SUPABASE_URL, or JWT_ISSUER to the `iss` that the project's tokens have"),
        (Some(issuer), None) => Check::Issuer
            .warning(format!("tokens must be from {issuer}, and may be for any audience"))
            .hint("unset JWT_AUDIENCE: a Supabase access token is for `authenticated`"),
    }
}
