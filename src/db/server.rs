//! What a server says of itself: whether it takes changes, and whether `users` is where the
//! settings say.

use diesel::{
    QueryResult,
    dsl::sql,
    select,
    sql_types::{Bool, Nullable, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use super::statements;

/// Asks whether a session that begins now would take no changes: a standby, or the default that
/// was last set for the role, the database or the server. What a session has set itself does not
/// count, nor that it began under another default.
pub(super) const READ_ONLY: &str = "SELECT pg_catalog.pg_is_in_recovery() OR coalesce(\
    (SELECT pg_catalog.split_part(c.setting, '=', 2) \
     FROM pg_catalog.pg_db_role_setting d, pg_catalog.unnest(d.setconfig) AS c (setting) \
     WHERE c.setting LIKE 'default_transaction_read_only=%' \
       AND d.setrole IN (0, (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = session_user)) \
       AND d.setdatabase IN (0, (SELECT b.oid FROM pg_catalog.pg_database b WHERE b.datname = pg_catalog.current_database())) \
     ORDER BY d.setrole <> 0 DESC, d.setdatabase <> 0 DESC LIMIT 1), \
    (SELECT s.reset_val FROM pg_catalog.pg_settings s WHERE s.name = 'default_transaction_read_only')\
    )::bool";

/// Asks why the schema that holds `users` cannot be used, NULL where it can: the name goes between
/// the two halves. Where a schema is missing, closed to the caller or without `users`, PostgreSQL
/// goes on to the next of the search path without a word, and would find another `users` there.
pub(super) const SCHEMA: [&str; 2] = [
    "SELECT 'DATABASE_SCHEMA: ' || CASE \
     WHEN s.name = 'public' THEN NULL \
     WHEN n.oid IS NULL THEN 'there is no schema ' || s.name \
     WHEN NOT pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE') \
       THEN 'authenticated may not use the schema ' || s.name \
     WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid \
         AND c.relname = 'users' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')) \
       THEN 'there is no table users in the schema ' || s.name \
     END FROM (SELECT ",
    "::text AS name) s LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = s.name \
     LEFT JOIN pg_catalog.pg_roles r ON r.rolname = 'authenticated'",
];

/// What a server says of itself now.
pub(super) struct Told {
    /// A session that begins now takes no changes.
    pub(super) read_only: bool,
    /// Why the schema that holds `users` cannot be used.
    pub(super) unusable: Option<String>,
}

/// Asks. A transaction of its own, so that a pooler in transaction mode takes it.
pub(super) async fn ask(pg: &AsyncPgConnection, schema: &str) -> QueryResult<Told> {
    let [head, tail] = SCHEMA;
    let unusable = sql::<Nullable<Text>>(&format!("({head}"))
        .bind::<Text, _>(schema.to_owned())
        .sql(&format!("{tail})"));
    let question = select((sql::<Bool>(&format!("({READ_ONLY})")), unusable));
    statements::raw(pg, "BEGIN READ ONLY").await?;
    let (read_only, unusable) = question.get_result(&mut &*pg).await?;
    statements::raw(pg, statements::ROLLBACK).await?;
    Ok(Told { read_only, unusable })
}
