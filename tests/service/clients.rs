//! The clients in `examples/`, as another service runs them: in good times and in bad ones.
//!
//! The Python one is a process; `examples/python/install.sh` has installed what it needs.

#[path = "../../examples/service-to-service/retry.rs"]
mod retry;
#[path = "../../examples/service-to-service/users.rs"]
mod users;

use std::{net::SocketAddr, process::Stdio, time::Duration};

use dev::postgres::Cluster;
use futures_util::future::join_all;
use http::Method;
use tokio::{
    io::{AsyncReadExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    process::Command,
    time::Instant,
};
use tonic::{Code, metadata::MetadataMap, transport::Endpoint};

use crate::{
    outage::cluster,
    support::{Service, eventually},
};
use users::{ForwardToken, Users};

/// What the clients have for all their tries, where a test does not say otherwise.
const LONG: Duration = Duration::from_secs(20);

/// How much later than its limit a client may end on a busy machine: Python has to start, too.
const SLACK: Duration = Duration::from_secs(2);

/// How long the service asks to wait when it is unavailable.
const ASKED: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
enum Client {
    Rust,
    Python,
}

const CLIENTS: [Client; 2] = [Client::Rust, Client::Python];

impl Client {
    /// The name that the client gets for a call with this token, or the code that it gives up with.
    async fn full_name(self, at: SocketAddr, token: &str, limit: Duration) -> Result<String, Code> {
        match self {
            Self::Rust => by_rust(at, token, limit).await,
            Self::Python => by_python(at, token, limit).await,
        }
    }
}

async fn by_rust(at: SocketAddr, token: &str, limit: Duration) -> Result<String, Code> {
    let users = Users::new(Endpoint::from_shared(format!("http://{at}")).expect("an address"));
    let mut incoming = MetadataMap::new();
    incoming.insert("authorization", format!("Bearer {token}").parse().expect("a header"));
    let token = ForwardToken::of(&incoming).expect("a token");
    let name = users.full_name(token, Instant::now() + limit).await;
    name.map(|name| name.expect("a name")).map_err(|status| status.code())
}

async fn by_python(at: SocketAddr, token: &str, limit: Duration) -> Result<String, Code> {
    let mut command = Command::new(".dev/python/bin/python");
    command
        .arg("examples/python/client.py")
        .arg(format!("--timeout={}", limit.as_secs_f64()))
        .env("USER_SERVICE_URL", format!("http://{at}"))
        .env("TOKEN", token)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let ran = command.output().await;
    let ran =
        ran.expect("Python: run the tests by `make test`, or examples/python/install.sh first");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (said, error) = (text(ran.stdout), text(ran.stderr));
    if ran.status.success() {
        let name = said.strip_prefix("Hello, ").and_then(|it| it.strip_suffix(".\n"));
        return Ok(name.unwrap_or_else(|| panic!("not a greeting: {said}")).to_owned());
    }
    Err(match error.split(':').next() {
        Some("UNAUTHENTICATED") => Code::Unauthenticated,
        Some("UNAVAILABLE") => Code::Unavailable,
        Some("DEADLINE_EXCEEDED") => Code::DeadlineExceeded,
        _ => panic!("{error}"),
    })
}

/// How many calls of `GetName` the service has answered with this code.
async fn answered(service: &Service, code: &str) -> u32 {
    let page = service.admin.http(Method::GET, "/metrics", &[], "").await;
    let counted = format!(
        r#"user_service_requests_total{{rpc="user.v1.UserService/GetName",wire="grpc",code="{code}"}} "#
    );
    let count = page.text().lines().find_map(|line| line.strip_prefix(&counted));
    count.map_or(0, |count| count.parse().expect("a number"))
}

/// A service whose database the test can take away.
async fn on(cluster: &Cluster) -> Service {
    let (url, auth) =
        (cluster.url("postgres", "app"), cluster.config("supabase_auth_admin", "app"));
    Service::on(url, auth, &[("DATABASE_POOL_WAIT", "100ms")]).await
}

/// An address at which one connection is closed at once and the next as soon as it says something,
/// as by a proxy whose service is just starting. Those that follow lead to the service.
async fn not_at_first(service: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        drop(listener.accept().await.expect("a connection"));
        let (mut client, _) = listener.accept().await.expect("a connection");
        client.read_u8().await.expect("HTTP/2's preface");
        drop(client);
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut service = TcpStream::connect(service).await.expect("the service");
                copy_bidirectional(&mut client, &mut service).await
            });
        }
    });
    address
}

#[tokio::test]
async fn another_service_gets_the_name_of_the_user_that_called_it() {
    let service = Service::start().await;
    let ada = service.ada().await;
    for client in CLIENTS {
        let name = client.full_name(service.address, ada.token(), LONG).await;
        assert_eq!(name, Ok("Ada Lovelace".to_owned()), "{client:?}");
    }
}

#[tokio::test]
async fn clients_wait_for_a_service_that_is_not_there_yet() {
    let service = Service::start().await;
    let ada = service.ada().await;
    for client in CLIENTS {
        let address = not_at_first(service.address).await;
        let name = client.full_name(address, ada.token(), LONG).await;
        assert_eq!(name, Ok("Ada Lovelace".to_owned()), "{client:?}");
    }
}

#[tokio::test]
async fn clients_come_through_an_outage_and_wait_as_long_as_they_are_asked_to() {
    let mut cluster = cluster().await;
    let service = on(&cluster).await;
    let ada = service.ada().await;
    for client in CLIENTS {
        let before = answered(&service, "UNAVAILABLE").await;
        cluster.kill().await.expect("killed");
        let (begun, address) = (Instant::now(), service.address);
        let token = ada.token().to_owned();
        let call = tokio::spawn(async move { client.full_name(address, &token, LONG).await });
        eventually("two tries have failed", async || {
            answered(&service, "UNAVAILABLE").await >= before + 2
        })
        .await;
        assert!(begun.elapsed() >= ASKED, "{client:?} did not wait: {:?}", begun.elapsed());
        cluster.start_again().await.expect("back");
        let name = call.await.expect("no panic");
        assert_eq!(name, Ok("Ada Lovelace".to_owned()), "{client:?}");
    }
}

#[tokio::test]
async fn clients_give_up_after_five_tries() {
    let mut cluster = cluster().await;
    let service = on(&cluster).await;
    let ada = service.ada().await;
    cluster.kill().await.expect("killed");
    let calls = CLIENTS.map(async |client| {
        let begun = Instant::now();
        let name = client.full_name(service.address, ada.token(), LONG).await;
        assert_eq!(name, Err(Code::Unavailable), "{client:?}");
        assert!(begun.elapsed() >= 4 * ASKED, "{client:?}: {:?}", begun.elapsed());
    });
    join_all(calls).await;
    assert_eq!(answered(&service, "UNAVAILABLE").await, 5 + 5);
}

#[tokio::test]
async fn clients_do_not_begin_a_pause_that_outlasts_their_deadline() {
    let mut cluster = cluster().await;
    let service = on(&cluster).await;
    let ada = service.ada().await;
    cluster.kill().await.expect("killed");
    for client in CLIENTS {
        let before = answered(&service, "UNAVAILABLE").await;
        let name = client.full_name(service.address, ada.token(), ASKED).await;
        assert_eq!(name, Err(Code::Unavailable), "{client:?}");
        assert_eq!(answered(&service, "UNAVAILABLE").await, before + 1, "{client:?}");
    }
}

#[tokio::test]
async fn clients_end_by_their_deadline_when_nobody_answers() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = silent.local_addr().expect("an address");
    let limit = Duration::from_millis(700);
    for client in CLIENTS {
        let begun = Instant::now();
        let name = client.full_name(address, "a token", limit).await;
        assert_eq!(name, Err(Code::DeadlineExceeded), "{client:?}");
        let took = begun.elapsed();
        assert!(limit <= took && took < limit + SLACK, "{client:?}: {took:?}");
    }
}

#[tokio::test]
async fn clients_do_not_try_again_with_a_token_that_was_refused() {
    let service = Service::start().await;
    let ada = service.ada().await;
    let expired = service.altered(&ada, |claims| claims["exp"] = 1_000_000_000.into());
    for (before, client) in (0..).zip(CLIENTS) {
        let name = client.full_name(service.address, &expired, LONG).await;
        assert_eq!(name, Err(Code::Unauthenticated), "{client:?}");
        assert_eq!(answered(&service, "UNAUTHENTICATED").await, before + 1, "{client:?}");
    }
}
