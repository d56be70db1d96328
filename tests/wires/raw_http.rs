//! The corner cases of HTTP/1, byte for byte over raw sockets.

use std::{
    cell::Cell,
    sync::Once,
    time::{Duration, Instant},
};

use serde_json::json;
use test_protos::library::v1::FailRequest;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};

use crate::serve::{Server, Settings, framed};

/// How long something may take that happens at once.
const SOON: Duration = Duration::from_secs(10);

const BOOK: &str = "GET /v1/books/1 HTTP/1.1\r\nhost: x\r\n\r\n";
const LAST_BOOK: &str = "GET /v1/books/1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// One connection, and what comes back on it.
struct Raw(BufReader<TcpStream>);

#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Raw {
    /// Connects. From here on a panic on this thread, which serves as well, is counted.
    async fn open(server: &Server) -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                PANICS.set(PANICS.get() + 1);
                before(panic);
            }));
        });
        Self(BufReader::new(TcpStream::connect(server.address).await.expect("a connection")))
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("sent");
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = timeout(SOON, self.0.read_line(&mut line)).await;
        read.expect("in time").expect("a line");
        line
    }

    /// A head, up to its empty line.
    async fn head(&mut self) -> (u16, String) {
        let mut head = self.line().await;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {head:?}"));
        while !head.ends_with("\r\n\r\n") {
            let line = self.line().await;
            assert!(!line.is_empty(), "a head that breaks off: {head}");
            head.push_str(&line);
        }
        (status, head)
    }

    /// A whole answer, whose body's length is told.
    async fn reply(&mut self) -> Reply {
        let (status, head) = self.head().await;
        let mut reply = Reply { status, head, body: String::new() };
        let length = reply.header("content-length").map_or(0, |it| it.parse().expect("a length"));
        let mut body = vec![0; length];
        timeout(SOON, self.0.read_exact(&mut body)).await.expect("in time").expect("a body");
        reply.body = String::from_utf8(body).expect("UTF-8");
        reply
    }

    /// Everything up to the end of the connection, which must come, in order or by a reset.
    async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let _ = timeout(SOON, self.0.read_to_end(&mut rest)).await.expect("the connection closes");
        String::from_utf8(rest).expect("UTF-8")
    }

    /// The connection ends here.
    async fn closed(&mut self) {
        assert_eq!(self.rest().await, "");
        assert_eq!(PANICS.get(), 0);
    }

    /// The connection carries another request, and that one is served rightly.
    async fn lives_on(&mut self) {
        self.send(LAST_BOOK).await;
        let reply = self.reply().await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.body.contains("\"name\":\"1\""), "{reply:?}");
        self.closed().await;
    }
}

/// A head that posts to `/v1/echo`, with these lines in it.
fn echo(lines: &str) -> String {
    format!("POST /v1/echo HTTP/1.1\r\nhost: x\r\n{lines}\r\n")
}

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

/// Reads like the JSON that was sent in pieces.
const PIECES: &str = r#"{"a_string":"in pieces"}"#;

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
