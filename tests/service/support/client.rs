//! One client for all three wires, over raw HTTP, so that answers can be compared.

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client as Http, connect::HttpConnector},
    rt::TokioExecutor,
};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor};
use serde_json::Value;
use tonic::Code;
use tonic_types::pb;

/// The wires, as a test names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Grpc,
    GrpcWeb,
    Json,
}

impl Wire {
    /// The version of HTTP that a call goes over when a test does not care.
    fn version(self) -> Version {
        match self {
            Self::Grpc => Version::HTTP_2,
            Self::GrpcWeb | Self::Json => Version::HTTP_11,
        }
    }
}

pub const WIRES: [Wire; 3] = [Wire::Grpc, Wire::GrpcWeb, Wire::Json];

/// How a call ended, whatever the wire.
#[derive(Debug)]
pub struct Answer {
    pub http: StatusCode,
    pub headers: HeaderMap,
    pub code: Code,
    pub message: String,
    /// The response message as JSON; `Null` where there is none.
    pub value: Value,
    pub details: Vec<prost_types::Any>,
}

impl Answer {
    /// `ErrorInfo.reason`, after its domain was checked.
    pub fn reason(&self) -> Option<String> {
        let info: pb::ErrorInfo = self.detail("google.rpc.ErrorInfo")?;
        assert_eq!(info.domain, "user-service");
        Some(info.reason)
    }

    /// The detail of this type, if there is one.
    pub fn detail<M: prost::Message + Default>(&self, name: &str) -> Option<M> {
        let any = self.details.iter().find(|any| any.type_url.ends_with(&format!("/{name}")))?;
        Some(M::decode(any.value.as_slice()).expect("a detail of the type that it says"))
    }

    /// `(code, reason)`: what a table of refusals compares.
    pub fn refusal(&self) -> (Code, Option<String>) {
        (self.code, self.reason())
    }
}

/// A plain HTTP answer.
#[derive(Debug)]
pub struct Plain {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: HeaderMap,
}

impl Plain {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Calls one service.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    pool: DescriptorPool,
    http1: Http<HttpConnector, Full<Bytes>>,
    http2: Http<HttpConnector, Full<Bytes>>,
}

impl Client {
    /// A client of the service at `base`, `http://127.0.0.1:PORT`.
    pub fn new(base: String, pool: DescriptorPool) -> Self {
        let http1 = Http::builder(TokioExecutor::new()).build_http();
        let http2 = Http::builder(TokioExecutor::new()).http2_only(true).build_http();
        Self { base, pool, http1, http2 }
    }

    /// The RPC at `/package.Service/Method`.
    pub fn method(&self, path: &str) -> MethodDescriptor {
        let (service, method) =
            path.trim_start_matches('/').split_once('/').expect("/package.Service/Method");
        let service = self.pool.get_service_by_name(service).expect("a service");
        service.methods().find(|it| it.name() == method).expect("a method")
    }

    /// Calls a unary RPC with a message given as JSON.
    pub async fn call(
        &self,
        wire: Wire,
        path: &str,
        headers: &[(&str, &str)],
        message: Value,
    ) -> Answer {
        self.call_over(wire, wire.version(), path, headers, message).await
    }

    /// The same over this version of HTTP.
    pub async fn call_over(
        &self,
        wire: Wire,
        version: Version,
        path: &str,
        headers: &[(&str, &str)],
        message: Value,
    ) -> Answer {
        let method = self.method(path);
        if wire == Wire::Json {
            let all = [headers, &[("content-type", "application/json")]].concat();
            let body = message.to_string().into();
            return json_answer(self.send(version, Method::POST, path, &all, body).await);
        }
        let message = DynamicMessage::deserialize(method.input(), message)
            .expect("a message of the RPC's type");
        let body = frame(&message.encode_to_vec());
        self.framed_over(wire, version, &method, path, headers, body).await
    }

    /// Calls an RPC with a body that is already framed, however badly.
    pub async fn framed(
        &self,
        wire: Wire,
        method: &MethodDescriptor,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Answer {
        self.framed_over(wire, wire.version(), method, path, headers, body).await
    }

    async fn framed_over(
        &self,
        wire: Wire,
        version: Version,
        method: &MethodDescriptor,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Answer {
        let content_type = match wire {
            Wire::Grpc => "application/grpc",
            _ => "application/grpc-web+proto",
        };
        let mut all = vec![("content-type", content_type), ("te", "trailers")];
        all.extend_from_slice(headers);
        grpc_answer(wire, method, self.send(version, Method::POST, path, &all, body).await)
    }

    /// Sends a plain HTTP/1.1 request, JSON if there is a body.
    pub async fn http(
        &self,
        verb: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Plain {
        let body = body.into();
        let mut all = headers.to_vec();
        if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
            all.push(("content-type", "application/json"));
        }
        self.send(Version::HTTP_11, verb, path, &all, body).await
    }

    /// Sends any request.
    pub async fn send(
        &self,
        version: Version,
        verb: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Plain {
        let mut request = Request::builder().method(verb).uri(format!("{}{path}", self.base));
        let map = request.headers_mut().expect("a request");
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header's value"));
        }
        let request = request.body(Full::new(body)).expect("a request");
        let http = if version == Version::HTTP_2 { &self.http2 } else { &self.http1 };
        let (parts, body) = http.request(request).await.expect("an answer").into_parts();
        let collected = body.collect().await.expect("a whole answer");
        let trailers = collected.trailers().cloned().unwrap_or_default();
        let (status, headers) = (parts.status, parts.headers);
        Plain { status, headers, body: collected.to_bytes(), trailers }
    }
}

/// One uncompressed length-prefixed message.
pub fn frame(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).expect("a short message"));
    frame.put_slice(message);
    frame.freeze()
}

fn grpc_answer(wire: Wire, method: &MethodDescriptor, plain: Plain) -> Answer {
    let Plain { status: http, headers, mut body, mut trailers } = plain;
    assert_eq!(http, StatusCode::OK, "gRPC errors are in grpc-status: {headers:?}");
    let mut value = Value::Null;
    while body.has_remaining() {
        let flags = body.get_u8();
        let length = body.get_u32() as usize;
        let part = body.split_to(length);
        if wire == Wire::GrpcWeb && flags & 0x80 != 0 {
            trailers = web_trailers(&part);
            continue;
        }
        let message = DynamicMessage::decode(method.output(), part).expect("a response message");
        value = serialize(&message);
    }
    let status = if trailers.contains_key("grpc-status") { &trailers } else { &headers };
    let text = |name: &str| status.get(name).map(|value| value.to_str().expect("ASCII").to_owned());
    let code = Code::from_bytes(text("grpc-status").expect("a grpc-status").as_bytes());
    let message = text("grpc-message").unwrap_or_default();
    let message =
        percent_encoding::percent_decode_str(&message).decode_utf8().expect("UTF-8").into_owned();
    let details = text("grpc-status-details-bin").map_or_else(Vec::new, |encoded| {
        let bytes = BASE64_STANDARD_NO_PAD.decode(encoded.trim_end_matches('=')).expect("base64");
        pb::Status::decode(bytes.as_slice()).expect("a google.rpc.Status").details
    });
    Answer { http, headers, code, message, value, details }
}

fn web_trailers(part: &[u8]) -> HeaderMap {
    let text = std::str::from_utf8(part).expect("UTF-8");
    let lines = text.split("\r\n").filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (name, value) = line.split_once(':').expect("name:value");
            (
                HeaderName::from_bytes(name.trim().as_bytes()).expect("a name"),
                HeaderValue::from_str(value.trim()).expect("a value"),
            )
        })
        .collect()
}

fn json_answer(plain: Plain) -> Answer {
    let body = plain.json();
    let (http, headers) = (plain.status, plain.headers);
    if http.is_success() {
        let (code, message, details) = (Code::Ok, String::new(), Vec::new());
        return Answer { http, headers, code, message, value: body, details };
    }
    let code =
        Code::from_i32(i32::try_from(body["code"].as_i64().expect("a code")).expect("small"));
    let message = body["message"].as_str().expect("a message").to_owned();
    let details = body["details"].as_array().cloned().unwrap_or_default();
    let details = details.iter().map(json_detail).collect();
    Answer { http, headers, code, message, value: Value::Null, details }
}

/// A detail in ProtoJSON back into an `Any`, by the types that this service has.
fn json_detail(detail: &Value) -> prost_types::Any {
    let pool = DescriptorPool::decode(user_service::proto::DESCRIPTORS).expect("descriptors");
    let any = pool.get_message_by_name("google.protobuf.Any").expect("Any");
    let any = DynamicMessage::deserialize(any, detail).expect("an Any in ProtoJSON");
    prost_types::Any::decode(any.encode_to_vec().as_slice()).expect("an Any")
}

fn serialize(message: &DynamicMessage) -> Value {
    let options = prost_reflect::SerializeOptions::new().use_proto_field_name(true);
    message.serialize_with_options(serde_json::value::Serializer, &options).expect("ProtoJSON")
}
