//! The pool: connections are made when they are needed, and made again when they are lost.

use std::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bb8::QueueStrategy;
use tokio::time::timeout;

use super::{
    Settings,
    error::{Cause, Error},
    lease::Lease,
    manager::{Manager, Moment},
    search_path::SearchPath,
    server,
};

/// How long a connection is used: short enough that a failover or a new certificate is noticed.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// How long a connection may be idle.
const IDLE: Duration = Duration::from_secs(10 * 60);
/// How long a probe waits for a connection, and how old another's answer may be.
const PING_WAIT: Duration = Duration::from_secs(1);
/// How long a pool whose connections are all busy may go on without asking the server what it is.
const UNHEARD: Duration = Duration::from_secs(5);

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
    manager: Manager,
    answered: Moment,
    wait: Duration,
    queue: usize,
}

impl Pool {
    pub(super) fn new(settings: &Settings, search_path: SearchPath) -> Self {
        let &Settings { pool_size, pool_wait: wait, pool_queue: queue, .. } = settings;
        let manager = Manager::new(settings, search_path);
        let connections = bb8::Pool::builder()
            .max_size(pool_size.max(1))
            .max_lifetime(LIFETIME)
            .idle_timeout(IDLE)
            .connection_timeout(wait.max(Duration::from_millis(1)))
            // The most recently used one knows the statements, and the others may retire.
            .queue_strategy(QueueStrategy::Lifo)
            .retry_connection(false) // the manager does, for as long as somebody waits
            .build_unchecked(manager.clone());
        Self { connections, manager, answered: Moment::now(), wait, queue }
    }

    /// Takes a connection, waiting for one if there is room in the queue.
    pub(super) async fn lease(&self) -> Result<Lease, Error> {
        let mut connection = pin!(self.connections.get_owned());
        let at_once = futures_util::poll!(connection.as_mut());
        let connection = match at_once {
            std::task::Poll::Ready(connection) => connection,
            std::task::Poll::Pending => {
                let waiting = &self.manager.waiting;
                let _place = Place::take(waiting, self.queue).ok_or(Error::Overloaded)?;
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
        self.manager.distrust();
    }

    /// Why no connection could be had in this time.
    pub(super) fn why(&self, wait: Duration) -> Cause {
        self.manager.outage().unwrap_or_else(|| match self.connections() {
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
            waiting: self.manager.waiting.load(Ordering::Relaxed),
        }
    }

    /// Asks the server what it is: on an idle connection, or on a new one where the pool has room.
    /// While every connection is busy, an answer that one of them has just had will do; else a
    /// connection is made outside the pool.
    pub(super) async fn ping(&self) -> Result<(), Error> {
        let busy = || self.connections().busy >= self.connections.config().max_size;
        if !busy()
            && let Ok(leased) = timeout(PING_WAIT, self.lease()).await
        {
            let mut lease = leased?;
            lease.open();
            let connection = lease.connection();
            let told = server::ask(&connection.pg, self.manager.search_path.schema()).await;
            let told = told.map_err(|error| Error::of_frame(&error, connection.sqlstate.get()))?;
            let noted = self.manager.note(connection, told);
            lease.close();
            return noted.map_err(Error::Unavailable);
        }
        let answers = busy() && self.answered.elapsed() < PING_WAIT;
        if answers && self.manager.heard.elapsed() < UNHEARD {
            return Ok(());
        }
        self.manager.heard.is_now(); // not every second, where there is no room for one more
        match timeout(PING_WAIT, self.manager.open()).await {
            _ if answers => Ok(()),
            Ok(opened) => opened.map(drop).map_err(Error::Unavailable),
            Err(_) => Err(Error::Unavailable(self.why(PING_WAIT))),
        }
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
