//! Streams, ends and interruptions.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use serde_json::json;
use test_protos::library::v1::*;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::serve::{Answer, Server, Settings, framed};

const SOON: Duration = Duration::from_secs(5);
const STREAM_BOOKS: &str = "/library.v1.LibraryService/StreamBooks";

fn events(server: &Server, path: &str) -> Request<Full<Bytes>> {
    let request = server.request(Method::GET, path).header(header::ACCEPT, "text/event-stream");
    request.body(Full::default()).expect("a request")
}

fn post(server: &Server, path: &str, content_type: &str, body: Bytes) -> Request<Full<Bytes>> {
    let request = server.request(Method::POST, path).header(header::CONTENT_TYPE, content_type);
    request.body(Full::new(body)).expect("a request")
}

#[tokio::test]
async fn a_stream_is_lines_or_events() {
    let server = Server::start().await;
    let path = "/v1/books:stream?count=3&size=1";
    let lines = server.get(path).await;
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    assert_eq!(lines.header("cache-control"), "no-store");
    let books = [
        "{\"name\":\"0\",\"title\":\"x\"}",
        "{\"name\":\"1\",\"title\":\"x\"}",
        "{\"name\":\"2\",\"title\":\"x\"}",
    ];
    assert_eq!(lines.text(), format!("{}\n", books.join("\n")));
    assert_eq!(server.outcome().await.0, Code::Ok);

    let answer = server.send(events(&server, path)).await;
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let expected: String = books.iter().map(|book| format!("data: {book}\n\n")).collect();
    assert_eq!(answer.text(), expected);

    let empty = server.get("/v1/books:stream").await;
    assert_eq!((empty.status.as_u16(), empty.text()), (200, ""));

    let messages = server
        .grpc()
        .await
        .stream_books(StreamBooksRequest { count: 3, size: 1, ..Default::default() })
        .await;
    let books: Vec<_> = messages
        .expect("a stream")
        .into_inner()
        .map(|book| book.expect("a book").name)
        .collect()
        .await;
    assert_eq!(books, ["0", "1", "2"]);
}

#[tokio::test]
async fn an_error_before_the_first_message_has_an_http_status_and_a_later_one_is_the_last_event() {
    let server = Server::start().await;
    let answer = server.get("/v1/books:stream?code=5").await;
    assert_eq!(answer.refusal(), (404, "SHELF_BROKEN".into(), String::new()));

    let error = json!({"code": 5, "message": "the shelf broke", "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SHELF_BROKEN", "domain": "library"},
    ]});
    let answer = server.get("/v1/books:stream?count=1&code=5").await;
    assert_eq!((answer.status.as_u16(), answer.broken), (200, false));
    let last = answer.text().lines().last().expect("a line");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(last).expect("JSON"),
        json!({"error": error})
    );

    let answer = server.send(events(&server, "/v1/books:stream?count=1&code=5")).await;
    let (_, last) = answer.text().split_once("\n\n").expect("two events");
    let data = last.strip_prefix("event: error\ndata: ").expect("an error event");
    assert_eq!(serde_json::from_str::<serde_json::Value>(data).expect("JSON"), error);
    assert_eq!(server.outcome().await, (Code::NotFound, "SHELF_BROKEN".to_owned()));
}

#[tokio::test]
async fn a_stream_of_bytes_has_their_type_and_breaks_off_where_it_fails() {
    let server = Server::start().await;
    let answer = server.get("/v1/files:stream?count=2&size=1").await;
    assert_eq!((answer.header("content-type"), answer.text()), ("text/csv", "0,x\n1,x\n"));
    let breaks = server.request(Method::GET, "/v1/files:stream?count=2&delay_ms=20&code=5");
    let answer = server.send_h2(breaks.body(Full::default()).expect("a request")).await;
    assert!(answer.broken, "{answer:?}");
    let answer = server.get("/v1/files:stream?code=5").await;
    assert_eq!(answer.refusal(), (404, "SHELF_BROKEN".into(), String::new()));
}

#[tokio::test]
async fn a_slow_reader_slows_the_handler() {
    let server = Server::start().await;
    let request = server.request(Method::GET, "/v1/books:stream?count=1000000&size=10000");
    let mut response = server.open_h2(request.body(Full::default()).expect("a request")).await;
    let mut read = 0;
    while read < 1_000_000 {
        let frame =
            timeout(SOON, response.frame()).await.expect("more").expect("more").expect("a frame");
        read += frame.data_ref().map_or(0, Bytes::len);
    }
    drop(response);
    timeout(SOON, server.library.stream_dropped.notified()).await.expect("it ends with its client");
    // 10 GB were asked for. What was made is what was read and what the windows hold.
    assert!(server.library.made() < 2_000, "{}", server.library.made());
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_work_on_every_wire() {
    let server = Server::start().await;
    let fail = FailRequest { delay_ms: 60_000, ..Default::default() };
    let path = "/library.v1.LibraryService/Fail";
    let requests = [
        post(&server, "/v1/fail", "application/json", r#"{"delay_ms":60000}"#.into()),
        post(&server, path, "application/grpc-web", framed(&fail)),
        post(&server, path, "application/grpc", framed(&fail)),
    ];
    for request in requests {
        let grpc = request.headers()[header::CONTENT_TYPE] == "application/grpc";
        let call =
            async { if grpc { server.send_h2(request).await } else { server.send(request).await } };
        tokio::select! {
            answer = call => panic!("answered: {answer:?}"),
            () = server.library.begun.notified() => {}
        }
        timeout(SOON, server.library.dropped.notified()).await.expect("dropped");
        assert!(server.record().outcome().is_none());
    }
}

#[tokio::test]
async fn a_panic_in_mid_stream_is_internal_on_every_wire() {
    let server = Server::start().await;
    let request = StreamBooksRequest { count: 1, panic: true, ..Default::default() };
    let mut books = server.grpc().await.stream_books(request).await.expect("a stream").into_inner();
    assert!(books.message().await.expect("a book").is_some());
    let status = books.message().await.expect_err("a panic");
    assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"));

    let (book, status) = server.web::<Book>("StreamBooks", &request).await;
    assert_eq!((book.is_some(), status.code()), (true, Code::Internal));

    let answer = server.get("/v1/books:stream?count=1&panic=true").await;
    assert!(answer.text().contains("\n{\"error\":{\"code\":13,"), "{answer:?}");
    assert!(!answer.text().contains("secret"));
    assert_eq!(server.outcome().await, (Code::Internal, "INTERNAL".to_owned()));
}

#[tokio::test]
async fn the_servers_limit_bounds_the_first_message_and_not_the_stream() {
    let limit = Settings { timeout: Duration::from_millis(1_000), ..Default::default() };
    let server = Server::with(limit).await;
    let answer = server.get("/v1/books:stream?count=5&delay_ms=250").await;
    assert_eq!(answer.text().lines().count(), 5);
    let answer = server.get("/v1/books:stream?count=1&delay_ms=60000").await;
    assert_eq!(answer.refusal(), (504, "DEADLINE".into(), String::new()));
}

#[tokio::test]
async fn the_clients_deadline_bounds_a_whole_stream_on_every_wire() {
    let server = Server::start().await;
    let stream = StreamBooksRequest { count: 1000, delay_ms: 20, ..Default::default() };
    let with_timeout = |mut request: Request<Full<Bytes>>| {
        request.headers_mut().insert("grpc-timeout", header::HeaderValue::from_static("500m"));
        request
    };
    let grpc = with_timeout(post(&server, STREAM_BOOKS, "application/grpc", framed(&stream)));
    let answer = server.send_h2(grpc).await;
    let status = Status::from_header_map(&answer.trailers).expect("a status");
    assert_eq!((status.code(), answer.body.is_empty()), (Code::DeadlineExceeded, false));

    let web = with_timeout(post(&server, STREAM_BOOKS, "application/grpc-web", framed(&stream)));
    let (book, status) = server.send(web).await.web::<Book>();
    assert_eq!((status.code(), book.is_some()), (Code::DeadlineExceeded, true));
    assert_eq!(status.get_details_error_info().expect("details").reason, "DEADLINE");

    let json = with_timeout(events(&server, "/v1/books:stream?count=1000&delay_ms=20"));
    let answer = server.send(json).await;
    assert!(answer.text().contains("event: error\ndata: {\"code\":4,"), "{answer:?}");
    assert_eq!(server.outcome().await, (Code::DeadlineExceeded, "DEADLINE".to_owned()));
}

#[tokio::test]
async fn one_message_is_wanted_where_the_method_takes_one() {
    let server = Server::start().await;
    let one = framed(&GetBookRequest::default());
    let two = Bytes::from([&one[..], &one[..]].concat());
    for (body, code, reason) in [
        (Bytes::new(), Code::Unimplemented, "NOT_IMPLEMENTED"),
        (two, Code::Unimplemented, "NOT_IMPLEMENTED"),
        (one.slice(..3), Code::InvalidArgument, "REQUEST_MALFORMED"),
        (
            framed(&GetBookRequest { name: "x".repeat(100_001) }),
            Code::ResourceExhausted,
            "BODY_TOO_LARGE",
        ),
        (Bytes::from_static(&[2, 0, 0, 0, 0]), Code::Internal, "INTERNAL"),
        (Bytes::from_static(&[0, 0, 0, 0, 1, 0xff]), Code::Internal, "INTERNAL"),
    ] {
        for method in ["GetBook", "StreamBooks"] {
            let path = format!("/library.v1.LibraryService/{method}");
            let grpc = server.send_h2(post(&server, &path, "application/grpc", body.clone())).await;
            let grpc = Status::from_header_map(&grpc.headers).expect("a status");
            let web = server.send(post(&server, &path, "application/grpc-web", body.clone())).await;
            for status in [grpc, web.web::<Book>().1] {
                let info = status.get_details_error_info().expect("details");
                assert_eq!(
                    (status.code(), info.reason.as_str()),
                    (code, reason),
                    "{method} {body:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_limit_is_for_each_message_and_not_for_the_stream() {
    let server = Server::start().await;
    let book = Book { title: "x".repeat(60_000), ..Book::default() };
    let large = Book { title: "x".repeat(100_001), ..Book::default() };
    let mut client = server.grpc().await;
    let books = tokio_stream::iter(vec![book.clone(); 5]);
    assert_eq!(client.import_books(books).await.expect("an answer").into_inner().count, 5);
    let books = tokio_stream::iter(vec![book, large]);
    let status = client.import_books(books).await.expect_err("too large");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.get_details_error_info().expect("details").reason, "BODY_TOO_LARGE");
}

#[tokio::test]
async fn an_upload_that_is_reset_is_no_complete_one() {
    for reason in [h2::Reason::CANCEL, h2::Reason::NO_ERROR] {
        let server = Server::start().await;
        let stream = TcpStream::connect(server.address).await.expect("a connection");
        let (sender, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        tokio::spawn(connection);
        let mut sender = sender.ready().await.expect("ready");
        let request = Request::post("http://x/library.v1.LibraryService/ImportBooks")
            .header(header::CONTENT_TYPE, "application/grpc")
            .body(())
            .expect("a request");
        let (_answer, mut upload) = sender.send_request(request, false).expect("sent");
        upload.send_data(framed(&Book::default()), false).expect("sent");
        timeout(SOON, server.library.begun.notified()).await.expect("a message has come");
        upload.send_reset(reason);
        // The handler saw an error, or was dropped: it never saw an end.
        timeout(SOON, server.library.dropped.notified()).await.expect("the handler knows");
        assert!(server.record().outcome().is_none_or(|outcome| outcome.code != Code::Ok));
    }
}

#[tokio::test]
async fn an_http1_connection_survives_an_early_answer() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    let body = "x".repeat(300_000);
    let refused = format!(
        "POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let good = "GET /v1/books/1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answers = async {
        stream.write_all(refused.as_bytes()).await.expect("sent");
        stream.write_all(good.as_bytes()).await.expect("sent");
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await.expect("answers");
        answers
    };
    let answers = timeout(SOON, answers).await.expect("answers");
    assert!(answers.starts_with("HTTP/1.1 404 "), "{answers}");
    assert!(answers.contains("HTTP/1.1 200 "), "{answers}");
}

#[tokio::test]
async fn an_early_answer_to_a_long_body_says_that_the_connection_closes() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    stream
        .write_all(b"POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 2000000\r\n\r\n")
        .await
        .expect("sent");
    let mut answer = [0; 4096];
    let length =
        timeout(SOON, stream.read(&mut answer)).await.expect("an answer").expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..length]).to_lowercase();
    assert!(answer.starts_with("http/1.1 404 "), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_chunked_body_that_breaks_off_is_malformed() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    let head = "POST /v1/echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(format!("{head}2\r\n{{}}\r\nzz\r\n").as_bytes()).await.expect("sent");
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer)).await.expect("an answer").expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn messages_flow_both_ways_at_once() {
    let server = Server::start().await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let books = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut answers = server.grpc().await.discuss(books).await.expect("a stream").into_inner();
    for number in 0..3 {
        sender.send(Book { name: number.to_string(), ..Book::default() }).await.expect("sent");
        let answer = timeout(SOON, answers.message()).await.expect("an answer").expect("an answer");
        assert_eq!(answer.expect("a book").name, number.to_string());
    }
    drop(sender);
    assert!(answers.message().await.expect("an end").is_none());
}

#[tokio::test]
async fn gzip_messages_are_unpacked_within_the_limit() {
    let server = Server::start().await;
    let mut client = server.grpc().await.send_compressed(tonic::codec::CompressionEncoding::Gzip);
    let book =
        client.get_book(GetBookRequest { name: "x".repeat(10_000) }).await.expect("an answer");
    assert_eq!(book.into_inner().name.len(), 10_000);
    let status = client
        .get_book(GetBookRequest { name: "x".repeat(1_000_000) })
        .await
        .expect_err("too large");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.get_details_error_info().expect("details").reason, "BODY_TOO_LARGE");
}

/// gRPC's "Compression": the code and the header are the protocol's; the sentence says what to do.
#[tokio::test]
async fn an_unknown_encoding_is_told_with_those_that_are_known() {
    let server = Server::start().await;
    let mut request = tonic::Request::new(GetBookRequest::default());
    request.metadata_mut().insert("grpc-encoding", "zstd".parse().expect("a value"));
    let status = server.grpc().await.get_book(request).await.expect_err("refused");
    assert_eq!(status.code(), Code::Unimplemented);
    assert_eq!(status.get_details_error_info().expect("details").reason, "NOT_IMPLEMENTED");
    assert!(status.message().starts_with("this grpc-encoding is not supported"), "{status:?}");
    assert_eq!(status.metadata().get("grpc-accept-encoding").expect("a header"), "gzip,identity");
}

#[tokio::test]
async fn large_messages_come_through_json_whole() {
    let options = user_service::wires::Options {
        max_message_bytes: 2_000_000,
        ..Settings::default().options
    };
    let server = Server::with(Settings { options, ..Default::default() }).await;
    let body = json!({"a_string": "é\"\\".repeat(100_000)});
    let answer: Answer = server.json(Method::POST, "/v1/echo", body.to_string()).await;
    assert_eq!(answer.json(), body);
}
