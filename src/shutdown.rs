//! What a shutdown means to calls: new ones are refused, endless streams end.

use std::{
    convert::Infallible,
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::future::Either;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Status, body::Body, server::NamedService};
use tower::Service;

use crate::{
    error::{Error, Reason},
    wires::{Inner, MaybeAtOnce, Step, at_once},
};

/// Refuses new calls once the port is closing: `SHUTTING_DOWN`, which clients may retry elsewhere.
#[derive(Clone, Debug)]
pub struct RefuseWhenClosing(pub CancellationToken);

impl Step for RefuseWhenClosing {
    type Future<S: Inner> = MaybeAtOnce<S::Future>;

    fn pass<S: Inner>(&self, request: Request<Body>, inner: &mut S) -> Self::Future<S> {
        if self.0.is_cancelled() {
            return at_once(refusal().into_http());
        }
        Either::Left(inner.call(request))
    }
}

/// Ends answers at shutdown that would not end by themselves: health watches and reflection
/// streams, which would otherwise hold every drain to its limit.
#[derive(Clone, Debug)]
pub struct EndStreamsWhenClosing<S> {
    inner: S,
    closing: CancellationToken,
}

impl<S> EndStreamsWhenClosing<S> {
    /// Watches `inner`'s answers until `closing`.
    pub fn new(inner: S, closing: CancellationToken) -> Self {
        Self { inner, closing }
    }
}

type Future = Pin<Box<dyn std::future::Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S: NamedService> NamedService for EndStreamsWhenClosing<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for EndStreamsWhenClosing<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Future {
        let answered = self.inner.call(request);
        let closing = self.closing.clone();
        Box::pin(async move {
            let response = tokio::select! {
                response = answered => response?,
                () = closing.cancelled() => return Ok(refusal().into_http()),
            };
            let closing = Box::pin(closing.cancelled_owned());
            Ok(response.map(|body| Body::new(Ending { body: Some(body), closing })))
        })
    }
}

fn refusal() -> Status {
    Error::new(Reason::ShuttingDown).into()
}

/// A body that ends with the trailers of a refusal when the port is closing.
struct Ending {
    body: Option<Body>,
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl http_body::Body for Ending {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        ready!(self.closing.as_mut().poll(cx));
        self.body = None; // drops the stream behind it
        let mut trailers = HeaderMap::new();
        refusal().add_header(&mut trailers)?;
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(|body| body.size_hint()).unwrap_or_default()
    }
}
