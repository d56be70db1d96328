//! JSON and gRPC-Web in front of the gRPC routes. What stands inside speaks plain gRPC only.

use futures_util::{
    FutureExt as _, TryFutureExt as _,
    future::{BoxFuture, Either, ready},
};
use http::{Method, Request, Response};
use tonic::body::Body;
use tonic_web::GrpcWebLayer;
use tower::{Layer as _, Service as _};

use super::{
    Record, Wire, answer,
    api::Api,
    call::Call,
    content::accepts,
    decide::Target,
    reason::Reason,
    request,
    respond::{self, Asked},
    step::{Answer, Inner, Step, take},
};

/// The step that translates: see [`Api::translate`].
#[derive(Clone, Debug)]
pub struct TranslateStep {
    api: Api,
}

impl TranslateStep {
    pub(super) fn new(api: Api) -> Self {
        Self { api }
    }
}

impl Step for TranslateStep {
    type Future<S: Inner> = Either<S::Future, BoxFuture<'static, Answer>>;

    fn pass<S: Inner>(&self, mut request: Request<Body>, inner: &mut S) -> Self::Future<S> {
        let call = request.extensions().get::<Call>().cloned();
        let target = request.extensions_mut().remove::<Target>();
        Either::Right(match (call, target) {
            (Some(call), None) if call.wire() == Wire::Grpc => {
                return Either::Left(inner.call(request));
            }
            (Some(call), None) if call.wire() == Wire::GrpcWeb => {
                let answer = GrpcWebLayer::new().layer(take(inner)).call(request);
                Box::pin(answer.map_ok(|mut response| {
                    answer::protect(response.headers_mut());
                    response
                }))
            }
            (Some(call), Some(target)) => {
                Box::pin(json(self.api.clone(), call, target, request, take(inner)).map(Ok))
            }
            _ => {
                tracing::error!("misassembled: nothing decided before translation");
                let refusal = self.api.domain().status(Reason::Internal).into_http();
                Box::pin(ready(Ok(refusal)))
            }
        })
    }
}

async fn json<S: Inner>(
    api: Api,
    call: Call,
    target: Target,
    request: Request<Body>,
    mut inner: S,
) -> Response<Body> {
    let asked = Asked {
        binding: target.binding.clone(),
        authorized: answer::has_token(request.headers()),
        events: accepts(request.headers(), "text/event-stream"),
        head: request.method() == Method::HEAD,
        record: request.extensions().get::<Record>().cloned().unwrap_or_default(),
    };
    let Ok(response) = inner.call(request::into_grpc(&api, &call, target, request)).await;
    respond::from_grpc(&api, asked, response).await
}
