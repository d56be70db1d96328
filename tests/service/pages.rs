//! The pages that the service serves, and that they say what the service does.

use http::Method;
use regex::Regex;
use serde_json::{Value, json};
use user_service::{error, wires};

use crate::support::{Service, WIRES, descriptors};

const ON: [(&str, &str); 3] =
    [("DOCS", "on"), ("EXPLORER", "on"), ("SUPABASE_PUBLISHABLE_KEY", "sb_publishable_x")];

const PAGES: [&str; 4] = ["/", "/explorer/api.json", "/docs", "/openapi.json"];

#[tokio::test]
async fn pages_are_not_there_until_they_are_switched_on() {
    let service = Service::start().await;
    for path in PAGES {
        let answer = service.client.http(Method::GET, path, &[], "").await;
        assert_eq!(answer.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_page_answers_other_methods_as_the_api_does() {
    let service = Service::with(&ON).await;
    for path in PAGES.iter().chain(&["/healthz", "/readyz"]) {
        let answer = service.client.http(Method::OPTIONS, path, &[], "").await;
        assert_eq!(answer.status, 204, "{path}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"), "{path}");
        for method in [Method::POST, Method::DELETE] {
            let answer = service.client.http(method, path, &[], "").await;
            assert_eq!(answer.status, 405, "{path}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"), "{path}");
            assert_eq!(answer.json()["details"][0]["reason"], "METHOD_NOT_ALLOWED", "{path}");
        }
    }
}

#[tokio::test]
async fn pages_run_nothing_inline_and_reach_only_the_service_and_the_project() {
    let service = Service::with(&ON).await;
    for path in ["/", "/docs"] {
        let answer = service.client.http(Method::GET, path, &[], "").await;
        assert_eq!(answer.status, 200, "{path}");
        let policy = answer.headers["content-security-policy"].to_str().expect("text");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        let connect = policy.split("; ").find(|it| it.starts_with("connect-src ")).expect(path);
        let allowed = match path {
            "/" => format!("connect-src 'self' {}", service.auth.url()),
            _ => "connect-src 'self'".to_owned(),
        };
        assert_eq!(connect, allowed);
        let html = answer.text().to_owned();
        for file in html.split(['"', '\'']).filter(|it| it.starts_with('/') && it.contains('.')) {
            let answer = service.client.http(Method::GET, file, &[], "").await;
            assert_eq!(answer.status, 200, "{file} of {path}");
            assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{file}");
        }
        assert!(!html.contains("<style") && !html.contains("style=") && !html.contains("onclick"));
    }
}

#[tokio::test]
async fn the_document_has_every_rpc_and_every_reason() {
    let service = Service::with(&ON).await;
    let answer = service.client.http(Method::GET, "/openapi.json", &[], "").await;
    let (document, text) = (answer.json(), answer.text().to_owned());
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["paths"]["/name"]["patch"]["operationId"], "UserService_UpdateName");
    for rpc in descriptors().services().filter(|it| !it.full_name().starts_with("grpc.")) {
        for rpc in rpc.methods() {
            let path = format!("/{}/{}", rpc.parent_service().full_name(), rpc.name());
            let operation = &document["paths"][path]["post"];
            assert_eq!(operation["security"], json!([{"bearer": []}]), "{}", rpc.full_name());
        }
    }
    let of_wires = wires::Reason::ALL.iter().map(|it| it.as_str()).filter(|it| {
        // A path that is documented never ends with these.
        !["ROUTE_NOT_FOUND", "METHOD_NOT_ALLOWED", "NOT_IMPLEMENTED"].contains(it)
    });
    for reason in error::Reason::ALL.iter().map(|it| it.as_str()).chain(of_wires) {
        assert!(text.contains(&format!("\"{reason}\":{{\"value\":")), "an example of {reason}");
    }
}

/// Walks the descriptors, so that a limit that nobody checks is found.
#[tokio::test]
async fn a_limit_in_the_document_is_one_that_the_service_keeps() {
    let service = Service::with(&ON).await;
    let document = service.client.http(Method::GET, "/openapi.json", &[], "").await.json();
    let ada = service.ada().await;
    let pool = descriptors();
    let mut limits = 0;
    for rpc in pool.services().flat_map(|it| it.methods().collect::<Vec<_>>()) {
        let path = format!("/{}/{}", rpc.parent_service().full_name(), rpc.name());
        let schema = &document["components"]["schemas"][rpc.input().full_name()];
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let Some(pattern) = field["pattern"].as_str() else { continue };
            limits += 1;
            let pattern = Regex::new(pattern).expect("a pattern");
            for text in at_the_edges(&pattern) {
                for wire in WIRES {
                    let message = json!({ name.as_str(): text });
                    let answer = service.call(wire, &path, ada.token(), message).await;
                    let refused = answer.reason().as_deref() == Some("FIELD_INVALID");
                    assert_eq!(refused, !pattern.is_match(&text), "{path} {name} {text:?}");
                }
            }
        }
    }
    assert!(limits > 0, "there are limits");
}

/// Texts that a pattern takes or refuses, where one character more makes the difference.
fn at_the_edges(pattern: &Regex) -> Vec<String> {
    let text = |length: usize| "x".repeat(length);
    let edges =
        (0..1000).filter(|&it| pattern.is_match(&text(it)) != pattern.is_match(&text(it + 1)));
    let edges = edges.flat_map(|length| [text(length), text(length + 1)]);
    edges.chain(["x\u{7}x".to_owned(), " x ".to_owned()]).collect()
}

#[tokio::test]
async fn the_page_knows_every_rpc_and_no_secret() {
    let service = Service::with(&ON).await;
    let api = service.client.http(Method::GET, "/explorer/api.json", &[], "").await.json();
    let project =
        json!({"auth": format!("{}/auth/v1/", service.auth.url()), "key": "sb_publishable_x"});
    assert_eq!(api["project"], project);
    let names: Vec<_> =
        api["rpcs"].as_array().expect("RPCs").iter().map(|it| it["name"].clone()).collect();
    let ours = crate::support::descriptors().get_service_by_name("user.v1.UserService");
    let ours = ours.expect("our service");
    assert_eq!(names, ours.methods().map(|it| json!(it.name())).collect::<Vec<_>>());
    let field = &api["messages"]["user.v1.UpdateNameRequest"][0];
    assert_eq!((&field["name"], &field["number"]), (&json!("full_name"), &json!(1)));
    assert_ne!(api["messages"].get("google.rpc.ErrorInfo"), None::<&Value>);
}
