//! Observes every call from outside: a request id, a span, one log line and the counters.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::{Frame, SizeHint};
use tonic::{Code, Status, body::Body};
use tracing::{Instrument as _, Span, field, instrument::Instrumented};
use uuid::Uuid;

use crate::{
    metrics::{Metrics, code_name},
    wires::{Answer, Inner, Leave, Record, Step, Then, wrap},
};

/// The header that carries the request id, in and out.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest request id that is taken over from a client.
const MAX_REQUEST_ID: usize = 128;

/// The step. See the module.
#[derive(Clone, Debug)]
pub struct Observe {
    metrics: Arc<Metrics>,
}

impl Observe {
    /// Counts into these metrics.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }
}

impl Step for Observe {
    type Future<S: Inner> = Then<Instrumented<S::Future>, Line>;

    fn pass<S: Inner>(&self, mut request: Request<Body>, inner: &mut S) -> Self::Future<S> {
        let id = request_id(request.headers());
        let span = tracing::info_span!(
            "call",
            request_id = id.to_str().unwrap_or_default(),
            trace_id = trace_id(request.headers()),
            user = field::Empty, // auth records it
        );
        let record = Record::default();
        request.extensions_mut().insert(record.clone());
        // It stands before the answer: a client that goes away while waiting drops it, too.
        let metrics = Arc::clone(&self.metrics);
        let line = Line { record, started: Instant::now(), metrics, span: span.clone(), id };
        let inside = span.in_scope(|| inner.call(request));
        Then::new(inside.instrument(span), line)
    }
}

impl Leave<Answer> for Line {
    fn leave(self, Ok(mut response): Answer) -> Response<Body> {
        response.headers_mut().insert(REQUEST_ID, self.id.clone());
        wrap(response.body_mut(), |body| Observed { body, line: self });
        response
    }
}

/// The client's request id where it is plain and short, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let plain = |id: &&HeaderValue| {
        !id.is_empty()
            && id.len() <= MAX_REQUEST_ID
            && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    headers.get(REQUEST_ID).filter(plain).cloned().unwrap_or_else(|| {
        HeaderValue::from_str(&Uuid::new_v4().to_string())
            .unwrap_or_else(|_| HeaderValue::from_static("none"))
    })
}

/// The trace id of a `traceparent` header (W3C Trace Context, section 3.2.2).
fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get("traceparent")?.to_str().ok()?.split('-').nth(1)?;
    let hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    (id.len() == 32 && id.as_bytes().iter().all(hex)).then_some(id)
}

/// Writes the call's one line and counts it, when the answer has ended or the client is gone.
#[derive(Debug)]
pub struct Line {
    record: Record,
    started: Instant,
    metrics: Arc<Metrics>,
    span: Span,
    id: HeaderValue,
}

impl Drop for Line {
    fn drop(&mut self) {
        let (call, outcome) = (self.record.call(), self.record.outcome());
        if call.is_none() && outcome.is_none() {
            return; // a page, not a call
        }
        let took = self.started.elapsed();
        let rpc = call.map(|call| call.path().trim_start_matches('/'));
        let wire = call.map(|call| call.wire());
        // Dropped before its end: the client went away.
        let code = outcome.map_or(Code::Cancelled, |outcome| outcome.code);
        let reason = outcome.and_then(|outcome| outcome.reason.as_deref());
        self.metrics.ended(rpc, wire, code, reason, took);
        tracing::info!(
            parent: &self.span,
            rpc,
            wire = wire.map(|wire| wire.as_str()),
            code = code_name(code),
            reason,
            ms = took.as_micros() as f64 / 1000.0,
            "called"
        );
    }
}

/// The answer's body, which holds the line until it has ended.
struct Observed {
    body: Body,
    line: Line,
}

impl http_body::Body for Observed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let span = self.line.span.clone();
        let _inside = span.enter();
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_taken_over_only_if_it_is_plain_and_short() {
        let with = |id: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_bytes(id).expect("a header value"));
            request_id(&headers)
        };
        assert_eq!(with(b"abc-123"), "abc-123");
        for odd in [&b""[..], b"a b", "\u{e9}".as_bytes(), &[b'x'; 129]] {
            let id = with(odd);
            assert!(Uuid::parse_str(id.to_str().expect("ASCII")).is_ok(), "{odd:?} became {id:?}");
        }
    }

    #[test]
    fn a_trace_id_is_read_only_from_a_well_formed_traceparent() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", HeaderValue::from_static(value));
            trace_id(&headers).map(str::to_owned)
        };
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(
            with("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").as_deref(),
            Some(id)
        );
        assert_eq!(with("00-short-00f067aa0ba902b7-01"), None);
        assert_eq!(with("nonsense"), None);
    }
}
