//! The policies where the laws leave a choice, row for row.

use std::{io::Write as _, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{Method, Request, header};
use http_body_util::Full;
use test_protos::library::v1::*;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::serve::{DOMAIN, Server, Settings, framed};

const GET_BOOK: &str = "/library.v1.LibraryService/GetBook";

pub(crate) fn refusal(http: u16, reason: &str, field: &str) -> (u16, String, String) {
    (http, reason.to_owned(), field.to_owned())
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).expect("memory");
    encoder.finish().expect("memory")
}

fn bodyless(request: http::request::Builder) -> Request<Full<Bytes>> {
    request.body(Full::default()).expect("a request")
}

#[tokio::test]
async fn nothing_is_at_an_unknown_path_a_trailing_slash_or_an_empty_segment() {
    let server = Server::start().await;
    for path in [
        "/",
        "/v2",
        "/v1/books/",
        "/v1//books",
        "//v1/books/1",
        "/v1/files/",
        "/v1/files/a/",
        "/v1/files/a//b",
        "/v1/books/:",
        "/v1/shelves/1/books",
    ] {
        let answer = server.get(path).await;
        if path == "/v1/shelves/1/books" {
            assert_eq!(answer.refusal(), refusal(405, "METHOD_NOT_ALLOWED", ""), "{path}");
            continue;
        }
        if path == "/v1/books/:" {
            assert_eq!(answer.json()["name"], ":");
            continue;
        }
        assert_eq!(answer.refusal(), refusal(404, "ROUTE_NOT_FOUND", ""), "{path}");
        assert_eq!(answer.json()["code"], Code::NotFound as i32);
        assert_eq!(server.outcome().await, (Code::NotFound, "ROUTE_NOT_FOUND".to_owned()));
        assert!(server.record().call().is_none());
    }
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented_on_grpc_and_on_grpc_web() {
    let server = Server::start().await;
    for (content_type, answered) in [
        ("application/grpc", "application/grpc"),
        ("application/grpc-web", "application/grpc-web+proto"),
        ("application/grpc-web-text", "application/grpc-web-text+proto"),
    ] {
        for path in ["/library.v1.LibraryService/Nothing", "/v1/books/1"] {
            let request =
                server.request(Method::POST, path).header(header::CONTENT_TYPE, content_type);
            let answer = server.send_h2(bodyless(request)).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("content-type"), answered);
            let status = tonic::Status::from_header_map(&answer.headers).expect("a status");
            assert_eq!(status.code(), Code::Unimplemented);
            assert_eq!(status.get_details_error_info().expect("details").reason, "NOT_IMPLEMENTED");
            assert_eq!(server.outcome().await, (Code::Unimplemented, "NOT_IMPLEMENTED".to_owned()));
        }
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let server = Server::start().await;
    for (method, path, allow) in [
        (Method::POST, "/v1/books/1", "GET, HEAD, OPTIONS"),
        (Method::POST, "/v1/shelves/1/books/2", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        (Method::GET, GET_BOOK, "OPTIONS, POST"),
        (Method::PUT, "/v1/shelves/1", "GET, HEAD, LOCK, OPTIONS"),
    ] {
        let answer = server.json(method.clone(), path, "").await;
        assert_eq!(answer.refusal(), refusal(405, "METHOD_NOT_ALLOWED", ""), "{method} {path}");
        assert_eq!(answer.json()["code"], Code::Unimplemented as i32);
        assert_eq!(answer.header("allow"), allow);
    }
    let request =
        server.request(Method::PUT, GET_BOOK).header(header::CONTENT_TYPE, "application/grpc");
    assert_eq!(
        server.send_h2(bodyless(request)).await.refusal(),
        refusal(405, "METHOD_NOT_ALLOWED", "")
    );
}

#[tokio::test]
async fn options_tells_the_methods_and_head_is_get_without_its_body() {
    let server = Server::start().await;
    let options = server.send(bodyless(server.request(Method::OPTIONS, "/v1/books/1"))).await;
    assert_eq!((options.status.as_u16(), options.header("allow")), (204, "GET, HEAD, OPTIONS"));
    let options = server.send(bodyless(server.request(Method::OPTIONS, "/nothing"))).await;
    assert_eq!(options.status, 404);

    for path in
        ["/v1/books/1", "/v1/files/a", "/v1/shelves/one", "/nothing", "/v1/books:stream?count=1"]
    {
        let get = server.get(path).await;
        for head in [
            server.send(bodyless(server.request(Method::HEAD, path))).await,
            server.send_h2(bodyless(server.request(Method::HEAD, path))).await,
        ] {
            assert_eq!((head.status, &head.body[..]), (get.status, &b""[..]), "{path}");
            for name in ["content-type", "cache-control", "content-length"] {
                assert_eq!(head.header(name), get.header(name), "{path} {name}");
            }
        }
    }
}

#[tokio::test]
async fn a_body_stands_where_the_binding_has_one_and_nowhere_else() {
    let server = Server::start().await;
    let answer = server.json(Method::GET, "/v1/books/1", "{}").await;
    assert_eq!(answer.refusal(), refusal(400, "REQUEST_MALFORMED", ""));
    let answer = server.json(Method::POST, "/v1/echo", "").await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "{}"));

    let large = format!(r#"{{"aString":"{}"}}"#, "x".repeat(99_000));
    let answer = server.json(Method::POST, "/v1/echo", large.clone()).await;
    assert_eq!(answer.status, 200);
    let larger = format!(r#"{{"aString":"{}"}}"#, "x".repeat(100_000));
    let answer = server.json(Method::POST, "/v1/echo", larger.clone()).await;
    assert_eq!(answer.refusal(), refusal(413, "BODY_TOO_LARGE", ""));
    assert_eq!(answer.json()["code"], Code::ResourceExhausted as i32);
    assert_eq!(server.outcome().await, (Code::ResourceExhausted, "BODY_TOO_LARGE".to_owned()));
}

#[tokio::test]
async fn a_gzip_body_is_unpacked_within_the_limit() {
    let server = Server::start().await;
    let send = |encoding: &str, body: Vec<u8>| {
        let request = server
            .request(Method::POST, "/v1/echo")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_ENCODING, encoding)
            .body(Full::new(body.into()))
            .expect("a request");
        server.send(request)
    };
    let book = br#"{"aString":"x"}"#;
    assert_eq!(send("gzip", gzip(book)).await.text(), r#"{"a_string":"x"}"#);
    assert_eq!(send("GZIP", gzip(book)).await.status, 200);
    assert_eq!(send("identity", book.to_vec()).await.status, 200);
    assert_eq!(send("gzip", vec![]).await.text(), "{}");

    let bomb = format!(r#"{{"aString":"{}"}}"#, "x".repeat(50_000_000));
    assert_eq!(
        send("gzip", gzip(bomb.as_bytes())).await.refusal(),
        refusal(413, "BODY_TOO_LARGE", "")
    );
    assert_eq!(send("gzip", book.to_vec()).await.refusal(), refusal(400, "REQUEST_MALFORMED", ""));
    let mut cut = gzip(book);
    cut.truncate(cut.len() - 9);
    assert_eq!(send("gzip", cut).await.refusal(), refusal(400, "REQUEST_MALFORMED", ""));
    for encoding in ["br", "gzip, gzip"] {
        let answer = send(encoding, book.to_vec()).await;
        assert_eq!(answer.refusal(), refusal(415, "CONTENT_TYPE", ""));
        assert_eq!(answer.header("accept-encoding"), "gzip, identity");
    }
    let request = server.request(Method::GET, "/v1/books/1").header(header::CONTENT_ENCODING, "br");
    assert_eq!(server.send(request.body(Full::default()).expect("a request")).await.status, 200);
}

#[tokio::test]
async fn json_is_the_one_content_type_of_a_json_body() {
    let server = Server::start().await;
    for (content_type, http) in [
        (None, 200),
        (Some("application/json"), 200),
        (Some("Application/JSON;charset=utf-8"), 200),
        (Some("text/plain"), 415),
        (Some("application/x-www-form-urlencoded"), 415),
        (Some("application/jsonp"), 415),
        (Some("application/grpc+json"), 415),
        (Some("application/grpc-web+foo"), 415),
        (Some(""), 415),
    ] {
        let mut request = server.request(Method::POST, "/v1/echo");
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let answer = server.send(request.body(Full::new("{}".into())).expect("a request")).await;
        assert_eq!(answer.status.as_u16(), http, "{content_type:?}");
        if http == 415 {
            assert_eq!(answer.refusal(), refusal(415, "CONTENT_TYPE", ""));
            assert_eq!(answer.json()["code"], Code::InvalidArgument as i32);
        }
    }
    let request =
        server.request(Method::GET, "/v1/books/1").header(header::CONTENT_TYPE, "text/plain");
    assert_eq!(server.send(bodyless(request)).await.status, 200);
}

#[tokio::test]
async fn grpc_content_types_may_have_parameters_and_odd_case() {
    let server = Server::start().await;
    let message = framed(&GetBookRequest { name: "n".into() });
    for content_type in [
        "application/grpc-web; charset=utf-8",
        "Application/GRPC-Web",
        "application/grpc-web+proto",
    ] {
        let request = server
            .request(Method::POST, GET_BOOK)
            .header(header::CONTENT_TYPE, content_type)
            .body(Full::new(message.clone()))
            .expect("a request");
        let answer = server.send(request).await;
        assert_eq!(answer.header("content-type"), "application/grpc-web+proto");
        assert_eq!(answer.web::<Book>().0.expect("a message").name, "n");
    }
    for content_type in ["application/grpc", "Application/gRPC; x=y", "application/grpc+proto"] {
        let request = || {
            server
                .request(Method::POST, GET_BOOK)
                .header(header::CONTENT_TYPE, content_type)
                .body(Full::new(message.clone()))
                .expect("a request")
        };
        let answer = server.send_h2(request()).await;
        assert_eq!(answer.trailers.get("grpc-status").expect("a status"), "0");
        // Trailers do not get through HTTP/1.1.
        assert_eq!(server.send(request()).await.refusal(), refusal(415, "CONTENT_TYPE", ""));
    }
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let request = server
        .request(Method::POST, GET_BOOK)
        .header(header::CONTENT_TYPE, "application/grpc-web-text")
        .body(Full::new(STANDARD.encode(&message).into()))
        .expect("a request");
    let answer = server.send(request).await;
    assert_eq!(answer.header("content-type"), "application/grpc-web-text+proto");
    assert!(answer.text().is_ascii());
    // No base64, and padding before the end.
    let (first, rest) = message.split_at(4);
    for body in ["!!!!".to_owned(), STANDARD.encode(first) + &STANDARD.encode(rest)] {
        let request = server
            .request(Method::POST, GET_BOOK)
            .header(header::CONTENT_TYPE, "application/grpc-web-text")
            .body(Full::new(body.into()))
            .expect("a request");
        let (_, status) = server.send(request).await.web::<Book>();
        assert_eq!(
            (status.code(), status.message()),
            (Code::InvalidArgument, "the request body cannot be read")
        );
    }
}

#[tokio::test]
async fn a_cross_site_post_of_a_form_runs_nothing() {
    let server = Server::start().await;
    for form in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let request = server
            .request(Method::POST, GET_BOOK)
            .header(header::CONTENT_TYPE, form)
            .header(header::ORIGIN, "https://evil.example")
            .body(Full::new(framed(&GetBookRequest::default())))
            .expect("a request");
        assert_eq!(server.send_h2(request).await.refusal(), refusal(415, "CONTENT_TYPE", ""));
    }
}

#[tokio::test]
async fn whatever_is_accepted_the_answer_is_json() {
    let server = Server::start().await;
    for accept in ["text/html", "*/*", "application/xml;q=0.9", "text/event-stream"] {
        let request = server.request(Method::GET, "/v1/books/1").header(header::ACCEPT, accept);
        let answer = server.send(bodyless(request)).await;
        assert_eq!(answer.header("content-type"), "application/json", "{accept}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-shelf-mark"), "QA76");
        assert_eq!(answer.header("x-inner"), "");
        assert_eq!(answer.header("grpc-status"), "");
    }
}

#[tokio::test]
async fn a_challenge_says_what_is_wrong_with_a_token_that_was_sent() {
    let server = Server::start().await;
    let request = || server.request(Method::GET, "/v1/books/1").header("x-guarded", "");
    let answer = server.send(bodyless(request())).await;
    assert_eq!(answer.refusal(), refusal(401, "TOKEN_MISSING", ""));
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    let answer = server.send(bodyless(request().header("authorization", "Basic YTpi"))).await;
    assert_eq!(answer.header("www-authenticate"), "Bearer", "that was no token");
    let answer = server.send(bodyless(request().header("authorization", "Bearer bad"))).await;
    assert_eq!(
        answer.header("www-authenticate"),
        "Bearer error=\"invalid_token\", error_description=\"the token is 'bad'\"",
    );
    assert_eq!(server.outcome().await, (Code::Unauthenticated, "TOKEN_MALFORMED".to_owned()));
}

#[tokio::test]
async fn a_token_is_checked_before_a_body_is_read() {
    let server = Server::start().await;
    let request = |token: &'static str| {
        server
            .request(Method::POST, "/v1/echo")
            .header("x-guarded", "")
            .header("authorization", token)
            .body(Full::new("not JSON".into()))
            .expect("a request")
    };
    assert_eq!(server.send(request("Bearer bad")).await.status, 401);
    assert_eq!(
        server.send(request("Bearer good")).await.refusal(),
        refusal(400, "REQUEST_MALFORMED", "")
    );

    // Told by its head alone, before a byte of the body is there, and without asking for one.
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    let head = "POST /v1/echo HTTP/1.1\r\nhost: x\r\nx-guarded:\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(5), read)
        .await
        .expect("the connection closes")
        .expect("text");
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn deadlines_are_read_on_every_wire() {
    let server = Server::start().await;
    let fail = FailRequest { delay_ms: 60_000, ..Default::default() };
    for (timeout, code, reason) in [
        ("20m", Code::DeadlineExceeded, "DEADLINE"),
        ("0S", Code::DeadlineExceeded, "DEADLINE"),
        ("soon", Code::InvalidArgument, "REQUEST_MALFORMED"),
        ("123456789m", Code::InvalidArgument, "REQUEST_MALFORMED"),
    ] {
        let request = |path: &str, content_type: &str, body: Bytes| {
            server
                .request(Method::POST, path)
                .header(header::CONTENT_TYPE, content_type)
                .header("grpc-timeout", timeout)
                .body(Full::new(body))
                .expect("a request")
        };
        let path = "/library.v1.LibraryService/Fail";
        let web = server.send(request(path, "application/grpc-web", framed(&fail))).await;
        assert_eq!(web.web::<()>().1.code(), code, "{timeout}");
        assert_eq!(server.outcome().await, (code, reason.to_owned()));
        let grpc = server.send_h2(request(path, "application/grpc", framed(&fail))).await;
        assert_eq!(tonic::Status::from_header_map(&grpc.headers).expect("a status").code(), code);
        let json = server
            .send(request("/v1/fail", "application/json", r#"{"delayMs":60000}"#.into()))
            .await;
        let http = if code == Code::DeadlineExceeded { 504 } else { 400 };
        assert_eq!(json.refusal(), refusal(http, reason, ""), "{timeout}");
    }
}

#[tokio::test]
async fn every_rpc_is_a_post_with_json_but_for_streams_of_requests() {
    let server = Server::start().await;
    let answer = server.json(Method::POST, "/library.v1.LibraryService/Fail", "{}").await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "{}"));
    for path in [
        "/library.v1.LibraryService/ImportBooks",
        "/v1/books:import",
        "/library.v1.LibraryService/Discuss",
    ] {
        let answer = server.json(Method::POST, path, "{}").await;
        assert_eq!(answer.refusal(), refusal(501, "NOT_IMPLEMENTED", ""), "{path}");
    }
}

#[tokio::test]
async fn calls_beyond_the_limit_are_refused_but_for_exempt_ones() {
    let server = Server::with(Settings { max_calls: 1, ..Default::default() }).await;
    let stream = server
        .request(Method::GET, "/v1/books:stream?count=1000000&size=1000")
        .body(Full::default())
        .expect("a request");
    let held = server.open_h2(stream).await;

    let answer = server.json(Method::POST, "/v1/fail", "{}").await;
    assert_eq!(answer.refusal(), refusal(429, "OVERLOADED", ""));
    assert_eq!(answer.header("retry-after"), "1");
    let status = server.grpc().await.fail(FailRequest::default()).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::ResourceExhausted);
    let info = status.get_details_error_info().expect("details");
    assert_eq!((info.reason.as_str(), info.domain.as_str()), ("OVERLOADED", DOMAIN));
    assert!(status.get_details_retry_info().is_some());
    assert_eq!(server.get("/v1/books/1").await.status, 200);

    drop(held);
    let free = async {
        while server.json(Method::POST, "/v1/fail", "{}").await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), free).await.expect("the place is free again");
}
