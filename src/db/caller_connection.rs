//! What a query gets to hold.

use diesel::{
    QueryResult,
    pg::Pg,
    query_builder::{AsQuery, QueryFragment, QueryId},
    result::Error,
};
use diesel_async::{AsyncConnectionCore, AsyncPgConnection, SimpleAsyncConnection};

/// A connection inside a caller's transaction. It runs statements of diesel's query builder, and
/// can neither begin, commit nor roll back.
///
/// Statements whose futures are polled together share a flight:
/// `try_join!(a.get_result(c), b.get_result(c))`.
pub struct CallerConnection<'a>(&'a AsyncPgConnection);

impl<'a> CallerConnection<'a> {
    pub(super) fn new(pg: &'a AsyncPgConnection) -> Self {
        Self(pg)
    }
}

impl SimpleAsyncConnection for CallerConnection<'_> {
    /// Fails: a batch could end the transaction. The trait has to be there, its work does not.
    async fn batch_execute(&mut self, _: &str) -> QueryResult<()> {
        Err(Error::QueryBuilderError("a caller's transaction runs no batches".into()))
    }
}

/// The connection of diesel-async that allows several statements at once.
type Shared<'a> = &'a AsyncPgConnection;

impl<'a> AsyncConnectionCore for CallerConnection<'a> {
    type LoadFuture<'c, 'q> = <Shared<'a> as AsyncConnectionCore>::LoadFuture<'c, 'q>;
    type ExecuteFuture<'c, 'q> = <Shared<'a> as AsyncConnectionCore>::ExecuteFuture<'c, 'q>;
    type Stream<'c, 'q> = <Shared<'a> as AsyncConnectionCore>::Stream<'c, 'q>;
    type Row<'c, 'q> = <Shared<'a> as AsyncConnectionCore>::Row<'c, 'q>;
    type Backend = Pg;

    fn load<'c, 'q, T>(&'c mut self, query: T) -> Self::LoadFuture<'c, 'q>
    where
        T: AsQuery + 'q,
        T::Query: QueryFragment<Pg> + QueryId + 'q,
    {
        AsyncConnectionCore::load(&mut self.0, query)
    }

    fn execute_returning_count<'c, 'q, T>(&'c mut self, query: T) -> Self::ExecuteFuture<'c, 'q>
    where
        T: QueryFragment<Pg> + QueryId + 'q,
    {
        AsyncConnectionCore::execute_returning_count(&mut self.0, query)
    }
}
