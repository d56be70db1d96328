//! What JSON costs beside gRPC, many bindings beside few, and small calls beside large bodies.
//!
//! The server is this program again, as a process of its own: its CPU time is the operating
//! system's figure (`/proc`, so Linux only), and the clients' is not in it.

mod figure;
#[path = "../tests/wires/library.rs"]
#[expect(dead_code, reason = "what its streams tell is for tests")]
mod library;
#[path = "../tests/stack_support/mod.rs"]
mod stack_support;

use std::{
    convert::Infallible,
    env, fs,
    future::pending,
    hint::black_box,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::FutureExt as _;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, Value};
use serde_json::json;
use test_protos::library::v1::{GetBookRequest, library_service_server::LibraryServiceServer};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    task::JoinSet,
};
use tonic::{body::Body, service::RoutesBuilder};
use tower::{Layer as _, Service as _, service_fn};
use user_service::{
    server,
    wires::{Api, Options},
};

/// Measurements of each figure; their median counts.
const ROUNDS: usize = 7;
const CONNECTIONS: usize = 8;
/// Calls of a round on each connection, one after the other.
const CALLS: usize = 1_000;
/// How long latencies are taken.
const ROUND: Duration = Duration::from_secs(1);
/// The largest body that the service takes by default, in bytes.
const LARGE: usize = 256 * 1024;
const SERVE: &str = "serve";

fn main() {
    if env::args().nth(1).as_deref() == Some(SERVE) {
        return serve();
    }
    let runtime = Runtime::new().expect("a runtime");
    json_beside_grpc(&runtime);
    many_bindings_beside_few();
    small_calls_beside_large_bodies(&runtime);
}

/// Serves the library behind the service's own stack, until its standard input ends.
fn serve() {
    Runtime::new()
        .expect("a runtime")
        .block_on(async {
            let config = stack_support::config(&[]);
            let api = Api::new(&[test_protos::DESCRIPTORS], Options::default()).expect("bindings");
            let mut services = RoutesBuilder::default();
            services.add_service(LibraryServiceServer::new(library::Library::default()));
            let app = stack_support::app(&api, services, &config.app).await;
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let mut out = io::stdout();
            writeln!(out, "{}", listener.local_addr().expect("bound")).expect("a reader");
            tokio::spawn(server::run(listener, app, None, config.connections, pending()));
            tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await
        })
        .expect("no panic")
        .expect("a parent");
}

struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start() -> Self {
        let program = env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .arg(SERVE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a server");
        let mut line = String::new();
        let out = child.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut line).expect("a line");
        Self { child, address: line.trim().parse().expect("an address") }
    }

    /// What the server has used of the processors so far, in ticks (proc(5): `utime` and `stime`).
    fn cpu(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("/proc");
        let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
        let ticks = |index| fields.split(' ').nth(index).expect("a field").parse::<u64>();
        ticks(11).expect("utime") + ticks(12).expect("stime")
    }

    async fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.address).await.expect("a connection");
        stream.set_nodelay(true).expect("an option");
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .expect("HTTP/2");
        tokio::spawn(connection);
        Connection { sender, base: format!("http://{}", self.address) }
    }

    /// The CPU time of a round of calls, in ticks.
    async fn cost(&self, call: &Call) -> f64 {
        let mut clients = JoinSet::new();
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(self.connect().await);
        }
        let before = self.cpu();
        for mut connection in connections {
            let call = call.clone();
            clients.spawn(async move {
                for _ in 0..CALLS {
                    connection.call(&call).await;
                }
            });
        }
        clients.join_all().await;
        (self.cpu() - before) as f64
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone)]
struct Call {
    method: Method,
    path: &'static str,
    content_type: &'static str,
    body: Bytes,
}

impl Call {
    fn json(method: Method, path: &'static str, body: impl Into<Bytes>) -> Self {
        Self { method, path, content_type: "application/json", body: body.into() }
    }

    fn grpc(path: &'static str, message: &impl prost::Message) -> Self {
        let mut body = BytesMut::new();
        body.put_u8(0);
        body.put_u32(u32::try_from(message.encoded_len()).expect("short"));
        message.encode(&mut body).expect("memory");
        let body = body.freeze();
        Self { method: Method::POST, path, content_type: "application/grpc", body }
    }
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    base: String,
}

impl Connection {
    async fn call(&mut self, call: &Call) {
        let request = Request::builder()
            .method(&call.method)
            .uri(format!("{}{}", self.base, call.path))
            .header(header::CONTENT_TYPE, call.content_type)
            .header(header::TE, "trailers")
            .body(Full::new(call.body.clone()))
            .expect("a request");
        let response = self.sender.send_request(request).await.expect("an answer");
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.expect("a body");
        let status = body.trailers().and_then(|trailers| trailers.get("grpc-status"));
        assert!(status.is_none_or(|status| status == "0"));
        black_box(body.to_bytes());
    }
}

/// The same calls in JSON and in gRPC, in turn. No handler does anything.
fn json_beside_grpc(runtime: &Runtime) {
    let empty = (
        Call::json(Method::DELETE, "/v1/shelves/1/books/2", ""),
        "/library.v1.LibraryService/DeleteBook",
    );
    let book = (
        Call::json(Method::GET, "/v1/shelves/1/books/2", ""),
        "/library.v1.LibraryService/GetBook",
    );
    let message = GetBookRequest { name: "shelves/1/books/2".to_owned() };
    let server = Server::start();
    for (name, (json, path)) in
        [("wires.json_to_grpc.empty", empty), ("wires.json_to_grpc.book", book)]
    {
        let grpc = Call::grpc(path, &message);
        let ratios = runtime.block_on(async {
            server.cost(&json).await; // warm
            let mut ratios = Vec::new();
            for _ in 0..ROUNDS {
                let plain = server.cost(&grpc).await;
                ratios.push(server.cost(&json).await / plain);
            }
            ratios
        });
        figure::print(name, ratios, ..=1.5);
    }
}

/// How long it takes to decide which of 5 and which of 500 bindings a request is for.
fn many_bindings_beside_few() {
    for (name, rule) in [
        ("wires.500_to_5_bindings.paths", various as fn(usize) -> (String, String)),
        ("wires.500_to_5_bindings.verbs", verbs),
    ] {
        let few = Decided::new(5, rule);
        let many = Decided::new(500, rule);
        let ratios = (0..ROUNDS).map(|_| many.time().div_duration_f64(few.time())).collect();
        figure::print(name, ratios, ..=2.0);
    }
}

/// A template of each kind, and a path that it matches.
fn various(number: usize) -> (String, String) {
    match number % 4 {
        0 => (format!("/v1/a{number}/{{name}}"), format!("/v1/a{number}/x")),
        1 => (format!("/v1/{{name=b{number}/*}}/c"), format!("/v1/b{number}/x/c")),
        2 => (format!("/v1/d{number}/{{name}}:e"), format!("/v1/d{number}/x:e")),
        _ => (format!("/v1/f{number}/{{name=**}}"), format!("/v1/f{number}/x/y/z")),
    }
}

/// Templates that differ in their verb alone.
fn verbs(number: usize) -> (String, String) {
    (format!("/v1/things/{{name}}:verb{number}"), format!("/v1/things/x:verb{number}"))
}

struct Decided {
    api: Api,
    paths: Vec<String>,
}

impl Decided {
    /// Decisions timed at a time: short enough to fit between two interruptions.
    const AT_A_TIME: usize = 100;
    const TIMES: usize = 200;

    fn new(bindings: usize, rule: fn(usize) -> (String, String)) -> Self {
        // The one RPC has one more: the path that every RPC has.
        let (templates, paths): (Vec<_>, Vec<_>) = (1..bindings).map(rule).unzip();
        let set = with_templates(&templates);
        let api = Api::new(&[&set], Options::default()).expect("good bindings");
        assert_eq!(api.bindings().count(), bindings);
        Self { api, paths }
    }

    /// The fastest time for some decisions: the others met somebody else's work.
    fn time(&self) -> Duration {
        let found = service_fn(async |_| Ok::<_, Infallible>(http::Response::new(Body::empty())));
        let mut decide = self.api.decide().layer(found);
        let mut paths = self.paths.iter().cycle();
        let mut time = || {
            let request = |path: &String| {
                Request::get(path).header(header::HOST, "x").body(Body::empty()).expect("a request")
            };
            let requests: Vec<_> = paths.by_ref().take(Self::AT_A_TIME).map(request).collect();
            let begun = Instant::now();
            for request in requests {
                let Some(Ok(response)) = decide.call(request).now_or_never() else {
                    panic!("decided at once")
                };
                assert_eq!(response.status(), 200);
            }
            begun.elapsed()
        };
        (0..Self::TIMES).map(|_| time()).min().expect("a time")
    }
}

/// A descriptor set whose one RPC has these templates.
fn with_templates(templates: &[String]) -> Vec<u8> {
    let pool = DescriptorPool::decode(test_protos::DESCRIPTORS).expect("descriptors");
    let http = pool.get_extension_by_name("google.api.http").expect("an annotation");
    let of = |name| pool.get_message_by_name(name).expect("a message");
    let more: Vec<_> = templates[1..].iter().map(|path| json!({"get": path})).collect();
    let rule = json!({"get": templates[0], "additional_bindings": more});
    let rule = DynamicMessage::deserialize(of("google.api.HttpRule"), rule).expect("a rule");
    let mut options = DynamicMessage::new(of("google.protobuf.MethodOptions"));
    options.set_extension(&http, Value::Message(rule));

    let set = of("google.protobuf.FileDescriptorSet");
    let mut set = DynamicMessage::decode(set, test_protos::DESCRIPTORS).expect("a set");
    let files = set.get_field_by_name_mut("file").and_then(Value::as_list_mut).expect("files");
    let mut only = true;
    for file in files.iter_mut().filter_map(Value::as_message_mut) {
        let services = file.get_field_by_name_mut("service").and_then(Value::as_list_mut);
        let services = services.expect("services");
        for service in services.iter_mut().filter_map(Value::as_message_mut) {
            let methods = service.get_field_by_name_mut("method").and_then(Value::as_list_mut);
            let methods = methods.expect("methods");
            methods.retain(|method| {
                let name = method.as_message().and_then(|it| it.get_field_by_name("name"));
                name.and_then(|name| name.as_str().map(|it| it == "GetBook")).unwrap_or(false)
            });
            for method in methods.iter_mut().filter_map(Value::as_message_mut) {
                assert!(std::mem::take(&mut only), "one GetBook");
                method.set_field_by_name("options", Value::Message(options.clone()));
            }
        }
    }
    set.encode_to_vec()
}

/// What the slowest hundredth of small calls takes longer while another connection sends one large
/// body after the other, in milliseconds.
fn small_calls_beside_large_bodies(runtime: &Runtime) {
    let server = Server::start();
    let small = Call::json(Method::GET, "/v1/books/1", "");
    let book = r#"{"by_number":{"1":{"name":"A","authors":["B","C"],"pages":2}},"an_int64":"3"}"#;
    let books = vec![book; (LARGE - 20) / (book.len() + 1)].join(",");
    let large = Call::json(Method::POST, "/v1/echo", format!("{{\"inside\":[{books}]}}"));
    assert!(large.body.len() > LARGE - 200 && large.body.len() <= LARGE);
    let differences = runtime.block_on(async {
        let mut connection = server.connect().await;
        p99(&mut connection, &small).await; // warm
        let mut differences = Vec::new();
        for _ in 0..ROUNDS {
            let alone = p99(&mut connection, &small).await;
            let over = Arc::new(AtomicBool::new(false));
            let others = tokio::spawn({
                let (over, large) = (over.clone(), large.clone());
                let mut connection = server.connect().await;
                async move {
                    let mut calls = 0;
                    while !over.load(Ordering::Relaxed) {
                        connection.call(&large).await;
                        calls += 1;
                    }
                    calls
                }
            });
            let beside = p99(&mut connection, &small).await;
            over.store(true, Ordering::Relaxed);
            assert!(others.await.expect("no panic") > 0, "large bodies were under way");
            differences.push((beside - alone) * 1e3);
        }
        differences
    });
    figure::print("wires.ms_beside_large_bodies", differences, ..=5.0);
}

/// The time within which 99 of 100 calls are answered, in seconds.
async fn p99(connection: &mut Connection, call: &Call) -> f64 {
    let mut times = Vec::new();
    let end = Instant::now() + ROUND;
    while Instant::now() < end {
        let begun = Instant::now();
        connection.call(call).await;
        times.push(begun.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    times[times.len() * 99 / 100]
}
