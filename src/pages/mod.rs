//! The web pages that the service itself serves, from the binary alone: `/docs`, `/openapi.json`,
//! and the page at `/`.

mod asset;
mod docs;
mod explorer;

use axum::Router;
use serde::Serialize;
use url::Url;

use crate::{auth::Auth, wires::Api};

/// The paths of pages, as templates: no binding may take them, whether or not they are served.
pub const PATHS: [&str; 4] = ["/", "/explorer/**", "/openapi.json", "/docs/**"];

/// Which pages are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `/docs` and `/openapi.json`.
    pub docs: bool,
    /// The page at `/`.
    pub explorer: bool,
    /// Where one can sign in on the page at `/`.
    pub project: Option<Project>,
}

/// A Supabase project, as far as signing in needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Project {
    /// The address of its Auth service, with a slash behind it.
    pub auth: Url,
    /// Its publishable key.
    pub key: String,
}

/// The pages. What they show is made here, once: the services whose names `shown` wants.
pub fn router(settings: &Settings, api: &Api, auth: &Auth, shown: impl Fn(&str) -> bool) -> Router {
    let mut router = Router::new();
    if settings.docs {
        router = router.merge(docs::router(api, auth, &shown));
    }
    if settings.explorer {
        router = router.merge(explorer::router(settings, api, auth, &shown));
    }
    router
}
