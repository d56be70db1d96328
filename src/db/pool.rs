//! The pool: connections are made when they are needed, and made again when they are lost.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bb8::{ManageConnection, PooledConnection, QueueStrategy};
use tokio::time::{Instant, sleep, timeout};

use super::{
    Settings,
    connection::Connection,
    error::{Cause, Error},
    lease::Lease,
    search_path::SearchPath,
    statements,
    target::{PoolMode, Target},
};

/// How long a connection is used: short enough that a failover or a new certificate is noticed.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// How long a connection may be idle.
const IDLE: Duration = Duration::from_secs(10 * 60);
/// The pause between two attempts to connect while the database is away.
const RETRY: Duration = Duration::from_millis(500);
/// How long a probe waits for a connection of the pool, and how old another's answer may be.
const PING_WAIT: Duration = Duration::from_secs(1);

/// How the pool's connections are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// At rest, ready for the next call.
    pub idle: u32,
    /// With a call, or ending its transaction.
    pub busy: u32,
    /// Calls that wait for a connection.
    pub waiting: usize,
}

#[derive(Clone)]
pub(super) struct Pool {
    connections: bb8::Pool<Manager>,
    outage: Arc<Outage>,
    answered: Moment,
    distrusted: Moment,
    waiting: Arc<AtomicUsize>,
    wait: Duration,
    queue: usize,
}

impl Pool {
    pub(super) fn new(settings: &Settings, search_path: SearchPath) -> Self {
        let &Settings { pool_size, pool_wait: wait, pool_queue: queue, .. } = settings;
        let outage = Arc::<Outage>::default();
        let waiting = Arc::<AtomicUsize>::default();
        let distrusted = Moment::now();
        let manager = Manager {
            target: settings.target.clone(),
            mode: settings.pool_mode,
            search_path,
            outage: outage.clone(),
            distrusted: distrusted.clone(),
            waiting: waiting.clone(),
        };
        let connections = bb8::Pool::builder()
            .max_size(pool_size.max(1))
            .max_lifetime(LIFETIME)
            .idle_timeout(IDLE)
            .connection_timeout(wait.max(Duration::from_millis(1)))
            // The most recently used one knows the statements, and the others may retire.
            .queue_strategy(QueueStrategy::Lifo)
            .retry_connection(false) // the manager does, for as long as somebody waits
            .build_unchecked(manager);
        Self { connections, outage, answered: Moment::now(), distrusted, waiting, wait, queue }
    }

    /// Takes a connection, waiting for one if there is room in the queue.
    pub(super) async fn lease(&self) -> Result<Lease, Error> {
        let mut connection = pin!(self.connections.get_owned());
        let at_once = futures_util::poll!(connection.as_mut());
        let connection = match at_once {
            std::task::Poll::Ready(connection) => connection,
            std::task::Poll::Pending => {
                let _place = Place::take(&self.waiting, self.queue).ok_or(Error::Overloaded)?;
                connection.await
            }
        };
        match connection {
            Ok(connection) => Ok(Lease::new(connection, self.answered.clone())),
            Err(_) => Err(Error::Unavailable(self.why(self.wait))),
        }
    }

    /// Gives up every connection that is there now, each when it is next needed.
    pub(super) fn distrust(&self) {
        self.distrusted.is_now();
    }

    /// Why no connection could be had in this time.
    pub(super) fn why(&self, wait: Duration) -> Cause {
        self.outage.last().unwrap_or_else(|| match self.connections() {
            Connections { busy, .. } if busy >= self.connections.config().max_size => {
                format!("all {busy} connections were busy for {wait:?}").into()
            }
            _ => format!("no connection could be made within {wait:?}").into(),
        })
    }

    pub(super) fn connections(&self) -> Connections {
        let state = self.connections.state();
        Connections {
            idle: state.idle_connections,
            busy: state.connections.saturating_sub(state.idle_connections),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }

    /// Asks the server for an answer: on an idle connection, or on a new one where the pool has
    /// room. While every connection is busy, an answer that one of them has just had will do; else
    /// a connection is made outside the pool.
    pub(super) async fn ping(&self) -> Result<(), Error> {
        let busy = || self.connections().busy >= self.connections.config().max_size;
        if !busy()
            && let Ok(leased) = timeout(PING_WAIT, self.lease()).await
        {
            let mut lease = leased?;
            lease.open();
            let connection = lease.connection();
            let answer = statements::raw(&connection.pg, "SELECT 1").await;
            answer.map_err(|error| Error::of_frame(&error, connection.sqlstate.get()))?;
            lease.close();
            return Ok(());
        }
        if busy() && self.answered.elapsed() < PING_WAIT {
            return Ok(());
        }
        self.connections.dedicated_connection().await.map(drop).map_err(Error::Unavailable)
    }
}

/// When something last happened.
#[derive(Clone)]
pub(super) struct Moment(Arc<(Instant, AtomicU64)>);

impl Moment {
    fn now() -> Self {
        Self(Arc::new((Instant::now(), AtomicU64::new(0))))
    }

    pub(super) fn is_now(&self) {
        let (start, last) = &*self.0;
        last.store(start.elapsed().as_micros().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn elapsed(&self) -> Duration {
        let (start, last) = &*self.0;
        start.elapsed().saturating_sub(Duration::from_micros(last.load(Ordering::Relaxed)))
    }
}

/// A place in the queue, given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, limit: usize) -> Option<Self> {
        let place = Self(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < limit).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

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

    fn set(&self, cause: Option<Cause>) {
        *self.cause.lock().unwrap_or_else(PoisonError::into_inner) = cause;
    }
}

/// Makes the pool's connections.
pub(super) struct Manager {
    target: Target,
    mode: PoolMode,
    search_path: SearchPath,
    outage: Arc<Outage>,
    /// What was made before is not used again.
    distrusted: Moment,
    waiting: Arc<AtomicUsize>,
}

impl Manager {
    async fn open(&self) -> Result<Connection, Cause> {
        let opened = Connection::open(&self.target, self.mode, &self.search_path).await;
        self.outage.set(opened.as_ref().err().cloned());
        opened
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
            return Err("another connection was found cut".to_owned().into());
        }
        Ok(())
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.in_doubt || connection.is_closed()
    }
}

/// A connection of the pool.
pub(super) type Pooled = PooledConnection<'static, Manager>;
