//! `user-service migrate`: brings a project's database to what the service can use.
//!
//! Everything happens in one transaction under an advisory lock: two that run at once do the work
//! once, and one that fails leaves nothing. The bookkeeping is in a schema of ours, which the
//! project's API does not expose.

use diesel::{
    Connection as _, RunQueryDsl as _,
    connection::SimpleConnection as _,
    migration::{self, MigrationSource},
    pg::Pg,
    sql_types::Text,
};
use diesel_async::{AsyncPgConnection, async_connection_wrapper::AsyncConnectionWrapper};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};
use tokio::{sync::mpsc, task::spawn_blocking};

use super::{Cause, Error, PoolMode, Settings, connection::into_pg, session::Session};

/// The advisory lock's key: "usersvc" in bytes.
const LOCK: i64 = 0x0075_7365_7273_7663;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// What a notice of a migration's own has as its code; PostgreSQL's about `IF NOT EXISTS` have
/// others.
const OWN_NOTICE: &str = "00000";

/// Applies the migrations that have not been applied, and reports what was done and what was left
/// alone, a line each.
///
/// # Errors
/// `Unavailable` where the database cannot be reached, `Query` where a migration fails or the
/// target is a pooler in transaction mode; then nothing was changed.
pub async fn migrate(settings: &Settings, mut report: impl FnMut(&str)) -> Result<(), Error> {
    if settings.pool_mode == PoolMode::Transaction {
        return Err(Error::Query(
            "migrations need a session, and this is a pooler in transaction mode: set MIGRATE_DATABASE_URL to the direct connection or the session pooler (port 5432)"
                .to_owned()
                .into(),
        ));
    }
    let (notices, mut noticed) = mpsc::unbounded_channel();
    let session =
        Session::open(&settings.target, Some(notices)).await.map_err(Error::Unavailable)?;
    let Session { client, sqlstate, driver, .. } = session;
    let pg = into_pg(client, settings.pool_mode).await.map_err(Error::Unavailable)?;

    let schema = settings.schema.clone();
    let applied = spawn_blocking(move || apply(pg, &schema)).await;
    let applied = applied.unwrap_or_else(|panicked| Err(panicked.into()));
    let applied =
        applied.map_err(|error| Error::Query(Cause::told(sqlstate.get(), error.to_string())))?;

    // A notice comes before the answer to its statement, so all are there.
    while let Ok(notice) = noticed.try_recv() {
        if notice.code().code() == OWN_NOTICE {
            report(notice.message());
        }
    }
    drop(driver);
    match applied.as_slice() {
        [] => report("nothing to do: every migration has been applied"),
        versions => versions.iter().for_each(|version| report(&format!("applied: {version}"))),
    }
    Ok(())
}

/// A migration that this binary has.
pub(super) struct Known {
    pub(super) name: String,
    pub(super) version: String,
}

/// All migrations, in their order.
pub(super) fn known() -> migration::Result<Vec<Known>> {
    let migrations = MigrationSource::<Pg>::migrations(&MIGRATIONS)?;
    let known = migrations.iter().map(|migration| {
        let name = migration.name();
        Known { name: name.to_string(), version: name.version().to_string() }
    });
    Ok(known.collect())
}

/// Applies what is pending and returns its versions. Diesel's migrations block, so this does.
fn apply(pg: AsyncPgConnection, schema: &str) -> migration::Result<Vec<String>> {
    let mut connection = AsyncConnectionWrapper::<AsyncPgConnection>::from(pg);
    connection.transaction(|connection| {
        connection.batch_execute(&format!(
            "SELECT pg_advisory_xact_lock({LOCK});
             CREATE SCHEMA IF NOT EXISTS user_service;
             SET LOCAL search_path = user_service;"
        ))?;
        #[expect(
            clippy::disallowed_methods,
            reason = "diesel has no set_config, and once is enough"
        )]
        diesel::sql_query("SELECT set_config('user_service.schema', $1, true)")
            .bind::<Text, _>(schema)
            .execute(connection)?;
        let applied = connection.run_pending_migrations(MIGRATIONS)?;
        Ok(applied.iter().map(ToString::to_string).collect())
    })
}
