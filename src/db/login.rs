//! What the service logs in as, and how much more that is than it needs.

use diesel::{
    dsl::sql,
    select,
    sql_types::{Array, Bool, Text},
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
    /// Roles that it may become and that row level security does not bind: superusers, and those
    /// with `BYPASSRLS`, as `service_role` is.
    pub unbound_roles: Vec<String>,
    /// It owns `users`, or has the rights of the role that does.
    pub owns_users: bool,
}

impl Login {
    /// What it has beyond its needs, a phrase each.
    pub fn excess(&self) -> Vec<String> {
        let has = |has: bool, what: &str| has.then(|| what.to_owned());
        let unbound = self.unbound_roles.join(", ");
        let become_unbound =
            format!("may become {unbound}, which row level security does not bind");
        [
            has(self.superuser, "is a superuser"),
            has(self.bypasses_row_security, "is not bound by row level security"),
            has(!unbound.is_empty(), &become_unbound),
            has(self.owns_users, "owns the table users"),
        ]
        .into_iter()
        .flatten()
        .collect()
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
        // A superuser is a member of every role.
        let unbound_roles = sql::<Array<Text>>(
            "ARRAY(SELECT r.rolname::text FROM pg_catalog.pg_roles r \
             JOIN pg_catalog.pg_roles me ON me.rolname = session_user \
             WHERE (r.rolsuper OR r.rolbypassrls) AND r.oid <> me.oid AND NOT me.rolsuper \
             AND pg_catalog.pg_has_role(me.oid, r.oid, 'MEMBER') ORDER BY 1)",
        );
        let role = sql::<Text>("session_user::text");
        let query =
            select((role, attribute("rolsuper"), attribute("rolbypassrls"), unbound_roles, owns));

        let mut lease = self.pool.lease().await?;
        lease.open();
        let connection = lease.connection();
        let (pg, sqlstate) = (&connection.pg, &connection.sqlstate);
        let asked = async {
            statements::raw(pg, "BEGIN READ ONLY").await?;
            query.get_result::<(String, bool, bool, Vec<String>, bool)>(&mut &*pg).await
        };
        let asked = asked.await.map_err(|error| Error::of_frame(&error, sqlstate.get()))?;
        lease.settle();
        let (role, superuser, bypasses_row_security, unbound_roles, owns_users) = asked;
        Ok(Login { role, superuser, bypasses_row_security, unbound_roles, owns_users })
    }
}
