//! Makes the pool's connections, and knows which of them are not to be used again.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bb8::{ManageConnection, PooledConnection};
use tokio::time::{Instant, sleep};

use super::{
    Settings,
    connection::Connection,
    dial::Peer,
    error::Cause,
    search_path::SearchPath,
    server::Told,
    target::{PoolMode, Target},
};

/// The pause between two attempts to connect while the database is away.
const RETRY: Duration = Duration::from_millis(500);

/// Makes the pool's connections. Clones share what is known.
#[derive(Clone)]
pub(super) struct Manager {
    target: Target,
    mode: PoolMode,
    pub(super) search_path: SearchPath,
    outage: Arc<Outage>,
    /// The server that was heard last, and whether it takes no changes.
    server: Arc<Mutex<Option<(Peer, bool)>>>,
    /// When a server last said that.
    pub(super) heard: Moment,
    /// What was made before is not used again.
    distrusted: Moment,
    /// Calls that wait for a connection.
    pub(super) waiting: Arc<AtomicUsize>,
}

impl Manager {
    pub(super) fn new(settings: &Settings, search_path: SearchPath) -> Self {
        Self {
            target: settings.target.clone(),
            mode: settings.pool_mode,
            search_path,
            outage: Arc::default(),
            server: Arc::default(),
            heard: Moment::now(),
            distrusted: Moment::now(),
            waiting: Arc::default(),
        }
    }

    /// Connects once.
    pub(super) async fn open(&self) -> Result<Connection, Cause> {
        let opened = Connection::open(&self.target, self.mode, &self.search_path).await;
        self.outage.set(opened.as_ref().err());
        let mut connection = opened?;
        self.hear(&connection, connection.found_read_only);
        connection.opened = Instant::now(); // trusted, whatever the others are
        Ok(connection)
    }

    /// Takes note of what a server has said of itself on this connection.
    ///
    /// # Errors
    /// The schema that holds `users` cannot be used. No connection of before is used again.
    pub(super) fn note(&self, connection: &Connection, told: Told) -> Result<(), Cause> {
        self.hear(connection, told.read_only);
        let Some(why) = told.unusable else { return Ok(()) };
        let cause = Cause::from(why);
        self.outage.set(Some(&cause));
        self.distrust();
        Err(cause)
    }

    /// Gives up what was made before a server was switched to take no changes, or back: a session
    /// keeps to what it found. Of a shared one nothing is kept.
    fn hear(&self, connection: &Connection, read_only: bool) {
        self.heard.is_now();
        if self.mode == PoolMode::Transaction {
            return;
        }
        let peer = connection.canceller.peer();
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let before = server.replace((peer.clone(), read_only));
        if before.is_some_and(|(same, before)| same == *peer && before != read_only) {
            self.distrust();
        }
    }

    /// Gives up every connection that is there now, each when it is next needed.
    pub(super) fn distrust(&self) {
        self.distrusted.is_now();
    }

    /// Why the last attempt to connect failed, while none has succeeded since.
    pub(super) fn outage(&self) -> Option<Cause> {
        self.outage.last()
    }
}

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = Cause;

    /// Connects, and goes on trying for as long as a call waits.
    async fn connect(&self) -> Result<Connection, Cause> {
        loop {
            let turn = match self.outage.last() {
                Some(_) => Some(self.outage.turn.lock().await),
                None => None,
            };
            match self.open().await {
                Err(_) if self.waiting.load(Ordering::Relaxed) > 0 => sleep(RETRY).await,
                ended => return ended,
            }
            drop(turn);
        }
    }

    /// Only asks what is known: a question to the server would cost every call a trip.
    async fn is_valid(&self, connection: &mut Connection) -> Result<(), Cause> {
        if connection.is_closed() {
            return Err("the connection was closed".to_owned().into());
        }
        if connection.opened.elapsed() > self.distrusted.elapsed() {
            return Err("connections of before are not trusted".to_owned().into());
        }
        Ok(())
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.in_doubt || connection.is_closed()
    }
}

/// A connection of the pool.
pub(super) type Pooled = PooledConnection<'static, Manager>;

/// Why the last attempt to connect failed, while none has succeeded since.
#[derive(Default)]
struct Outage {
    cause: Mutex<Option<Cause>>,
    /// While the database is away, one attempt is made at a time.
    turn: tokio::sync::Mutex<()>,
}

impl Outage {
    fn last(&self) -> Option<Cause> {
        self.cause.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the cause, and logs it where it is another than before.
    fn set(&self, cause: Option<&Cause>) {
        let mut last = self.cause.lock().unwrap_or_else(PoisonError::into_inner);
        let told = |cause: Option<&Cause>| cause.map(ToString::to_string);
        match cause {
            Some(cause) if told(Some(cause)) != told(last.as_ref()) => {
                tracing::warn!(%cause, "no connection to the database");
            }
            None if last.is_some() => tracing::info!("connected to the database again"),
            _ => {}
        }
        *last = cause.cloned();
    }
}

/// When something last happened.
#[derive(Clone)]
pub(super) struct Moment(Arc<(Instant, AtomicU64)>);

impl Moment {
    pub(super) fn now() -> Self {
        Self(Arc::new((Instant::now(), AtomicU64::new(0))))
    }

    pub(super) fn is_now(&self) {
        let (start, last) = &*self.0;
        last.store(start.elapsed().as_micros().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn elapsed(&self) -> Duration {
        let (start, last) = &*self.0;
        start.elapsed().saturating_sub(Duration::from_micros(last.load(Ordering::Relaxed)))
    }
}
