//! The corner cases of HTTP/1's bodies: where they end, whether they are wanted, when they stop.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::{io::AsyncWriteExt as _, time::timeout};

use crate::{
    raw::{BOOK, LAST_BOOK, PIECES, Raw, SOON, echo},
    serve::{Server, Settings},
};

#[tokio::test]
async fn chunks_of_any_size_make_one_body() {
    let server = Server::start().await;
    let chunks: String = PIECES.chars().map(|it| format!("1;a=\"b\"\r\n{it}\r\n")).collect();
    let mut raw = Raw::open(&server).await;
    raw.send(echo("transfer-encoding: Chunked\r\n") + &chunks + "0\r\ntrailer: x\r\n\r\n").await;
    let reply = raw.reply().await;
    assert_eq!((reply.status, &*reply.body), (200, PIECES));
    raw.lives_on().await;
}

#[tokio::test]
async fn a_broken_chunk_is_malformed_and_ends_the_connection() {
    let server = Server::start().await;
    for chunks in [
        "zz\r\n",
        "-2\r\n{}\r\n",
        "ffffffffffffffffff\r\n{}",
        "2\r\n{}0\r\n\r\n",
        "2 2\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}\r\n0\r\nno trailer\r\n\r\n",
    ] {
        let mut raw = Raw::open(&server).await;
        raw.send(echo("transfer-encoding: chunked\r\n") + chunks + LAST_BOOK).await;
        let reply = raw.reply().await;
        assert_eq!(reply.status, 400, "{chunks:?}");
        assert!(reply.body.contains("REQUEST_MALFORMED"), "{reply:?}");
        raw.closed().await;
    }
    // One size line that never ends.
    let mut raw = Raw::open(&server).await;
    let extension = "x".repeat(100_000);
    let _ = raw
        .0
        .write_all((echo("transfer-encoding: chunked\r\n") + "2;" + &extension).as_bytes())
        .await;
    let rest = raw.rest().await;
    assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 400 "), "{rest}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_it_comes() {
    let server = Server::start().await;
    let body = "x".repeat(110_000); // the limit here is 100,000
    let chunked: String =
        body.as_bytes().chunks(999).map(|_| format!("3e7\r\n{}\r\n", &body[..999])).collect();
    for request in [
        echo("content-length: 110000\r\n") + &body,
        echo("transfer-encoding: chunked\r\n") + &chunked + "0\r\n\r\n",
    ] {
        let mut raw = Raw::open(&server).await;
        raw.send(request).await;
        let reply = raw.reply().await;
        assert_eq!(reply.status, 413);
        assert!(reply.body.contains("BODY_TOO_LARGE"), "{reply:?}");
        raw.lives_on().await;
    }
    // A length that nobody sends.
    for length in ["9999999999", "18446744073709551614"] {
        let mut raw = Raw::open(&server).await;
        raw.send(echo(&format!("content-length: {length}\r\n"))).await;
        let reply = raw.reply().await;
        assert!(matches!(reply.status, 413 | 431), "{length}: {reply:?}");
        raw.closed().await;
    }
}

#[tokio::test]
async fn who_expects_100_continue_is_asked_for_the_body_when_it_is_wanted() {
    let server = Server::start().await;
    let head = echo(&format!("expect: 100-Continue\r\ncontent-length: {}\r\n", PIECES.len()));
    let mut raw = Raw::open(&server).await;
    raw.send(&head).await;
    assert_eq!(raw.head().await, (100, "HTTP/1.1 100 Continue\r\n\r\n".to_owned()));
    raw.send(PIECES).await;
    assert_eq!(raw.reply().await.body, PIECES);
    raw.lives_on().await;

    // Who does not wait is answered all the same.
    let mut raw = Raw::open(&server).await;
    raw.send(head.clone() + PIECES).await;
    let (mut status, _) = raw.head().await;
    if status == 100 {
        let reply = raw.reply().await;
        status = reply.status;
        assert_eq!(reply.body, PIECES);
    }
    assert_eq!(status, 200);

    // HTTP/1.0 knows no interim answers, and without a body there is nothing to expect.
    let mut raw = Raw::open(&server).await;
    raw.send(head.replace("HTTP/1.1", "HTTP/1.0") + PIECES).await;
    assert_eq!(raw.reply().await.status, 200);
    raw.closed().await;
    let mut raw = Raw::open(&server).await;
    raw.send(BOOK.replace("host: x", "host: x\r\nexpect: 100-continue")).await;
    assert_eq!(raw.reply().await.status, 200);
    raw.lives_on().await;
}

#[tokio::test]
async fn a_body_that_is_not_wanted_is_not_asked_for() {
    let server = Server::start().await;
    let expecting = "expect: 100-continue\r\ncontent-length: 24\r\n";
    for (request, status) in [
        (echo(expecting).replace("/v1/echo", "/nothing"), 404),
        (echo(expecting).replace("POST", "PUT"), 405),
        (echo(&format!("{expecting}content-type: text/csv\r\n")), 415),
        (echo(&format!("{expecting}x-guarded: yes\r\n")), 401),
        (echo(&expecting.replace("24", "200000")), 413),
        (echo(&format!("{expecting}grpc-timeout: 0n\r\n")), 504),
    ] {
        let mut raw = Raw::open(&server).await;
        raw.send(request).await;
        let reply = raw.reply().await;
        assert_eq!(
            (reply.status, reply.header("connection")),
            (status, Some("close")),
            "{reply:?}"
        );
        raw.closed().await;
    }
}

#[tokio::test]
async fn lengths_that_contradict_each_other_smuggle_nothing() {
    let server = Server::start().await;
    for lines in [
        "content-length: 2\r\ncontent-length: 50\r\n",
        "content-length: 2, 50\r\n",
        "content-length: -2\r\n",
        "content-length: +2\r\n",
        "content-length: 0x2\r\n",
        "content-length: 2 2\r\n",
        "content-length: \r\n",
        "content-length: 99999999999999999999\r\n",
        "content-length : 2\r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: chunked, gzip\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        "transfer-encoding: identity\r\ncontent-length: 2\r\n",
        "transfer-encoding : chunked\r\n",
        "transfer-encoding:\r\n chunked\r\n",
    ] {
        let mut raw = Raw::open(&server).await;
        raw.send(echo(lines) + "{}" + LAST_BOOK).await;
        assert_eq!(raw.reply().await.status, 400, "{lines:?}");
        raw.closed().await;
    }

    // RFC 9112, section 6.3: the same length twice is that length.
    let mut raw = Raw::open(&server).await;
    raw.send(echo("content-length: 2\r\ncontent-length: 2\r\n") + "{}").await;
    assert_eq!(raw.reply().await.status, 200);
    raw.lives_on().await;

    // And section 6.1: chunks go before a length, and the connection carries nothing more.
    for lines in [
        "transfer-encoding: chunked\r\ncontent-length: 100\r\n",
        "content-length: 100\r\ntransfer-encoding: chunked\r\n",
    ] {
        let mut raw = Raw::open(&server).await;
        raw.send(echo(lines) + "2\r\n{}\r\n0\r\n\r\n" + LAST_BOOK).await;
        let reply = raw.reply().await;
        assert_eq!((reply.status, reply.header("connection")), (200, Some("close")), "{lines:?}");
        raw.closed().await;
    }
}

#[tokio::test]
async fn a_body_that_comes_slowly_has_the_calls_time_and_no_more() {
    let timeout = Duration::from_millis(300);
    let server = Server::with(Settings { timeout, ..Settings::default() }).await;
    let length = format!("content-length: {}\r\n", PIECES.len());
    let web = "POST /library.v1.LibraryService/Fail HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc-web\r\ncontent-length: 6\r\n\r\n";
    for (head, status, grpc_status) in [
        (echo(&length), 504, None),
        (echo("transfer-encoding: chunked\r\n"), 504, None),
        (web.to_owned(), 200, Some("4")),
        (echo(&length).replace("/v1/echo", "/nothing"), 404, None),
    ] {
        let mut raw = Raw::open(&server).await;
        raw.send(head.clone()).await;
        let begun = Instant::now();
        let reply = raw.reply().await;
        assert_eq!((reply.status, reply.header("grpc-status")), (status, grpc_status), "{head}");
        // What is still to come of it is waited for a moment, then the connection is given up.
        assert_eq!(reply.header("connection"), Some("close"));
        raw.closed().await;
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }

    let mut raw = Raw::open(&server).await;
    for byte in (echo(&length) + PIECES).as_bytes() {
        raw.send([*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(raw.reply().await.body, PIECES);
    raw.lives_on().await;
}

#[tokio::test]
async fn a_client_that_leaves_early_leaves_nothing_behind() {
    let server = Server::start().await;
    let length = format!("content-length: {}\r\n", PIECES.len());
    for begun in [
        String::new(),
        "GET /v1".to_owned(),
        echo(&length),
        echo(&length) + &PIECES[..5],
        echo("transfer-encoding: chunked\r\n") + "18\r\n{",
        echo("transfer-encoding: chunked\r\n") + "1",
        echo(&format!("expect: 100-continue\r\n{length}")),
    ] {
        // In order, so that what was sent is read; a half that is never followed by another.
        let mut raw = Raw::open(&server).await;
        raw.send(&begun).await;
        raw.0.shutdown().await.expect("shut down");
        let rest = raw.rest().await;
        let rest = rest.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&rest);
        assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 400 "), "{begun:?}: {rest}");

        // By a reset.
        let mut raw = Raw::open(&server).await;
        raw.send(&begun).await;
        raw.0.get_ref().set_zero_linger().expect("an option");
        drop(raw);
        Raw::open(&server).await.lives_on().await;
    }
    // A handler at work is dropped.
    let fail = json!({"delay_ms": 60_000}).to_string();
    let request = echo(&format!("content-length: {}\r\n", fail.len()))
        .replace("/v1/echo", "/v1/fail")
        + &fail;
    let mut raw = Raw::open(&server).await;
    raw.send(request).await;
    timeout(SOON, server.library.begun.notified()).await.expect("begun");
    drop(raw);
    timeout(SOON, server.library.dropped.notified()).await.expect("dropped");
    Raw::open(&server).await.lives_on().await;
}
