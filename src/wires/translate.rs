//! JSON and gRPC-Web in front of the gRPC routes. What stands inside speaks plain gRPC only.

use http::{Method, Request, Response, header};
use tonic::body::Body;
use tonic_web::GrpcWebLayer;
use tower::{Layer as _, Service as _};

use super::{
    Wire, answer,
    api::Api,
    call::Call,
    content::accepts,
    decide::Target,
    reason::Reason,
    request,
    respond::{self, Asked},
    step::{Inner, Step},
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
    async fn run<S: Inner>(self, mut request: Request<Body>, mut inner: S) -> Response<Body> {
        let Some(call) = request.extensions().get::<Call>().cloned() else {
            tracing::error!("misassembled: nothing decided before translation");
            return self.api.domain().status(Reason::Internal).into_http();
        };
        let target = request.extensions_mut().remove::<Target>();
        match (call.wire(), target) {
            (Wire::Grpc, _) => {
                let Ok(response) = inner.call(request).await;
                response
            }
            (Wire::GrpcWeb, _) => {
                let Ok(mut response) = GrpcWebLayer::new().layer(inner).call(request).await;
                answer::protect(response.headers_mut());
                response
            }
            (Wire::Json, Some(target)) => json(&self.api, &call, target, request, inner).await,
            (Wire::Json, None) => self.api.domain().status(Reason::Internal).into_http(),
        }
    }
}

async fn json<S: Inner>(
    api: &Api,
    call: &Call,
    target: Target,
    request: Request<Body>,
    mut inner: S,
) -> Response<Body> {
    let asked = Asked {
        binding: target.binding.clone(),
        authorized: request.headers().contains_key(header::AUTHORIZATION),
        events: accepts(request.headers(), "text/event-stream"),
        head: request.method() == Method::HEAD,
    };
    let Ok(response) = inner.call(request::into_grpc(api, call, target, request)).await;
    respond::from_grpc(api, asked, response).await
}
