//! A JSON request as a gRPC request, whose body is read only when somebody asks for the message.

use std::{
    io::Read as _,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{BufMut as _, Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use prost::Message as _;
use tokio::task;
use tonic::{Status, body::Body};

use super::{
    api::Api,
    bind::bind,
    binding::RequestBody,
    call::Call,
    decide::Target,
    reason::{Reason, Refusal},
};

/// Work on more bytes than this leaves the async workers: it would keep other calls waiting.
pub(super) const OFF_WORKERS: usize = 64 * 1024;

const TOO_LARGE: Refusal = Refusal::saying(Reason::BodyTooLarge, Reason::BodyTooLarge.message());

/// Headers that speak of the JSON body, or that would make the answer something else than plain
/// gRPC messages.
const NOT_PASSED_ON: [HeaderName; 7] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::TRANSFER_ENCODING,
    header::ACCEPT_ENCODING,
    header::EXPECT,
    HeaderName::from_static("grpc-encoding"),
    HeaderName::from_static("grpc-accept-encoding"),
];

/// Turns the request into one for the gRPC routes.
pub(super) fn into_grpc(
    api: &Api,
    call: &Call,
    target: Target,
    request: Request<Body>,
) -> Request<Body> {
    let (mut parts, body) = request.into_parts();
    let content_type = parts.headers.remove(header::CONTENT_TYPE);
    let api = api.clone();
    let message = async move {
        let bound = message(&api, target, content_type, body).await;
        bound.map_err(|refusal| api.domain().status(refusal))
    };

    parts.method = Method::POST;
    parts.version = Version::HTTP_2;
    parts.uri =
        Uri::from_maybe_shared(Bytes::copy_from_slice(call.path().as_bytes())).unwrap_or_default();
    grpc_headers(&mut parts.headers);
    Request::from_parts(parts, Body::new(LazyBody(Some(Box::pin(message)))))
}

fn grpc_headers(headers: &mut HeaderMap) {
    for name in NOT_PASSED_ON {
        headers.remove(name);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
}

/// Reads the body and binds the message; returns it with its gRPC prefix.
async fn message(
    api: &Api,
    target: Target,
    content_type: Option<HeaderValue>,
    body: Body,
) -> Result<Bytes, Refusal> {
    let limit = api.max_message_bytes();
    let body = read(&target, body, limit).await?;
    let large = target.gzip || body.len() > OFF_WORKERS;
    let bind = move || {
        let body = if target.gzip { unpack(&body, limit)? } else { body };
        let message = bind(&target, content_type.as_ref(), body)?;
        let mut framed = BytesMut::new();
        framed.put_u8(0);
        // A message of 4 GiB cannot come out of a body that is limited in memory.
        framed.put_u32(u32::try_from(message.encoded_len()).map_err(|_| TOO_LARGE)?);
        message.encode(&mut framed).map_err(|_| Reason::Internal)?;
        Ok(framed.freeze())
    };
    if large { task::spawn_blocking(bind).await.map_err(|_| Reason::Internal)? } else { bind() }
}

/// Reads the body, within the limit.
async fn read(target: &Target, mut body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let takes_body = *target.binding.body() != RequestBody::None;
    if takes_body && body.size_hint().lower() > limit as u64 {
        return Err(TOO_LARGE);
    }
    let mut whole = Bytes::new();
    let mut parts = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let cut_short = |_| Refusal::saying(Reason::RequestMalformed, "the request was cut short");
        let Ok(data) = frame.map_err(cut_short)?.into_data() else { continue };
        if !takes_body && !data.is_empty() {
            return Err(Refusal::saying(Reason::RequestMalformed, "this method takes no body"));
        }
        if whole.len() + parts.len() + data.len() > limit {
            return Err(TOO_LARGE);
        }
        // Most bodies come in one piece, which needs no copy.
        if whole.is_empty() && parts.is_empty() {
            whole = data;
        } else {
            parts.extend_from_slice(&std::mem::take(&mut whole));
            parts.extend_from_slice(&data);
        }
    }
    Ok(if parts.is_empty() { whole } else { parts.freeze() })
}

/// Unpacks gzip, within the limit.
fn unpack(packed: &[u8], limit: usize) -> Result<Bytes, Refusal> {
    if packed.is_empty() {
        return Ok(Bytes::new());
    }
    let mut unpacked = Vec::new();
    let one_more = limit as u64 + 1;
    MultiGzDecoder::new(packed)
        .take(one_more)
        .read_to_end(&mut unpacked)
        .map_err(|_| Refusal::saying(Reason::RequestMalformed, "the body is not gzip"))?;
    if unpacked.len() > limit { Err(TOO_LARGE) } else { Ok(unpacked.into()) }
}

/// One data frame that is made when it is asked for. tonic passes a body's `Status` on.
struct LazyBody(Option<BoxFuture<'static, Result<Bytes, Status>>>);

impl http_body::Body for LazyBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(message) = self.0.as_mut() else { return Poll::Ready(None) };
        let made = ready!(message.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(Some(made.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}
