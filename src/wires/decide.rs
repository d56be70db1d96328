//! The one place that decides which wire and which RPC a request is.

use std::sync::Arc;

use futures_util::future::Either;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header,
    uri::PathAndQuery,
};
use tonic::body::Body;

use super::{
    Outcome, Record, Wire, answer,
    api::Api,
    binding::{Binding, RequestBody},
    call::Call,
    content::ContentType,
    reason::{Reason, Refusal},
    router::Found,
    step::{Inner, MaybeAtOnce, Step, at_once},
};

/// Of a refusal to a client that sent something else than JSON. Clients of gRPC and Connect take
/// exactly `application/json` for an error in Connect's own form, which this is not.
const REFUSAL_TO_OTHERS: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// Where a JSON request goes, as decided: what the translator needs to know.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) binding: Arc<Binding>,
    pub(super) path: PathAndQuery,
    /// The body is gzip.
    pub(super) gzip: bool,
}

/// The step that decides: see [`Api::decide`].
#[derive(Clone, Debug)]
pub struct DecideStep {
    api: Api,
}

/// What a request is: a call (only a JSON one has a target), or something to answer at once.
type Decision = Result<(Call, Option<Target>), NoCall>;

/// What is no call.
enum NoCall {
    /// `OPTIONS` at a path that has these methods.
    Options(Vec<Method>),
    /// On gRPC and gRPC-Web: an answer in headers, HTTP 200.
    RefusedInGrpc(Reason),
    /// In HTTP's own terms.
    Refused(Refusal, Extra),
}

/// A header that a refusal comes with.
enum Extra {
    None,
    Allow(Vec<Method>),
    /// RFC 9110, 15.5.16: which content encodings would do.
    AcceptEncoding,
}

impl DecideStep {
    pub(super) fn new(api: Api) -> Self {
        Self { api }
    }
}

impl Step for DecideStep {
    type Future<S: Inner> = MaybeAtOnce<S::Future>;

    fn pass<S: Inner>(&self, mut request: Request<Body>, inner: &mut S) -> Self::Future<S> {
        let content_type = ContentType::of(request.headers());
        let (call, target) = match decide(&self.api, &request, content_type) {
            Ok(decided) => decided,
            Err(no_call) => return at_once(self.answer(&request, content_type, no_call)),
        };
        if let Some(record) = request.extensions().get::<Record>() {
            record.decided(&call);
        }
        canonicalize(request.headers_mut(), content_type);
        request.extensions_mut().insert(call);
        if let Some(target) = target {
            request.extensions_mut().insert(target);
        }
        Either::Left(inner.call(request))
    }
}

impl Api {
    /// Answers a request at a path that is a page's and no RPC's, which takes these methods but not
    /// the request's own: 204 with `Allow` to `OPTIONS`, 405 to any other.
    pub fn answer_other_method<B>(
        &self,
        request: &Request<B>,
        methods: Vec<Method>,
    ) -> Response<Body> {
        let no_call = match *request.method() {
            Method::OPTIONS => NoCall::Options(methods),
            _ => NoCall::Refused(Reason::MethodNotAllowed.into(), Extra::Allow(methods)),
        };
        DecideStep::new(self.clone()).answer(request, ContentType::of(request.headers()), no_call)
    }
}

impl DecideStep {
    fn answer<B>(
        &self,
        request: &Request<B>,
        content_type: ContentType,
        no_call: NoCall,
    ) -> Response<Body> {
        let domain = self.api.domain();
        let ended = |reason: Reason| {
            if let Some(record) = request.extensions().get::<Record>() {
                let name = domain.0.is_some().then(|| reason.as_str().to_owned());
                record.ended(Outcome { code: reason.code(), reason: name });
            }
        };
        match no_call {
            NoCall::Options(methods) => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response.headers_mut().insert(header::ALLOW, allow(&methods));
                response
            }
            NoCall::RefusedInGrpc(reason) => {
                ended(reason);
                let mut response = domain.status(reason).into_http();
                if let Some(content_type) = content_type.canonical() {
                    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
                }
                response
            }
            NoCall::Refused(refusal, extra) => {
                ended(refusal.reason);
                let http = refusal.reason.http();
                let status = domain.status(refusal);
                let authorized = answer::has_token(request.headers());
                let mut response = answer::error(&self.api, &status, authorized);
                *response.status_mut() = http;
                if !content_type.may_be_json() {
                    response.headers_mut().insert(header::CONTENT_TYPE, REFUSAL_TO_OTHERS);
                }
                match extra {
                    Extra::None => {}
                    Extra::Allow(methods) => {
                        response.headers_mut().insert(header::ALLOW, allow(&methods));
                    }
                    Extra::AcceptEncoding => {
                        let gzip = HeaderValue::from_static("gzip, identity");
                        response.headers_mut().insert(header::ACCEPT_ENCODING, gzip);
                    }
                }
                let head = request.method() == Method::HEAD;
                if head { answer::without_body(response) } else { response }
            }
        }
    }
}

/// Path, then method, then content type.
fn decide(api: &Api, request: &Request<Body>, content_type: ContentType) -> Decision {
    if !has_its_host(request) {
        const HOST: &str = "HTTP/1.1 takes one host header";
        return Err(NoCall::Refused(Refusal::saying(Reason::RequestMalformed, HOST), Extra::None));
    }
    let (method, path) = (request.method(), request.uri().path());
    if *method == Method::POST
        && let Some(wire) = grpc_wire(content_type)
    {
        return decide_grpc(api, request, wire, content_type);
    }

    if *method == Method::OPTIONS {
        return match api.router().methods_at(path) {
            methods if methods.is_empty() => refused(Reason::RouteNotFound),
            methods => Err(NoCall::Options(methods)),
        };
    }
    let binding = match api.router().find(method, path) {
        Found::Binding(binding) => binding,
        Found::OtherMethods(methods) => {
            return Err(NoCall::Refused(Reason::MethodNotAllowed.into(), Extra::Allow(methods)));
        }
        Found::Nothing => return refused(Reason::RouteNotFound),
    };

    let takes_body = *binding.body() != RequestBody::None;
    if takes_body && !content_type.may_be_json() && !binding.takes_any_content() {
        return refused(Reason::ContentType);
    }
    let gzip = match content_encoding(request.headers()) {
        Some(gzip) => gzip,
        None if !takes_body => false, // there is nothing to read
        None => return Err(NoCall::Refused(Reason::ContentType.into(), Extra::AcceptEncoding)),
    };
    if binding.rpc().is_client_streaming() {
        const ONLY_GRPC: &str = "a stream of requests can only be sent over gRPC";
        let refusal = Refusal::saying(Reason::NotImplemented, ONLY_GRPC);
        return Err(NoCall::Refused(refusal, Extra::None));
    }

    let path = request.uri().path_and_query().cloned();
    let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
    let target = Target { binding: Arc::clone(binding), path, gzip };
    Ok((Call::new(Wire::Json, binding.shared_rpc()), Some(target)))
}

/// RFC 9112, section 3.2: more than one host is refused, and over HTTP/1.1 none is, too.
fn has_its_host(request: &Request<Body>) -> bool {
    match request.headers().get_all(header::HOST).iter().count() {
        0 => request.version() != Version::HTTP_11,
        1 => true,
        _ => false,
    }
}

fn decide_grpc(
    api: &Api,
    request: &Request<Body>,
    wire: Wire,
    content_type: ContentType,
) -> Decision {
    // gRPC over HTTP/2, "Requests": plain gRPC has trailers, which HTTP/1.1 clients lose.
    let spoken = content_type.canonical().is_some()
        && (wire == Wire::GrpcWeb || request.version() >= Version::HTTP_2);
    if !spoken {
        return refused(Reason::ContentType);
    }
    match api.rpc(request.uri().path()) {
        Some(rpc) => Ok((Call::new(wire, rpc), None)),
        None => Err(NoCall::RefusedInGrpc(Reason::NotImplemented)),
    }
}

fn grpc_wire(content_type: ContentType) -> Option<Wire> {
    match content_type {
        ContentType::Grpc | ContentType::OtherGrpc => Some(Wire::Grpc),
        ContentType::GrpcWeb | ContentType::GrpcWebText => Some(Wire::GrpcWeb),
        ContentType::None | ContentType::Json | ContentType::Other => None,
    }
}

fn refused(reason: Reason) -> Decision {
    Err(NoCall::Refused(reason.into(), Extra::None))
}

/// Whether the body is gzip; `None` for an encoding that is not read here.
fn content_encoding(headers: &HeaderMap) -> Option<bool> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    let (value, more) = (values.next(), values.next());
    match value.map(|value| value.as_bytes().trim_ascii().to_ascii_lowercase()).as_deref() {
        _ if more.is_some() => None,
        None | Some(b"" | b"identity") => Some(false),
        Some(b"gzip" | b"x-gzip") => Some(true),
        Some(_) => None,
    }
}

/// Writes content types in the form that tonic and tonic-web compare with. A client that sends
/// base64 gets base64, whatever it accepts.
fn canonicalize(headers: &mut HeaderMap, content_type: ContentType) {
    let Some(canonical) = content_type.canonical() else { return };
    if content_type != ContentType::Grpc {
        headers.insert(header::ACCEPT, canonical.clone());
    }
    headers.insert(header::CONTENT_TYPE, canonical);
}

fn allow(methods: &[Method]) -> HeaderValue {
    let names: Vec<_> = methods.iter().map(Method::as_str).collect();
    // Methods are tokens, so this cannot fail; an empty Allow says that there is none.
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}
