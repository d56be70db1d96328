//! The form that every layer here has.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::future::Either;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tonic::body::Body;
use tower::{BoxError, Layer, Service};

/// What a step answers with: a refusal is an answer, too.
pub type Answer = Result<Response<Body>, Infallible>;

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
    /// The answer to come. Every call passes every step, so where it can be it is a named type,
    /// which costs no allocation.
    type Future<S: Inner>: Future<Output = Answer> + Send;

    /// Handles one request with what stands inside this step, which is ready. A future that needs
    /// it later has to [`take`] it.
    fn pass<S: Inner>(&self, request: Request<Body>, inner: &mut S) -> Self::Future<S>;
}

/// The service that is ready, for a future of one's own; a clone stays behind in its place.
pub fn take<S: Clone>(inner: &mut S) -> S {
    let clone = inner.clone();
    mem::replace(inner, clone)
}

/// Puts something around a body, in its place: a request is large to move.
pub fn wrap<B>(body: &mut Body, around: impl FnOnce(Body) -> B)
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    *body = Body::new(around(mem::take(body)));
}

/// An answer at once, or the one that is to come from inside.
pub type MaybeAtOnce<F> = Either<F, Ready<Answer>>;

/// Answers at once: nothing inside is called.
pub fn at_once<F>(response: Response<Body>) -> MaybeAtOnce<F> {
    Either::Right(ready(Ok(response)))
}

/// What a step does once there is an answer.
pub trait Leave<T> {
    /// Makes the step's answer of what came from inside.
    fn leave(self, from_inside: T) -> Response<Body>;
}

pin_project! {
    /// What comes from inside, and then what the step does with it.
    pub struct Then<F, L> {
        #[pin]
        inside: F,
        leave: Option<L>,
    }
}

impl<F, L> Then<F, L> {
    /// Waits for `inside`, then leaves.
    pub fn new(inside: F, leave: L) -> Self {
        Self { inside, leave: Some(leave) }
    }
}

impl<F: Future, L: Leave<F::Output>> Future for Then<F, L> {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        let this = self.project();
        let from_inside = ready!(this.inside.poll(cx));
        match this.leave.take() {
            Some(leave) => Poll::Ready(Ok(leave.leave(from_inside))),
            None => Poll::Pending, // polled after its end
        }
    }
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
    type Future = T::Future<S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.step.pass(request, &mut self.inner)
    }
}
