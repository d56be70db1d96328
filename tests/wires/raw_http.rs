//! The corner cases of HTTP/1's heads, and of one request after the other.

use test_protos::library::v1::FailRequest;
use tokio::io::AsyncWriteExt as _;

use crate::{
    raw::{BOOK, PIECES, Raw, echo},
    serve::{Server, framed},
};

#[tokio::test]
async fn http_1_0_ends_with_its_answer_unless_it_asks_to_go_on() {
    let server = Server::start().await;
    let mut raw = Raw::open(&server).await;
    raw.send("GET /v1/books/1 HTTP/1.0\r\n\r\n").await;
    let reply = raw.reply().await;
    assert_eq!((reply.status, reply.header("transfer-encoding")), (200, None));
    raw.closed().await;

    let mut raw = Raw::open(&server).await;
    raw.send("GET /v1/books/1 HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").await;
    assert_eq!(raw.reply().await.header("connection"), Some("keep-alive"));
    raw.lives_on().await;

    // A stream ends where the connection does: HTTP/1.0 has no chunks.
    let mut raw = Raw::open(&server).await;
    raw.send("GET /v1/books:stream?count=2&size=1 HTTP/1.0\r\n\r\n").await;
    let (status, head) = raw.head().await;
    assert_eq!((status, head.contains("transfer-encoding")), (200, false), "{head}");
    assert_eq!(raw.rest().await.lines().count(), 2);

    let mut raw = Raw::open(&server).await;
    raw.send("POST /v1/echo HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
        .await;
    assert_eq!(raw.reply().await.status, 400);
    raw.closed().await;
}

#[tokio::test]
async fn a_request_has_one_host() {
    let server = Server::start().await;
    for hosts in ["", "host: x\r\nhost: y\r\n"] {
        let mut raw = Raw::open(&server).await;
        raw.send(format!("GET /v1/books/1 HTTP/1.1\r\n{hosts}\r\n")).await;
        let reply = raw.reply().await;
        assert_eq!(reply.status, 400, "{hosts:?}");
        assert!(reply.body.contains("REQUEST_MALFORMED"), "{reply:?}");
        raw.lives_on().await;
    }
}

#[tokio::test]
async fn a_target_may_be_absolute_and_is_never_an_authority() {
    let server = Server::start().await;
    for (line, status) in [
        ("GET http://elsewhere/v1/books/1 HTTP/1.1", 200),
        ("GET /v1/books/1#part HTTP/1.1", 200),
        ("get /v1/books/1 HTTP/1.1", 405),
        ("CONNECT x:80 HTTP/1.1", 404),
        ("OPTIONS * HTTP/1.1", 404),
    ] {
        let mut raw = Raw::open(&server).await;
        raw.send(format!("{line}\r\nhost: x\r\n\r\n")).await;
        assert_eq!(raw.reply().await.status, status, "{line}");
        raw.lives_on().await;
    }
}

#[tokio::test]
async fn an_offer_to_upgrade_is_passed_over() {
    let server = Server::start().await;
    for offer in ["h2c", "websocket"] {
        let mut raw = Raw::open(&server).await;
        let offer = format!(
            "connection: upgrade, http2-settings\r\nupgrade: {offer}\r\nhttp2-settings: \r\n"
        );
        raw.send(BOOK.replace("\r\n\r\n", &format!("\r\n{offer}\r\n"))).await;
        assert_eq!(raw.reply().await.status, 200, "{offer}");
        raw.lives_on().await;
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let server = Server::start().await;
    let mut raw = Raw::open(&server).await;
    let fail = framed(&FailRequest { code: 5, ..FailRequest::default() });
    let mut requests = BOOK.to_owned().into_bytes();
    requests.extend(BOOK.replace("GET", "HEAD").into_bytes());
    requests.extend(b"\r\nPOST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nx\r\n");
    requests.extend(echo("transfer-encoding: chunked\r\n").into_bytes());
    requests.extend(b"18\r\n{\"a_string\":\"in pieces\"}\r\n0\r\n\r\n");
    let web = "POST /library.v1.LibraryService/Fail HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc-web\r\n";
    requests.extend(format!("{web}content-length: {}\r\n\r\n", fail.len()).into_bytes());
    requests.extend(fail);
    let grpc = web.replace("grpc-web", "grpc");
    requests.extend(format!("{grpc}content-length: 0\r\n\r\n").into_bytes());
    requests.extend(BOOK.replace("books/1", "books/2").into_bytes());
    raw.send(requests).await;

    assert!(raw.reply().await.body.contains("\"name\":\"1\""));
    let (status, head) = raw.head().await;
    assert_eq!((status, head.contains("content-length: ")), (200, true), "{head}");
    assert_eq!(raw.reply().await.status, 404);
    assert_eq!(raw.reply().await.body, PIECES);
    let web = raw.reply().await;
    assert_eq!((web.status, web.header("grpc-status")), (200, Some("5")), "{web:?}");
    assert_eq!(raw.reply().await.status, 415);
    assert!(raw.reply().await.body.contains("\"name\":\"2\""));
    raw.lives_on().await;
}

#[tokio::test]
async fn a_head_that_is_too_large_or_no_http_is_refused_and_ends_the_connection() {
    let server = Server::start().await;
    let large = "x".repeat(40_000); // the limit here is 32 KiB
    let many: String = (0..200).map(|number| format!("x-{number}: x\r\n")).collect();
    for (head, status) in [
        (BOOK.replace("host: x", &format!("host: x\r\nlarge: {large}")), 431),
        (BOOK.replace("host: x", &format!("host: x\r\n{many}")), 431),
        (BOOK.replace("books/1", &large), 431),
        (BOOK.replace("host: x", "host: x\r\nnul: \0"), 400),
        (BOOK.replace("host: x", "host: x\r\nno colon"), 400),
        (BOOK.replace("host: x", "host: x\r\n folded: x"), 400),
        (BOOK.replace("host: x", "host: x\r\n: nameless"), 400),
        (BOOK.replace("/v1", "\\v1"), 400),
        (BOOK.replace(" /v1", "  /v1"), 400),
        (BOOK.replace("GET", "G(T"), 400),
        (BOOK.replace("HTTP/1.1", "HTTP/3.0"), 400),
        (BOOK.replace(" HTTP/1.1", ""), 400),
        ("\u{16}\u{3}\u{1}\r\n\r\n".to_owned(), 400),
        ("SSH-2.0-OpenSSH_9.2p1\r\n\r\n".to_owned(), 400),
    ] {
        let mut raw = Raw::open(&server).await;
        let _ = raw.0.write_all(head.as_bytes()).await;
        assert_eq!(raw.reply().await.status, status, "{head:.100}");
        raw.closed().await;
    }
}
