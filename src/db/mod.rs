//! Work in PostgreSQL, as the caller and as nobody else.
//!
//! ```text
//! target       DATABASE_URL → addresses, login, TLS
//! session      connects and logs in; can be cancelled
//! connection   a session that rests as nobody, and what is prepared on it
//! server       what the server says of itself: does it take changes, is `users` there
//! manager      makes connections again when they are lost, and knows which to distrust
//! pool         leases them
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
mod manager;
mod migrate;
mod pool;
mod progress;
mod schema;
mod search_path;
mod server;
mod session;
pub mod sessions;
mod sqlstate;
mod statements;
mod target;
mod tls;
pub mod users;

use std::time::Duration;

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
    search_path: SearchPath,
}

impl Db {
    /// Prepares to connect, within a Tokio runtime. It does not connect, and a database that is
    /// down is no error: connections are made when they are needed.
    pub fn new(settings: Settings) -> Self {
        let search_path = SearchPath::new(&settings.schema);
        let pool = Pool::new(&settings, search_path.clone());
        Self { pool, search_path }
    }

    /// Works as this caller: under the caller's role and claims, until the caller's deadline.
    pub fn as_caller<'a>(&'a self, caller: &'a Caller) -> AsCaller<'a> {
        AsCaller::new(self, caller)
    }

    /// Asks whether the database answers and can be used, within 2 s, and notices where the server
    /// has been switched to take no changes. A pool that is busy does not fail it: then an answer
    /// that a call has just had counts, or a connection of the probe's own, or that the server has
    /// no room for one beside those that calls hold.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn ping(&self) -> Result<(), Error> {
        let asked = timeout(PROBE, self.pool.ping()).await;
        match asked.unwrap_or_else(|_| Err(Error::Unavailable(self.pool.why(PROBE)))) {
            Err(error) if error.is_full() && self.pool.connections().busy > 0 => Ok(()),
            answered => answered,
        }
    }

    /// How the connections are doing.
    pub fn connections(&self) -> Connections {
        self.pool.connections()
    }
}
