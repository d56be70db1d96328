//! Peers that ask and do not read the answer.

use bytes::Bytes;
use http::Request;
use prost::Message as _;
use test_protos::library::v1::{GetBookRequest, StreamBooksRequest};
use tokio::{
    io::AsyncWriteExt as _,
    time::{Instant, timeout},
};
use tonic::Code;

use crate::{
    frames::{HEADERS, Http2, INITIAL_WINDOW_SIZE, WINDOW_UPDATE},
    server::{SOON, STREAM_BOOKS, Server},
};

const GET_BOOK: &str = "/library.v1.LibraryService/GetBook";
/// 10 GB, if somebody read them.
const MUCH: StreamBooksRequest =
    StreamBooksRequest { count: 1_000_000, code: 0, delay_ms: 0, panic: false, size: 10_000 };
/// What buffers and windows may hold of them: 50 MB.
const FEW: usize = 5_000;
const LARGEST_WINDOW: u32 = i32::MAX as u32;

#[tokio::test]
async fn a_peer_that_never_reads_is_gone_after_a_ping_over_http2() {
    let settings = [("KEEPALIVE_INTERVAL", "200ms"), ("KEEPALIVE_TIMEOUT", "300ms")];
    let server = Server::with(&settings).await;
    let windows = [(INITIAL_WINDOW_SIZE, LARGEST_WINDOW)];
    let mut http2 = Http2::begin(server.connect().await, &windows).await;
    let more = (LARGEST_WINDOW - 65_535).to_be_bytes();
    http2.send(WINDOW_UPDATE, 0, 0, &more).await.expect("sent");
    http2.call(1, STREAM_BOOKS, &MUCH).await;
    timeout(SOON, server.library.stream_dropped.notified()).await.expect("dropped");
    assert!(server.library.made() < FEW, "{}", server.library.made());
    server.is_well().await;
}

#[tokio::test]
async fn a_peer_that_never_reads_is_gone_after_as_long_over_http1() {
    let settings = [("KEEPALIVE_INTERVAL", "200ms"), ("KEEPALIVE_TIMEOUT", "300ms")];
    let server = Server::with(&settings).await;
    let mut io = server.connect().await;
    let began = Instant::now();
    let path = "/v1/books:stream?count=1000000&size=10000";
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    io.write_all(request.as_bytes()).await.expect("sent");
    timeout(SOON, server.library.stream_dropped.notified()).await.expect("dropped");
    assert!(began.elapsed().as_millis() >= 500, "{:?}", began.elapsed());
    assert!(server.library.made() < FEW, "{}", server.library.made());
    server.is_well().await;
}

#[tokio::test]
async fn a_deadline_ends_a_stream_that_nobody_reads() {
    let server = Server::with(&[]).await;
    let (sender, connection) = h2::client::handshake(server.connect().await).await.expect("HTTP/2");
    tokio::spawn(connection);
    let mut sender = sender.ready().await.expect("ready");
    let request = Request::post(format!("http://x{STREAM_BOOKS}"))
        .header("content-type", "application/grpc")
        .header("grpc-timeout", "300m")
        .body(())
        .expect("a request");
    let (answer, mut upload) = sender.send_request(request, false).expect("sent");
    let mut framed = vec![0, 0, 0, 0, u8::try_from(MUCH.encoded_len()).expect("short")];
    MUCH.encode(&mut framed).expect("memory");
    upload.send_data(Bytes::from(framed), true).expect("sent");
    let answer = timeout(SOON, answer).await.expect("a head").expect("a head");

    // No window is given back: nothing asks the stream for more, and yet it ends.
    timeout(SOON, server.library.stream_dropped.notified()).await.expect("dropped");
    assert!(server.library.made() < FEW, "{}", server.library.made());

    // Who reads on after all is told why.
    let mut body = answer.into_body();
    while let Some(data) = timeout(SOON, body.data()).await.expect("in time") {
        let read = data.expect("data").len();
        body.flow_control().release_capacity(read).expect("a window");
    }
    let trailers = body.trailers().await.expect("an end").expect("trailers");
    let status = tonic::Status::from_header_map(&trailers).expect("a status");
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_unary_answer_that_nobody_reads_keeps_no_place_among_calls() {
    let server = Server::with(&[("MAX_CONCURRENT_CALLS", "1")]).await;
    let mut http2 = Http2::begin(server.connect().await, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    http2.call(1, GET_BOOK, &GetBookRequest { name: "unread".to_owned() }).await;
    // Its head comes, its message has no window.
    http2.next_of(HEADERS).await.expect("a head");
    server.is_well().await;
    let window = 1_000_u32.to_be_bytes();
    http2.send(WINDOW_UPDATE, 0, 1, &window).await.expect("sent");
    assert_eq!(http2.end_of(1).await.expect("the rest").kind, HEADERS);
}
