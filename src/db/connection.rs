//! A connection of the pool: a session, what it is between transactions, and what it has learnt.

use std::{any::TypeId, collections::HashSet, fmt};

use diesel::connection::CacheSize;
use diesel_async::{AsyncConnection as _, AsyncPgConnection};
use tokio::time::{Instant, timeout};
use tokio_postgres::Client;

use super::{
    error::Cause,
    search_path::SearchPath,
    session::{Canceller, Driver, Session, no_answer},
    sqlstate::FirstSqlState,
    statements::{self, Begin},
    target::{PoolMode, Target},
};

/// What a session is until a caller's transaction begins, and again when it has ended: nobody, and
/// unable to write. A statement that escapes its transaction sees what a stranger sees.
const REST: &str = "SET ROLE anon; SET default_transaction_read_only = on;";

/// A connection, and what has to be known of it between transactions.
pub(super) struct Connection {
    pub(super) pg: AsyncPgConnection,
    /// The first error's code since the transaction began.
    pub(super) sqlstate: FirstSqlState,
    /// A transaction may still be open, or a statement running: not for the next caller.
    pub(super) in_doubt: bool,
    /// How often a call left it in mid-statement.
    pub(super) interruptions: u32,
    /// The server took no changes when the connection was made.
    read_only: bool,
    /// What the server said of that: see [`READ_ONLY`](super::server::READ_ONLY).
    pub(super) found_read_only: bool,
    pub(super) opened: Instant,
    pub(super) canceller: Canceller,
    pool_mode: PoolMode,
    /// Statements that this connection has run once, so that they go out without a question first.
    known: HashSet<TypeId>,
    driver: Driver,
}

impl Connection {
    /// Connects to the first host that answers and is what `target_session_attrs` asks for, and
    /// puts the session to rest. Where `users` is not to be looked for in `public`, makes sure that
    /// it is where it is to be.
    pub(super) async fn open(
        target: &Target,
        pool_mode: PoolMode,
        search_path: &SearchPath,
    ) -> Result<Self, Cause> {
        let mut session = Session::open(target, None).await?;
        let rest = async {
            if search_path.schema() != "public"
                && let Some(why) = session.unusable(search_path.schema()).await?
            {
                return Err(why.into());
            }
            if pool_mode == PoolMode::Session {
                session.run(&format!("{REST} SET search_path = {search_path}")).await?;
            }
            Ok(Self {
                pg: into_pg(session.client, pool_mode).await?,
                sqlstate: session.sqlstate,
                canceller: session.canceller,
                driver: session.driver,
                read_only: session.read_only,
                found_read_only: session.found_read_only,
                opened: Instant::now(),
                in_doubt: false,
                interruptions: 0,
                pool_mode,
                known: HashSet::new(),
            })
        };
        let rest = timeout(target.connect_timeout, rest).await;
        rest.unwrap_or_else(|_| Err(no_answer(target.connect_timeout)))
    }

    /// Whether every transaction on this connection may meet another server session.
    pub(super) fn is_shared(&self) -> bool {
        self.pool_mode == PoolMode::Transaction
    }

    /// Whether a transaction has begun with `B` here before, so that what comes first is prepared.
    pub(super) fn has_begun<B: Begin>(&self) -> bool {
        self.knows(Some(TypeId::of::<B>()))
    }

    /// Whether a statement has been run here before.
    pub(super) fn knows(&self, statement: Option<TypeId>) -> bool {
        statement.is_some_and(|statement| self.known.contains(&statement))
    }

    /// Remembers a statement that has been run: on a session of one's own it is prepared now, and
    /// its types are looked up.
    pub(super) fn remember(&mut self, statement: TypeId) {
        if !self.is_shared() {
            self.known.insert(statement);
        }
    }

    /// Whether the server took no changes when the connection was made. Of a shared one it is not
    /// known: every transaction may meet another server.
    pub(super) fn is_read_only(&self) -> bool {
        self.read_only && !self.is_shared()
    }

    /// Whether the socket is known to be closed. Asks nobody.
    pub(super) fn is_closed(&self) -> bool {
        self.driver.is_finished()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // In doubt, a parting word would queue behind what still runs: then the socket is cut.
        if !self.in_doubt {
            self.driver.part();
        }
    }
}

/// Hands a client to diesel. Diesel sets two options by prepared statements: on a shared session
/// they must stay inside a transaction, and no statement may outlive one.
pub(super) async fn into_pg(
    client: Client,
    pool_mode: PoolMode,
) -> Result<AsyncPgConnection, Cause> {
    let refused = |error: &dyn fmt::Display| Cause::from(error.to_string());
    if pool_mode == PoolMode::Session {
        return AsyncPgConnection::try_from(client).await.map_err(|error| refused(&error));
    }
    client.batch_execute("BEGIN").await.map_err(|error| Cause::from(&error))?;
    let mut pg = AsyncPgConnection::try_from(client).await.map_err(|error| refused(&error))?;
    pg.set_prepared_statement_cache_size(CacheSize::Disabled);
    statements::raw(&pg, statements::ROLLBACK).await.map_err(|error| refused(&error))?;
    Ok(pg)
}

#[cfg(test)]
mod tests {
    use dev::testing::Template;
    use diesel::{dsl::sql, select, sql_types::Text};
    use diesel_async::RunQueryDsl as _;

    use super::{Connection, PoolMode, SearchPath, Target, statements};

    static PROJECT: Template = Template::new();

    #[tokio::test]
    async fn a_connection_rests_as_nobody_who_can_only_read() {
        let project = PROJECT.copy(|_| async { Ok(()) }).await.unwrap();
        let owner = project.connect("postgres").await.unwrap();
        let app = "create schema app; create table app.users (); grant usage on schema app to authenticated";
        owner.batch_execute(app).await.unwrap();
        for login in ["authenticator", "postgres", "supabase_admin"] {
            let url = project.url(login);
            let target = Target::read("URL", &|name| (name == "URL").then(|| url.clone())).unwrap();
            let path = SearchPath::new("app");
            let connection = Connection::open(&target, PoolMode::Session, &path).await.unwrap();
            for (what, expected) in [
                ("current_user::text", "anon"),
                ("current_setting('transaction_read_only')", "on"),
                ("current_setting('search_path')", "app, public, extensions"),
            ] {
                let told = select(sql::<Text>(what)).get_result::<String>(&mut &connection.pg);
                assert_eq!(told.await.unwrap(), expected, "{login}");
            }
            let write = statements::raw(&connection.pg, "CREATE TABLE public.stray ()").await;
            assert!(write.is_err(), "{login}");
            assert_eq!(connection.sqlstate.get().unwrap().as_str(), "25006", "{login}");
        }
    }
}
