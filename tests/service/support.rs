//! The whole service as `main` starts it, on a free port, against a real PostgreSQL and a real
//! issuer.

pub mod client;

use std::{future::Future, net::SocketAddr, time::Duration};

use dev::{
    auth::{Auth, Keys, Session},
    testing::{Database, Template},
};
use prost_reflect::DescriptorPool;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_postgres::Config;
use tokio_util::sync::CancellationToken;
use user_service::{config, db, proto, serve};

use client::Client;

pub use client::{Answer, WIRES, Wire};

pub const GET_NAME: &str = "/user.v1.UserService/GetName";
pub const UPDATE_NAME: &str = "/user.v1.UserService/UpdateName";

/// How long a condition may take to come true: far longer than it ever does.
const PATIENCE: Duration = Duration::from_secs(20);

static TEMPLATE: Template = Template::new();

/// A migrated database of the test's own.
pub async fn database() -> Database {
    TEMPLATE.copy(migrate).await.expect("a database")
}

/// Does what `user-service migrate` does.
pub async fn migrate(url: String) -> anyhow::Result<()> {
    let lookup = |name: &str| (name == "DATABASE_URL").then(|| url.clone());
    let (settings, _) = config::migrate(&lookup).map_err(|it| anyhow::anyhow!("{it:?}"))?;
    Ok(db::migrate(&settings, |_| {}).await?)
}

/// A running service, with its database and its issuer.
pub struct Service {
    pub client: Client,
    pub admin: Client,
    pub address: SocketAddr,
    pub auth: Auth,
    database: Option<Database>,
    serving: Serving,
}

/// The running service; dropping it ends it.
struct Serving {
    shutdown: CancellationToken,
    task: Option<JoinHandle<Result<(), serve::Error>>>,
}

impl Service {
    /// With the defaults.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With these settings over the defaults.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let service = Self::begin(settings).await;
        service.ready().await;
        service
    }

    /// The same, without waiting until it is ready.
    pub async fn begin(settings: &[(&str, &str)]) -> Self {
        let database = database().await;
        let (url, auth) = (database.url("postgres"), database.config("supabase_auth_admin"));
        let service = Self::begin_on(url, auth, settings).await;
        Self { database: Some(database), ..service }
    }

    /// In a database that the test keeps: reached by this URL, by the issuer as `auth` says.
    pub async fn on(url: String, auth: Config, settings: &[(&str, &str)]) -> Self {
        let service = Self::begin_on(url, auth, settings).await;
        service.ready().await;
        service
    }

    async fn begin_on(url: String, auth: Config, settings: &[(&str, &str)]) -> Self {
        let keys = Keys::generate().expect("keys");
        let auth = Auth::start(auth, 0, keys).await;
        let auth = auth.expect("an issuer");
        let lookup = |name: &str| {
            let set = settings.iter().find(|(setting, _)| *setting == name);
            match (set, name) {
                (Some((_, value)), _) => Some((*value).to_owned()),
                (None, "DATABASE_URL") => Some(url.clone()),
                (None, "SUPABASE_URL") => Some(auth.url()),
                _ => None,
            }
        };
        let config = config::serve(&lookup).expect("settings");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let admin = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let pool = descriptors();
        let client = Client::new(format!("http://{address}"), pool.clone());
        let of_admin = admin.local_addr().expect("an address");
        let of_admin = Client::new(format!("http://{of_admin}"), pool);
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { serve::run(config, listener, Some(admin), shutdown.cancelled()).await }
        });
        let serving = Serving { shutdown, task: Some(serving) };
        Self { client, admin: of_admin, address, auth, database: None, serving }
    }

    /// The test's own database.
    pub fn database(&self) -> &Database {
        self.database.as_ref().expect("a service that was started with one")
    }

    /// A connection that may do everything.
    pub async fn superuser(&self) -> tokio_postgres::Client {
        self.database().connect(dev::postgres::SUPERUSER).await.expect("a connection")
    }

    /// Waits until `/readyz` says so.
    pub async fn ready(&self) {
        eventually("the service is ready", async || self.readiness().await.0 == 200).await;
    }

    /// What `/readyz` says.
    pub async fn readiness(&self) -> (u16, Value) {
        let answer = self.client.http(http::Method::GET, "/readyz", &[], "").await;
        (answer.status.as_u16(), answer.json())
    }

    /// Signs a user up: "Ada Lovelace".
    pub async fn ada(&self) -> User {
        self.user("ada@example.com", json!({"full_name": "Ada Lovelace"})).await
    }

    /// Signs a user up, with `data` as their `user_metadata`.
    pub async fn user(&self, email: &str, data: Value) -> User {
        User(self.auth.sign_up(email, "password", data).await.expect("a session"))
    }

    /// The user's token with something changed, signed by the project's key.
    pub fn altered(&self, user: &User, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = user.0.claims.clone();
        change(&mut claims);
        self.auth.mint(&claims).expect("a token")
    }

    /// Calls with a token.
    pub async fn call(&self, wire: Wire, rpc: &str, token: &str, message: Value) -> Answer {
        let bearer = format!("Bearer {token}");
        self.client.call(wire, rpc, &[("authorization", &bearer)], message).await
    }

    /// Begins the shutdown.
    pub fn shut_down(&self) {
        self.serving.shutdown.cancel();
    }

    /// Waits for the end of the shutdown.
    pub async fn ended(&mut self) {
        let task = self.serving.task.take().expect("waited for once");
        task.await.expect("no panic").expect("an orderly end");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// A signed-in user.
pub struct User(pub Session);

impl User {
    pub fn token(&self) -> &str {
        &self.0.access_token
    }
}

/// The service's descriptors, with health beside them.
pub fn descriptors() -> DescriptorPool {
    let mut pool = DescriptorPool::decode(proto::DESCRIPTORS).expect("descriptors");
    for set in [
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ] {
        pool.decode_file_descriptor_set(set).expect("descriptors");
    }
    pool
}

/// Waits for a condition.
pub async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let limit = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < limit, "not in {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
