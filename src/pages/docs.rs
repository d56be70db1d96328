//! `/openapi.json`, and Swagger UI at `/docs`.

use axum::Router;
use http::HeaderValue;
use prost_reflect::MethodDescriptor;

use super::asset::{CSS, HTML, JAVASCRIPT, JSON, asset, page};
use crate::{
    auth::{Auth, Requirement},
    error::{DOMAIN, Reason},
    openapi::{About, Access, Failure, document},
    wires::Api,
};

/// Nothing inline, nothing from elsewhere; Swagger UI's images are in its style sheet.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const SWAGGER_UI_CSS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css"));
const SWAGGER_UI_JS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js"));

const DESCRIPTION: &str = include_str!("docs/description.md");
const TOKEN: &str = "The Supabase access token: `session.access_token` of supabase-js, \
                     not one of the project's API keys.";

pub(super) fn router(api: &Api, auth: &Auth, shown: impl Fn(&str) -> bool) -> Router {
    Router::new()
        .route("/openapi.json", asset(JSON, openapi(api, auth, shown)))
        .route("/docs", page(HTML, include_str!("docs/docs.html"), POLICY))
        .route("/docs/docs.css", asset(CSS, include_str!("docs/docs.css")))
        .route("/docs/docs.js", asset(JAVASCRIPT, include_str!("docs/docs.js")))
        .route("/docs/swagger-ui.css", asset(CSS, SWAGGER_UI_CSS))
        .route("/docs/swagger-ui.js", asset(JAVASCRIPT, SWAGGER_UI_JS))
}

fn openapi(api: &Api, auth: &Auth, shown: impl Fn(&str) -> bool) -> String {
    let failures: Vec<_> = Reason::ALL
        .iter()
        .map(|reason| Failure {
            reason: reason.as_str(),
            code: reason.code(),
            message: reason.message(),
            retry: reason.retry_delay().is_some(),
        })
        .collect();
    let about = About {
        title: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        description: DESCRIPTION,
        license: env!("CARGO_PKG_LICENSE"),
        token: TOKEN,
        domain: DOMAIN,
        failures: &failures,
    };
    let document = document(api, &about, shown, |rpc| access(auth, rpc));
    document.to_json().unwrap_or_default()
}

fn access(auth: &Auth, rpc: &MethodDescriptor) -> Access {
    let path = format!("/{}/{}", rpc.parent_service().full_name(), rpc.name());
    let (token_required, note) = match auth.requirement(&path) {
        Some(Requirement::Public) => (false, None),
        Some(Requirement::PermanentUser) => (true, Some("Not open to anonymous users.")),
        Some(Requirement::Aal2) => (true, Some("Needs a second factor (`aal2`).")),
        Some(Requirement::SignedIn) | None => (true, None),
    };
    Access { token_required, note }
}
