//! The form that every layer here has.

use std::{
    convert::Infallible,
    future::Future,
    mem,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tonic::body::Body;
use tower::{Layer, Service};

/// What a step of the stack calls: the steps inside it, and at last the gRPC routes.
pub trait Inner:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static
{
}

impl<S> Inner for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// One step of the stack: what becomes of a request on its way in and of its answer on its way out.
///
/// Dropping the future drops everything inside: no step starts tasks of its own that outlive it.
pub trait Step: Clone + Send + 'static {
    /// Handles one request with what stands inside this step.
    fn run<S: Inner>(
        self,
        request: Request<Body>,
        inner: S,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// A [`Step`] as a [`Layer`].
#[derive(Clone, Debug)]
pub struct StepLayer<T>(pub T);

impl<T: Clone, S> Layer<S> for StepLayer<T> {
    type Service = Stepped<T, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Stepped { step: self.0.clone(), inner }
    }
}

/// A [`Step`] around a service.
#[derive(Clone, Debug)]
pub struct Stepped<T, S> {
    step: T,
    inner: S,
}

impl<T: Step, S: Inner> Service<Request<Body>> for Stepped<T, S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The service that was polled ready makes the call; its clone waits for the next one.
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        let step = self.step.clone();
        Box::pin(async move { Ok(step.run(request, inner).await) })
    }
}
