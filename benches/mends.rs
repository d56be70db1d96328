//! What it costs to speak gRPC and gRPC-Web exactly as their protocols say: the throughput of the
//! service's steps beside that of the same steps without the mends (upload, deadline, framing), and,
//! to know what all of them cost, beside tonic's routes with tonic-web and no step at all. Real
//! sockets, in turns.

mod figure;
#[path = "../tests/wires/library.rs"]
#[expect(dead_code, reason = "the tests look into it, this only calls it")]
mod library;
#[path = "../tests/stack_support/mod.rs"]
#[expect(dead_code, reason = "this builds two stacks of its own")]
mod stack_support;

use std::{future::pending, net::SocketAddr, process::ExitCode, time::Duration};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use library::Library;
use prost::Message as _;
use test_protos::library::v1::{GetBookRequest, library_service_server::LibraryServiceServer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::Instant,
};
use tonic::{body::Body, service::Routes};
use tonic_web::GrpcWebLayer;
use tower::{ServiceBuilder, util::BoxCloneSyncService};
use user_service::{
    server::{self, App},
    wires::{Api, Options},
};

/// Turns of rounds of which the middle counts.
const TURNS: usize = 41;
/// Calls in a round.
const CALLS: usize = 6_000;
/// Connections, and calls at a time on each: a few services and browsers.
const CONNECTIONS: usize = 8;
const AT_A_TIME: usize = 4;
/// What is left of the throughput at least.
const AT_LEAST: f64 = 0.97;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let passed = runtime.block_on(async {
        let [mended, without_mends, bare] = stacks().map(serve);
        let (mended, without_mends, bare) = (mended.await, without_mends.await, bare.await);
        let mut passed = true;
        for (name, content_type) in
            [("grpc", "application/grpc"), ("grpc_web", "application/grpc-web+proto")]
        {
            let (mut mends, mut steps) = (Vec::new(), Vec::new());
            for turn in 0..=TURNS {
                // Whoever comes first finds the machine colder: they take turns at that, too.
                let mut took = [Duration::ZERO; 3];
                for place in 0..3 {
                    let which = (turn + place) % 3;
                    took[which] = round([mended, without_mends, bare][which], content_type).await;
                }
                let [took, without_mends, bare] = took;
                if turn > 0 {
                    mends.push(without_mends.div_duration_f64(took));
                    steps.push(bare.div_duration_f64(took));
                }
            }
            let name = format!("mends.{name}_throughput");
            passed &= figure::print(&format!("{name}_to_same_stack"), mends, AT_LEAST..);
            figure::print(&format!("{name}_to_bare_tonic"), steps, ..);
        }
        passed
    });
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The steps of the service's stack, the same without the mends, and tonic alone.
fn stacks() -> [App; 3] {
    let options = Options { domain: Some("library"), ..Options::default() };
    let api = Api::new(&[test_protos::DESCRIPTORS], options).expect("good annotations");
    let routes = || Routes::new(LibraryServiceServer::new(Library::default())).prepare();
    let mended = ServiceBuilder::new()
        .layer(api.upload())
        .layer(api.decide())
        .layer(api.translate())
        .layer(api.outcome())
        .layer(api.shed(1024, |_| false))
        .layer(api.deadline(Duration::from_secs(10)))
        .layer(api.framing())
        .layer(api.panic_guard())
        .service(routes());
    let without_mends = ServiceBuilder::new()
        .layer(api.decide())
        .layer(api.translate())
        .layer(api.outcome())
        .layer(api.shed(1024, |_| false))
        .layer(api.panic_guard())
        .service(routes());
    let bare = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(GrpcWebLayer::new())
        .service(routes());
    [
        BoxCloneSyncService::new(mended),
        BoxCloneSyncService::new(without_mends),
        BoxCloneSyncService::new(bare),
    ]
}

async fn serve(app: App) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let connections = stack_support::config(&[]).connections;
    tokio::spawn(server::run(listener, app, None, connections, pending()));
    address
}

/// How long a round of calls takes.
async fn round(address: SocketAddr, content_type: &'static str) -> Duration {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .expect("HTTP/2");
        tokio::spawn(connection);
        connections.push(sender);
    }
    let message = message();
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for sender in connections.iter().cycle().take(CONNECTIONS * AT_A_TIME) {
        let (mut sender, message) = (sender.clone(), message.clone());
        callers.spawn(async move {
            for _ in 0..CALLS / (CONNECTIONS * AT_A_TIME) {
                let request = Request::post("http://x/library.v1.LibraryService/GetBook")
                    .header("content-type", content_type)
                    .header("te", "trailers")
                    .header("grpc-timeout", "5S")
                    .body(Full::new(message.clone()))
                    .expect("a request");
                let response = sender.send_request(request).await.expect("an answer");
                let answer = response.into_body().collect().await.expect("a whole answer");
                assert!(!answer.to_bytes().is_empty());
            }
        });
    }
    callers.join_all().await;
    began.elapsed()
}

fn message() -> Bytes {
    let request = GetBookRequest { name: "shelves/7/books/12".to_owned() };
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(request.encoded_len()).expect("small"));
    request.encode(&mut framed).expect("memory");
    framed.freeze()
}
