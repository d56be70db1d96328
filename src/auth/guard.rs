//! The one way to a service: behind the interceptor and the session layer.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use futures_util::future::{BoxFuture, Either, FutureExt as _};
use http::{Request, Response};
use tonic::{Status, body::Body, server::NamedService, service::interceptor::InterceptedService};
use tower::Service;

use crate::{
    error::{Error, Reason},
    wires::take,
};

use super::{Auth, AuthInterceptor, Caller, Sessions};

/// A service that no call reaches without a [`Caller`] in its extensions.
pub type Guarded<S> = InterceptedService<SessionChecked<S>, AuthInterceptor>;

impl Auth {
    /// Puts a generated gRPC service behind its guard.
    pub fn guard<S>(&self, service: S, sessions: Sessions) -> Guarded<S> {
        let checked = SessionChecked { inner: service, sessions };
        InterceptedService::new(checked, AuthInterceptor(self.clone()))
    }
}

/// Lets a call through when its caller's session stands. Inside the interceptor.
#[derive(Clone)]
pub struct SessionChecked<S> {
    inner: S,
    sessions: Sessions,
}

impl<S: NamedService> NamedService for SessionChecked<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, B> Service<Request<B>> for SessionChecked<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, BoxFuture<'static, Result<Response<Body>, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(caller) = request.extensions().get::<Caller>() else {
            let cause = "the session layer stands outside the interceptor";
            return refused(Error::new(Reason::Internal).because(cause));
        };
        if !self.sessions.concern(caller) {
            return Either::Left(self.inner.call(request));
        }
        let (caller, sessions) = (caller.clone(), self.sessions.clone());
        let mut inner = take(&mut self.inner);
        Either::Right(
            async move {
                match sessions.check(&caller).await {
                    Ok(()) => inner.call(request).await,
                    Err(error) => Ok(Status::from(error).into_http()),
                }
            }
            .boxed(),
        )
    }
}

fn refused<F>(error: Error) -> Either<F, BoxFuture<'static, Result<Response<Body>, Infallible>>> {
    Either::Right(async { Ok(Status::from(error).into_http()) }.boxed())
}
