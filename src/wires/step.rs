//! The form that every layer here has.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    sync::Arc,
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
    + Sync
    + 'static
{
}

impl<S> Inner for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// One step of the stack: what becomes of a request on its way in and of its answer on its way out.
///
/// Dropping the future drops everything inside: no step starts tasks of its own that outlive it.
pub trait Step: Clone + Send + Sync + 'static {
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
        Stepped(Arc::new((self.0.clone(), inner)))
    }
}

/// A [`Step`] around a service. Each call has a clone of it, so that what is inside is shared: a
/// clone costs one reference count however many steps there are.
#[derive(Debug)]
pub struct Stepped<T, S>(Arc<(T, S)>);

impl<T, S> Clone for Stepped<T, S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Step, S: Inner> Service<Request<Body>> for Stepped<T, S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(())) // the call itself waits for what is inside
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (step, mut inner) = (*self.0).clone();
        Box::pin(async move {
            let Ok(()) = poll_fn(|context| inner.poll_ready(context)).await;
            Ok(step.run(request, inner).await)
        })
    }
}
