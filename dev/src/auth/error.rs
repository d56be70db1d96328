//! Refusals in the words and shape of Supabase Auth.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// A refusal: HTTP status, error code and message, as Supabase Auth documents them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthError {
    /// The HTTP status.
    pub status: u16,
    /// The error code, such as `invalid_credentials`.
    pub code: &'static str,
    /// The message that supabase-js shows.
    pub message: String,
    /// More members of the answer.
    more: Map<String, Value>,
}

impl AuthError {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), more: Map::new() }
    }

    pub(super) fn weak_password() -> Self {
        let message = "Password should be at least 6 characters.";
        let mut error = Self::new(422, "weak_password", message);
        error.more.insert("weak_password".into(), json!({ "reasons": ["length"] }));
        error
    }

    pub(super) fn not_confirmed() -> Self {
        Self::new(400, "email_not_confirmed", "Email not confirmed")
    }

    /// The answer's body, in the form that clients understand since API version 2024-01-01, or in
    /// the older one.
    pub(super) fn into_response(self, new: bool) -> Response {
        let mut body = self.more;
        let (code, message) = if new { ("code", "message") } else { ("error_code", "msg") };
        if !new {
            body.insert("code".into(), self.status.into());
        }
        body.insert(code.into(), self.code.into());
        body.insert(message.into(), self.message.into());
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        (status, Json(body)).into_response()
    }
}

impl std::fmt::Display for AuthError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {}", self.code, self.status, self.message)
    }
}

impl std::error::Error for AuthError {}

/// What is no refusal: the database is gone, or refuses what a trigger did.
impl From<tokio_postgres::Error> for AuthError {
    fn from(error: tokio_postgres::Error) -> Self {
        // A developer looks for the cause here; this issuer serves nobody else.
        let text = error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string);
        Self::new(500, "unexpected_failure", format!("Database error: {text}"))
    }
}

impl From<anyhow::Error> for AuthError {
    fn from(error: anyhow::Error) -> Self {
        Self::new(500, "unexpected_failure", format!("{error:#}"))
    }
}
