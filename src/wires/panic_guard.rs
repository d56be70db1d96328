//! A panic in a handler, or in the stream that it returned, ends this call and no other.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    thread,
};

use bytes::Bytes;
use futures_util::{
    FutureExt as _,
    future::{CatchUnwind, Either},
};
use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use tonic::{Status, body::Body};

use super::{
    call::Call,
    reason::{Domain, Reason},
    status,
    step::{Answer, Inner, Leave, MaybeAtOnce, Step, Then, at_once, wrap},
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
    type Future<S: Inner> = MaybeAtOnce<Then<CatchUnwind<AssertUnwindSafe<S::Future>>, Guard>>;

    fn pass<S: Inner>(&self, request: Request<Body>, inner: &mut S) -> Self::Future<S> {
        let call = request.extensions().get::<Call>().cloned();
        let guard = Guard { call, domain: self.domain };
        // What a panic leaves half done is inside this call, and is dropped with it: nothing
        // inside keeps state from one call to the next.
        match catch_unwind(AssertUnwindSafe(|| inner.call(request))) {
            Ok(inside) => Either::Left(Then::new(AssertUnwindSafe(inside).catch_unwind(), guard)),
            Err(_) => at_once(guard.panicked().into_http()),
        }
    }
}

/// What has to be known of a call that may panic.
#[derive(Debug)]
pub struct Guard {
    call: Option<Call>,
    domain: Domain,
}

impl Guard {
    /// The text of a panic may hold anything, so it is told by the panic hook or not at all.
    fn panicked(&self) -> Status {
        tracing::error!(rpc = self.call.as_ref().map(Call::path), "a handler panicked");
        self.domain.status(Reason::Internal)
    }
}

impl Leave<thread::Result<Answer>> for Guard {
    fn leave(self, answer: thread::Result<Answer>) -> Response<Body> {
        let Ok(Ok(mut response)) = answer else { return self.panicked().into_http() };
        if !response.body().is_end_stream() {
            wrap(response.body_mut(), |inner| Guarded { inner: Some(inner), guard: self });
        }
        response
    }
}

/// An answer's body that ends with INTERNAL where it panics.
struct Guarded {
    inner: Option<Body>,
    guard: Guard,
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
            let status = self.guard.panicked();
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
