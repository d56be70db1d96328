//! The binary itself: its settings, its signals, its log.

use std::{
    process::{Output, Stdio},
    sync::Arc,
    time::Duration,
};

use crate::{
    attacks::{Attack, Project, Target, attacks},
    auth_support::issuer::{ISSUER, USER},
    support::{GET_NAME, UPDATE_NAME, WIRES, client::Client, eventually},
};
use aws_lc_rs::digest;
use dev::auth::{Auth, Keys};
use http::Method;
use regex::Regex;
use serde_json::json;
use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};
use tonic::Code;

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_user-service"));
    command.env_clear().kill_on_drop(true).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let ended = timeout(Duration::from_secs(20), command.output()).await.expect("an end");
    let Output { status, stdout, stderr } = ended.expect("a run");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[tokio::test]
async fn all_wrong_settings_are_reported_at_once_each_with_what_to_do() {
    let mut command = binary();
    command
        .env(
            "DATABASE_URL",
            "postgresql://postgres:[YOUR-PASSWORD]@db.example.supabase.co:5432/postgres",
        )
        .env("LISTEN_ADDR", "everywhere")
        .env("MAX_BODY_BYTES", "12")
        .env("CORS_ALLOWED_ORIGINS", "localhost:3000")
        .env("JWT_SECRET", "too short")
        .env("JWKS_URL", "http://example.com/keys")
        .env("TLS_CERT", "/nowhere/cert.pem")
        .env("TLS_KEY", "/nowhere/key.pem")
        .env("DOCS", "perhaps")
        .env("SUPABASE_PUBLISHABLE_KEY", "sb_secret_0123456789");
    let (code, _, said) = output(&mut command).await;
    assert_eq!(code, Some(2));
    assert!(said.contains("user-service --help"), "{said}");
    for setting in [
        "DATABASE_URL",
        "LISTEN_ADDR",
        "MAX_BODY_BYTES",
        "CORS_ALLOWED_ORIGINS",
        "JWT_SECRET",
        "JWKS_URL",
        "TLS_CERT",
        "TLS_KEY",
        "DOCS",
        "SUPABASE_PUBLISHABLE_KEY",
    ] {
        assert!(said.lines().any(|line| line.contains(setting)), "{setting} in:\n{said}");
    }
    for secret in ["too short", "sb_secret"] {
        assert!(!said.contains(secret), "a secret is not repeated");
    }
}

#[tokio::test]
async fn a_secret_has_no_flag_and_may_come_from_a_file() {
    let (code, help, _) = output(binary().arg("--help")).await;
    assert_eq!(code, Some(0));
    assert!(help.contains("--listen-addr") && help.contains("[env: LISTEN_ADDR]"));
    assert!(!help.contains("--database-url") && help.contains("DATABASE_URL"));

    let both = [("JWT_SECRET", "x"), ("JWT_SECRET_FILE", "/nowhere")];
    let (code, _, said) = output(binary().envs(both)).await;
    assert_eq!(code, Some(2));
    assert!(said.contains("JWT_SECRET and JWT_SECRET_FILE are both set"), "{said}");
}

/// A database, an issuer and the binary, at `RUST_LOG=trace`.
struct Running {
    client: Client,
    admin: Client,
    auth: Auth,
    child: Child,
    /// Read while the process runs: a full pipe would stop it.
    log: JoinHandle<String>,
    _database: dev::testing::Database,
}

async fn running() -> Running {
    running_with(&[]).await
}

/// The same with these settings.
async fn running_with(settings: &[(&str, String)]) -> Running {
    let database = crate::support::database().await;
    let keys = Keys::generate().expect("keys");
    let auth =
        Auth::start(database.config("supabase_auth_admin"), 0, keys).await.expect("an issuer");
    let [port, admin] = dev_ports();
    let mut child = binary()
        .env("RUST_LOG", "trace")
        .env("LOG_FORMAT", "json")
        .env("DATABASE_URL", database.url("postgres"))
        .env("SUPABASE_URL", auth.url())
        .env("LISTEN_ADDR", format!("127.0.0.1:{port}"))
        .env("ADMIN_ADDR", format!("127.0.0.1:{admin}"))
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .spawn()
        .expect("a process");
    let mut pipe = child.stderr.take().expect("a pipe");
    let log = tokio::spawn(async move {
        let mut text = String::new();
        pipe.read_to_string(&mut text).await.expect("the log");
        text
    });
    let client =
        |port| Client::new(format!("http://127.0.0.1:{port}"), crate::support::descriptors());
    eventually("the port is open", async || {
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
    })
    .await;
    let running = Running {
        client: client(port),
        admin: client(admin),
        auth,
        child,
        log,
        _database: database,
    };
    eventually("the service is ready", async || {
        running.client.http(Method::GET, "/readyz", &[], "").await.status == 200
    })
    .await;
    running
}

/// Two free ports. The binary takes no listener from outside, so they are free a moment before.
fn dev_ports() -> [u16; 2] {
    [0, 0].map(|port| {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("a port");
        listener.local_addr().expect("an address").port()
    })
}

#[tokio::test]
async fn no_token_name_or_address_is_in_the_log_however_much_is_logged() {
    let running = running().await;
    let data = json!({"full_name": "Ada Lovelace"});
    let ada = running.auth.sign_up("ada@example.com", "password", data).await.expect("a session");
    let bearer = format!("Bearer {}", ada.access_token);
    let headers = [("authorization", bearer.as_str())];
    for wire in WIRES {
        let answer = running.client.call(wire, GET_NAME, &headers, json!({})).await;
        assert_eq!(answer.value, json!({"full_name": "Ada Lovelace"}));
        let renamed = json!({"full_name": "Augusta King"});
        running.client.call(wire, UPDATE_NAME, &headers, renamed).await;
        running
            .client
            .call(wire, UPDATE_NAME, &headers, json!({"full_name": "Ada Lovelace"}))
            .await;
        let forged = format!("{bearer}x");
        let forged = [("authorization", forged.as_str())];
        running.client.call(wire, GET_NAME, &forged, json!({})).await;
    }
    let text = stop(running).await;

    let user = ada.user_id().to_string();
    assert!(text.contains(&user) && text.contains("user.v1.UserService/GetName"), "{text}");
    let signature = ada.access_token.rsplit('.').next().expect("a signature");
    for secret in ["Lovelace", "Augusta", "ada@example", signature, "eyJ"] {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is in the log");
    }
    let jwt = Regex::new(r"[\w-]{16,}\.[\w-]{16,}\.[\w-]{16,}").expect("a pattern");
    assert_eq!(jwt.find(&text).map(|found| found.as_str()), None);
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line)
            .unwrap_or_else(|_| panic!("not JSON: {line}"));
    }
}

#[tokio::test]
async fn a_refused_token_is_logged_by_a_short_hash_and_by_nothing_else() {
    let project = Project::start().await;
    let running = running_with(&project.settings()).await;
    let target = Target::now(Arc::clone(&project.issuer), USER);
    let mut refused: Vec<Attack> = attacks(&target);
    refused.retain(|attack| attack.reason.is_some());
    for Attack { defect, authorization, .. } in &refused {
        let headers: Vec<_> =
            authorization.iter().map(|it| ("authorization", it.as_str())).collect();
        for wire in WIRES {
            let answer = running.client.call(wire, GET_NAME, &headers, json!({})).await;
            assert_eq!(answer.code, Code::Unauthenticated, "{defect}");
        }
    }
    let log = stop(running).await;

    let is_of_no_word = |char: char| !char.is_ascii_alphanumeric() && !"-_+=".contains(char);
    for attack in &refused {
        for value in &attack.authorization {
            for part in value.split(is_of_no_word).filter(|part| part.len() >= 12) {
                assert!(!log.contains(part), "{}: {part} is in the log", attack.defect);
            }
        }
        let hash = attack.token().map(|token| {
            let hash = digest::digest(&digest::SHA256, token.as_bytes());
            hash.as_ref()[..4].iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        });
        let (Some(hash), Some(reason)) = (hash, attack.reason) else { continue };
        let is_of_this = |line: &&str| {
            line.contains(&format!("token {hash}: ")) && line.contains(reason.as_str())
        };
        let lines = log.lines().filter(is_of_this).count();
        assert_eq!(lines, WIRES.len(), "{}: token {hash}, once a call", attack.defect);
    }
    let claims = [ISSUER, "someone@example.com", "Some One", "../../dev/null", "logout+jwt"];
    for text in claims {
        assert!(!log.contains(text), "{text} is in the log");
    }
}

/// Sends SIGTERM, and returns the log when the process has ended well.
async fn stop(mut running: Running) -> String {
    let pid = running.child.id().expect("a running process").to_string();
    let killed = Command::new("kill").args(["-TERM", &pid]).status().await.expect("kill");
    assert!(killed.success());
    let ended = timeout(Duration::from_secs(20), running.child.wait()).await.expect("in time");
    let text = running.log.await.expect("a log");
    assert_eq!(ended.expect("an end").code(), Some(0), "{text}");
    text
}

#[tokio::test]
async fn operators_see_calls_refusals_and_connections() {
    let running = running().await;
    running.client.call(crate::support::Wire::GrpcWeb, GET_NAME, &[], json!({})).await;
    let page = running.admin.http(Method::GET, "/metrics", &[], "").await;
    let text = page.text();
    let call = r#"user_service_requests_total{rpc="user.v1.UserService/GetName",wire="grpc-web",code="UNAUTHENTICATED"} 1"#;
    for line in [
        call,
        r#"user_service_refusals_total{reason="TOKEN_MISSING"} 1"#,
        r#"user_service_jwks_fetches_total{result="ok"} 1"#,
        r#"user_service_token_cache_total{result="hit"} 0"#,
        r#"user_service_pool_connections{state="waiting"} 0"#,
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in:\n{text}");
    }
    assert!(text.contains("user_service_request_seconds_count{"), "{text}");
    assert!(text.ends_with("# EOF\n"));
    let alive = running.admin.http(Method::GET, "/healthz", &[], "").await;
    assert_eq!((alive.status.as_u16(), alive.text()), (200, "ok"));
    let metrics_on_the_port = running.client.http(Method::GET, "/metrics", &[], "").await;
    assert_eq!(metrics_on_the_port.status, 404);
}
