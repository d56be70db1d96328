//! The way to the database, and the login.

use std::{
    iter,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use dev::{
    postgres::{Cluster, Options},
    supabase,
};
use socket2::{Domain, Socket, Type};
use uuid::Uuid;

use crate::{
    db_support::{SUPERUSER, pgbouncer::Pgbouncer, proxy::Proxy, tls, until},
    support::Rig,
};

/// What says nothing of itself without a connection, in order.
const BEHIND_IT: [&str; 11] = [
    "roles",
    "rights",
    "users",
    "columns",
    "grants",
    "row-security",
    "policies",
    "auth.uid",
    "migrations",
    "session-check",
    "database-clock",
];

#[tokio::test]
async fn a_port_where_nobody_listens() {
    let rig =
        Rig::new().await.set("DATABASE_URL", "postgresql://me:correct-horse@127.0.0.1:1/postgres");
    let checked = rig.check_with(&rig.token(rig.project.ada)).await;
    checked.fails(&["address"]);
    let skipped = [&["tls", "login"], &BEHIND_IT[..], &["issuer-clock", "name"]].concat();
    assert_eq!(checked.with("skipped"), skipped);
    // What does not need the database is looked at all the same.
    assert_eq!(checked.status("keys"), "ok");
    assert_eq!(checked.status("token"), "ok");
}

#[tokio::test]
async fn a_name_that_does_not_exist() {
    let url = "postgresql://me:correct-horse@db.project.invalid/postgres?sslmode=disable";
    let checked = Rig::new().await.set("DATABASE_URL", url).check().await;
    checked.fails(&["address"]);
    assert!(checked.said("address").0.contains("db.project.invalid:5432 has no address"));
}

/// A port that takes no more connections and refuses none, as behind many a firewall.
fn black_hole() -> (Socket, Vec<TcpStream>) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
    let queue = iter::from_fn(connect).take(1000).collect();
    (socket, queue)
}

#[tokio::test]
async fn a_host_that_swallows_everything() {
    let (socket, _queue) = black_hole();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    let url = format!("postgresql://me:correct-horse@127.0.0.1:{port}/x?connect_timeout=1");
    let key_address = format!("http://127.0.0.1:{port}");
    let rig = Rig::new().await.set("DATABASE_URL", url).set("JWKS_TIMEOUT", "1s");
    let checked = rig.set("SUPABASE_URL", key_address).check().await;
    checked.fails(&["address", "keys"]);
    assert!(checked.said("address").0.contains("no answer within 1s"));
}

#[tokio::test]
async fn a_server_that_says_nothing() {
    let rig = Rig::new().await;
    let url = rig.login();
    let port = rig.project.database.config("postgres").get_ports()[0];
    let proxy = Proxy::start(port).await;
    proxy.stall(true);
    for (parameters, failed) in [
        ("connect_timeout=1&sslmode=disable", "login"),
        ("connect_timeout=1&sslmode=require", "tls"),
    ] {
        let url = format!("{}?{parameters}", proxy.url(&url));
        let rig = Rig::new().await.set("DATABASE_URL", url);
        let checked = rig.check().await;
        checked.fails(&[failed]);
        assert!(checked.said(failed).0.contains("no answer within 1s"));
        assert_eq!(checked.status("address"), "ok");
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_in_the_middle() {
    let rig = Rig::new().await;
    let url = rig.login();
    let port = rig.project.database.config("postgres").get_ports()[0];
    let proxy = Proxy::start(port).await;
    proxy.delay(Duration::from_millis(20));
    let rig = rig.set("DATABASE_URL", proxy.url(&url));
    let falls_silent = async {
        // The second session is the pool's: by then the first has answered a question.
        until("calls get a connection", async || proxy.sessions() == 2).await;
        proxy.stall(true);
    };
    let (checked, ()) = tokio::join!(rig.check(), falls_silent);
    checked.fails(&["rights", "users", "auth.uid", "database-clock"]);
    assert!(checked.said("users").0.ends_with("no answer within 5s"));
    assert_eq!(checked.status("keys"), "ok");
}

#[tokio::test]
async fn a_wrong_password() {
    let rig = Rig::new().await;
    let url = rig.login();
    let (_, place) = url.split_once('@').unwrap();
    let rig = rig.set("DATABASE_URL", format!("postgresql://user_service:battery-staple@{place}"));
    let checked = rig.check().await;
    checked.fails(&["login"]);
    let (message, hint) = checked.said("login");
    assert!(message.starts_with("28P01"), "{message}");
    assert!(hint.contains("%40"), "{hint}");
    let skipped = checked.with("skipped");
    assert!(skipped.starts_with(&BEHIND_IT), "{skipped:?}");
}

#[tokio::test]
async fn of_several_hosts_one_is_enough() {
    let rig = Rig::new().await;
    let url = rig.login();
    let (login, place) = url.split_once('@').unwrap();
    let (server, name) = place.split_once('/').unwrap();
    let hosts = format!("{login}@127.0.0.1:1,{server}/{name}");
    let checked = rig.set("DATABASE_URL", hosts).check().await;
    checked.fails(&[]);
    assert_eq!(checked.with("warning"), ["address"]);
    assert_eq!(checked.status("login"), "ok");
}

#[tokio::test]
async fn a_login_with_more_rights_than_it_needs_is_a_warning() {
    for (login, excess) in [
        ("authenticator", "it may become service_role, which row level security does not bind"),
        ("postgres", "not bound by row level security"),
        (SUPERUSER, "is a superuser"),
    ] {
        let rig = Rig::new().await;
        let url = rig.project.database.url(login);
        let checked = rig.set("DATABASE_URL", url).check().await;
        checked.fails(&[]);
        assert_eq!(checked.with("warning"), ["rights"]);
        let (message, hint) = checked.said("rights");
        assert!(message.contains(excess), "{message}");
        assert!(hint.contains("sql/login.sql"));
    }
}

#[tokio::test]
async fn a_login_that_may_not_become_a_caller() {
    let rig = Rig::new().await;
    let role = format!("nobody-{}", Uuid::new_v4().simple());
    let sql = format!(
        "create role \"{role}\" login noinherit password 'long enough'; grant anon to \"{role}\""
    );
    rig.project.run(&sql).await;
    let url = rig.project.database.url("postgres");
    let (_, place) = url.split_once('@').unwrap();
    let url = format!("postgresql://{role}:long%20enough@{place}");
    let rig = rig.set("DATABASE_URL", url);
    let checked = rig.check_with(&rig.token(rig.project.ada)).await;
    checked.fails(&["roles"]);
    assert!(checked.said("roles").0.contains("may not become authenticated"));
    assert_eq!(
        checked.said("roles").1,
        format!("grant authenticated to \"{role}\"; -- as the project's owner")
    );
    // The catalogue is open to everybody.
    assert_eq!(checked.status("policies"), "ok");
    assert_eq!(checked.status("name"), "skipped");

    rig.project.run(checked.said("roles").1).await;
    let checked = rig.check_with(&rig.token(rig.project.ada)).await;
    checked.fails(&[]);
    assert_eq!(checked.status("name"), "ok");
}

#[tokio::test]
async fn a_server_of_another_kind_than_asked_for() {
    for (attrs, kind) in [("standby", "a primary that takes changes"), ("read-only", "a primary")] {
        let rig = Rig::new().await;
        let url = format!("{}?target_session_attrs={attrs}", rig.login());
        let checked = rig.set("DATABASE_URL", url).check().await;
        checked.fails(&["login"]);
        let (message, hint) = checked.said("login");
        let told = format!("it is {kind}");
        assert!(message.contains(&told) && message.contains(attrs), "{message}");
        assert!(hint.contains("target_session_attrs"), "{hint}");
        assert_eq!(checked.status("tls"), "ok");
    }
}

#[tokio::test]
async fn callers_roles_that_row_level_security_does_not_bind() {
    let server = Cluster::start(Options::temporary()).await.unwrap();
    supabase::install(&server).await.unwrap();
    let admin = server.connect(SUPERUSER, "postgres").await.unwrap();
    let unbind = "alter role anon bypassrls; alter role authenticated bypassrls";
    admin.batch_execute(unbind).await.unwrap();
    let rig = Rig::new().await.set("DATABASE_URL", server.url("authenticator", "postgres"));
    let checked = rig.check().await;
    assert_eq!(checked.status("roles"), "failed");
    admin.batch_execute(checked.said("roles").1).await.unwrap();
    assert_eq!(rig.check().await.status("roles"), "ok");
}

#[tokio::test]
async fn a_server_that_takes_no_changes_is_a_warning() {
    let rig = Rig::new().await;
    let name = rig.project.database.name();
    rig.project.run(&format!("alter database {name} set default_transaction_read_only = on")).await;
    let checked = rig.check().await;
    checked.fails(&[]);
    assert_eq!(checked.with("warning"), ["login"]);
}

#[tokio::test]
async fn through_a_pooler_in_transaction_mode_all_is_seen_too() {
    let rig = Rig::new().await;
    let url = rig.login();
    let port = rig.project.database.config("postgres").get_ports()[0];
    let pooler = Pgbouncer::start(port, 1, &[&url]).await;
    let rig = rig.set("DATABASE_URL", pooler.url(&url));
    for _ in 0..2 {
        let checked = rig.check_with(&rig.token(rig.project.ada)).await;
        checked.fails(&[]);
        assert_eq!(checked.said("name").0, "GetName returns \"Ada\"");
        assert!(checked.said("login").0.contains("a pooler in transaction mode"));
    }
}

#[tokio::test]
async fn tls_is_told_as_it_is() {
    let cluster = Cluster::start(Options::temporary()).await.unwrap();
    supabase::install(&cluster).await.unwrap();
    let authorities = tls::switch_on(&cluster).await;
    let url = |host: &str, parameters: &str| {
        let url = cluster.url("authenticator", "postgres").replace("127.0.0.1", host);
        format!("{url}?{parameters}")
    };
    let root = |root: &std::path::Path| format!("sslrootcert={}", root.display());
    let (right, wrong) = (root(&authorities.right), root(&authorities.wrong));
    for (host, parameters, status, told) in [
        ("localhost", "sslmode=disable".to_owned(), "ok", "not encrypted"),
        (
            "localhost",
            "sslmode=prefer".to_owned(),
            "ok",
            "encrypted; the certificate is not verified",
        ),
        (
            "127.0.0.1",
            format!("sslmode=verify-ca&{right}"),
            "ok",
            "not its name (sslmode=verify-ca)",
        ),
        ("localhost", format!("sslmode=verify-full&{right}"), "ok", "and its name are verified"),
        ("localhost", format!("sslmode=verify-full&{wrong}"), "failed", "certificate"),
        ("127.0.0.1", format!("sslmode=verify-full&{right}"), "failed", "name"),
    ] {
        let checked = Rig::new().await.set("DATABASE_URL", url(host, &parameters)).check().await;
        assert_eq!(checked.status("tls"), status, "{parameters}");
        assert!(checked.said("tls").0.contains(told), "{parameters}: {}", checked.said("tls").0);
        if status == "failed" {
            checked.fails(&["tls"]);
            assert!(checked.said("tls").1.contains("sslrootcert"));
        }
    }
}

#[tokio::test]
async fn tls_that_is_demanded_and_not_offered() {
    let rig = Rig::new().await;
    let url = rig.login() + "?sslmode=require";
    let checked = rig.set("DATABASE_URL", url).check().await;
    checked.fails(&["tls"]);
    assert!(checked.said("tls").1.contains("sslmode=disable"));
}
