//! The layer stack, written once, for `main` and for tests.

use std::{any::Any, time::Duration};

use axum::Router;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use tokio_util::sync::CancellationToken;
use tonic::{body::Body, service::RoutesBuilder};
use tonic_health::pb::health_server::{Health, HealthServer};
use tower::{Layer as _, ServiceBuilder, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowOrigin, CorsLayer},
};

use crate::{
    error::DOMAIN,
    health::{self, Readiness},
    observe::{Observe, REQUEST_ID},
    pages,
    server::App,
    shutdown::{EndStreamsWhenClosing, RefuseWhenClosing},
    wires::{Api, Call, Options, StartError, StepLayer},
};

/// How long a browser need not ask again (CORS).
const PREFLIGHT_AGE: Duration = Duration::from_secs(7200);

/// What the CORS layer says to every page, besides which one may call.
const TOLD_TO_PAGES: [HeaderName; 4] = [
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

/// The web pages that may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Any: no cookie is read, so a page can only use a token that it already has.
    All,
    /// These, compared to the letter.
    These(Vec<HeaderValue>),
}

/// What each call may take, and who may call from a browser.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The web pages that may call.
    pub cors: Origins,
    /// The longest unary call, and the longest wait for a stream's first message.
    pub request_timeout: Duration,
    /// Bytes of a JSON body, of what it unpacks to, of one gRPC message.
    pub max_body_bytes: usize,
    /// Calls at a time, health and reflection not counted.
    pub max_concurrent_calls: usize,
    /// Whether gRPC reflection is served.
    pub reflection: bool,
}

/// What stands beside the services and is shared with the rest of the process.
pub struct Shared<H: Health> {
    /// `grpc.health.v1`.
    pub health: HealthServer<H>,
    /// `/healthz` and `/readyz`.
    pub readiness: Readiness,
    /// The web pages.
    pub pages: Router,
    /// Told of every call.
    pub observer: StepLayer<Observe>,
    /// Cancelled when the port is closing.
    pub closing: CancellationToken,
}

/// Reads the descriptors of services, with health and reflection beside them.
///
/// # Errors
/// Everything that is wrong with their annotations.
pub fn api(descriptors: &[u8], settings: &Settings) -> Result<Api, StartError> {
    let mut sets = vec![descriptors, tonic_health::pb::FILE_DESCRIPTOR_SET];
    if settings.reflection {
        sets.push(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET);
        sets.push(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET);
    }
    let options = Options {
        domain: Some(DOMAIN),
        max_message_bytes: settings.max_body_bytes,
        reserved_paths: health::PATHS.into_iter().chain(pages::PATHS).map(str::to_owned).collect(),
        // Of a refused token: see `error`.
        response_metadata: vec![header::WWW_AUTHENTICATE],
    };
    Api::new(&sets, options)
}

/// Builds the whole stack around `services`, which are behind their guard already.
pub fn new<H: Health>(
    api: &Api,
    mut services: RoutesBuilder,
    settings: &Settings,
    shared: Shared<H>,
) -> App {
    let Shared { health, readiness, pages, observer, closing } = shared;
    services.add_service(EndStreamsWhenClosing::new(health, closing.clone()));
    if settings.reflection {
        add_reflection(&mut services, api, &closing);
    }
    let routes = services.routes().prepare();
    let routes =
        ServiceExt::<Request<Body>>::map_response(routes, |response| response.map(Body::new));

    // What may refuse a call speaks gRPC Status, and the translators give it each wire's shape.
    let calls = ServiceBuilder::new()
        .layer(api.upload())
        .layer(api.decide())
        .layer(api.translate())
        .layer(api.outcome())
        .layer(StepLayer(RefuseWhenClosing(closing)))
        .layer(api.shed(settings.max_concurrent_calls, stands_beside))
        .layer(api.deadline(settings.request_timeout))
        .layer(api.framing())
        .layer(api.panic_guard())
        .service(routes);

    // Outside stand only layers that observe, or that speak HTTP themselves.
    let pages = readiness.pages().merge(pages);
    let pages = with_pages(pages, BoxCloneSyncService::new(calls), api.clone());
    let guarded = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(CatchPanicLayer::custom(panicked))
        .service(pages);
    let cors =
        with_cors(cors(&settings.cors, api.http_methods()), BoxCloneSyncService::new(guarded));
    BoxCloneSyncService::new(observer.layer(cors))
}

/// Health and reflection: outside the guard and the load shed, since they must answer when
/// everything else is refused.
fn stands_beside(call: &Call) -> bool {
    is_beside(call.method().parent_service().full_name())
}

/// Whether a service is health or reflection.
pub fn is_beside(service: &str) -> bool {
    service.starts_with("grpc.health.") || service.starts_with("grpc.reflection.")
}

fn add_reflection(services: &mut RoutesBuilder, api: &Api, closing: &CancellationToken) {
    let files = prost_types::FileDescriptorSet {
        file: api.pool().file_descriptor_protos().cloned().collect(),
    };
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_file_descriptor_set(files.clone())
            .include_reflection_service(false) // in the descriptors already
    };
    match (builder().build_v1(), builder().build_v1alpha()) {
        (Ok(v1), Ok(v1alpha)) => {
            services.add_service(EndStreamsWhenClosing::new(v1, closing.clone()));
            services.add_service(EndStreamsWhenClosing::new(v1alpha, closing.clone()));
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "gRPC reflection is off: the descriptors do not fit together");
        }
    }
}

/// Serves pages at their own paths, and everything else as calls.
fn with_pages(pages: Router, calls: App, api: Api) -> Router {
    let other_method = async move |request: Request<_>| {
        api.answer_other_method(&request, vec![Method::GET, Method::HEAD, Method::OPTIONS])
            .map(axum::body::Body::new)
    };
    pages.method_not_allowed_fallback(other_method).fallback_service(
        calls
            .map_request(|request: Request<axum::body::Body>| request.map(Body::new))
            .map_response(|response| response.map(axum::body::Body::new)),
    )
}

/// CORS as a browser needs it, to call gRPC-Web and JSON and to see why a call failed.
fn cors(origins: &Origins, mut methods: Vec<Method>) -> CorsLayer {
    let origins = match origins {
        Origins::All => AllowOrigin::any(),
        Origins::These(origins) => AllowOrigin::list(origins.iter().cloned()),
    };
    methods.push(Method::HEAD);
    let name = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods(methods)
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            name("x-grpc-web"),
            name("x-user-agent"),
            name("grpc-timeout"),
            name("traceparent"),
        ])
        // Without these a refusal before the first message shows as "missing trailer".
        .expose_headers([
            name("grpc-status"),
            name("grpc-message"),
            name("grpc-status-details-bin"),
            header::WWW_AUTHENTICATE,
            header::RETRY_AFTER,
            REQUEST_ID,
        ])
        .max_age(PREFLIGHT_AGE)
}

/// The CORS layer takes every OPTIONS for a preflight; one that is none is a question to the API.
fn with_cors(cors: CorsLayer, inner: App) -> App {
    let plain = inner.clone();
    let cors = cors.layer(inner);
    BoxCloneSyncService::new(service_fn(move |request: Request<Body>| {
        let asks_the_api = request.method() == Method::OPTIONS
            && !request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let (plain, cors) = (plain.clone(), cors.clone());
        async move {
            if asks_the_api {
                return plain.oneshot(request).await;
            }
            let mut response = cors.oneshot(request).await?;
            if !response.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
                // The layer tells a page that may not call what it could do if it might.
                for name in TOLD_TO_PAGES {
                    response.headers_mut().remove(name);
                }
            }
            Ok(response)
        }
    }))
}

/// The last resort, for a panic outside the calls: the panic hook has logged it.
fn panicked(_: Box<dyn Any + Send>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
