//! Work in the database as the caller: the only way there for an RPC's query.
//!
//! One transaction a call. In the order of sending:
//!
//! ```text
//! BEGIN READ ONLY | BEGIN READ WRITE
//! SELECT set_config('role', …), …        from here on it is the caller who asks
//! the queries
//! COMMIT                                 `one`: with the query; `write`: when all is known to be done
//! ROLLBACK                               `read`, and whatever ends early: in the background
//! ```
//!
//! Sending without waiting saves trips, and has one danger: diesel looks the oid of an unknown type
//! up before it sends the query that binds it, and what was to follow the query would overtake it.
//! A `COMMIT` that overtakes leaves its query to the session, without the caller's role. Hence two
//! rules: `COMMIT` shares a flight only with a query that this connection has run before, and
//! queries share one with `BEGIN` only where the statements before them are prepared already.

use diesel::{
    OptionalExtension as _, QueryResult, query_builder::QueryId, result::Error as DieselError,
};
use diesel_async::{RunQueryDsl as _, methods::LoadQuery};
use futures_util::{future::BoxFuture, join, try_join};
use tokio::time::{Instant, timeout_at};

use super::{
    Db, Error,
    caller_connection::CallerConnection,
    lease::Lease,
    statements::{self, BecomeCaller, Begin, BeginRead, BeginWrite, Commit, Probe},
};
use crate::auth::Caller;

/// Work as one caller. Made by [`Db::as_caller`].
#[derive(Clone, Copy)]
pub struct AsCaller<'a> {
    db: &'a Db,
    caller: &'a Caller,
}

/// An async closure that runs a caller's queries: `async |c| query.get_result(c).await`.
///
/// Implemented for every closure that fits. It says what `AsyncFnOnce` cannot yet: that the future
/// is `Send`.
pub trait Queries<C, R>:
    AsyncFnOnce(C) -> R + FnOnce(C) -> <Self as Queries<C, R>>::Future
{
    /// What the closure returns.
    type Future: Future<Output = R>;
}

impl<F, C, Fut, R> Queries<C, R> for F
where
    F: AsyncFnOnce(C) -> R + FnOnce(C) -> Fut,
    Fut: Future<Output = R>,
{
    type Future = Fut;
}

impl<'a> AsCaller<'a> {
    pub(super) fn new(db: &'a Db, caller: &'a Caller) -> Self {
        Self { db, caller }
    }

    /// Runs one reading query and returns its first row, if the caller may see one. One trip to
    /// the server, once the connection has run the query before. Where the connection turns out to
    /// have been cut while it rested, the query runs once more on another.
    ///
    /// # Errors
    /// See [`Error`]. A query that writes is one.
    pub fn one<T, Q>(self, query: Q) -> BoxFuture<'a, Result<Option<T>, Error>>
    where
        Q: for<'c> LoadQuery<'static, CallerConnection<'c>, T> + QueryId + Clone + Send + 'static,
        T: Send + 'a,
    {
        Box::pin(self.in_time(async move {
            match self.try_one(query.clone()).await {
                Err(error) if error.is_not_begun() => self.try_one(query).await,
                ended => ended,
            }
        }))
    }

    async fn try_one<T, Q>(self, query: Q) -> Result<Option<T>, Error>
    where
        Q: for<'c> LoadQuery<'static, CallerConnection<'c>, T> + QueryId + Send + 'static,
        T: Send + 'a,
    {
        let id = Q::query_id();
        let queries =
            async move |c: &mut CallerConnection<'_>| query.get_result(c).await.optional();
        let mut lease = self.db.pool.lease().await?;
        lease.open();
        let known = lease.connection().knows(id) && lease.connection().has_begun::<BeginRead>();
        let row = if known {
            let work = self.begin(&lease, BeginRead, queries);
            let commit = statements::run(&lease.connection().pg, false, Commit);
            // In order of sending. Where the queries failed, COMMIT rolls back.
            let (row, committed) = join!(work, commit);
            if committed.is_ok() {
                lease.close();
            }
            row?
        } else {
            let row = self.begin(&lease, BeginRead, queries).await?;
            lease.settle();
            row
        };
        lease.remember::<BeginRead>(id);
        Ok(row)
    }

    /// Runs reading queries. As many trips as they take; `BEGIN` and the caller's settings travel
    /// with the first, so that `queries`, which can run but once, have begun by the time when a
    /// connection is found cut: then this fails.
    ///
    /// # Errors
    /// See [`Error`]. A query that writes is one.
    pub async fn read<T, F>(self, queries: F) -> Result<T, Error>
    where
        F: for<'r, 'c> AsyncFnOnce(&'r mut CallerConnection<'c>) -> QueryResult<T>
            + for<'r, 'c> Queries<&'r mut CallerConnection<'c>, QueryResult<T>, Future: Send>
            + Send,
        T: Send,
    {
        self.in_time(async move {
            let mut lease = self.db.pool.lease().await?;
            lease.open();
            let value = self.begin(&lease, BeginRead, queries).await?;
            lease.settle();
            lease.remember::<BeginRead>(None);
            Ok(value)
        })
        .await
    }

    /// Runs queries that may write, and commits them. One trip more than [`read`](Self::read).
    ///
    /// # Errors
    /// See [`Error`]. A query whose error the closure swallows is one: the transaction is lost all
    /// the same. After `Unavailable` or `Deadline` it is not known whether the work was done.
    pub async fn write<T, F>(self, queries: F) -> Result<T, Error>
    where
        F: for<'r, 'c> AsyncFnOnce(&'r mut CallerConnection<'c>) -> QueryResult<T>
            + for<'r, 'c> Queries<&'r mut CallerConnection<'c>, QueryResult<T>, Future: Send>
            + Send,
        T: Send,
    {
        self.in_time(async move {
            let mut lease = self.db.pool.lease().await?;
            if lease.connection().is_read_only() {
                lease.give_up();
                return Err(Error::ReadOnly);
            }
            lease.open();
            let value = self.begin(&lease, BeginWrite, queries).await?;
            commit(&lease).await?;
            lease.close();
            lease.remember::<BeginWrite>(None);
            Ok(value)
        })
        .await
    }

    /// Begins a transaction, makes it the caller's and runs the queries: in one flight where
    /// everything before the queries is prepared already.
    async fn begin<B, T, F>(self, lease: &Lease, begin: B, queries: F) -> Result<T, Error>
    where
        B: Begin,
        F: for<'r, 'c> AsyncFnOnce(&'r mut CallerConnection<'c>) -> QueryResult<T>
            + for<'r, 'c> Queries<&'r mut CallerConnection<'c>, QueryResult<T>, Future: Send>
            + Send,
        T: Send,
    {
        let connection = lease.connection();
        let (pg, sqlstate) = (&connection.pg, &connection.sqlstate);
        let frame_failed = |error: DieselError| Error::of_frame(&error, sqlstate.get());

        let begin = async {
            let begun = statements::run(pg, connection.is_shared(), begin).await;
            let begun = begun.map_err(|error| Error::of_begin(&error, sqlstate.get()));
            // Cut while it rested, and so may the others be.
            begun.inspect_err(|error| {
                if error.is_not_begun() {
                    self.db.pool.distrust();
                }
            })
        };
        let become_caller = async {
            let settings = BecomeCaller::new(self.caller, &self.db.search_path);
            settings.execute(&mut &*pg).await.map_err(frame_failed)
        };
        let mut caller = CallerConnection::new(pg);
        let queries = async {
            let done = queries(&mut caller).await;
            done.map_err(|error| Error::of_query(&error, sqlstate.get(), B::WRITES))
        };

        if connection.has_begun::<B>() {
            // In order of sending, which `try_join!` of futures keeps and that of tokio does not.
            let ((), _, value) = try_join!(begin, become_caller, queries)?;
            return Ok(value);
        }
        begin.await?;
        become_caller.await?;
        queries.await
    }

    /// Runs work until the call's deadline. An error after it is the deadline's.
    async fn in_time<T>(self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let deadline = self.caller.deadline();
        if deadline <= Instant::now() {
            return Err(Error::Deadline);
        }
        match timeout_at(deadline, work).await {
            Ok(Err(_)) if deadline <= Instant::now() => Err(Error::Deadline),
            Ok(ended) => ended,
            Err(_) => Err(Error::Deadline),
        }
    }
}

/// Commits what is known to be done. `COMMIT` alone would say nothing of a failed transaction: it
/// rolls back and succeeds.
async fn commit(lease: &Lease) -> Result<(), Error> {
    let connection = lease.connection();
    let committed = if connection.is_shared() {
        statements::raw(&connection.pg, "SELECT; COMMIT").await
    } else {
        let probe = statements::run(&connection.pg, false, Probe);
        let commit = statements::run(&connection.pg, false, Commit);
        try_join!(probe, commit).map(drop)
    };
    committed.map_err(|error| Error::of_query(&error, connection.sqlstate.get(), true))
}
