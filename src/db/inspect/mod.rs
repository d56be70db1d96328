//! What `user-service check` asks the database: the way there step by step, then the catalogue.
//!
//! It asks as the login itself, on a session of its own, since a login that may not become a caller
//! has no place in the pool. Each question is a transaction that reads, so that a pooler in
//! transaction mode takes it; none comes from outside.

mod attempt;
mod migrations;
mod users;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::timeout;
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use super::{
    Cause, Settings,
    search_path::SearchPath,
    server,
    session::{Session, no_answer},
};

pub use attempt::{Attempt, attempts};
pub use migrations::Record;
pub use users::{Column, Kind, Policy, Shown, Users};

/// How long the answer to a question may take. The server gives up a little sooner.
const LIMIT: Duration = Duration::from_secs(5);

/// Begins a question's transaction: names mean PostgreSQL's own, whatever the login has set.
const BEGIN: &str =
    "BEGIN READ ONLY; SET LOCAL search_path = pg_catalog; SET LOCAL statement_timeout = '4s'";

/// A login's session, to ask about the database.
pub struct Inspector {
    session: Session,
    schema: String,
    /// A question had no answer: the next ones do not wait for theirs.
    silent: AtomicBool,
}

/// The server, and what the service is to it.
#[derive(Clone, Debug)]
pub struct Server {
    /// The role that the service logs in as.
    pub login: String,
    /// The same as SQL has it: quoted, where it has to be.
    pub quoted_login: String,
    /// The server's version.
    pub version: String,
    /// `anon` and `authenticated`.
    pub roles: Vec<CallerRole>,
}

/// A role that calls work as.
#[derive(Clone, Debug)]
pub struct CallerRole {
    /// Its name.
    pub name: String,
    /// Whether there is such a role.
    pub exists: bool,
    /// Whether the login may take its place.
    pub may_become: bool,
    /// Whether row level security does not bind it: a superuser, or one with `BYPASSRLS`.
    pub unbound: bool,
}

/// `auth.uid()`, which policies ask for the caller's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthUid {
    /// There is none.
    Missing,
    /// It is there, but `authenticated` may not call it, or it returns no uuid.
    Unusable,
    /// Policies can use it.
    Usable,
}

/// Two readings of our clock, seconds since 1970, and of the server's between them.
#[derive(Clone, Copy, Debug)]
pub struct ClockReading {
    /// Ours before the question and after the answer.
    pub ours: (f64, f64),
    /// The server's.
    pub theirs: f64,
}

type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

impl Inspector {
    fn new(session: Session, settings: &Settings) -> Self {
        Self { session, schema: settings.schema.clone(), silent: AtomicBool::new(false) }
    }

    /// Whether the server takes no changes.
    pub fn is_read_only(&self) -> bool {
        self.session.read_only
    }

    /// Asks why calls cannot use the schema of the settings: then they get no connection.
    ///
    /// # Errors
    /// The database's, or that it did not answer.
    pub async fn unusable(&self) -> Result<Option<String>, Cause> {
        let [head, tail] = server::SCHEMA;
        let rows = self.rows(&format!("{head}$1{tail}"), &[(&self.schema, Type::TEXT)]).await?;
        rows.first().map_or(Ok(None), |row| column(row, 0))
    }

    /// Asks for the server's version, the login and the roles of callers.
    ///
    /// # Errors
    /// The database's, or that it did not answer.
    pub async fn server(&self) -> Result<Server, Cause> {
        // From PostgreSQL 16 on a member may have been given a role without the right to take it.
        let sql = "
            SELECT session_user::text, split_part(current_setting('server_version'), ' ', 1), r.oid IS NOT NULL,
                coalesce(CASE WHEN current_setting('server_version_num')::int >= 160000
                    THEN pg_has_role(session_user, r.oid, 'SET')
                    ELSE pg_has_role(session_user, r.oid, 'MEMBER') END, false),
                coalesce(r.rolsuper OR r.rolbypassrls, false), caller.name,
                quote_ident(session_user)
            FROM (VALUES ('anon'), ('authenticated')) AS caller (name)
            LEFT JOIN pg_roles r ON r.rolname = caller.name";
        let mut server = Server {
            login: String::new(),
            quoted_login: String::new(),
            version: String::new(),
            roles: Vec::new(),
        };
        for row in self.rows(sql, &[]).await? {
            server.login = column(&row, 0)?;
            server.version = column(&row, 1)?;
            server.quoted_login = column(&row, 6)?;
            server.roles.push(CallerRole {
                exists: column(&row, 2)?,
                may_become: column(&row, 3)?,
                unbound: column(&row, 4)?,
                name: column(&row, 5)?,
            });
        }
        Ok(server)
    }

    /// Asks for `auth.uid()`.
    ///
    /// # Errors
    /// The database's, or that it did not answer.
    pub async fn auth_uid(&self) -> Result<AuthUid, Cause> {
        let sql = "
            SELECT coalesce(p.prorettype = 'uuid'::regtype
                AND has_schema_privilege(r.oid, n.oid, 'USAGE')
                AND has_function_privilege(r.oid, p.oid, 'EXECUTE'), false)
            FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            LEFT JOIN pg_roles r ON r.rolname = 'authenticated'
            WHERE n.nspname = 'auth' AND p.proname = 'uid' AND p.pronargs = 0";
        Ok(match self.rows(sql, &[]).await?.first() {
            None => AuthUid::Missing,
            Some(row) if column(row, 0)? => AuthUid::Usable,
            Some(_) => AuthUid::Unusable,
        })
    }

    /// Reads the server's clock.
    ///
    /// # Errors
    /// The database's, or that it did not answer.
    pub async fn clock(&self) -> Result<ClockReading, Cause> {
        let sql = "SELECT extract(epoch FROM clock_timestamp())::float8";
        let asked = unix();
        // One flight: what travels before the question would count as the clocks' difference.
        let rows = self.in_time(self.session.client.query_typed(sql, &[])).await?;
        let ours = (asked, unix());
        let row = rows.first().ok_or_else(|| Cause::from("no answer".to_owned()))?;
        Ok(ClockReading { ours, theirs: column(row, 0)? })
    }

    /// Asks one question.
    async fn rows(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Cause> {
        let client = &self.session.client;
        self.in_time(async {
            client.batch_execute(BEGIN).await?;
            let rows = client.query_typed(sql, parameters).await;
            client.batch_execute("ROLLBACK").await?;
            rows
        })
        .await
    }

    /// Plans a statement as `authenticated`, under the search path of calls: permissions are checked,
    /// and whether a view can be changed, and nothing is run. `None` where nothing is against it, as
    /// far as the login can tell.
    async fn plan(&self, statement: &str) -> Result<Option<Cause>, Cause> {
        let client = &self.session.client;
        let path = SearchPath::new(&self.schema);
        let begin = format!(
            "{BEGIN}; SET LOCAL lock_timeout = '1s'; SET LOCAL search_path = {path};
             SET LOCAL \"request.jwt.claims\" = '{{\"role\": \"authenticated\"}}'; SET LOCAL ROLE authenticated"
        );
        self.in_time(async {
            let refused = match client.batch_execute(&begin).await {
                Ok(()) => client.query_typed(&format!("EXPLAIN {statement}"), &[]).await.err(),
                Err(_) => None, // a login that may not become `authenticated` cannot tell
            };
            client.batch_execute("ROLLBACK").await?;
            Ok(refused.map(|error| (&error).into()))
        })
        .await
    }

    async fn in_time<T>(
        &self,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Cause> {
        if self.silent.load(Ordering::Relaxed) {
            return Err("it gave none to the question before".to_owned().into());
        }
        match timeout(LIMIT, asked).await {
            Ok(answer) => answer.map_err(|error| (&error).into()),
            Err(_) => {
                self.silent.store(true, Ordering::Relaxed);
                Err(no_answer(LIMIT))
            }
        }
    }
}

fn column<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, at: usize) -> Result<T, Cause> {
    row.try_get(at).map_err(|error| (&error).into())
}

fn unix() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
