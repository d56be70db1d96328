//! The settings of the web pages.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{reader::Reader, settings::*, tokens};
use crate::pages::{Project, Settings};

/// Reads which pages are served.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Settings> {
    let docs = reader.switch(&DOCS);
    let explorer = reader.switch(&EXPLORER);
    let key = reader.given(&SUPABASE_PUBLISHABLE_KEY);
    if key.as_deref().is_some_and(is_secret) {
        // The value itself is not repeated.
        const WRONG: &str = "is a secret key, and the page would show it: \
                             set the publishable key, sb_publishable_…, or the anon key";
        reader.problem(&SUPABASE_PUBLISHABLE_KEY, WRONG);
    }
    // A wrong address is reported once, where tokens are read.
    let auth = reader.given(&SUPABASE_URL).and_then(|url| tokens::project(url.trim()).ok());
    let project = auth.zip(key).map(|(auth, key)| Project { auth, key });
    Some(Settings { docs: docs?, explorer: explorer?, project })
}

fn is_secret(key: &str) -> bool {
    key.starts_with("sb_secret_") || is_service_role(key)
}

/// The older keys are tokens that name their role.
fn is_service_role(key: &str) -> bool {
    let payload = key.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = payload.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    claims.is_some_and(|claims| claims.get("role").is_some_and(|role| role == "service_role"))
}
