//! The table `users` as the catalogue describes it.

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{Inspector, column};
use crate::db::{Cause, SqlState, search_path::quoted};

/// What `users` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A table, which may have row level security.
    Table,
    /// A view that reads as its owner: the policies of its tables do not see the caller.
    ViewAsOwner,
    /// A view that reads as the caller (`security_invoker`).
    ViewAsCaller,
    /// Something that has neither policies nor a caller: a foreign table, a materialized view.
    Other,
}

/// `users` in the schema of the settings.
#[derive(Clone, Debug)]
pub struct Users {
    oid: u32,
    /// Its schema as SQL has it: quoted, where it has to be.
    pub schema: String,
    /// What it is.
    pub kind: Kind,
    /// Whether row level security is on.
    pub row_security: bool,
    /// Whether `authenticated` may use the schema.
    pub reachable: bool,
    /// Whether the login sees every row, whoever calls.
    pub login_sees_all: bool,
    /// `id` and `full_name`, as far as they are there.
    pub columns: Vec<Column>,
    /// Its policies, by name.
    pub policies: Vec<Policy>,
    /// What a view that reads as the caller shows of other tables.
    pub shows: Vec<Shown>,
    /// Why `authenticated` may not read as `GetName` does: SQLSTATE 42501.
    pub unreadable: Option<Cause>,
    /// Why `authenticated` may not change as `UpdateName` does: SQLSTATE 42501.
    pub unwritable: Option<Cause>,
    /// Why nobody can change `full_name`: a view that PostgreSQL cannot change through.
    pub fixed: Option<Cause>,
}

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as PostgreSQL prints it.
    pub sql_type: String,
    /// Whether the service can use that type here: uuid for `id`, text for `full_name`.
    pub fits: bool,
    /// Whether it is some kind of text.
    pub is_text: bool,
    /// Whether `authenticated` may read it.
    pub readable: bool,
    /// Whether `authenticated` may change it.
    pub writable: bool,
}

/// A column of a table behind a view.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The table with its schema, as SQL has it.
    pub table: String,
    /// The column, as SQL has it.
    pub column: String,
    /// Whether it is some kind of text.
    pub is_text: bool,
    /// Whether `authenticated` may read it.
    pub readable: bool,
    /// Whether `authenticated` may change it.
    pub writable: bool,
}

/// A policy.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// The same as SQL has it: quoted, where it has to be.
    pub quoted: String,
    /// The columns that it looks at.
    pub columns: Vec<String>,
    /// `SELECT`, `INSERT`, `UPDATE`, `DELETE` or `ALL`.
    pub command: String,
    /// Whether it opens rows; a restrictive one narrows what others open.
    pub permissive: bool,
    /// The roles that it is for; `public` is everybody.
    pub roles: Vec<String>,
    /// Whether it is for `authenticated`, by name or by membership.
    pub applies: bool,
}

impl Policy {
    /// Whether it opens rows to `authenticated` for this command.
    pub fn opens(&self, command: &str) -> bool {
        self.applies && self.permissive && (self.command == command || self.command == "ALL")
    }
}

impl Inspector {
    /// Looks `users` up; `None` where the schema has none.
    ///
    /// # Errors
    /// The database's, or that it did not answer.
    pub async fn users(&self) -> Result<Option<Users>, Cause> {
        let sql = "
            SELECT c.oid, c.relkind::text, c.relrowsecurity,
                EXISTS (SELECT FROM pg_options_to_table(c.reloptions) o
                    WHERE o.option_name = 'security_invoker' AND o.option_value::bool),
                coalesce(has_schema_privilege(r.oid, n.oid, 'USAGE'), false),
                has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
                    AND (me.rolsuper OR me.rolbypassrls
                        OR c.relkind IN ('r','p') AND NOT row_security_active(c.oid)),
                quote_ident(n.nspname)
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_roles me ON me.rolname = session_user
            LEFT JOIN pg_roles r ON r.rolname = 'authenticated'
            WHERE n.nspname = $1 AND c.relname = 'users' AND c.relkind IN ('r','p','v','m','f')";
        let rows = self.rows(sql, &[(&self.schema, Type::TEXT)]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let (relkind, as_caller): (String, bool) = (column(row, 1)?, column(row, 3)?);
        let mut users = Users {
            oid: column(row, 0)?,
            schema: column(row, 6)?,
            kind: match (relkind.as_str(), as_caller) {
                ("r" | "p", _) => Kind::Table,
                ("v", true) => Kind::ViewAsCaller,
                ("v", false) => Kind::ViewAsOwner,
                _ => Kind::Other,
            },
            row_security: column(row, 2)?,
            reachable: column(row, 4)?,
            login_sees_all: column(row, 5)?,
            columns: Vec::new(),
            policies: Vec::new(),
            shows: Vec::new(),
            unreadable: None,
            unwritable: None,
            fixed: None,
        };
        users.columns = self.columns(&users).await?;
        users.policies = self.policies(&users).await?;
        if users.kind == Kind::ViewAsCaller {
            users.shows = self.shows(&users).await?;
        }
        self.try_out(&mut users).await?;
        Ok(Some(users))
    }

    /// Plans what the RPCs do. The catalogue alone does not tell whether they are allowed: a view's
    /// tables have a say too, and triggers and rules in whether it can be changed.
    async fn try_out(&self, users: &mut Users) -> Result<(), Cause> {
        let (table, nobody) = (format!("{}.users", users.schema), Uuid::nil());
        let is = |cause: &Cause, codes: &[&str]| {
            cause.sqlstate().is_some_and(|code| codes.contains(&code.as_str()))
        };
        let denied = |cause: &Cause| is(cause, &[SqlState::INSUFFICIENT_PRIVILEGE]);
        let read =
            self.plan(&format!("SELECT full_name FROM {table} WHERE id = '{nobody}'")).await?;
        users.unreadable = read.filter(denied);
        let write = self
            .plan(&format!(
                "UPDATE {table} SET full_name = '' WHERE id = '{nobody}' RETURNING full_name"
            ))
            .await?;
        users.unwritable = write.clone().filter(denied);
        // object_not_in_prerequisite_state, feature_not_supported
        users.fixed = write.filter(|cause| is(cause, &["55000", "0A000"]));
        Ok(())
    }

    /// Other schemas that have a `users`: where `DATABASE_SCHEMA` might have to point.
    ///
    /// # Errors
    /// The database's, or that it did not answer.
    pub async fn users_elsewhere(&self) -> Result<Vec<String>, Cause> {
        let sql = "
            SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relname = 'users' AND c.relkind IN ('r','p','v','m','f')
                AND n.nspname NOT IN ('auth', 'information_schema') AND n.nspname !~ '^pg_'
            ORDER BY 1";
        self.rows(sql, &[]).await?.iter().map(|row| column(row, 0)).collect()
    }

    /// Looks whether this user has a row, past row level security: only for a login that sees every
    /// row, see [`Users::login_sees_all`].
    ///
    /// # Errors
    /// The database's, or that it did not answer.
    pub async fn has_row(&self, id: Uuid) -> Result<bool, Cause> {
        let schema = quoted(&self.schema);
        let sql = format!("SELECT EXISTS (SELECT FROM {schema}.users WHERE id = $1::text::uuid)");
        let rows = self.rows(&sql, &[(&id.to_string(), Type::TEXT)]).await?;
        rows.first().map_or(Ok(false), |row| column(row, 0))
    }

    async fn columns(&self, users: &Users) -> Result<Vec<Column>, Cause> {
        let sql = "
            SELECT a.attname::text, format_type(a.atttypid, a.atttypmod),
                CASE a.attname WHEN 'id' THEN coalesce(nullif(t.typbasetype, 0), t.oid) = 'uuid'::regtype
                    ELSE t.typcategory = 'S' END,
                t.typcategory = 'S',
                coalesce(has_column_privilege(r.oid, a.attrelid, a.attnum, 'SELECT'), false),
                coalesce(has_column_privilege(r.oid, a.attrelid, a.attnum, 'UPDATE'), false)
            FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
            LEFT JOIN pg_roles r ON r.rolname = 'authenticated'
            WHERE a.attrelid = $1 AND a.attname IN ('id', 'full_name')
                AND a.attnum > 0 AND NOT a.attisdropped";
        let rows = self.rows(sql, &[(&users.oid, Type::OID)]).await?;
        rows.iter()
            .map(|row| {
                Ok(Column {
                    name: column(row, 0)?,
                    sql_type: column(row, 1)?,
                    fits: column(row, 2)?,
                    is_text: column(row, 3)?,
                    readable: column(row, 4)?,
                    writable: column(row, 5)?,
                })
            })
            .collect()
    }

    async fn shows(&self, users: &Users) -> Result<Vec<Shown>, Cause> {
        // Views that read as the caller may stand on one another.
        let sql = "
            WITH RECURSIVE behind (view, relation, attribute) AS (
                SELECT w.ev_class, d.refobjid, d.refobjsubid
                FROM pg_rewrite w JOIN pg_depend d ON d.objid = w.oid
                WHERE w.ev_class = $1 AND d.classid = 'pg_rewrite'::regclass
                    AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> w.ev_class
                UNION
                SELECT w.ev_class, d.refobjid, d.refobjsubid
                FROM behind JOIN pg_class c ON c.oid = behind.relation
                JOIN pg_rewrite w ON w.ev_class = c.oid JOIN pg_depend d ON d.objid = w.oid
                WHERE c.relkind = 'v' AND d.classid = 'pg_rewrite'::regclass
                    AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> w.ev_class
                    AND EXISTS (SELECT FROM pg_options_to_table(c.reloptions) o
                        WHERE o.option_name = 'security_invoker' AND o.option_value::bool))
            SELECT DISTINCT format('%I.%I', n.nspname, c.relname), quote_ident(a.attname),
                t.typcategory = 'S',
                coalesce(has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT'), false),
                coalesce(has_column_privilege(r.oid, c.oid, a.attnum, 'UPDATE'), false)
            FROM behind JOIN pg_class c ON c.oid = relation JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = attribute AND a.attnum > 0
            JOIN pg_type t ON t.oid = a.atttypid
            LEFT JOIN pg_roles r ON r.rolname = 'authenticated'
            ORDER BY 1, 2";
        let rows = self.rows(sql, &[(&users.oid, Type::OID)]).await?;
        rows.iter()
            .map(|row| {
                Ok(Shown {
                    table: column(row, 0)?,
                    column: column(row, 1)?,
                    is_text: column(row, 2)?,
                    readable: column(row, 3)?,
                    writable: column(row, 4)?,
                })
            })
            .collect()
    }

    async fn policies(&self, users: &Users) -> Result<Vec<Policy>, Cause> {
        let sql = "
            SELECT p.polname::text,
                CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                    WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
                p.polpermissive,
                ARRAY(SELECT CASE o WHEN 0 THEN 'public' ELSE pg_get_userbyid(o)::text END
                    FROM unnest(p.polroles) o),
                EXISTS (SELECT FROM unnest(p.polroles) o
                    WHERE o = 0 OR coalesce(pg_has_role(r.oid, o, 'USAGE'), false)),
                quote_ident(p.polname),
                ARRAY(SELECT a.attname::text FROM pg_depend d
                    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                    WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid
                        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p.polrelid)
            FROM pg_policy p LEFT JOIN pg_roles r ON r.rolname = 'authenticated'
            WHERE p.polrelid = $1 ORDER BY 1";
        let rows = self.rows(sql, &[(&users.oid, Type::OID)]).await?;
        rows.iter()
            .map(|row| {
                Ok(Policy {
                    name: column(row, 0)?,
                    command: column(row, 1)?,
                    permissive: column(row, 2)?,
                    roles: column(row, 3)?,
                    applies: column(row, 4)?,
                    quoted: column(row, 5)?,
                    columns: column(row, 6)?,
                })
            })
            .collect()
    }
}
