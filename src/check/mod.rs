//! `user-service check`: whether the settings lead to a database and to keys that calls can work
//! with, and how to mend what does not.
//!
//! ```text
//! connection   the way to the database: address, TLS, login, its rights
//! tables       what is in the database: auth.uid(), migrations, session check
//! users        the table: columns, row level security, policies
//! grants       what authenticated may do with it
//! tokens       the project's keys, the secret, the issuer
//! clocks       ours against the database's and the issuer's
//! caller       with a token: the call that GetName makes
//! finding      one line of all that
//! report       how it is printed
//! ```

mod caller;
mod clocks;
mod connection;
mod finding;
mod grants;
mod report;
mod tables;
mod tokens;
mod users;

use std::time::Duration;

use crate::{
    app,
    auth::{Auth, Clock},
    config::Config,
    db::{self, Db},
    proto,
};

pub use finding::{Check, Finding, Status};
pub use report::{Format, Report};

use finding::Tell;

/// Looks at everything, as far as one thing lets the next be seen, and tells each finding as soon as
/// it is known. `owner` is the database as its owner reaches it, where that is a setting of its own;
/// `token` is what a user would send.
///
/// Every step has a time limit. Nothing is changed.
///
/// # Errors
/// Settings that `serve` would not start with: text for the operator.
pub async fn run(
    config: Config,
    owner: Option<db::Settings>,
    token: Option<&str>,
    tell: &mut dyn FnMut(Finding),
) -> Result<(), String> {
    let api = app::api(proto::DESCRIPTORS, &config.app).map_err(|error| error.to_string())?;
    let auth = Auth::new(config.auth.clone(), api.pool(), Clock::system());
    let auth = auth.map_err(|error| error.to_string())?;
    let setup = Setup { db: Db::new(config.database.clone()), config, auth };

    let database = connection::check(&setup, tell).await;
    let users = tables::check(&setup, &database, owner.as_ref(), tell).await;
    clocks::database(&setup, &database, tell).await;
    tokens::check(&setup, tell).await;
    match token {
        Some(token) => caller::check(&setup, &database, users.as_ref(), token, tell).await,
        None => caller::skip(tell),
    }
    Ok(())
}

/// What is looked at: the settings, and what `serve` would make of them.
struct Setup {
    config: Config,
    db: Db,
    auth: Auth,
}

impl Setup {
    /// Whether sessions are checked.
    fn checks_sessions(&self) -> bool {
        self.config.session_check.is_some()
    }

    /// How long a call may take.
    fn time(&self) -> Duration {
        self.config.app.request_timeout
    }
}

/// How far one got with the database.
struct Database {
    /// A session as the login, to ask the catalogue.
    inspector: Option<db::inspect::Inspector>,
    /// Why calls get no connection, where they get none: in few words.
    barred: Option<&'static str>,
    /// Why they cannot use the schema of the settings.
    unusable: Option<String>,
}
