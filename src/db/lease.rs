//! A connection in a call's hands, and the one place where a caller's transaction ends.

use std::{any::TypeId, pin::pin, time::Duration};

use tokio::{runtime::Handle, time::timeout};

use super::{
    connection::Connection,
    manager::{Moment, Pooled},
    statements::{self, Begin},
};

/// How long what runs is left to end by itself, before the server is asked to stop it.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long the end of a transaction may take, before the connection is given up.
const LIMIT: Duration = Duration::from_secs(5);

/// How long a connection that cannot write is kept before the database is asked anew.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How often a connection may be left in mid-statement: what was being prepared then stays on the
/// server for as long as the session.
const INTERRUPTIONS: u32 = 1000;

/// A leased connection. Whatever ends the call (answer, error, panic, deadline, cancellation),
/// dropping this rolls back what is open, and the connection returns to the pool only when the
/// server has acknowledged that.
pub(super) struct Lease {
    connection: Option<Pooled>,
    answered: Moment,
    /// Dropped in the middle of a statement.
    interrupted: bool,
}

impl Lease {
    pub(super) fn new(connection: Pooled, answered: Moment) -> Self {
        Self { connection: Some(connection), answered, interrupted: false }
    }

    #[expect(clippy::expect_used, reason = "it is taken out by drop alone")]
    pub(super) fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("held until dropped")
    }

    #[expect(clippy::expect_used, reason = "it is taken out by drop alone")]
    fn connection_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("held until dropped")
    }

    /// Marks that statements are about to be sent: from here on the connection is in doubt.
    pub(super) fn open(&mut self) {
        self.interrupted = true;
        let connection = self.connection_mut();
        connection.in_doubt = true;
        connection.sqlstate.clear();
    }

    /// Marks that every statement sent has been answered; the transaction may be open.
    pub(super) fn settle(&mut self) {
        self.interrupted = false;
        self.answered.is_now();
    }

    /// Marks that the server has acknowledged the end of the transaction.
    pub(super) fn close(&mut self) {
        self.settle();
        self.connection_mut().in_doubt = false;
    }

    /// Remembers that `B`, what follows it, and a query have been run on the connection.
    pub(super) fn remember<B: Begin>(&mut self, query: Option<TypeId>) {
        let connection = self.connection_mut();
        connection.remember(TypeId::of::<B>());
        if let Some(query) = query {
            connection.remember(query);
        }
    }

    /// Gives up a connection that is not what the call needs, so that the next one looks again.
    /// A young one stays: nothing will have changed.
    pub(super) fn give_up(mut self) {
        let connection = self.connection_mut();
        if connection.opened.elapsed() > LOOK_AGAIN {
            connection.in_doubt = true;
            self.connection = None;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take().filter(|connection| connection.in_doubt)
        else {
            return;
        };
        // Without a runtime nothing can be sent: the connection is in doubt, and is closed.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(end(connection, self.interrupted));
        }
    }
}

/// Rolls back. What is still running after a while gets a cancel request, again and again until
/// it has ended.
async fn end(mut connection: Pooled, interrupted: bool) {
    let rollback = match interrupted && connection.is_shared() {
        true => statements::ROLLBACK_AND_FORGET,
        false => statements::ROLLBACK,
    };
    let canceller = connection.canceller.clone();
    let mut canceled = false;
    let ended = timeout(LIMIT, async {
        let mut rollback = pin!(statements::raw(&connection.pg, rollback));
        loop {
            if let Ok(ended) = timeout(PATIENCE, rollback.as_mut()).await {
                return ended.is_ok();
            }
            canceled = true;
            if let Err(cause) = canceller.cancel().await {
                tracing::warn!(%cause, "an abandoned query could not be cancelled");
                return false;
            }
        }
    });
    let ended = ended.await.unwrap_or(false);
    connection.interruptions += u32::from(interrupted);
    // After a cancel request the connection is not used again: a late one would meet the next
    // caller.
    connection.in_doubt = !ended || canceled || connection.interruptions > INTERRUPTIONS;
}
