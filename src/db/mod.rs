//! Work in PostgreSQL, as the caller and as nobody else.
//!
//! ```text
//! target       DATABASE_URL → addresses, login, TLS
//! session      connects and logs in; can be cancelled
//! connection   a session that rests as nobody, and what is prepared on it
//! pool         leases sessions, makes them again when they are lost
//! lease        the one place where a transaction ends
//! as_caller    the one way for a query: one, read, write
//! users        the queries
//! sessions     whether a token's session still stands
//! migrate      `user-service migrate`
//! inspect      what `user-service check` asks
//! ```

mod as_caller;
mod caller_connection;
mod connection;
mod dial;
mod error;
pub mod inspect;
mod lease;
mod login;
mod migrate;
mod pool;
mod progress;
mod schema;
mod search_path;
mod session;
pub mod sessions;
mod sqlstate;
mod statements;
mod target;
mod tls;
pub mod users;

use std::{sync::Arc, time::Duration};

pub use as_caller::{AsCaller, Queries};
pub use caller_connection::CallerConnection;
pub use error::{Cause, Error};
pub use login::Login;
pub use migrate::migrate;
pub use pool::Connections;
pub use progress::Step;
pub use sqlstate::SqlState;
pub use target::{PoolMode, Target};
pub use tls::Verification;
use tokio::time::timeout;

use self::{pool::Pool, search_path::SearchPath};
use crate::auth::Caller;

/// How long a probe waits for an answer.
const PROBE: Duration = Duration::from_secs(2);

/// What the database is reached with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the database is (`DATABASE_URL`).
    pub target: Target,
    /// The schema that `users` is in (`DATABASE_SCHEMA`).
    pub schema: String,
    /// How the way there is pooled (`DATABASE_POOL_MODE`; else [`Target::pool_mode`]).
    pub pool_mode: PoolMode,
    /// The most connections at a time (`DATABASE_POOL_SIZE`); at least 1.
    pub pool_size: u32,
    /// The longest wait for a connection (`DATABASE_POOL_WAIT`).
    pub pool_wait: Duration,
    /// The most calls that wait (`DATABASE_POOL_QUEUE`).
    pub pool_queue: usize,
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pool: Pool,
    schema: Arc<str>,
    search_path: SearchPath,
}

impl Db {
    /// Prepares to connect, within a Tokio runtime. It does not connect, and a database that is
    /// down is no error: connections are made when they are needed.
    pub fn new(settings: Settings) -> Self {
        let search_path = SearchPath::new(&settings.schema);
        let pool = Pool::new(&settings, search_path.clone());
        Self { pool, schema: settings.schema.into(), search_path }
    }

    /// Works as this caller: under the caller's role and claims, until the caller's deadline.
    pub fn as_caller<'a>(&'a self, caller: &'a Caller) -> AsCaller<'a> {
        AsCaller::new(self, caller)
    }

    /// Asks whether the database answers, within 2 s. A pool that is busy does not fail it: then an
    /// answer that a call has just had counts, or a connection of the probe's own.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn ping(&self) -> Result<(), Error> {
        match timeout(PROBE, self.pool.ping()).await {
            Ok(answered) => answered,
            Err(_) => Err(Error::Unavailable(self.pool.why(PROBE))),
        }
    }

    /// How the connections are doing.
    pub fn connections(&self) -> Connections {
        self.pool.connections()
    }
}
