//! A token's claims (RFC 7519, section 4.1), strictly typed, checked in the documented order.

use std::time::Duration;

use uuid::Uuid;

use crate::error::Reason;

use super::{
    Settings,
    json::{Object, Value},
    jsonb,
    refusal::Refusal,
};

/// The one role that a token may ask for.
const ROLE: &str = "authenticated";
/// What the UUIDs of Supabase look like: 32 digits and four hyphens.
const UUID_CHARS: usize = 36;

/// What the service wants to know from verified claims.
#[derive(Debug, PartialEq)]
pub(super) struct Claims {
    pub(super) times: Times,
    pub(super) subject: Uuid,
    pub(super) session: Option<Uuid>,
    pub(super) anonymous: bool,
    pub(super) second_factor: bool,
}

/// Checks everything but the signature. `text` is what the claims were read from.
pub(super) fn check(
    claims: &Object<'_>,
    text: &str,
    settings: &Settings,
    now: f64,
) -> Result<Claims, Refusal> {
    let times = Times::read(claims)?;
    times.check(settings.clock_skew, settings.max_lifetime, now)?;
    check_issuer(claims, settings.issuer.as_deref())?;
    check_audience(claims, settings.audience.as_deref())?;
    if claims.get("role").and_then(Value::as_str) != Some(ROLE) {
        return Err(Refusal::new(Reason::TokenRole, "role is not `authenticated`"));
    }
    let subject = claims
        .get("sub")
        .and_then(uuid)
        .ok_or(Refusal::new(Reason::TokenSubject, "sub is not a UUID"))?;
    let session = match claims.get("session_id") {
        None => None,
        Some(id) => Some(uuid(id).ok_or(ill_typed("session_id is not a UUID"))?),
    };
    let anonymous = match claims.get("is_anonymous") {
        None => false,
        Some(Value::Bool(anonymous)) => *anonymous,
        Some(_) => return Err(ill_typed("is_anonymous is not a boolean")),
    };
    let second_factor = match claims.get("aal") {
        None => false,
        Some(Value::String(level)) => matches!(level.as_ref(), "aal2" | "aal3"),
        Some(_) => return Err(ill_typed("aal is not a string")),
    };
    if !jsonb::holds(claims, text) {
        return Err(ill_typed("a claim holds what PostgreSQL's jsonb cannot"));
    }
    Ok(Claims { times, subject, session, anonymous, second_factor })
}

/// The claims about time, in seconds since 1970 (`NumericDate`, fractions allowed).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Times {
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
}

impl Times {
    fn read(claims: &Object<'_>) -> Result<Self, Refusal> {
        let date = |name, cause| match claims.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or(ill_typed(cause)),
        };
        let exp = date("exp", "exp is not a number")?;
        Ok(Self {
            exp: exp.ok_or(ill_typed("exp is missing"))?,
            nbf: date("nbf", "nbf is not a number")?,
            iat: date("iat", "iat is not a number")?,
        })
    }

    /// Checks them against the clock. Done on every call, whatever a cache remembers.
    pub(super) fn check(
        &self,
        skew: Duration,
        max_lifetime: Option<Duration>,
        now: f64,
    ) -> Result<(), Refusal> {
        let skew = skew.as_secs_f64();
        // RFC 7519, section 4.1.4: not accepted *on* or after `exp`.
        if now >= self.exp + skew {
            return Err(Refusal::new(Reason::TokenExpired, "exp is past"));
        }
        if self.nbf.is_some_and(|nbf| now + skew < nbf) {
            return Err(Refusal::new(Reason::TokenNotYetValid, "nbf is ahead of the clock"));
        }
        if self.iat.is_some_and(|iat| now + skew < iat) {
            return Err(Refusal::new(Reason::TokenNotYetValid, "iat is ahead of the clock"));
        }
        let lifetime = self.exp - self.iat.unwrap_or(now);
        if max_lifetime.is_some_and(|longest| lifetime > longest.as_secs_f64()) {
            return Err(Refusal::new(
                Reason::TokenLifetime,
                "exp is further than JWT_MAX_LIFETIME",
            ));
        }
        Ok(())
    }
}

fn check_issuer(claims: &Object<'_>, expected: Option<&str>) -> Result<(), Refusal> {
    match (claims.get("iss"), expected) {
        (Some(Value::String(issuer)), Some(expected)) if issuer == expected => Ok(()),
        (None | Some(Value::String(_)), None) => Ok(()),
        _ => Err(Refusal::new(Reason::TokenIssuer, "iss is not JWT_ISSUER")),
    }
}

/// RFC 7519, section 4.1.3: one audience, or a list that must name this one.
fn check_audience(claims: &Object<'_>, expected: Option<&str>) -> Result<(), Refusal> {
    let is_expected = |audience: &str| expected.is_none_or(|expected| audience == expected);
    let accepted = match claims.get("aud") {
        None => expected.is_none(),
        Some(Value::String(audience)) => is_expected(audience),
        Some(Value::Array(list)) => {
            let names: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
            names.is_some_and(|names| names.into_iter().any(is_expected))
        }
        Some(_) => false,
    };
    if accepted {
        return Ok(());
    }
    Err(Refusal::new(Reason::TokenAudience, "aud is not JWT_AUDIENCE"))
}

fn uuid(value: &Value<'_>) -> Option<Uuid> {
    let text = value.as_str().filter(|text| text.len() == UUID_CHARS)?;
    Uuid::try_parse(text).ok()
}

fn ill_typed(cause: &'static str) -> Refusal {
    Refusal::new(Reason::TokenClaims, cause)
}
