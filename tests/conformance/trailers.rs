//! Trailers beside a good answer, which tonic has no way to send.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use tonic::{body::Body, server::NamedService};
use tower::Service;

/// In a response's extensions: what its trailers are to hold besides the status.
#[derive(Clone)]
pub(crate) struct Trailers(pub(crate) HeaderMap);

/// A service whose answers have the trailers that are in their extensions.
#[derive(Clone)]
pub(crate) struct WithTrailers<S>(pub(crate) S);

impl<S: NamedService> NamedService for WithTrailers<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for WithTrailers<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answered = self.0.call(request);
        answered.map(|response| response.map(with_trailers)).boxed()
    }
}

fn with_trailers(mut response: Response<Body>) -> Response<Body> {
    let Some(Trailers(more)) = response.extensions_mut().remove() else { return response };
    response.map(|body| {
        Body::new(body.map_frame(move |mut frame| {
            if let Some(trailers) = frame.trailers_mut() {
                for (name, value) in &more {
                    trailers.append(name, value.clone());
                }
            }
            frame
        }))
    })
}
