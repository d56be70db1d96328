//! A real grpcurl lists, describes and calls. `scripts/test.sh` installs it.

use crate::support::Service;
use serde_json::{Value, json};
use tokio::process::Command;

async fn grpcurl(service: &Service, before: &[&str], after: &[&str]) -> (bool, String) {
    let address = service.address.to_string();
    let arguments = [&["-plaintext"], before, &[&address], after].concat();
    let ran = Command::new("grpcurl").args(arguments).output().await;
    let ran = ran.expect("grpcurl: run the tests by `make test`, which installs it");
    let text = [ran.stdout, ran.stderr].concat();
    (ran.status.success(), String::from_utf8(text).expect("UTF-8"))
}

#[tokio::test]
async fn grpcurl_lists_describes_and_calls_by_reflection() {
    let service = Service::start().await;
    let ada = service.ada().await;

    let (_, listed) = grpcurl(&service, &[], &["list"]).await;
    let names: Vec<_> = listed.lines().collect();
    assert!(names.contains(&"user.v1.UserService") && names.contains(&"grpc.health.v1.Health"));

    let (_, described) = grpcurl(&service, &[], &["describe", "user.v1.UserService"]).await;
    assert!(described.contains("rpc GetName"), "{described}");

    let bearer = format!("authorization: Bearer {}", ada.token());
    let (ok, answer) = grpcurl(&service, &["-H", &bearer], &["user.v1.UserService/GetName"]).await;
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!((ok, answer), (true, json!({"fullName": "Ada Lovelace"})));

    let (ok, refusal) = grpcurl(&service, &[], &["user.v1.UserService/GetName"]).await;
    assert!(!ok && refusal.contains("Unauthenticated") && refusal.contains("TOKEN_MISSING"));

    let (ok, health) = grpcurl(&service, &[], &["grpc.health.v1.Health/Check"]).await;
    assert!(ok && health.contains("SERVING"), "{health}");
}

#[tokio::test]
async fn without_reflection_grpcurl_calls_by_the_proto_files() {
    let service = Service::with(&[("REFLECTION", "off")]).await;
    let ada = service.ada().await;
    let (ok, _) = grpcurl(&service, &[], &["list"]).await;
    assert!(!ok);
    let bearer = format!("authorization: Bearer {}", ada.token());
    let before = ["-import-path", "proto", "-proto", "user/v1/user.proto", "-H", &bearer];
    let (ok, answer) = grpcurl(&service, &before, &["user.v1.UserService/GetName"]).await;
    assert!(ok && answer.contains("Ada Lovelace"), "{answer}");
}
