//! One thing that was looked at.

use std::fmt;

use serde::{Serialize, Serializer};

/// What was looked at. The names are for scripts too: they stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The database's host resolves and can be reached.
    Address,
    /// The way to the database is encrypted, and the server known.
    Tls,
    /// The server accepts the login.
    Login,
    /// The login has no more rights than the service needs.
    Rights,
    /// The login may become `anon` and `authenticated`, whom row level security binds.
    Roles,
    /// There is a table `users`.
    Users,
    /// It has the columns that the service reads and writes.
    Columns,
    /// `authenticated` may read and change them.
    Grants,
    /// Row level security is on.
    RowSecurity,
    /// Policies let a user see and change a row.
    Policies,
    /// A policy.
    Policy,
    /// `auth.uid()` is there.
    AuthUid,
    /// Which migrations were applied.
    Migrations,
    /// What `SESSION_CHECK` asks is there.
    SessionCheck,
    /// The database's clock.
    DatabaseClock,
    /// The project's keys can be fetched.
    Keys,
    /// A key of the project.
    Key,
    /// The secret of HS256 tokens.
    Secret,
    /// The issuer and audience of tokens.
    Issuer,
    /// The issuer's clock.
    IssuerClock,
    /// The token on standard input.
    Token,
    /// The name that a call with it returns.
    Name,
}

impl Check {
    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Tls => "tls",
            Self::Login => "login",
            Self::Rights => "rights",
            Self::Roles => "roles",
            Self::Users => "users",
            Self::Columns => "columns",
            Self::Grants => "grants",
            Self::RowSecurity => "row-security",
            Self::Policies => "policies",
            Self::Policy => "policy",
            Self::AuthUid => "auth.uid",
            Self::Migrations => "migrations",
            Self::SessionCheck => "session-check",
            Self::DatabaseClock => "database-clock",
            Self::Keys => "keys",
            Self::Key => "key",
            Self::Secret => "secret",
            Self::Issuer => "issuer",
            Self::IssuerClock => "issuer-clock",
            Self::Token => "token",
            Self::Name => "name",
        }
    }

    /// It is as it should be.
    pub(super) fn ok(self, message: impl Into<String>) -> Finding {
        self.is(Status::Ok, message)
    }

    /// It works, and could be better or safer.
    pub(super) fn warning(self, message: impl Into<String>) -> Finding {
        self.is(Status::Warning, message)
    }

    /// It makes calls fail, or opens more than it should.
    pub(super) fn failed(self, message: impl Into<String>) -> Finding {
        self.is(Status::Failed, message)
    }

    /// It was not looked at, and why.
    pub(super) fn skipped(self, why: impl Into<String>) -> Finding {
        self.is(Status::Skipped, why)
    }

    fn is(self, status: Status, message: impl Into<String>) -> Finding {
        Finding { check: self, status, message: message.into(), hint: None }
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, and could be better or safer.
    Warning,
    /// Calls fail, or more is open than should be.
    Failed,
    /// Not looked at.
    Skipped,
}

/// What was found out about one thing. It holds no secret and no token.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How it is.
    pub status: Status,
    /// What is so.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

impl Finding {
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// A question that the database did not answer.
pub(super) fn unanswered(check: Check, cause: impl fmt::Display) -> Finding {
    check
        .failed(format!("the database gave no answer: {cause}"))
        .hint("is it busy, or was the connection lost? Try again")
}

/// Who is told of findings.
pub(super) type Tell<'a> = &'a mut dyn FnMut(Finding);
