//! A panic in a handler, or in the stream that it returned, ends this call and no other.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use tonic::{Status, body::Body};

use super::{
    call::Call,
    reason::{Domain, Reason},
    status,
    step::{Inner, Step},
};

/// The step that catches panics: see [`Api::panic_guard`](super::Api::panic_guard).
#[derive(Clone, Debug)]
pub struct PanicGuardStep {
    domain: Domain,
}

impl PanicGuardStep {
    pub(super) fn new(domain: Domain) -> Self {
        Self { domain }
    }
}

impl Step for PanicGuardStep {
    async fn run<S: Inner>(self, request: Request<Body>, mut inner: S) -> Response<Body> {
        let call = request.extensions().get::<Call>().cloned();
        // What a panic leaves half done is inside this call, and is dropped with it.
        let answer = AssertUnwindSafe(async move { inner.call(request).await });
        let Ok(answer) = answer.catch_unwind().await else {
            return panicked(&self.domain, call.as_ref()).into_http();
        };
        let Ok(response) = answer;
        if response.body().is_end_stream() {
            return response;
        }
        response.map(|inner| Body::new(Guarded { inner: Some(inner), call, domain: self.domain }))
    }
}

/// The text of a panic may hold anything, so it is told by the panic hook or not at all.
fn panicked(domain: &Domain, call: Option<&Call>) -> Status {
    tracing::error!(rpc = call.map(Call::path), "a handler panicked");
    domain.status(Reason::Internal)
}

/// An answer's body that ends with INTERNAL where it panics.
struct Guarded {
    inner: Option<Body>,
    call: Option<Call>,
    domain: Domain,
}

impl http_body::Body for Guarded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(inner) = self.inner.as_mut() else { return Poll::Ready(None) };
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(inner).poll_frame(cx)));
        polled.unwrap_or_else(|_| {
            self.inner = None;
            let status = panicked(&self.domain, self.call.as_ref());
            Poll::Ready(Some(Ok(Frame::trailers(status::trailers(&status)))))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(|inner| inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(|inner| inner.size_hint()).unwrap_or_default()
    }
}
