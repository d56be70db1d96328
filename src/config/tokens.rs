//! The settings of token verification.

use bytesize::ByteSize;
use url::Url;

use super::{optional, reader::Reader, settings::*};
use crate::auth;

/// From a Supabase project's address to its Auth service.
const AUTH_PATH: &str = "auth/v1";
/// From there to its keys.
const JWKS_PATH: &str = ".well-known/jwks.json";
/// Switches a check off.
const ANY: &str = "*";
/// Where `JWT_SECRET` may stand too, as in Supabase's own documentation.
const SUPABASE_JWT_SECRET: &str = "SUPABASE_JWT_SECRET";
/// A token's bounds: below, no token fits; above, no header would.
const TOKEN_BYTES: (u64, u64) = (1 << 10, 1 << 20);

/// What a request's headers take besides the token, in bytes.
const OTHER_HEADERS: u64 = 4 << 10;

/// Reads whose tokens are good. `max_header_bytes` is what a token has to fit into; `None` where that
/// is wrong itself.
pub(super) fn read(
    reader: &mut Reader<'_>,
    max_header_bytes: Option<u64>,
) -> Option<auth::Settings> {
    let project = optional(reader, &SUPABASE_URL, |reader| reader.parse(&SUPABASE_URL, project));
    let secrets = secrets(reader);
    let jwks = optional(reader, &JWKS_URL, |reader| {
        reader.parse(&JWKS_URL, |text| Url::parse(text).map_err(|_| "is not a URL"))
    });
    let issuer = reader.given(&JWT_ISSUER);
    let audience = reader.text(&JWT_AUDIENCE);
    let clock_skew = reader.duration(&JWT_CLOCK_SKEW);
    let max_lifetime =
        optional(reader, &JWT_MAX_LIFETIME, |reader| reader.positive_duration(&JWT_MAX_LIFETIME));
    let token_max_bytes = token_max_bytes(reader, max_header_bytes);
    let cache_bytes = reader.bytes(&TOKEN_CACHE_BYTES, 0, 1 << 40);
    let cache_ttl = reader.duration(&TOKEN_CACHE_TTL);

    // The address of the keys, and the setting that says it.
    let key_address = match (&jwks, &project) {
        (Some(Some(url)), _) => Some((&JWKS_URL, url.clone())),
        (Some(None), Some(Some(auth))) => auth.join(JWKS_PATH).ok().map(|url| (&SUPABASE_URL, url)),
        _ => None,
    };
    let key_set = key_set(reader, key_address);

    let (project, secrets) = (project?, secrets?);
    jwks?;
    let jwks = key_set?;
    if jwks.is_none() && secrets.is_empty() {
        reader.problem(
            &SUPABASE_URL,
            "is missing: set it to https://<project>.supabase.co, or set JWKS_URL or JWT_SECRET",
        );
        return None;
    }
    let of_project = || project.map(|auth| auth.as_str().trim_end_matches('/').to_owned());
    Some(auth::Settings {
        secrets,
        jwks,
        issuer: issuer.or_else(of_project).filter(|issuer| issuer != ANY),
        audience: audience.filter(|audience| audience != ANY),
        clock_skew: clock_skew?,
        max_lifetime: max_lifetime?,
        token_max_bytes: usize::try_from(token_max_bytes?).ok()?,
        cache_bytes: usize::try_from(cache_bytes?).ok()?,
        cache_ttl: cache_ttl?,
    })
}

/// The longest token. One for which the headers have no room is never seen here: its call ends with a
/// bare 431, and no reason.
fn token_max_bytes(reader: &mut Reader<'_>, max_header_bytes: Option<u64>) -> Option<u64> {
    let token = reader.bytes(&TOKEN_MAX_BYTES, TOKEN_BYTES.0, TOKEN_BYTES.1)?;
    let Some(headers) = max_header_bytes else { return Some(token) };
    let (most, least) = (headers.saturating_sub(OTHER_HEADERS), token + OTHER_HEADERS);
    if token > most {
        let [most, least] = [most, least].map(|it| ByteSize(it).display().iec());
        reader.warn(
            &TOKEN_MAX_BYTES,
            format_args!(
                "is more than fits into MAX_HEADER_BYTES: set it to {most} or less, or \
                 MAX_HEADER_BYTES to {least} or more"
            ),
        );
    }
    Some(token)
}

/// The address of the project's Auth service, with a slash behind it.
pub(super) fn project(text: &str) -> Result<Url, &'static str> {
    const WRONG: &str = "is not a project's address: write https://<project>.supabase.co";
    let url =
        Url::parse(&format!("{}/{AUTH_PATH}/", text.trim_end_matches('/'))).map_err(|_| WRONG)?;
    let is_http = matches!(url.scheme(), "http" | "https");
    if is_http && url.has_host() && url.query().is_none() { Ok(url) } else { Err(WRONG) }
}

fn secrets(reader: &mut Reader<'_>) -> Option<Vec<auth::Secret>> {
    let current = reader.given(&JWT_SECRET);
    let alias = reader.secret(SUPABASE_JWT_SECRET);
    if current.is_some() && alias.is_some() && current != alias {
        reader.problem(
            &JWT_SECRET,
            "and SUPABASE_JWT_SECRET differ: keep one, or move the older to JWT_SECRET_PREVIOUS",
        );
        return None;
    }
    let previous = reader.given(&JWT_SECRET_PREVIOUS);
    let of = |reader: &mut Reader<'_>, setting: &Setting, value: Option<String>| match value {
        None => Some(None),
        Some(value) => match auth::Secret::new(value) {
            Ok(secret) => Some(Some(secret)),
            Err(error) => {
                reader.add(format!("{}: {error}", setting.name));
                None
            }
        },
    };
    let current = of(reader, &JWT_SECRET, current.or(alias));
    let previous = of(reader, &JWT_SECRET_PREVIOUS, previous);
    Some([current?, previous?].into_iter().flatten().collect())
}

/// Reads how keys are fetched, whether or not there is an address to fetch them from: a wrong value is
/// wrong all the same.
fn key_set(
    reader: &mut Reader<'_>,
    address: Option<(&Setting, Url)>,
) -> Option<Option<auth::JwksSettings>> {
    let refresh = reader.positive_duration(&JWKS_REFRESH);
    let cooldown = reader.positive_duration(&JWKS_COOLDOWN);
    let timeout = reader.positive_duration(&JWKS_TIMEOUT);
    let max_stale = reader.positive_duration(&JWKS_MAX_STALE);
    let allow_http = reader.switch(&JWKS_ALLOW_HTTP);
    if let (Some(refresh), Some(cooldown), Some(timeout), Some(max_stale)) =
        (refresh, cooldown, timeout, max_stale)
    {
        let between = refresh.max(cooldown).saturating_add(timeout);
        if max_stale < between {
            let between = humantime::format_duration(between);
            reader.warn(
                &JWKS_MAX_STALE,
                format_args!(
                    "is less than {between}: keys can be too old before newer ones come. Set it \
                     to that or more, or lower JWKS_REFRESH, JWKS_COOLDOWN or JWKS_TIMEOUT"
                ),
            );
        }
    }
    let Some((setting, url)) = address else { return Some(None) };

    let settings = auth::JwksSettings {
        // A switch that is neither on nor off is a problem already.
        allow_http: allow_http.unwrap_or(true),
        ..auth::JwksSettings::new(url)
    };
    if let Err(error) = settings.check() {
        reader.add(format!("{}: {error}", setting.name));
    }
    Some(Some(auth::JwksSettings {
        refresh: refresh?,
        cooldown: cooldown?,
        timeout: timeout?,
        max_stale: max_stale?,
        ..settings
    }))
}
