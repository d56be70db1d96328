//! A real grpcurl lists, describes and calls, and so does buf. `scripts/test.sh` installs both.

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

/// The README's calls by grpcurl and by buf, each on one line.
fn documented() -> Vec<String> {
    let readme = include_str!("../../README.md").replace("\\\n", "");
    let calls = ["grpcurl ", "buf curl "];
    let call = |line: &&str| calls.iter().any(|call| line.starts_with(call));
    readme.lines().filter(call).map(str::to_owned).collect()
}

/// Pastes a line of the README into a shell, with this service in the place of the default one.
async fn paste(service: &Service, token: &str, line: &str) -> (bool, String) {
    let line = line.replace("127.0.0.1:8080", &service.address.to_string());
    let ran = Command::new("bash").args(["-c", &line]).env("TOKEN", token).output().await;
    let ran = ran.expect("bash");
    let text = [ran.stdout, ran.stderr].concat();
    (ran.status.success(), String::from_utf8(text).expect("UTF-8"))
}

#[tokio::test]
async fn the_readmes_calls_work_by_reflection_and_those_by_files_without_it() {
    let by_reflection = Service::start().await;
    let by_files = Service::with(&[("REFLECTION", "off")]).await;
    let (ada, ada_there) = (by_reflection.ada().await, by_files.ada().await);
    let mut calls_by_files = 0;
    for line in documented() {
        let (ok, said) = paste(&by_reflection, ada.token(), &line).await;
        let expected = if line.contains("describe") { "rpc GetName" } else { "Ada Lovelace" };
        assert!(ok && said.contains(expected), "{line}\n{said}");

        let has_files = line.contains("-proto ") || line.contains("--schema ");
        let (ok, said) = paste(&by_files, ada_there.token(), &line).await;
        assert_eq!(ok, has_files, "{line}\n{said}");
        assert_eq!(said.contains(expected), has_files, "{line}\n{said}");
        calls_by_files += u32::from(has_files);
    }
    assert_eq!(calls_by_files, 2, "one by grpcurl and one by buf");
}
