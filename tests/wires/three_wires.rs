//! Each call over gRPC, gRPC-Web and HTTP/JSON, with the same outcome.

use http::Method;
use serde_json::json;
use test_protos::library::v1::*;
use tonic::Code;
use tonic_types::StatusExt as _;
use user_service::wires::Wire;

use crate::serve::{Server, Settings};

#[tokio::test]
async fn the_same_answer_on_each_wire() {
    let server = Server::start().await;
    let request = GetBookRequest { name: "shelves/1/books/2".into() };

    let grpc = server.grpc().await.get_book(request.clone()).await.expect("an answer");
    assert_eq!(
        grpc.metadata().get("x-inner").map(|value| value.as_bytes()),
        Some(&b"not for HTTP"[..])
    );
    let grpc = grpc.into_inner();
    assert_eq!(server.record().call().expect("decided").wire(), Wire::Grpc);

    let (web, status) = server.web::<Book>("GetBook", &request).await;
    assert_eq!((web.as_ref(), status.code()), (Some(&grpc), Code::Ok));
    assert_eq!(server.record().call().expect("decided").wire(), Wire::GrpcWeb);

    let book =
        json!({"name": "shelves/1/books/2", "title": "A Title", "authors": ["Ada"], "pages": 0});
    let answer = server.get("/v1/shelves/1/books/2").await;
    assert_eq!(answer.json(), book);
    let call = server.record().call().expect("decided").clone();
    assert_eq!((call.wire(), call.path()), (Wire::Json, "/library.v1.LibraryService/GetBook"));
    assert_eq!(server.outcome().await, (Code::Ok, String::new()));

    let body = json!({"name": "shelves/1/books/2"}).to_string();
    let answer = server.json(Method::POST, "/library.v1.LibraryService/GetBook", body).await;
    assert_eq!(answer.json(), book);
}

#[tokio::test]
async fn a_handlers_own_limit_is_not_taken_for_that_of_the_request() {
    let server = Server::start().await;
    for (code, http) in [(Code::ResourceExhausted, 429), (Code::OutOfRange, 400)] {
        let body = json!({"code": code as i32, "message": "the shelf is full"});
        let answer = server.json(Method::POST, "/v1/fail", body.to_string()).await;
        assert_eq!(answer.status, http);
        assert_eq!(answer.json(), body);
        assert_eq!(server.outcome().await, (code, String::new()));
    }
}

#[tokio::test]
async fn the_same_error_on_each_wire() {
    let server = Server::start().await;
    for (code, http) in [
        (Code::Cancelled, 499),
        (Code::Unknown, 500),
        (Code::InvalidArgument, 400),
        (Code::DeadlineExceeded, 504),
        (Code::NotFound, 404),
        (Code::AlreadyExists, 409),
        (Code::PermissionDenied, 403),
        (Code::ResourceExhausted, 429),
        (Code::FailedPrecondition, 400),
        (Code::Aborted, 409),
        (Code::OutOfRange, 400),
        (Code::Unimplemented, 501),
        (Code::Internal, 500),
        (Code::Unavailable, 503),
        (Code::DataLoss, 500),
        (Code::Unauthenticated, 401),
    ] {
        let request = FailRequest {
            code: code as i32,
            message: "naïve".into(),
            details: true,
            ..Default::default()
        };
        let grpc = server.grpc().await.fail(request.clone()).await.expect_err("an error");
        let (_, web) = server.web::<()>("Fail", &request).await;
        for status in [&grpc, &web] {
            assert_eq!((status.code(), status.message()), (code, "naïve"));
            let info = status.get_details_error_info().expect("details");
            assert_eq!(info.reason, "SHELF_BROKEN");
        }
        assert_eq!(server.outcome().await, (code, "SHELF_BROKEN".to_owned()));

        let body = json!({"code": code as i32, "message": "naïve", "details": true}).to_string();
        let answer = server.json(Method::POST, "/v1/fail", body).await;
        assert_eq!(answer.status.as_u16(), http, "{code:?}");
        assert_eq!(answer.header("retry-after"), "2");
        let of = |name: &str| format!("type.googleapis.com/google.rpc.{name}");
        let mut json = answer.json();
        json["details"]
            .as_array_mut()
            .expect("details")
            .sort_by_key(|detail| detail["@type"].to_string());
        assert_eq!(
            json,
            json!({"code": code as i32, "message": "naïve", "details": [
                {"@type": of("BadRequest"), "field_violations": [{"field": "book.title", "description": "too long"}]},
                {"@type": of("ErrorInfo"), "reason": "SHELF_BROKEN", "domain": "library", "metadata": {"shelf": "7"}},
                {"@type": of("LocalizedMessage"), "locale": "de", "message": "kaputt"},
                {"@type": of("PreconditionFailure"), "violations": [{"type": "SHELF", "subject": "7", "description": "is broken"}]},
                {"@type": of("RetryInfo"), "retry_delay": "1.500s"},
            ]})
        );
    }
}

#[tokio::test]
async fn a_panic_is_internal_and_tells_nothing() {
    let server = Server::start().await;
    let request = FailRequest { panic: true, ..Default::default() };
    let grpc = server.grpc().await.fail(request.clone()).await.expect_err("an error");
    let (_, web) = server.web::<()>("Fail", &request).await;
    for status in [grpc, web] {
        assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"));
        assert_eq!(status.get_details_error_info().expect("details").reason, "INTERNAL");
    }
    let answer = server.json(Method::POST, "/v1/fail", r#"{"panic":true}"#).await;
    assert_eq!(answer.refusal(), (500, "INTERNAL".into(), String::new()));
    assert!(!answer.text().contains("secret"));
    assert_eq!(server.outcome().await, (Code::Internal, "INTERNAL".to_owned()));
}

#[tokio::test]
async fn an_expired_deadline_is_deadline_exceeded_on_each_wire() {
    let server = Server::with(Settings {
        timeout: std::time::Duration::from_millis(50),
        ..Default::default()
    })
    .await;
    let request = FailRequest { delay_ms: 60_000, ..Default::default() };
    let grpc = server.grpc().await.fail(request.clone()).await.expect_err("an error");
    server.library.dropped.notified().await;
    let (_, web) = server.web::<()>("Fail", &request).await;
    server.library.dropped.notified().await;
    for status in [grpc, web] {
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(status.get_details_error_info().expect("details").reason, "DEADLINE");
    }
    let answer = server.json(Method::POST, "/v1/fail", r#"{"delay_ms":60000}"#).await;
    assert_eq!(answer.refusal(), (504, "DEADLINE".into(), String::new()));
    server.library.dropped.notified().await;
}
