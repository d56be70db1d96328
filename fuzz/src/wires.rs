//! The library of books and shelves behind the steps that decide and translate, without a socket.

use std::{cell::OnceCell, convert::Infallible};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version, header};
use http_body_util::{BodyExt as _, Full};
use prost_reflect::{
    DynamicMessage, Kind, MessageDescriptor, ReflectMessage as _, prost::Message as _,
};
use tokio::runtime::{Builder, Runtime};
use tonic::{Status, body::Body};
use tower::{Layer as _, Service as _, service_fn, util::BoxCloneService};
use user_service::wires::{Api, Call, Options};

thread_local! {
    static WIRES: OnceCell<Wires> = const { OnceCell::new() };
}

struct Wires {
    runtime: Runtime,
    app: BoxCloneService<Request<Body>, Response<Body>, Infallible>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Sends a request to the library, whose every method gives its request back, or an empty message
/// where the types differ. Checks what holds of every answer.
pub fn call(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Answer {
    let mut request = Request::new(Body::new(Full::new(body)));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_2; // which needs no host
    *request.headers_mut() = headers;
    let answer = WIRES.with(|wires| wires.get_or_init(Wires::new).call(request));

    // Whatever comes, the fault is the client's.
    let status = answer.status.as_u16();
    assert!(matches!(status, 200 | 204 | 400 | 404 | 405 | 413 | 415 | 501), "{answer:?}");
    if answer.headers.get(header::CONTENT_TYPE).is_some_and(|it| it == "application/json")
        && !answer.body.is_empty()
    {
        let json = json(&answer);
        let refused = json["details"][0]["reason"].is_string();
        assert_eq!(refused, status != 200, "{answer:?}");
    }
    answer
}

/// An answer's JSON, however deep.
pub fn json(answer: &Answer) -> serde_json::Value {
    let mut parser = serde_json::Deserializer::from_slice(&answer.body);
    parser.disable_recursion_limit();
    parser.into_iter().next().expect("JSON").expect("JSON")
}

impl Wires {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let options = Options { domain: Some("library"), ..Options::default() };
        let api = Api::new(&[test_protos::DESCRIPTORS], options).expect("good annotations");
        let app = api.decide().layer(api.translate().layer(service_fn(give_back)));
        Self { runtime, app: BoxCloneService::new(app) }
    }

    fn call(&self, request: Request<Body>) -> Answer {
        self.runtime.block_on(async {
            let Ok(response) = self.app.clone().call(request).await;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.expect("a body that does not break off").to_bytes();
            Answer { status: parts.status, headers: parts.headers, body }
        })
    }
}

/// Plain gRPC, as a handler behind tonic's codec answers.
async fn give_back(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let method = request.extensions().get::<Call>().expect("decided").method().clone();
    let same = method.input() == method.output();
    let message = match request.into_body().collect().await {
        Ok(body) if same && method.name() == "Echo" => body.to_bytes(),
        Ok(body) if same => without_masks(method.input(), &body.to_bytes()),
        Ok(_) => Bytes::from_static(&[0; 5]),
        Err(status) => return Ok(status.into_http()),
    };
    let mut trailers = HeaderMap::new();
    Status::ok("").add_header(&mut trailers).expect("a header");
    let trailers = async move { Some(Ok(trailers)) };
    Ok(Response::new(Body::new(Full::new(message).with_trailers(trailers))))
}

/// The message without its field masks: those of a query can name what JSON has no name for.
fn without_masks(descriptor: MessageDescriptor, framed: &[u8]) -> Bytes {
    let mut message = DynamicMessage::decode(descriptor, &framed[5..]).expect("a message");
    for field in message.descriptor().fields() {
        if matches!(field.kind(), Kind::Message(it) if it.name() == "FieldMask") {
            message.clear_field(&field);
        }
    }
    let message = message.encode_to_vec();
    let length = u32::try_from(message.len()).expect("a length");
    [&[0], &length.to_be_bytes()[..], &message].concat().into()
}
