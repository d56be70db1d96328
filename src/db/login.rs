//! What the service logs in as, and how much more that is than it needs.

use diesel::{
    dsl::sql,
    select,
    sql_types::{Bool, Text},
};
use diesel_async::RunQueryDsl as _;

use super::{Db, Error, statements};

/// The role that connections log in as. The service needs one that may become `anon` and
/// `authenticated`, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The role's name.
    pub role: String,
    /// It is a superuser.
    pub superuser: bool,
    /// Row level security does not bind it (`BYPASSRLS`).
    pub bypasses_row_security: bool,
    /// It owns `users`, or has the rights of the role that does.
    pub owns_users: bool,
}

impl Login {
    /// What it has beyond its needs, a phrase each.
    pub fn excess(&self) -> Vec<&'static str> {
        let all = [
            (self.superuser, "is a superuser"),
            (self.bypasses_row_security, "is not bound by row level security"),
            (self.owns_users, "owns the table users"),
        ];
        all.iter().filter(|(has, _)| *has).map(|(_, what)| *what).collect()
    }
}

impl Db {
    /// Asks what the service has logged in as.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn login(&self) -> Result<Login, Error> {
        let attribute = |name: &str| {
            sql::<Bool>(&format!(
                "(SELECT r.{name} FROM pg_catalog.pg_roles r WHERE r.rolname = session_user)"
            ))
        };
        let owns = sql::<Bool>(
            "EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n \
             ON n.oid = c.relnamespace AND c.relname = 'users' AND n.nspname = ",
        )
        .bind::<Text, _>(self.search_path.schema().to_owned())
        .sql(" AND pg_catalog.pg_has_role(session_user, c.relowner, 'USAGE'))");
        let role = sql::<Text>("session_user::text");
        let query = select((role, attribute("rolsuper"), attribute("rolbypassrls"), owns));

        let mut lease = self.pool.lease().await?;
        lease.open();
        let connection = lease.connection();
        let (pg, sqlstate) = (&connection.pg, &connection.sqlstate);
        let asked = async {
            statements::raw(pg, "BEGIN READ ONLY").await?;
            query.get_result::<(String, bool, bool, bool)>(&mut &*pg).await
        };
        let asked = asked.await.map_err(|error| Error::of_frame(&error, sqlstate.get()))?;
        lease.settle();
        let (role, superuser, bypasses_row_security, owns_users) = asked;
        Ok(Login { role, superuser, bypasses_row_security, owns_users })
    }
}
