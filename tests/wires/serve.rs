//! Serves the library on a real socket, and speaks to it.

use std::{
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderName, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use test_protos::library::v1::{
    library_service_client::LibraryServiceClient, library_service_server::LibraryServiceServer,
};
use tokio::net::{TcpListener, TcpStream};
use tonic::{Status, body::Body, service::Routes, transport::Channel};
use tonic_types::{ErrorDetails, StatusExt as _};
use tower::{ServiceBuilder, util::BoxCloneSyncService};
use user_service::{
    server,
    wires::{Api, Options, Record},
};

use crate::library::Library;

pub(crate) const DOMAIN: &str = "library";

/// Limits that no test here meets.
const CONNECTIONS: server::Settings = server::Settings {
    max_connections: 1000,
    max_concurrent_streams: 100,
    max_header_bytes: 32 * 1024,
    first_request_timeout: Duration::from_secs(60),
    tls_handshake_timeout: Duration::from_secs(60),
    header_timeout: Duration::from_secs(60),
    keepalive_interval: Duration::from_secs(60),
    keepalive_timeout: Duration::from_secs(60),
    max_connection_age: None,
    max_connection_age_grace: Duration::from_secs(60),
    shutdown_timeout: Duration::from_secs(60),
};

/// What differs from test to test.
pub(crate) struct Settings {
    pub(crate) timeout: Duration,
    pub(crate) max_calls: usize,
    pub(crate) options: Options,
}

impl Default for Settings {
    fn default() -> Self {
        let options = Options {
            domain: Some(DOMAIN),
            max_message_bytes: 100_000,
            response_metadata: vec![HeaderName::from_static("x-shelf-mark")],
            ..Options::default()
        };
        Self { timeout: Duration::from_secs(10), max_calls: 100, options }
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) library: Library,
    records: Arc<Mutex<Vec<Record>>>,
}

/// Refuses a call that says that it needs a token and has none, as an interceptor does.
fn guard(request: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
    let metadata = request.metadata();
    match (metadata.contains_key("x-guarded"), metadata.get("authorization").map(|v| v.as_bytes()))
    {
        (false, _) | (true, Some(b"Bearer good")) => Ok(request),
        (true, token) => {
            let (reason, message) = match token {
                Some(_) => ("TOKEN_MALFORMED", "the token is \"bad\""),
                None => ("TOKEN_MISSING", "no token"),
            };
            let details = ErrorDetails::with_error_info(reason, DOMAIN, []);
            Err(Status::with_error_details(tonic::Code::Unauthenticated, message, details))
        }
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let library = Library::default();
        let records = Arc::new(Mutex::new(Vec::new()));
        let max = settings.options.max_message_bytes;
        let api = Api::new(&[test_protos::DESCRIPTORS], settings.options).expect("good bindings");
        let service = LibraryServiceServer::new(library.clone())
            .accept_compressed(tonic::codec::CompressionEncoding::Gzip)
            .max_decoding_message_size(max);
        let service = tonic::service::interceptor::InterceptedService::new(service, guard);
        let kept = Arc::clone(&records);
        let app = ServiceBuilder::new()
            .map_request(move |mut request: Request<Body>| {
                let record = Record::default();
                kept.lock().expect("records").push(record.clone());
                request.extensions_mut().insert(record);
                request
            })
            .layer(api.upload())
            .layer(api.decide())
            .layer(api.translate())
            .layer(api.outcome())
            .layer(api.shed(settings.max_calls, |call| call.path().contains("GetBook")))
            .layer(api.deadline(settings.timeout))
            .layer(api.framing())
            .layer(api.panic_guard())
            .service(Routes::new(service).prepare());

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let run =
            server::run(listener, BoxCloneSyncService::new(app), None, CONNECTIONS, pending());
        tokio::spawn(run);
        Self { address, library, records }
    }

    /// The last call that was observed.
    pub(crate) fn record(&self) -> Record {
        self.try_record().expect("a call")
    }

    pub(crate) fn try_record(&self) -> Option<Record> {
        self.records.lock().expect("records").last().cloned()
    }

    /// How the last call ended: its code, and its reason or nothing.
    pub(crate) async fn outcome(&self) -> (tonic::Code, String) {
        let record = self.record();
        let ended = async {
            loop {
                if let Some(outcome) = record.outcome() {
                    return (outcome.code, outcome.reason.clone().unwrap_or_default());
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), ended).await.expect("an outcome")
    }

    /// Sends a request on a connection of its own over HTTP/1.1.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let stream = TcpStream::connect(self.address).await.expect("a connection");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        Answer::read(sender.send_request(request).await.expect("an answer")).await
    }

    /// Sends a request on a connection of its own over HTTP/2.
    pub(crate) async fn send_h2(&self, request: Request<Full<Bytes>>) -> Answer {
        Answer::read(self.open_h2(request).await).await
    }

    pub(crate) async fn open_h2(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.expect("a connection");
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .expect("HTTP/2");
        tokio::spawn(connection);
        sender.send_request(request).await.expect("an answer")
    }

    /// A request to this server.
    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let uri = format!("http://{}{path}", self.address);
        Request::builder().method(method).uri(uri).header(header::HOST, self.address.to_string())
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).body(Full::default()).expect("a request")).await
    }

    /// Sends JSON.
    pub(crate) async fn json(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        let request = self.request(method, path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Full::new(body.into())).expect("a request")).await
    }

    /// A gRPC client.
    pub(crate) async fn grpc(&self) -> LibraryServiceClient<Channel> {
        let channel = Channel::from_shared(format!("http://{}", self.address)).expect("an address");
        LibraryServiceClient::new(channel.connect().await.expect("a channel"))
    }

    /// Calls over gRPC-Web: the message, if one came, and the status.
    pub(crate) async fn web<T: Message + Default>(
        &self,
        method: &str,
        message: &impl Message,
    ) -> (Option<T>, Status) {
        let request = self
            .request(Method::POST, &format!("/library.v1.LibraryService/{method}"))
            .header(header::CONTENT_TYPE, "application/grpc-web+proto")
            .body(Full::new(framed(message)))
            .expect("a request");
        self.send(request).await.web()
    }
}

/// A message with its gRPC prefix.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.encoded_len()).expect("small"));
    message.encode(&mut framed).expect("room");
    framed.freeze()
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: http::HeaderMap,
    /// The connection broke before the answer's end.
    pub(crate) broken: bool,
}

impl Answer {
    pub(crate) async fn read(response: Response<Incoming>) -> Self {
        let (parts, mut body) = response.into_parts();
        let mut data = BytesMut::new();
        let mut trailers = http::HeaderMap::new();
        let mut broken = false;
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) if frame.is_data() => data.extend(frame.into_data()),
                Ok(frame) => trailers = frame.into_trailers().unwrap_or_default(),
                Err(_) => {
                    broken = true;
                    break;
                }
            }
        }
        Self { status: parts.status, headers: parts.headers, body: data.freeze(), trailers, broken }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// The reason of an error, and the field that it names.
    #[track_caller]
    pub(crate) fn refusal(&self) -> (u16, String, String) {
        let json = self.json();
        let detail = |name: &str| {
            let name = format!("type.googleapis.com/google.rpc.{name}");
            let details = json["details"].as_array().cloned().unwrap_or_default();
            details.into_iter().find(|detail| detail["@type"] == name).unwrap_or_default()
        };
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let reason = text(&detail("ErrorInfo")["reason"]);
        (self.status.as_u16(), reason, text(&detail("BadRequest")["field_violations"][0]["field"]))
    }

    /// Reads gRPC-Web: the first message, if one came, and the status.
    #[track_caller]
    pub(crate) fn web<T: Message + Default>(&self) -> (Option<T>, Status) {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        if let Some(status) = Status::from_header_map(&self.headers) {
            return (None, status);
        }
        let mut message = None;
        let mut rest = self.body.clone();
        while rest.len() >= 5 {
            let length = u32::from_be_bytes(rest[1..5].try_into().expect("four bytes")) as usize;
            let frame = rest.split_to(5 + length);
            if frame[0] & 0x80 == 0 {
                message.get_or_insert_with(|| T::decode(&frame[5..]).expect("a message"));
                continue;
            }
            let mut trailers = http::HeaderMap::new();
            for line in std::str::from_utf8(&frame[5..]).expect("trailers").lines() {
                let (name, value) = line.split_once(':').expect("a trailer");
                let name: HeaderName = name.parse().expect("a name");
                trailers.insert(name, value.trim().parse().expect("a value"));
            }
            return (message, Status::from_header_map(&trailers).expect("a status"));
        }
        panic!("no trailers: {self:?}")
    }
}
