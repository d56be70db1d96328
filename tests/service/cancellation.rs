//! A call that nobody waits for any more stops its work: within a second PostgreSQL runs none of
//! its queries.

use std::time::Duration;

use crate::support::{GET_NAME, Service, UPDATE_NAME, WIRES, Wire, client::Client, eventually};
use http::{Method, Request, header};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinHandle, time::Instant};
use tokio_postgres::{Client as Pg, Transaction};
use tonic::Code;

/// How long a query may outlive its call.
const LIMIT: Duration = Duration::from_secs(1);

/// Sessions of the service that do something, or hold a transaction open.
const BUSY: &str = "select count(*) from pg_stat_activity \
    where datname = current_database() and usename = 'postgres' and state <> 'idle'";
/// Those among them that wait for a lock.
const WAITING: &str = "select count(*) from pg_stat_activity \
    where datname = current_database() and usename = 'postgres' and wait_event_type = 'Lock'";

async fn count(watcher: &Pg, query: &str) -> i64 {
    watcher.query_one(query, &[]).await.expect("a count").get(0)
}

/// Holds the table, so that every query on it waits.
async fn hold(admin: &mut Pg) -> Transaction<'_> {
    let held = admin.transaction().await.expect("a transaction");
    held.batch_execute("lock table public.users").await.expect("a lock");
    held
}

async fn a_query_waits(watcher: &Pg) {
    eventually("a query waits for the table", async || count(watcher, WAITING).await == 1).await;
}

/// Waits until no query is left, and fails where that takes longer than the limit.
async fn none_is_left(watcher: &Pg, since: Instant, what: &str) {
    eventually("no query is left", async || count(watcher, BUSY).await == 0).await;
    assert!(since.elapsed() < LIMIT, "{what}: {:?}", since.elapsed());
}

/// A call on connections of its own.
fn call(
    service: &Service,
    wire: Wire,
    token: &str,
    rpc: &'static str,
    body: Value,
) -> JoinHandle<()> {
    let client = Client::new(format!("http://{}", service.address), crate::support::descriptors());
    let bearer = format!("Bearer {token}");
    tokio::spawn(async move {
        let headers = [("authorization", bearer.as_str())];
        let answer = client.call(wire, rpc, &headers, body).await;
        panic!("answered: {answer:?}");
    })
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_no_query_behind_on_any_wire() {
    let service = Service::start().await;
    let ada = service.ada().await;
    let (watcher, mut admin) = (service.superuser().await, service.superuser().await);
    let held = hold(&mut admin).await;
    for wire in WIRES {
        for (rpc, message) in
            [(GET_NAME, json!({})), (UPDATE_NAME, json!({"full_name": "Augusta King"}))]
        {
            let call = call(&service, wire, ada.token(), rpc, message);
            a_query_waits(&watcher).await;
            let left = Instant::now();
            call.abort(); // and with it its connection
            none_is_left(&watcher, left, &format!("{wire:?} {rpc}")).await;
            let _ = call.await;
        }
    }
    drop(held);
    // What was not waited for has changed nothing, and the connections serve the next caller.
    let answer = service.call(Wire::Grpc, GET_NAME, ada.token(), json!({})).await;
    assert_eq!(answer.value, json!({"full_name": "Ada Lovelace"}));
}

#[tokio::test]
async fn a_stream_that_is_reset_leaves_no_query_behind_and_its_connection_serves_on() {
    let service = Service::start().await;
    let ada = service.ada().await;
    let (watcher, mut admin) = (service.superuser().await, service.superuser().await);
    let held = hold(&mut admin).await;
    let stream = TcpStream::connect(service.address).await.expect("a connection");
    let (sender, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    tokio::spawn(connection);
    let mut sender = sender.ready().await.expect("ready");
    let request = |content_type: Option<&str>| {
        let request = match content_type {
            None => Request::builder().method(Method::GET).uri("http://x/name"),
            Some(content_type) => Request::post(format!("http://x{GET_NAME}"))
                .header(header::CONTENT_TYPE, content_type),
        };
        request
            .header(header::AUTHORIZATION, format!("Bearer {}", ada.token()))
            .body(())
            .expect("a request")
    };
    for content_type in [None, Some("application/grpc"), Some("application/grpc-web")] {
        let (_answer, mut body) = sender.send_request(request(content_type), false).expect("sent");
        let message = if content_type.is_some() {
            crate::support::client::frame(&[])
        } else {
            Default::default()
        };
        body.send_data(message, true).expect("sent");
        a_query_waits(&watcher).await;
        let left = Instant::now();
        body.send_reset(h2::Reason::CANCEL);
        none_is_left(&watcher, left, &format!("{content_type:?}")).await;
    }
    drop(held);
    let (answer, _) = sender.send_request(request(None), true).expect("sent");
    assert_eq!(answer.await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_deadline_that_passes_leaves_no_query_behind_on_any_wire() {
    // The client's own, and the service's limit where the client has none.
    for (limit, timeout) in [("10s", Some("600m")), ("600ms", None)] {
        let service = Service::with(&[("REQUEST_TIMEOUT", limit)]).await;
        let ada = service.ada().await;
        let (watcher, mut admin) = (service.superuser().await, service.superuser().await);
        let _held = hold(&mut admin).await;
        let bearer = format!("Bearer {}", ada.token());
        let headers = [("authorization", bearer.as_str()), ("grpc-timeout", timeout.unwrap_or(""))];
        let headers = if timeout.is_some() { &headers[..] } else { &headers[..1] };
        for wire in WIRES {
            let call = service.client.call(wire, GET_NAME, headers, json!({}));
            let (answer, ()) = tokio::join!(call, a_query_waits(&watcher));
            let passed = Instant::now();
            let refusal = (Code::DeadlineExceeded, Some("DEADLINE".to_owned()));
            assert_eq!(answer.refusal(), refusal, "{wire:?}");
            none_is_left(&watcher, passed, &format!("{wire:?} {timeout:?}")).await;
        }
    }
}
