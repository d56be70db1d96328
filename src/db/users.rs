//! Queries on `users`, each as the caller.

use diesel::{
    OptionalExtension as _, QueryDsl as _, QueryResult,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use super::{CallerConnection, Db, Error, schema::users};
use crate::auth::Caller;

/// Looks the caller's `full_name` up. `None`: no row that the caller may see; `Some(None)`: the
/// name is NULL. One trip.
///
/// # Errors
/// See [`Error`].
pub async fn full_name(db: &Db, caller: &Caller) -> Result<Option<Option<String>>, Error> {
    let Some(id) = caller.id() else { return Ok(None) };
    db.as_caller(caller).one(users::table.find(id).select(users::full_name)).await
}

/// Sets the caller's `full_name` and returns it as stored, which a trigger may have changed.
/// `None`: no row that the caller may change. Two trips.
///
/// # Errors
/// See [`Error`].
pub async fn set_full_name(db: &Db, caller: &Caller, name: &str) -> Result<Option<String>, Error> {
    let Some(id) = caller.id() else { return Ok(None) };
    let update = SetFullName { id, name };
    let stored = db.as_caller(caller).write(async move |c: &mut CallerConnection<'_>| {
        update.get_result::<Option<String>>(c).await.optional()
    });
    Ok(stored.await?.map(Option::unwrap_or_default))
}

/// `diesel::update` is never prepared once, which costs a trip. This one is.
struct SetFullName<'a> {
    id: Uuid,
    name: &'a str,
}

impl Query for SetFullName<'_> {
    type SqlType = Nullable<Text>;
}

impl QueryId for SetFullName<'_> {
    type QueryId = SetFullName<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<Pg> for SetFullName<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("UPDATE users SET full_name = ");
        out.push_bind_param::<Text, _>(self.name)?;
        out.push_sql(" WHERE id = ");
        out.push_bind_param::<SqlUuid, _>(&self.id)?;
        out.push_sql(" RETURNING full_name");
        Ok(())
    }
}
