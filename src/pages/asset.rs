//! One file of a page, with the headers that it needs.

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::IntoResponse,
    routing::{MethodRouter, get},
};
use bytes::Bytes;

pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const CSS: &str = "text/css; charset=utf-8";
pub(super) const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
pub(super) const JSON: &str = "application/json";

/// Answers with these bytes.
pub(super) fn asset(content_type: &'static str, body: impl Into<Bytes>) -> MethodRouter {
    page(content_type, body, HeaderValue::from_static("default-src 'none'; sandbox"))
}

/// Answers with these bytes, under this content security policy.
pub(super) fn page(
    content_type: &'static str,
    body: impl Into<Bytes>,
    policy: HeaderValue,
) -> MethodRouter {
    let body = body.into();
    let fixed = HeaderValue::from_static;
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_TYPE, fixed(content_type)),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff")),
        (header::REFERRER_POLICY, fixed("no-referrer")),
        // The next version of the binary may bring another file.
        (header::CACHE_CONTROL, fixed("no-cache")),
    ];
    get(async move || (headers, body).into_response())
}
