//! Peers that say nothing, half of something, or nothing more.

use test_protos::library::v1::FailRequest;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Duration, Instant, timeout},
};

use crate::{
    frames::{ACK, GOAWAY, Http2, PING},
    server::{FAIL, SOON, Server},
};

/// So short that a test need not wait, so long that a busy machine does not mistake it.
const SHORT: &str = "300ms";

/// What came until the other side closed the connection.
async fn read_to_end(io: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    // A reset is an end, too.
    let _ = timeout(SOON, io.read_to_end(&mut text)).await.expect("the connection ends");
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_connection_without_a_request_ends_whatever_else_it_has_said() {
    let server = Server::with(&[("FIRST_REQUEST_TIMEOUT", SHORT)]).await;
    for said in ["", "PRI * HTTP", "GET /healthz HTTP/1.1\r\nhost: x\r\n", "\u{16}\u{3}\u{1}"] {
        let began = Instant::now();
        let mut io = server.connect().await;
        io.write_all(said.as_bytes()).await.expect("sent");
        let answer = read_to_end(&mut io).await;
        assert!(!answer.contains(" 200 "), "{said:?} {answer:?}");
        if said.is_empty() {
            assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
        }
    }
    let mut http2 = server.http2().await;
    http2.closed().await;
    server.is_well().await;
}

#[tokio::test]
async fn a_connection_with_a_request_outlives_the_limit_for_the_first() {
    let server = Server::with(&[("FIRST_REQUEST_TIMEOUT", SHORT)]).await;
    let mut http2 = server.http2().await;
    http2.call(1, FAIL, &FailRequest { delay_ms: 900, ..Default::default() }).await;
    assert_eq!(http2.end_of(1).await.expect("an answer").kind, crate::frames::HEADERS);
}

#[tokio::test]
async fn an_http1_connection_ends_when_its_next_header_does_not_come() {
    let server = Server::with(&[("HEADER_TIMEOUT", SHORT)]).await;
    for rest in ["", "GET /healthz HTTP/1.1\r\nhost:"] {
        let mut io = server.connect().await;
        let request = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n{rest}");
        io.write_all(request.as_bytes()).await.expect("sent");
        let answers = read_to_end(&mut io).await;
        assert_eq!(answers.matches("HTTP/1.1 200").count(), 1, "{answers}");
    }
}

#[tokio::test]
async fn pings_are_sent_and_a_peer_that_does_not_answer_them_is_gone() {
    let settings = [("KEEPALIVE_INTERVAL", "100ms"), ("KEEPALIVE_TIMEOUT", SHORT)];
    let server = Server::with(&settings).await;
    let mut http2 = server.http2().await;
    http2.call(1, FAIL, &FailRequest { delay_ms: 60_000, ..Default::default() }).await;
    server.library.begun.notified().await;

    let began = Instant::now();
    for _ in 0..5 {
        let ping = http2.next_of(PING).await.expect("a ping");
        http2.send(PING, ACK, 0, &ping.payload).await.expect("sent");
    }
    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
    while let Some(frame) = http2.next().await {
        assert!(matches!(frame.kind, PING | GOAWAY), "{frame:?}");
    }
    // The call that was under way on it is over, too.
    timeout(SOON, server.library.dropped.notified()).await.expect("dropped");
}

#[tokio::test]
async fn an_idle_http2_connection_is_pinged_too() {
    let settings = [("KEEPALIVE_INTERVAL", "100ms"), ("KEEPALIVE_TIMEOUT", SHORT)];
    let server = Server::with(&settings).await;
    let mut http2: Http2 = server.http2().await;
    http2.call(1, FAIL, &FailRequest::default()).await;
    http2.end_of(1).await.expect("an answer");
    http2.next_of(PING).await.expect("a ping");
    http2.closed().await;
}
