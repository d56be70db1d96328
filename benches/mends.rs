//! What it costs to speak gRPC and gRPC-Web exactly as their protocols say: the throughput of the
//! service's steps beside that of the same steps without those that decide, frame and bound calls,
//! where tonic-web alone tells the wires apart. Real sockets, in turns.

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

/// Pairs of rounds of which the middle counts.
const PAIRS: usize = 41;
/// Calls in a round.
const CALLS: usize = 6_000;
/// Calls at a time, on one connection.
const AT_A_TIME: usize = 32;
/// What is left of the throughput at least.
const AT_LEAST: f64 = 0.97;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let passed = runtime.block_on(async {
        let (mended, bare) = stacks();
        let (mended, bare) = (serve(mended).await, serve(bare).await);
        let mut passed = true;
        for (name, content_type) in [
            ("mended_grpc_throughput_to_bare", "application/grpc"),
            ("mended_grpc_web_throughput_to_bare", "application/grpc-web+proto"),
        ] {
            let mut ratios = Vec::new();
            for pair in 0..=PAIRS {
                // Whoever goes second finds the machine warmer: they take turns.
                let (took, bare_took) = if pair % 2 == 0 {
                    let took = round(mended, content_type).await;
                    (took, round(bare, content_type).await)
                } else {
                    let bare_took = round(bare, content_type).await;
                    (round(mended, content_type).await, bare_took)
                };
                if pair > 0 {
                    ratios.push(bare_took.div_duration_f64(took));
                }
            }
            passed &= figure::print(name, ratios, AT_LEAST..);
        }
        passed
    });
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The steps of the service's stack, and those of them that any service would have.
fn stacks() -> (App, App) {
    let options = Options { domain: Some("library".to_owned()), ..Options::default() };
    let api = Api::new(&[test_protos::DESCRIPTORS], options).expect("good annotations");
    let routes = || Routes::new(LibraryServiceServer::new(Library::default())).prepare();
    let mended = ServiceBuilder::new()
        .layer(api.decide())
        .layer(api.translate())
        .layer(api.outcome())
        .layer(api.shed(1024, |_| false))
        .layer(api.deadline(Duration::from_secs(10)))
        .layer(api.framing())
        .layer(api.panic_guard())
        .service(routes());
    let bare = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(GrpcWebLayer::new())
        .layer(api.outcome())
        .layer(api.shed(1024, |_| false))
        .layer(api.panic_guard())
        .service(routes());
    (BoxCloneSyncService::new(mended), BoxCloneSyncService::new(bare))
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
    let stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("HTTP/2");
    tokio::spawn(connection);
    let message = message();
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..AT_A_TIME {
        let (mut sender, message) = (sender.clone(), message.clone());
        callers.spawn(async move {
            for _ in 0..CALLS / AT_A_TIME {
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
