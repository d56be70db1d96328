//! How much a peer may have: connections, streams, headers.

use http::Request;
use test_protos::library::v1::FailRequest;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Duration, timeout},
};

use crate::{
    frames::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, REFUSED_STREAM,
        RST_STREAM, field, frame, grpc_headers,
    },
    server::{FAIL, SOON, Server},
};

const WAITS: FailRequest = FailRequest {
    code: 0,
    message: String::new(),
    details: false,
    panic: false,
    delay_ms: 60_000,
    without_token: false,
};

#[tokio::test]
async fn a_connection_beyond_the_limit_waits_for_a_place() {
    let server = Server::with(&[("MAX_CONNECTIONS", "1")]).await;
    let mut first = server.http2().await;
    first.call(1, FAIL, &FailRequest::default()).await;
    first.end_of(1).await.expect("an answer");

    let mut second = server.connect().await;
    second.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    let mut byte = [0];
    let early = timeout(Duration::from_millis(300), second.read_exact(&mut byte)).await;
    assert!(early.is_err(), "served beyond the limit");
    drop(first);
    timeout(SOON, second.read_exact(&mut byte)).await.expect("served now").expect("an answer");
}

#[tokio::test]
async fn a_stream_beyond_the_limit_is_refused_and_the_others_live_on() {
    let server = Server::with(&[("MAX_CONCURRENT_STREAMS", "2")]).await;
    let mut http2 = server.http2().await;
    let slow = FailRequest { delay_ms: 500, ..Default::default() };
    http2.call(1, FAIL, &slow).await;
    http2.call(3, FAIL, &slow).await;
    // Its headers alone: a refused stream is closed for what would follow.
    http2.send(HEADERS, END_HEADERS | END_STREAM, 5, &grpc_headers(FAIL)).await.expect("sent");
    let refused = http2.end_of(5).await.expect("an answer");
    // The client may send that one again, elsewhere or later (RFC 9113, section 8.7).
    assert_eq!((refused.kind, refused.error()), (RST_STREAM, REFUSED_STREAM));
    assert_eq!(http2.end_of(3).await.expect("an answer").kind, HEADERS);
    http2.call(7, FAIL, &FailRequest::default()).await;
    assert_eq!(http2.end_of(7).await.expect("an answer").kind, HEADERS);
}

#[tokio::test]
async fn a_stream_that_was_reset_gives_its_place_back() {
    let server = Server::with(&[("MAX_CONCURRENT_STREAMS", "1")]).await;
    let mut http2 = server.http2().await;
    http2.call(1, FAIL, &WAITS).await;
    server.library.begun.notified().await;
    let cancel = crate::frames::CANCEL.to_be_bytes();
    http2.send(RST_STREAM, 0, 1, &cancel).await.expect("sent");
    timeout(SOON, server.library.dropped.notified()).await.expect("dropped");
    http2.call(3, FAIL, &FailRequest::default()).await;
    assert_eq!(http2.end_of(3).await.expect("an answer").kind, HEADERS);
}

#[tokio::test]
async fn a_header_list_may_be_as_large_as_the_setting_says_and_no_larger() {
    let server = Server::with(&[("MAX_HEADER_BYTES", "32KiB")]).await;
    let (sender, connection) = h2::client::handshake(server.connect().await).await.expect("HTTP/2");
    tokio::spawn(connection);
    let mut sender = sender.ready().await.expect("ready");
    for (bytes, status) in [(30 << 10, 200), (33 << 10, 431), (60 << 10, 431), (10, 200)] {
        let request = Request::get("http://x/healthz").header("large", "x".repeat(bytes));
        sender = sender.ready().await.expect("the connection lives on");
        let (answer, _) =
            sender.send_request(request.body(()).expect("a request"), true).expect("sent");
        let answer = timeout(SOON, answer).await.expect("an answer").expect("an answer");
        assert_eq!(answer.status().as_u16(), status, "{bytes} bytes over HTTP/2");
    }

    for (bytes, status) in [(30 << 10, "200"), (60 << 10, "431")] {
        let mut io = server.connect().await;
        let large = "x".repeat(bytes);
        let request = format!(
            "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\nlarge: {large}\r\n\r\n"
        );
        io.write_all(request.as_bytes()).await.expect("sent");
        let mut status_line = [0; 12];
        let read = timeout(SOON, io.read_exact(&mut status_line)).await;
        read.expect("an answer").expect("an answer");
        let status_line = String::from_utf8_lossy(&status_line).into_owned();
        assert_eq!(status_line, format!("HTTP/1.1 {status}"), "{bytes} bytes over HTTP/1.1");
    }
    server.is_well().await;
}

#[tokio::test]
async fn headers_without_an_end_end_the_connection() {
    let server = Server::with(&[]).await;
    let mut http2 = server.http2().await;
    let mut block = grpc_headers(FAIL);
    http2.send(HEADERS, 0, 1, &block).await.expect("sent");
    block.clear();
    field(&mut block, "more", &"x".repeat(16_000));
    let more = frame(CONTINUATION, 0, 1, &block);
    let mut sent = 0_usize;
    while http2.io.write_all(&more).await.is_ok() {
        sent += more.len();
        assert!(sent < 64 << 20, "still read after {sent} bytes");
    }
    if let Some(code) = http2.closed().await {
        assert_eq!(code, ENHANCE_YOUR_CALM);
    }
    server.is_well().await;
}

#[tokio::test]
async fn a_plain_answer_to_a_message_that_is_too_large_needs_no_end_of_it() {
    let server = Server::with(&[]).await;
    let mut http2 = server.http2().await;
    http2.send(HEADERS, END_HEADERS, 1, &grpc_headers(FAIL)).await.expect("sent");
    // A prefix that announces 2 GiB, and not one byte of them.
    http2.send(DATA, 0, 1, &[0, 0x7f, 0xff, 0xff, 0xff]).await.expect("sent");
    assert_eq!(http2.end_of(1).await.expect("an answer").kind, HEADERS);
}
