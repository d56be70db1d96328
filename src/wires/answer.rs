//! Answers in HTTP's own terms: JSON, and errors as `google.rpc.Status`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::{Value, json};
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt as _;

use super::{api::Api, json};

/// An answer with this body.
pub(super) fn ok(content_type: HeaderValue, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(body)));
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    protect(response.headers_mut());
    response
}

/// What belongs to a caller is kept by no cache and guessed at by no browser.
pub(super) fn protect(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// The same answer to `HEAD`: every header, `content-length` included, and no body.
pub(super) fn without_body(response: Response<Body>) -> Response<Body> {
    use http_body::Body as _;
    let length = response.body().size_hint().exact();
    let mut response = response.map(|_| Body::empty());
    if let Some(length) = length {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    response
}

/// An error: the HTTP status that its reason or its code has, and `google.rpc.Status` as JSON.
/// `authorized` says whether the request carried a token: see [`has_token`].
pub(super) fn error(api: &Api, status: &Status, authorized: bool) -> Response<Body> {
    let json = HeaderValue::from_static("application/json");
    let mut response = ok(json, status_json(api, status).to_string().into());
    let reason = api.domain().reason(status);
    *response.status_mut() = reason.map_or_else(|| http_status(status.code()), super::Reason::http);

    let headers = response.headers_mut();
    if status.code() == Code::Unauthenticated {
        headers.insert(header::WWW_AUTHENTICATE, challenge(status, authorized));
    }
    if !status.details().is_empty()
        && let Some(delay) = status.get_details_retry_info().and_then(|info| info.retry_delay)
    {
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// A status as the JSON of `google.rpc.Status`.
pub(super) fn status_json(api: &Api, status: &Status) -> Value {
    let details = tonic_types::pb::Status::decode(status.details()).unwrap_or_default().details;
    let details: Vec<_> = details.iter().map(|detail| detail_json(api, detail)).collect();
    match details.is_empty() {
        true => json!({"code": status.code() as i32, "message": status.message()}),
        false => {
            json!({"code": status.code() as i32, "message": status.message(), "details": details})
        }
    }
}

/// A detail as the JSON of its own type; one that nobody knows as base64.
fn detail_json(api: &Api, detail: &prost_types::Any) -> Value {
    let known = [api.pool(), api.error_details()];
    let resolved = known.into_iter().find_map(|pool| resolve(pool, detail));
    resolved.unwrap_or_else(
        || json!({"@type": detail.type_url, "value": STANDARD.encode(&detail.value)}),
    )
}

fn resolve(pool: &DescriptorPool, detail: &prost_types::Any) -> Option<Value> {
    let (_, name) = detail.type_url.rsplit_once('/')?;
    let message = DynamicMessage::decode(pool.get_message_by_name(name)?, &*detail.value).ok()?;
    let json = json::to_value(&message)?;
    let mut object =
        serde_json::Map::from_iter([("@type".to_owned(), detail.type_url.clone().into())]);
    match json {
        Value::Object(fields) => object.extend(fields),
        scalar => drop(object.insert("value".to_owned(), scalar)),
    }
    Some(object.into())
}

/// Whether a request carries a bearer token (RFC 6750, section 2.1), good or bad. Credentials of
/// another scheme are none.
pub(super) fn has_token(headers: &HeaderMap) -> bool {
    const SCHEME: &[u8] = b"bearer ";
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    values.any(|value| {
        let scheme = value.as_bytes().trim_ascii().get(..SCHEME.len());
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
    })
}

/// RFC 6750, section 3: the error is only told to who sent a token.
fn challenge(status: &Status, authorized: bool) -> HeaderValue {
    const BARE: HeaderValue = HeaderValue::from_static("Bearer");
    if !authorized {
        return BARE;
    }
    let described: String = status
        .message()
        .chars()
        .map(|char| match char {
            '"' | '\\' => '\'',
            ' '..='~' => char,
            _ => '?',
        })
        .collect();
    HeaderValue::try_from(format!(
        "Bearer error=\"invalid_token\", error_description=\"{described}\""
    ))
    .unwrap_or(BARE)
}

/// The HTTP status of a gRPC code, as `google/rpc/code.proto` maps them.
pub fn http_status(code: Code) -> StatusCode {
    let http = match code {
        Code::Ok => 200,
        Code::Cancelled => 499,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::ResourceExhausted => 429,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::DeadlineExceeded => 504,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
    };
    StatusCode::from_u16(http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
