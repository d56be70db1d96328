//! Whether a token's session still stands, asked of Supabase Auth's own tables through a function
//! of ours: `user_service.session_standing`, made by `user-service migrate`.

use std::time::Duration;

use diesel::{
    QueryResult,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Text, Uuid as SqlUuid},
};
use tokio::time::Instant;

use super::{Db, Error};
use crate::auth::{Caller, Session, Standing};

/// How long the answer may take.
const LIMIT: Duration = Duration::from_secs(2);

/// Asks how a session stands. One trip. It is asked as a stranger: nobody is known yet.
///
/// # Errors
/// See [`Error`]. Where the function is missing or says something new, `Query`.
pub async fn standing(db: &Db, session: Session) -> Result<Standing, Error> {
    let stranger = Caller::stranger(Instant::now() + LIMIT);
    let answer: Option<String> = db.as_caller(&stranger).one(StandingOf(session)).await?;
    match answer.as_deref() {
        Some("active") => Ok(Standing::Active),
        Some("ended") => Ok(Standing::Ended),
        Some("banned") => Ok(Standing::Banned),
        _ => Err(Error::Query("session_standing gave no answer that is known".to_owned().into())),
    }
}

#[derive(Clone)]
struct StandingOf(Session);

impl Query for StandingOf {
    type SqlType = Text;
}

impl QueryId for StandingOf {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<Pg> for StandingOf {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT user_service.session_standing(");
        out.push_bind_param::<SqlUuid, _>(&self.0.id)?;
        out.push_sql(", ");
        out.push_bind_param::<SqlUuid, _>(&self.0.user)?;
        out.push_sql(")");
        Ok(())
    }
}
