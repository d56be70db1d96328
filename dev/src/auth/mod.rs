//! A stand-in for Supabase Auth: real supabase-js signs up, in and out against it. Its state is in
//! PostgreSQL, in tables of Supabase's shape, so that a sign-out or a ban there is real.
//!
//! For development and tests only: it sends no e-mail and hashes passwords cheaply. Addresses count as
//! confirmed, but for those at `confirm.example.com`: they stand for a project that confirms e-mail
//! addresses. The token of such a user's link is `auth.users.confirmation_token`.

mod error;
mod http;
mod keys;
mod sessions;
mod users;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config};

use crate::postgres::connect;
pub use error::AuthError;
pub use keys::{KeyState, Keys};
pub use sessions::{ACCESS_TOKEN_LIFETIME, Scope, Session};

/// A running issuer on 127.0.0.1. Dropping it stops it.
#[derive(Debug)]
pub struct Auth {
    issuer: Arc<Inner>,
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Auth {
    /// Starts an issuer on `port` (0 finds a free one), with its state in the database that
    /// `database` connects to, best as the role `supabase_auth_admin`.
    ///
    /// The database is connected to when it is first needed, and again when it was gone.
    pub async fn start(database: Config, port: u16, keys: Keys) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .with_context(|| format!("cannot listen on port {port}"))?;
        let address = listener.local_addr()?;
        let issuer = Arc::new(Inner::new(database, address.port(), keys));
        let app = http::router(issuer.clone());
        let server = tokio::spawn(async move {
            // axum's server ends with its task alone.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { issuer, address, server })
    }

    /// What a project calls `SUPABASE_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The `iss` of its tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer.issue.name
    }

    /// Where its public keys are.
    pub fn jwks_url(&self) -> String {
        format!("{}/.well-known/jwks.json", self.issuer())
    }

    /// How often the public keys were asked for.
    pub fn jwks_requests(&self) -> u64 {
        self.issuer.jwks_requests.load(Ordering::Relaxed)
    }

    /// Its keys: to rotate them, to revoke one, to sign with any.
    pub fn keys(&self) -> &Keys {
        &self.issuer.issue.keys
    }

    /// A token with exactly these claims, signed by the key in use.
    ///
    /// # Errors
    ///
    /// When no key is in use.
    pub fn mint(&self, claims: &Value) -> Result<String> {
        self.keys().sign(claims)
    }

    /// Makes a user and a session of theirs. `data` becomes `user_metadata`; a sign-up trigger
    /// takes `full_name` from it.
    ///
    /// # Errors
    ///
    /// In Supabase's words; `email_not_confirmed` where there is a user now, but no session yet.
    pub async fn sign_up(
        &self,
        email: &str,
        password: &str,
        data: Value,
    ) -> Result<Session, AuthError> {
        match self.issuer.sign_up(email, password, object(data)).await? {
            SignedUp::Confirmed(session) => Ok(*session),
            SignedUp::Unconfirmed(_) => Err(AuthError::not_confirmed()),
        }
    }

    /// Makes an anonymous user and a session of theirs.
    pub async fn sign_up_anonymously(&self) -> Result<Session, AuthError> {
        self.issuer.sign_up_anonymously(Map::new()).await
    }

    /// Begins a session.
    pub async fn sign_in(&self, email: &str, password: &str) -> Result<Session, AuthError> {
        self.issuer.sign_in(email, password).await
    }

    /// Changes a refresh token for a new access token and the refresh token to use next.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Session, AuthError> {
        self.issuer.refresh(refresh_token).await
    }

    /// Ends sessions.
    pub async fn sign_out(&self, access_token: &str, scope: Scope) -> Result<(), AuthError> {
        self.issuer.sign_out(access_token, scope).await
    }
}

impl Drop for Auth {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn object(data: Value) -> Map<String, Value> {
    match data {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// What a sign-up leads to: a session, or a user who has to open the link in an e-mail first.
#[derive(Serialize)]
#[serde(untagged)]
enum SignedUp {
    Confirmed(Box<Session>),
    Unconfirmed(Value),
}

/// What the HTTP handlers and [`Auth`] share.
#[derive(Debug)]
struct Inner {
    issue: sessions::Issuer,
    database: Config,
    /// The one connection. Requests take turns: this serves one developer, or one test.
    connection: Mutex<Option<Client>>,
    jwks_requests: AtomicU64,
}

impl Inner {
    fn new(database: Config, port: u16, keys: Keys) -> Self {
        let name = format!("http://127.0.0.1:{port}/auth/v1");
        Self {
            issue: sessions::Issuer { keys, name },
            database,
            connection: Mutex::new(None),
            jwks_requests: AtomicU64::new(0),
        }
    }

    async fn sign_up(
        &self,
        email: &str,
        password: &str,
        data: Map<String, Value>,
    ) -> Result<SignedUp, AuthError> {
        let mut connection = self.connection().await?;
        let tx = connection.transaction().await?;
        let user = users::create(&tx, email, password, data).await?;
        let signed_up = if users::must_confirm(email) {
            SignedUp::Unconfirmed(users::show(&tx, user).await?.unwrap_or_default())
        } else {
            SignedUp::Confirmed(Box::new(self.issue.begin(&tx, user, "password").await?))
        };
        tx.commit().await?;
        Ok(signed_up)
    }

    async fn confirm(&self, token: &str) -> Result<Session, AuthError> {
        let mut connection = self.connection().await?;
        let tx = connection.transaction().await?;
        let user = users::confirm(&tx, token).await?;
        let session = self.issue.begin(&tx, user, "otp").await?;
        tx.commit().await?;
        Ok(session)
    }

    async fn sign_up_anonymously(&self, data: Map<String, Value>) -> Result<Session, AuthError> {
        let mut connection = self.connection().await?;
        let tx = connection.transaction().await?;
        let user = users::create_anonymous(&tx, data).await?;
        let session = self.issue.begin(&tx, user, "anonymous").await?;
        tx.commit().await?;
        Ok(session)
    }

    async fn sign_in(&self, email: &str, password: &str) -> Result<Session, AuthError> {
        let mut connection = self.connection().await?;
        let tx = connection.transaction().await?;
        let user = users::authenticate(&tx, email, password).await?;
        let session = self.issue.begin(&tx, user, "password").await?;
        tx.commit().await?;
        Ok(session)
    }

    async fn refresh(&self, token: &str) -> Result<Session, AuthError> {
        let mut connection = self.connection().await?;
        let tx = connection.transaction().await?;
        let session = self.issue.refresh(&tx, token).await?;
        tx.commit().await?;
        Ok(session)
    }

    async fn user(&self, token: &str) -> Result<Value, AuthError> {
        let mut connection = self.connection().await?;
        let tx = connection.transaction().await?;
        Ok(self.issue.authenticate(&tx, token).await?.0)
    }

    async fn sign_out(&self, token: &str, scope: Scope) -> Result<(), AuthError> {
        let mut connection = self.connection().await?;
        let tx = connection.transaction().await?;
        let (_, session) = self.issue.authenticate(&tx, token).await?;
        sessions::end(&tx, session, scope).await?;
        Ok(tx.commit().await?)
    }

    /// The open connection, or a new one where the database was gone.
    async fn connection(&self) -> Result<MappedMutexGuard<'_, Client>, AuthError> {
        let mut slot = self.connection.lock().await;
        let client = match slot.take().filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => connect(&self.database).await?,
        };
        Ok(MutexGuard::map(slot, |slot| slot.insert(client)))
    }
}
