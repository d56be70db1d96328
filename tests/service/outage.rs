//! The database gone and back, a shutdown with calls in flight.

use std::time::Duration;

use crate::support::{GET_NAME, Service, WIRES, Wire, eventually};
use dev::postgres::Cluster;
use serde_json::json;
use tokio::time::{Instant, timeout};
use tonic::Code;
use tonic_types::pb;

/// A server of the test's own, migrated.
pub async fn cluster() -> Cluster {
    let cluster = Cluster::temporary().await.expect("a server");
    dev::supabase::install(&cluster).await.expect("roles");
    cluster.create_database("app", None).await.expect("a database");
    dev::supabase::install_in(&cluster, "app").await.expect("schemas");
    crate::support::migrate(cluster.url("postgres", "app")).await.expect("migrations");
    cluster
}

#[tokio::test]
async fn a_database_that_dies_is_told_and_its_return_is_noticed_without_a_restart() {
    let mut cluster = cluster().await;
    let (url, auth) =
        (cluster.url("postgres", "app"), cluster.config("supabase_auth_admin", "app"));
    let service = Service::on(url, auth, &[("DATABASE_POOL_WAIT", "500ms")]).await;
    let ada = service.ada().await;
    let answer = service.call(Wire::Grpc, GET_NAME, ada.token(), json!({})).await;
    assert_eq!(answer.value, json!({"full_name": "Ada Lovelace"}));

    cluster.kill().await.expect("killed");
    for wire in WIRES {
        let answer = service.call(wire, GET_NAME, ada.token(), json!({})).await;
        let expected = (Code::Unavailable, Some("DATABASE_UNAVAILABLE".to_owned()));
        assert_eq!(answer.refusal(), expected, "{wire:?}");
        let retry: Option<pb::RetryInfo> = answer.detail("google.rpc.RetryInfo");
        assert!(retry.is_some());
        if wire == Wire::Json {
            assert_eq!(
                (answer.http.as_u16(), answer.headers.contains_key("retry-after")),
                (503, true)
            );
        }
    }
    eventually("the service is not ready", async || {
        service.readiness().await == (503, json!({"database": "unavailable", "keys": "ok"}))
    })
    .await;

    cluster.start_again().await.expect("back");
    let back = Instant::now();
    eventually("calls succeed", async || {
        service.call(Wire::Grpc, GET_NAME, ada.token(), json!({})).await.code == Code::Ok
    })
    .await;
    assert!(back.elapsed() < Duration::from_secs(2), "{:?}", back.elapsed());
    for _ in 0..20 {
        let answer = service.call(Wire::GrpcWeb, GET_NAME, ada.token(), json!({})).await;
        assert_eq!(answer.code, Code::Ok, "an error after the return");
    }
    service.ready().await;
}

#[tokio::test]
async fn a_shutdown_lets_a_call_in_flight_end_and_takes_no_new_one() {
    let mut service = Service::start().await;
    let ada = service.ada().await;
    let mut admin = service.superuser().await;
    let locked = admin.transaction().await.expect("a transaction");
    locked.batch_execute("lock table public.users").await.expect("a lock");

    let (client, bearer) = (service.client.clone(), format!("Bearer {}", ada.token()));
    let in_flight = tokio::spawn(async move {
        let headers = [("authorization", bearer.as_str())];
        client.call(Wire::Grpc, GET_NAME, &headers, json!({})).await
    });
    let watcher = service.superuser().await;
    eventually("the call waits for the table", async || {
        let waiting = "select count(*) from pg_locks where not granted";
        watcher.query_one(waiting, &[]).await.expect("a count").get::<_, i64>(0) > 0
    })
    .await;

    service.shut_down();
    eventually("the port is closed", async || {
        tokio::net::TcpStream::connect(service.address).await.is_err()
    })
    .await;
    assert!(!in_flight.is_finished());
    locked.commit().await.expect("unlocked");
    let answer = in_flight.await.expect("an answer");
    assert_eq!((answer.code, answer.value), (Code::Ok, json!({"full_name": "Ada Lovelace"})));
    timeout(Duration::from_secs(5), service.ended()).await.expect("drained");
}

#[tokio::test]
async fn a_health_watch_does_not_hold_the_shutdown_up() {
    let mut service = Service::start().await;
    let client = service.client.clone();
    let watch = tokio::spawn(async move {
        let method = client.method("/grpc.health.v1.Health/Watch");
        let body = crate::support::client::frame(&[]);
        client.framed(Wire::Grpc, &method, "/grpc.health.v1.Health/Watch", &[], body).await
    });
    eventually("the watch has begun", async || {
        let metrics = service.admin.http(http::Method::GET, "/metrics", &[], "").await;
        assert_eq!(metrics.status, 200);
        // Connected at all: the drain below then has something to wait for.
        !watch.is_finished()
    })
    .await;
    service.shut_down();
    timeout(Duration::from_secs(5), service.ended()).await.expect("drained");
    let answer = watch.await.expect("an answer");
    assert_eq!(answer.refusal(), (Code::Unavailable, Some("SHUTTING_DOWN".to_owned())));
}

#[tokio::test]
async fn a_shutdown_ends_at_its_limit_though_a_call_does_not() {
    let mut service = Service::with(&[("SHUTDOWN_TIMEOUT", "300ms")]).await;
    let ada = service.ada().await;
    let mut admin = service.superuser().await;
    let locked = admin.transaction().await.expect("a transaction");
    locked.batch_execute("lock table public.users").await.expect("a lock");
    let call = service.call(Wire::Json, GET_NAME, ada.token(), json!({}));
    // The connection is cut: there is no answer to look at.
    let cut = tokio::time::timeout(Duration::from_millis(200), call).await;
    assert!(cut.is_err(), "the call waits");
    service.shut_down();
    timeout(Duration::from_secs(5), service.ended()).await.expect("ended at the limit");
}
