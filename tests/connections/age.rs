//! How connections end: by age, and at shutdown.

use test_protos::library::v1::{FailRequest, StreamBooksRequest};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Duration, Instant, timeout},
};

use crate::{
    frames::{ACK, GOAWAY, HEADERS, Http2, NO_ERROR, PING},
    server::{FAIL, SOON, STREAM_BOOKS, Server},
};

/// Reads until the connection is asked to end, and answers the ping by which HTTP/2 servers learn
/// that this was read (RFC 9113, section 6.8).
async fn asked_to_end(http2: &mut Http2) {
    let goaway = http2.next_of(GOAWAY).await.expect("GOAWAY");
    assert_eq!(goaway.error(), NO_ERROR);
    let ping = http2.next_of(PING).await.expect("a ping");
    http2.send(PING, ACK, 0, &ping.payload).await.expect("sent");
}

#[tokio::test]
async fn an_old_connection_is_asked_to_end_and_its_calls_complete() {
    let server = Server::with(&[("MAX_CONNECTION_AGE", "300ms")]).await;
    let began = Instant::now();
    let mut http2 = server.http2().await;
    http2.call(1, FAIL, &FailRequest { delay_ms: 1_000, ..Default::default() }).await;
    asked_to_end(&mut http2).await;
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    assert_eq!(http2.end_of(1).await.expect("the call's end").kind, HEADERS);
    http2.closed().await;
}

#[tokio::test]
async fn an_old_connection_ends_after_its_grace_calls_or_not() {
    let settings = [("MAX_CONNECTION_AGE", "200ms"), ("MAX_CONNECTION_AGE_GRACE", "300ms")];
    let server = Server::with(&settings).await;
    let mut http2 = server.http2().await;
    let endless = StreamBooksRequest { count: 1_000_000, delay_ms: 50, ..Default::default() };
    http2.call(1, STREAM_BOOKS, &endless).await;
    asked_to_end(&mut http2).await;
    let asked = Instant::now();
    http2.closed().await;
    assert!(asked.elapsed() >= Duration::from_millis(250), "{:?}", asked.elapsed());
    timeout(SOON, server.library.stream_dropped.notified()).await.expect("the stream is dropped");
}

#[tokio::test]
async fn an_old_http1_connection_says_so_in_its_last_answer() {
    let server = Server::with(&[("MAX_CONNECTION_AGE", "200ms")]).await;
    let mut io = server.connect().await;
    let body = r#"{"delay_ms":600}"#;
    let call = format!(
        "POST {FAIL} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    io.write_all(call.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    timeout(SOON, io.read_to_string(&mut answer)).await.expect("an end").expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn an_idle_http1_connection_ends_at_its_age() {
    let server = Server::with(&[("MAX_CONNECTION_AGE", "200ms")]).await;
    let mut io = server.connect().await;
    io.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    let mut answer = String::new();
    timeout(SOON, io.read_to_string(&mut answer)).await.expect("an end").expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_shutdown_waits_for_calls_and_takes_no_new_connection() {
    let server = Server::with(&[]).await;
    let mut http2 = server.http2().await;
    http2.call(1, FAIL, &FailRequest { delay_ms: 500, ..Default::default() }).await;
    server.library.begun.notified().await;
    server.shutdown.cancel();
    asked_to_end(&mut http2).await;
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err());
    assert_eq!(http2.end_of(1).await.expect("the call's end").kind, HEADERS);
    timeout(SOON, server.ended).await.expect("an end").expect("no panic");
}

#[tokio::test]
async fn a_shutdown_cuts_what_is_not_done_at_its_limit() {
    let server = Server::with(&[("SHUTDOWN_TIMEOUT", "300ms")]).await;
    let mut http2 = server.http2().await;
    http2.call(1, FAIL, &FailRequest { delay_ms: 60_000, ..Default::default() }).await;
    server.library.begun.notified().await;
    let began = Instant::now();
    server.shutdown.cancel();
    timeout(SOON, server.ended).await.expect("an end").expect("no panic");
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    timeout(SOON, server.library.dropped.notified()).await.expect("dropped");
}
