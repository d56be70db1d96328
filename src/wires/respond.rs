//! A gRPC answer as an HTTP answer.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use prost_reflect::{DynamicMessage, Value};
use tokio::task;
use tonic::{Code, Status, body::Body};

use super::{
    Outcome, Record, answer,
    api::Api,
    binding::{Binding, HTTP_BODY, is_http_body},
    frames::Messages,
    json,
    reason::{Domain, Reason},
    request::OFF_WORKERS,
    stream,
};

/// What of the request decides the form of its answer.
pub(super) struct Asked {
    pub(super) binding: Arc<Binding>,
    /// The request carried a token.
    pub(super) authorized: bool,
    /// A stream is wanted as server-sent events.
    pub(super) events: bool,
    pub(super) head: bool,
    /// Where it is noted that an answer cannot be shown.
    pub(super) record: Record,
}

impl Asked {
    /// Turns an encoded message into what the answer shows of it.
    pub(super) async fn show(&self, api: &Api, message: Bytes) -> Result<Content, Status> {
        content(Arc::clone(&self.binding), message).await.map_err(|Unwritable| {
            let status = api.domain().status(Reason::Internal);
            let reason = Domain::reason_name(&status);
            self.record.overruled(Outcome { code: status.code(), reason });
            status
        })
    }
}

/// Turns the answer of the gRPC routes into one in HTTP's own terms.
pub(super) async fn from_grpc(api: &Api, asked: Asked, response: Response<Body>) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let (head, authorized) = (asked.head, asked.authorized);
    let messages = Messages::new(&parts.headers, body);
    let answered = if asked.binding.rpc().is_server_streaming() {
        stream::answer(api, asked, messages).await
    } else {
        unary(api, &asked, messages).await
    };
    let mut response = answered.unwrap_or_else(|status| answer::error(api, &status, authorized));
    pass_metadata(api, &parts.headers, response.headers_mut());
    if head { answer::without_body(response) } else { response }
}

async fn unary(api: &Api, asked: &Asked, mut messages: Messages) -> Result<Response<Body>, Status> {
    let message = messages.next().await;
    let end = messages.end().await;
    if end.code() != Code::Ok {
        return Err(end);
    }
    let content = asked.show(api, message.unwrap_or_default()).await?;
    let json = HeaderValue::from_static("application/json");
    Ok(answer::ok(content.raw.unwrap_or(json), content.body))
}

/// What an answer shows of one message.
pub(super) struct Content {
    /// The content type of bytes that a handler gave; `None` for JSON.
    pub(super) raw: Option<HeaderValue>,
    pub(super) body: Bytes,
}

async fn content(binding: Arc<Binding>, message: Bytes) -> Result<Content, Unwritable> {
    let large = message.len() > OFF_WORKERS;
    let convert = move || convert(&binding, message);
    if large {
        let converted = task::spawn_blocking(convert).await;
        return converted.unwrap_or_else(|panic| Err(Unwritable::because(&panic)));
    }
    convert()
}

fn convert(binding: &Binding, message: Bytes) -> Result<Content, Unwritable> {
    let output = binding.rpc().output();
    let mut message =
        DynamicMessage::decode(output, message).map_err(|error| Unwritable::because(&error))?;
    let http_body = match binding.response_body() {
        None => (binding.rpc().output().full_name() == HTTP_BODY).then(|| message.clone()),
        Some(field) if is_http_body(field) => message.get_field(field).as_message().cloned(),
        Some(_) => None,
    };
    if let Some(http_body) = http_body {
        return Ok(raw(http_body));
    }
    let json = match binding.response_body() {
        None => json::write(&message),
        Some(field) => json::write_field(&mut message, field),
    };
    let body = json.map_err(|error| Unwritable::because(&error))?.into();
    Ok(Content { raw: None, body })
}

/// A `google.api.HttpBody`: bytes of the type that they say they are.
fn raw(mut message: DynamicMessage) -> Content {
    let content_type = match message.take_field_by_name("content_type") {
        Some(Value::String(content_type)) => HeaderValue::try_from(content_type).ok(),
        _ => None,
    };
    let body = match message.take_field_by_name("data") {
        Some(Value::Bytes(data)) => data,
        _ => Bytes::new(),
    };
    let unknown = HeaderValue::from_static("application/octet-stream");
    Content { raw: Some(content_type.unwrap_or(unknown)), body }
}

/// A handler's message that JSON cannot show: an `Any` of a type that the descriptors lack, a
/// timestamp out of range. Why is in the log.
struct Unwritable;

impl Unwritable {
    fn because(cause: &dyn fmt::Display) -> Self {
        tracing::error!(%cause, "an answer cannot be written as JSON");
        Self
    }
}

fn pass_metadata(api: &Api, metadata: &HeaderMap, headers: &mut HeaderMap) {
    for name in api.response_metadata() {
        for value in metadata.get_all(name) {
            headers.append(name, value.clone());
        }
    }
}
