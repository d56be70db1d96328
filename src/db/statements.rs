//! The statements around a caller's own. Each has a type, so that it is prepared once.

use std::time::Duration;

use diesel::{
    QueryResult,
    pg::Pg,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::Text,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use tokio::time::Instant;

use super::search_path::SearchPath;
use crate::auth::{Caller, Role};

/// Declares a statement without parameters.
macro_rules! statement {
    ($(#[$doc:meta])* $name:ident, $sql:literal, shared: $shared:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(super) struct $name;

        impl QueryId for $name {
            type QueryId = Self;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl QueryFragment<Pg> for $name {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                out.push_sql($sql);
                Ok(())
            }
        }

        impl Statement for $name {
            const SHARED: &str = $shared;
        }
    };
}

/// Ends a transaction, whatever became of it.
pub(super) const ROLLBACK: &str = "ROLLBACK";

/// Ends a transaction that was left in mid-statement, on a session that others use too.
///
/// tokio-postgres gives every statement a name (`s0`, `s1`, …) and takes it back when it is done;
/// of one whose preparation was abandoned it does not know. The name would be in the way of another
/// process that counts from zero too. In one message with `ROLLBACK`, so that it is the same
/// session that forgets; a pooler that keeps statements itself gives them other names.
pub(super) const ROLLBACK_AND_FORGET: &str = "ROLLBACK; DO $$ DECLARE name text; BEGIN \
     FOR name IN SELECT p.name FROM pg_catalog.pg_prepared_statements p WHERE p.name ~ '^s[0-9]+$' LOOP \
     EXECUTE pg_catalog.format('DEALLOCATE %I', name); END LOOP; END $$";

/// A statement without parameters.
pub(super) trait Statement: QueryFragment<Pg> + QueryId + Copy + Send + 'static {
    /// The same on a session that others use too.
    const SHARED: &str;
}

/// A statement that begins a transaction.
pub(super) trait Begin: Statement {
    const WRITES: bool;
}

impl Begin for BeginRead {
    const WRITES: bool = false;
}

impl Begin for BeginWrite {
    const WRITES: bool = true;
}

statement!(
    /// Begins a transaction that reads.
    BeginRead, "BEGIN READ ONLY", shared: "BEGIN READ ONLY"
);
statement!(
    /// Begins a transaction that may write. A session of ours rests read only; a shared one is as
    /// the server has it, and a server that takes no changes is left at that.
    BeginWrite, "BEGIN READ WRITE", shared: "BEGIN"
);
statement!(
    /// Ends a transaction.
    Commit, "COMMIT", shared: "COMMIT"
);
statement!(
    /// Fails where a statement before it has failed, which `COMMIT` would pass over.
    Probe, "SELECT", shared: "SELECT"
);

/// Runs a statement without parameters: prepared once on a session of one's own; on a shared one
/// by the simple protocol, which names nothing.
pub(super) async fn run<S: Statement>(
    pg: &AsyncPgConnection,
    shared: bool,
    statement: S,
) -> QueryResult<()> {
    if shared {
        return raw(pg, S::SHARED).await;
    }
    statement.execute(&mut &*pg).await.map(drop)
}

/// Runs a statement by the simple protocol. It overtakes what is still being prepared, so nothing
/// else may be under way.
#[expect(clippy::disallowed_methods, reason = "fixed statements of ours, with nothing before them")]
pub(super) async fn raw(mut pg: &AsyncPgConnection, sql: &'static str) -> QueryResult<()> {
    pg.batch_execute(sql).await
}

/// Makes a transaction the caller's: role, claims, search path, and what is left of its time.
///
/// The settings hold until the transaction ends. `auth.uid()` and its siblings look at older
/// settings first: those are blanked.
pub(super) struct BecomeCaller<'a> {
    role: &'static str,
    claims: &'a str,
    search_path: &'a str,
    statement_timeout: String,
}

impl<'a> BecomeCaller<'a> {
    pub(super) fn new(caller: &'a Caller, search_path: &'a SearchPath) -> Self {
        // Auth has checked the role. Here it is checked again, by exhaustion: a role that is added
        // there becomes a role of the database by a decision, not by its name.
        let role = match caller.role() {
            Role::Anon => "anon",
            Role::Authenticated => "authenticated",
        };
        Self {
            role,
            claims: caller.claims(),
            search_path: search_path.as_str(),
            statement_timeout: statement_timeout(caller.deadline() - Instant::now()),
        }
    }
}

/// What is left in milliseconds, rounded up and at least one, since zero means no limit.
fn statement_timeout(left: Duration) -> String {
    let milliseconds = left.as_micros().div_ceil(1000).clamp(1, i32::MAX as u128);
    milliseconds.to_string()
}

impl QueryId for BecomeCaller<'_> {
    type QueryId = BecomeCaller<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<Pg> for BecomeCaller<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT set_config('role', ");
        out.push_bind_param::<Text, _>(self.role)?;
        out.push_sql(", true), set_config('request.jwt.claims', ");
        out.push_bind_param::<Text, _>(self.claims)?;
        out.push_sql(
            ", true), set_config('request.jwt.claim', '', true)\
             , set_config('request.jwt.claim.sub', '', true)\
             , set_config('request.jwt.claim.role', '', true)\
             , set_config('request.jwt.claim.email', '', true)\
             , set_config('search_path', ",
        );
        out.push_bind_param::<Text, _>(self.search_path)?;
        out.push_sql(", true), set_config('statement_timeout', ");
        out.push_bind_param::<Text, _>(&self.statement_timeout)?;
        out.push_sql(", true)");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_rounded_up_and_never_without_limit() {
        assert_eq!(statement_timeout(Duration::ZERO), "1");
        assert_eq!(statement_timeout(Duration::from_nanos(1_000)), "1");
        assert_eq!(statement_timeout(Duration::from_micros(1_001)), "2");
        assert_eq!(statement_timeout(Duration::from_secs(10)), "10000");
        assert_eq!(statement_timeout(Duration::MAX), i32::MAX.to_string());
    }
}
