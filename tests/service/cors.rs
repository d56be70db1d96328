//! CORS as browsers need it.

use crate::support::{Service, client::Plain};
use http::Method;

const ORIGIN: &str = "http://127.0.0.1:3000";

async fn service() -> Service {
    Service::with(&[("CORS_ALLOWED_ORIGINS", "https://app.example.com, http://127.0.0.1:3000")])
        .await
}

fn list(answer: &Plain, header: &str) -> Vec<String> {
    let value = answer.header(header).unwrap_or_default();
    value.split(',').map(|item| item.trim().to_ascii_lowercase()).collect()
}

fn about_cors(answer: &Plain) -> Vec<&str> {
    let names = answer.headers.keys().map(|name| name.as_str());
    names.filter(|name| name.starts_with("access-control-")).collect()
}

#[tokio::test]
async fn a_preflight_of_an_allowed_origin_says_what_may_be_sent() {
    let service = service().await;
    let headers = [
        ("origin", ORIGIN),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type,x-grpc-web"),
    ];
    let path = crate::support::GET_NAME;
    let answer = service.client.http(Method::OPTIONS, path, &headers, "").await;
    assert!(answer.status.is_success());
    assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
    assert_eq!(answer.header("access-control-max-age"), Some("7200"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let allowed = list(&answer, "access-control-allow-headers");
    for header in [
        "authorization",
        "content-type",
        "x-grpc-web",
        "x-user-agent",
        "grpc-timeout",
        "traceparent",
    ] {
        assert!(allowed.contains(&header.to_owned()), "{header} in {allowed:?}");
    }
    let methods = list(&answer, "access-control-allow-methods");
    for method in ["get", "patch", "post"] {
        assert!(methods.contains(&method.to_owned()), "{method} in {methods:?}");
    }
}

#[tokio::test]
async fn a_refusal_shows_the_browser_why() {
    let service = service().await;
    let method = service.client.method(crate::support::GET_NAME);
    let headers =
        [("origin", ORIGIN), ("content-type", "application/grpc-web+proto"), ("x-grpc-web", "1")];
    let body = crate::support::client::frame(&[]);
    let version = http::Version::HTTP_11;
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let answer = service.client.send(version, Method::POST, &path, &headers, body).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
    // Trailers-only: the status is in the headers, so the browser must be let see them.
    assert_eq!(answer.header("grpc-status"), Some("16"));
    let exposed = list(&answer, "access-control-expose-headers");
    for header in [
        "grpc-status",
        "grpc-message",
        "grpc-status-details-bin",
        "www-authenticate",
        "retry-after",
        "x-request-id",
    ] {
        assert!(exposed.contains(&header.to_owned()), "{header} in {exposed:?}");
    }
}

#[tokio::test]
async fn another_origin_is_served_without_a_word_that_allows_its_page_to_look() {
    let service = service().await;
    for origin in ["http://localhost:3000", "https://app.example.com.evil.example", "null"] {
        let answer = service.client.http(Method::GET, "/name", &[("origin", origin)], "").await;
        assert_eq!(answer.status, 401);
        assert_eq!(about_cors(&answer), [""; 0], "{origin}");

        let headers = [("origin", origin), ("access-control-request-method", "PATCH")];
        let answer = service.client.http(Method::OPTIONS, "/name", &headers, "").await;
        assert_eq!(about_cors(&answer), [""; 0], "{origin}");
    }
    let answer = service.client.http(Method::GET, "/name", &[], "").await;
    assert_eq!(about_cors(&answer), [""; 0], "without an origin");
}

/// Without content type or with one of a form a browser asks nobody before it sends (Fetch, "CORS-safelisted
/// request-header"); with a token it must, since `authorization` is never safelisted.
#[tokio::test]
async fn what_a_page_may_send_without_asking_runs_nothing_here() {
    let service = service().await;
    let origin = ("origin", "https://evil.example");
    for path in [crate::support::GET_NAME, crate::support::UPDATE_NAME] {
        let body = r#"{"full_name": "Mallory"}"#;
        let answer = service.client.http(Method::POST, path, &[origin], body).await;
        assert_eq!((answer.status.as_u16(), about_cors(&answer)), (401, vec![]), "{path}");
        let plain = [origin, ("content-type", "text/plain")];
        let answer = service.client.http(Method::POST, path, &plain, body).await;
        assert_eq!((answer.status.as_u16(), about_cors(&answer)), (415, vec![]), "{path}");
        let asks = [
            origin,
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization"),
        ];
        let answer = service.client.http(Method::OPTIONS, path, &asks, "").await;
        assert_eq!(about_cors(&answer), [""; 0], "{path}");
    }
}

#[tokio::test]
async fn options_without_a_preflights_headers_asks_for_the_methods() {
    let service = service().await;
    let answer = service.client.http(Method::OPTIONS, "/name", &[], "").await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS, PATCH"));
}
