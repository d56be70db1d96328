//! The ways to a server: TLS as libpq means it, several hosts, sockets, IPv6.

#![expect(missing_docs, reason = "diesel's macros make public items")]

mod db_support;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use db_support::{
    SUPERUSER, caller,
    proxy::Proxy,
    settings, sign_up,
    tls::{self, Authorities},
    until,
};
use dev::{
    postgres::{Cluster, Options},
    supabase,
};
use diesel::{QueryDsl as _, dsl::select, sql_types};
use diesel_async::RunQueryDsl as _;
use tokio::sync::OnceCell;
use user_service::db::{self, CallerConnection as Conn, Db, Error, Settings, users};
use uuid::Uuid;

diesel::table! {
    pg_authid (oid) {
        oid -> Oid,
    }
}

#[diesel::declare_sql_function]
extern "SQL" {
    fn pg_backend_pid() -> sql_types::Integer;
    fn pg_sleep(seconds: sql_types::Double) -> sql_types::Nullable<sql_types::Text>;
}

/// How long a way that leads nowhere is tried.
const GIVE_UP: Duration = Duration::from_secs(3);

/// A migrated server with TLS, whose certificate is for `localhost`.
struct Server {
    cluster: Cluster,
    ada: Uuid,
    /// The authority that signed the server's certificate, and one that did not.
    right: PathBuf,
    wrong: PathBuf,
}

static SERVER: OnceCell<Server> = OnceCell::const_new();

async fn server() -> &'static Server {
    SERVER.get_or_init(Server::start).await
}

impl Server {
    async fn start() -> Self {
        let cluster = Cluster::start(options()).await.unwrap();
        let ada = migrated(&cluster).await;
        let Authorities { right, wrong } = tls::switch_on(&cluster).await;
        Self { cluster, ada, right, wrong }
    }

    /// The way through this host name, with these parameters.
    fn url(&self, host: &str, parameters: &str) -> String {
        let url = self.cluster.url("postgres", "postgres");
        format!("{}?{parameters}", url.replace("127.0.0.1", host))
    }

    /// With the parameters of an authority's file.
    fn url_with(&self, host: &str, mode: &str, root: &Path) -> String {
        self.url(host, &format!("sslmode={mode}&sslrootcert={}", root.display()))
    }

    /// Whether the service's connection is.
    async fn is_encrypted(&self, url: &str) -> bool {
        self.ask(settings(url)).await.unwrap()
    }

    async fn ask(&self, settings: Settings) -> Result<bool, Error> {
        let db = Db::new(settings);
        let ada = caller::user(self.ada).await;
        assert_eq!(users::full_name(&db, &ada).await?, Some(Some("Ada".to_owned())));
        let session = db.as_caller(&ada).one::<i32, _>(select(pg_backend_pid())).await?;
        let admin = self.cluster.connect(SUPERUSER, "postgres").await.unwrap();
        let ssl = "select ssl from pg_stat_ssl where pid = $1";
        Ok(admin.query_one(ssl, &[&session]).await.unwrap().get(0))
    }

    async fn refusal(&self, url: &str) -> String {
        let error = self.ask(Settings { pool_wait: GIVE_UP, ..settings(url) }).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        error.to_string()
    }
}

/// IPv6 too.
fn options() -> Options {
    Options::temporary().set("listen_addresses", "127.0.0.1,::1")
}

async fn migrated(cluster: &Cluster) -> Uuid {
    supabase::install(cluster).await.unwrap();
    db::migrate(&settings(&cluster.url("postgres", "postgres")), |_| ()).await.unwrap();
    let ada = Uuid::new_v4();
    sign_up(&cluster.connect(SUPERUSER, "postgres").await.unwrap(), ada, Some("Ada")).await;
    ada
}

#[tokio::test]
async fn without_verification_the_way_is_encrypted_where_it_can_be() {
    let server = server().await;
    for (mode, encrypted) in [("disable", false), ("prefer", true), ("require", true)] {
        let url = server.url("127.0.0.1", &format!("sslmode={mode}"));
        assert_eq!(server.is_encrypted(&url).await, encrypted, "{mode}");
    }
    // The default on loopback.
    assert!(server.is_encrypted(&server.url("localhost", "")).await);
}

#[tokio::test]
async fn the_right_authority_is_accepted() {
    let server = server().await;
    for mode in ["require", "verify-ca", "verify-full"] {
        let url = server.url_with("localhost", mode, &server.right);
        assert!(server.is_encrypted(&url).await, "{mode}");
    }
}

#[tokio::test]
async fn the_wrong_authority_is_refused() {
    let server = server().await;
    for mode in ["require", "verify-ca", "verify-full"] {
        let told = server.refusal(&server.url_with("localhost", mode, &server.wrong)).await;
        assert!(told.contains("certificate"), "{mode}: {told}");
    }
    // The system's authorities did not sign it either.
    let told = server.refusal(&server.url("localhost", "sslmode=verify-full")).await;
    assert!(told.contains("certificate"), "{told}");
}

#[tokio::test]
async fn the_wrong_name_is_refused_where_the_name_is_verified() {
    let server = server().await;
    let told = server.refusal(&server.url_with("127.0.0.1", "verify-full", &server.right)).await;
    assert!(told.contains("name"), "{told}");
    let url = server.url_with("127.0.0.1", "verify-ca", &server.right);
    assert!(server.is_encrypted(&url).await);
}

#[tokio::test]
async fn the_systems_authorities_are_those_of_ssl_cert_file() {
    let server = server().await;
    let ends = |root: &Path| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_trusts_the_system", "--nocapture"])
            .env("SSL_CERT_FILE", root)
            .env("CHILD_URL", server.url("localhost", "sslmode=verify-full"))
            .env("CHILD_USER", server.ada.to_string())
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(ends(&server.right));
    assert!(!ends(&server.wrong));
}

/// What the processes of the test before this one do.
#[tokio::test]
async fn child_that_trusts_the_system() {
    let Ok(url) = std::env::var("CHILD_URL") else { return };
    let user = std::env::var("CHILD_USER").unwrap().parse().unwrap();
    let db = Db::new(settings(&url));
    let name = users::full_name(&db, &caller::user(user).await).await.unwrap();
    assert_eq!(name, Some(Some("Ada".to_owned())));
}

#[tokio::test]
async fn the_login_can_be_bound_to_the_channel() {
    let server = server().await;
    let url = server.url("localhost", "sslmode=require&channel_binding=require");
    assert!(server.is_encrypted(&url).await);
    let url = server.url("localhost", "sslmode=disable&channel_binding=require");
    assert!(server.refusal(&url).await.contains("channel binding"));
}

#[tokio::test]
async fn a_query_is_cancelled_over_tls_too() {
    let server = server().await;
    let db = Db::new(settings(&server.url_with("localhost", "verify-full", &server.right)));
    let hurried = caller::user_within(server.ada, Duration::from_millis(300)).await;
    let late = db.as_caller(&hurried).one::<Option<String>, _>(select(pg_sleep(20.0)));
    assert!(matches!(late.await, Err(Error::Deadline)));
    let admin = server.cluster.connect(SUPERUSER, "postgres").await.unwrap();
    until("nothing sleeps", async || {
        let sleeping = "select from pg_stat_activity where wait_event = 'PgSleep'";
        admin.query(sleeping, &[]).await.unwrap().is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_it_is_required() {
    let cluster = Cluster::start(options()).await.unwrap();
    let ada = caller::user(migrated(&cluster).await).await;
    let db = |mode: &str| {
        let url = format!("{}?sslmode={mode}", cluster.url("postgres", "postgres"));
        Db::new(Settings { pool_wait: GIVE_UP, ..settings(&url) })
    };
    for mode in ["require", "verify-full"] {
        let error = users::full_name(&db(mode), &ada).await.unwrap_err();
        assert!(error.to_string().contains("TLS"), "{error}");
    }
    let db = Db::new(settings(&(cluster.url("postgres", "postgres") + "?sslmode=prefer")));
    assert!(users::full_name(&db, &ada).await.unwrap().is_some());
}

#[tokio::test]
async fn ipv6_is_a_way() {
    let server = server().await;
    assert!(server.is_encrypted(&server.url("[::1]", "sslmode=require")).await);
}

#[tokio::test]
async fn a_unix_socket_is_a_way() {
    let cluster = Cluster::start(Options::temporary().socket()).await.unwrap();
    let ada = caller::user(migrated(&cluster).await).await;
    let url = cluster.url("postgres", "postgres").replace("127.0.0.1", "");
    let (login, rest) = url.split_once("@:").unwrap();
    let (port, rest) = rest.split_once('/').unwrap();
    let url = format!("{login}@/{rest}?host={}&port={port}", cluster.directory().display());
    let db = Db::new(settings(&url));
    assert_eq!(users::full_name(&db, &ada).await.unwrap(), Some(Some("Ada".to_owned())));
    let error = db
        .as_caller(&ada)
        .read(async |c: &mut Conn<'_>| pg_authid::table.count().get_result::<i64>(c).await);
    assert_eq!(error.await.unwrap_err().sqlstate().unwrap().as_str(), "42501");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_host_that_will_do_is_taken() {
    let server = server().await;
    let standby = Options::temporary().set("default_transaction_read_only", "on");
    let standby = Cluster::start(standby).await.unwrap();
    // The same password, so that one URL fits both.
    let url = server.cluster.url("postgres", "postgres");
    let (login, _) = url.split_once('@').unwrap();
    let password = login.rsplit_once(':').unwrap().1;
    let admin = standby.connect(SUPERUSER, "postgres").await.unwrap();
    admin.batch_execute("set default_transaction_read_only = off").await.unwrap();
    let role = format!(
        "create role anon; create role authenticated;
         create role postgres login password '{password}'; grant anon, authenticated to postgres;"
    );
    admin.batch_execute(&role).await.unwrap();

    let dead = Proxy::start(1).await;
    let hosts = |attrs: &str| {
        format!(
            "{login}@127.0.0.1:{},127.0.0.1:{},localhost:{}/postgres?target_session_attrs={attrs}",
            dead.port(),
            standby.port(),
            server.cluster.port(),
        )
    };
    let ada = caller::user(server.ada).await;
    for attrs in ["read-write"] {
        let db = Db::new(settings(&hosts(attrs)));
        assert_eq!(users::set_full_name(&db, &ada, "Ada").await.unwrap().as_deref(), Some("Ada"));
    }
    for attrs in ["any", "read-only", "primary"] {
        let db = Db::new(settings(&hosts(attrs)));
        let written = users::set_full_name(&db, &ada, "Ada").await;
        assert!(matches!(written, Err(Error::ReadOnly)), "{attrs}: {written:?}");
    }
    // None is a standby: one round more for the second, the end for the first.
    let db = Db::new(settings(&hosts("prefer-standby")));
    let written = users::set_full_name(&db, &ada, "Ada").await;
    assert!(matches!(written, Err(Error::ReadOnly)), "{written:?}");
    let db = Db::new(Settings { pool_wait: GIVE_UP, ..settings(&hosts("standby")) });
    let told = users::set_full_name(&db, &ada, "Ada").await.unwrap_err().to_string();
    assert!(told.contains("target_session_attrs"), "{told}");
}
