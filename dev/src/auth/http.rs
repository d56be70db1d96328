//! The HTTP surface of Supabase Auth that supabase-js uses.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, http::Method};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::error::AuthError;
use super::sessions::Scope;
use super::{Inner, Session, SignedUp};

const API_VERSION: HeaderName = HeaderName::from_static("x-supabase-api-version");
/// Since this version errors carry their code as `code`.
const CODES: &str = "2024-01-01";

type App = State<Arc<Inner>>;

pub(super) fn router(issuer: Arc<Inner>) -> Router {
    let auth = Router::new()
        .route("/health", get(health))
        .route("/signup", post(signup))
        .route("/token", post(token))
        .route("/verify", post(verify))
        .route("/user", get(user))
        .route("/logout", post(logout))
        .route("/.well-known/jwks.json", get(jwks));
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .allow_credentials(true)
        .expose_headers([API_VERSION]);
    Router::new().nest("/auth/v1", auth).layer(cors).with_state(issuer)
}

async fn health() -> Json<Value> {
    Json(json!({ "name": "dev", "description": "a stand-in for Supabase Auth" }))
}

/// Members that one request or the other carries.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    email: String,
    phone: String,
    password: String,
    data: Option<Map<String, Value>>,
    refresh_token: String,
    token_hash: String,
}

impl Body {
    fn parse(bytes: &[u8]) -> Result<Self, AuthError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let bad = |error| {
            AuthError::new(
                400,
                "bad_json",
                format!("Could not parse request body as JSON: {error}"),
            )
        };
        serde_json::from_slice(bytes).map_err(bad)
    }
}

async fn signup(State(issuer): App, headers: HeaderMap, body: Bytes) -> Response {
    let outcome = async {
        let body = Body::parse(&body)?;
        refuse_phone(&body)?;
        let data = body.data.unwrap_or_default();
        if body.email.is_empty() && body.password.is_empty() {
            let session = issuer.sign_up_anonymously(data).await?;
            return Ok(SignedUp::Confirmed(Box::new(session)));
        }
        issuer.sign_up(&body.email, &body.password, data).await
    };
    answer(&headers, outcome.await.map(|signed_up| Json(signed_up).into_response()))
}

/// What the page that a link leads to sends.
async fn verify(State(issuer): App, headers: HeaderMap, body: Bytes) -> Response {
    let outcome = async { issuer.confirm(&Body::parse(&body)?.token_hash).await };
    session(&headers, outcome.await)
}

#[derive(Deserialize)]
struct Grant {
    #[serde(default)]
    grant_type: String,
}

async fn token(
    State(issuer): App,
    Query(grant): Query<Grant>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let outcome = async {
        let body = Body::parse(&body)?;
        match grant.grant_type.as_str() {
            "password" => {
                refuse_phone(&body)?;
                issuer.sign_in(&body.email, &body.password).await
            }
            "refresh_token" => issuer.refresh(&body.refresh_token).await,
            _ => Err(AuthError::new(400, "validation_failed", "unsupported_grant_type")),
        }
    };
    session(&headers, outcome.await)
}

async fn user(State(issuer): App, headers: HeaderMap) -> Response {
    let outcome = async { issuer.user(bearer(&headers)?).await };
    answer(&headers, outcome.await.map(|user| Json(user).into_response()))
}

#[derive(Deserialize)]
struct LogoutQuery {
    scope: Option<String>,
}

async fn logout(
    State(issuer): App,
    Query(query): Query<LogoutQuery>,
    headers: HeaderMap,
) -> Response {
    let outcome = async {
        let scope = match query.scope.as_deref() {
            None | Some("global") => Scope::Global,
            Some("local") => Scope::Local,
            Some("others") => Scope::Others,
            Some(other) => {
                let message = format!("Unsupported logout scope {other:?}");
                return Err(AuthError::new(400, "validation_failed", message));
            }
        };
        issuer.sign_out(bearer(&headers)?, scope).await
    };
    answer(&headers, outcome.await.map(|()| StatusCode::NO_CONTENT.into_response()))
}

async fn jwks(State(issuer): App, headers: HeaderMap) -> Response {
    issuer.jwks_requests.fetch_add(1, Ordering::Relaxed);
    let cache = [(header::CACHE_CONTROL, "public, max-age=600")];
    let outcome = issuer.issue.keys.jwks().map_err(AuthError::from);
    answer(&headers, outcome.map(|keys| (cache, Json(keys)).into_response()))
}

fn refuse_phone(body: &Body) -> Result<(), AuthError> {
    if body.phone.is_empty() {
        return Ok(());
    }
    Err(AuthError::new(400, "phone_provider_disabled", "Phone logins are disabled"))
}

fn bearer(headers: &HeaderMap) -> Result<&str, AuthError> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = value.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    let message = "This endpoint requires a valid Bearer token";
    token.ok_or_else(|| AuthError::new(401, "no_authorization", message))
}

fn session(headers: &HeaderMap, outcome: Result<Session, AuthError>) -> Response {
    answer(headers, outcome.map(|session| Json(session).into_response()))
}

/// The answer, or the refusal in the form that the request's API version asks for.
fn answer(headers: &HeaderMap, outcome: Result<Response, AuthError>) -> Response {
    let asked = headers.get(API_VERSION).and_then(|value| value.to_str().ok());
    let new = asked.is_some_and(|version| version >= CODES);
    let mut response = outcome.unwrap_or_else(|error| error.into_response(new));
    if new {
        response.headers_mut().insert(API_VERSION, HeaderValue::from_static(CODES));
    }
    response
}
