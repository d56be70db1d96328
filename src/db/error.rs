//! Why work in the database failed.

use std::{error::Error as StdError, fmt, sync::Arc};

use diesel::result::{DatabaseErrorKind, Error as DieselError, UnexpectedNullError};

use super::sqlstate::SqlState;
use crate::error::{self, Reason};

/// Why work in the database failed. The text is for the log: it never holds a bound value, a
/// server's detail or its hint.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No connection could be had, or it was lost before the answer came. Whether the work of a
    /// `write` was done is then not known.
    #[error("{0}")]
    Unavailable(Cause),
    /// As many calls wait for a connection as may.
    #[error("too many calls wait for a connection")]
    Overloaded,
    /// The call's deadline passed first.
    #[error("the deadline passed")]
    Deadline,
    /// The server takes no changes: a standby, or switched to read only.
    #[error("the database is read only")]
    ReadOnly,
    /// The database does not allow this to the caller: a policy's `WITH CHECK`, a missing grant.
    #[error("{0}")]
    Denied(Cause),
    /// Anything else that a statement failed with.
    #[error("{0}")]
    Query(Cause),
}

impl From<Error> for error::Error {
    fn from(error: Error) -> Self {
        let reason = match error {
            Error::Unavailable(_) => Reason::DatabaseUnavailable,
            Error::Overloaded => Reason::Overloaded,
            Error::Deadline => Reason::Deadline,
            Error::ReadOnly => Reason::DatabaseReadOnly,
            Error::Denied(_) => Reason::AccessDenied,
            Error::Query(_) => Reason::Internal,
        };
        Self::new(reason).because(error)
    }
}

impl Error {
    /// What a query of the caller failed with; `sqlstate` is what the server gave first.
    pub(super) fn of_query(error: &DieselError, sqlstate: Option<SqlState>, writes: bool) -> Self {
        match Self::of_frame(error, sqlstate) {
            Self::Query(cause) => match cause.code() {
                SqlState::INSUFFICIENT_PRIVILEGE => Self::Denied(cause),
                // Writing where only reading was begun is a mistake of ours, not the server's state.
                SqlState::READ_ONLY_TRANSACTION if writes => Self::ReadOnly,
                _ => Self::Query(cause),
            },
            other => other,
        }
    }

    /// What `BEGIN` failed with, the first statement of a call.
    pub(super) fn of_begin(error: &DieselError, sqlstate: Option<SqlState>) -> Self {
        match Self::of_frame(error, sqlstate) {
            // 57P: the server shuts down, or has ended the session.
            Self::Unavailable(cause)
                if cause.lost_connection || cause.code().starts_with("57P") =>
            {
                Self::Unavailable(Cause { not_begun: true, ..cause })
            }
            other => other,
        }
    }

    /// What a statement of ours around the queries failed with: never the caller's fault.
    pub(super) fn of_frame(error: &DieselError, sqlstate: Option<SqlState>) -> Self {
        let cause = Cause::of(error, sqlstate);
        // Connection exception, insufficient resources, operator intervention.
        let unavailable = matches!(cause.class(), "08" | "53" | "57") && !cause.canceled();
        let locked = cause.code() == SqlState::LOCK_NOT_AVAILABLE;
        if cause.lost_connection || unavailable || locked {
            return Self::Unavailable(cause);
        }
        Self::Query(cause)
    }

    /// Whether the session was over before the call's transaction had begun.
    pub(super) fn is_not_begun(&self) -> bool {
        matches!(self, Self::Unavailable(cause) if cause.not_begun)
    }

    /// Whether the server is there, and has no room for one more connection.
    pub(super) fn is_full(&self) -> bool {
        matches!(self, Self::Unavailable(cause) if cause.code() == SqlState::TOO_MANY_CONNECTIONS)
    }

    /// The server's code, where it gave one.
    pub fn sqlstate(&self) -> Option<SqlState> {
        match self {
            Self::Unavailable(cause) | Self::Denied(cause) | Self::Query(cause) => cause.sqlstate(),
            Self::Overloaded | Self::Deadline | Self::ReadOnly => None,
        }
    }
}

/// What the log may know of a failure: `42501: permission denied for table users (table users)`.
#[derive(Clone, Debug)]
pub struct Cause {
    sqlstate: Option<SqlState>,
    text: Arc<str>,
    lost_connection: bool,
    not_begun: bool,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sqlstate {
            Some(code) => write!(f, "{code}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

impl From<String> for Cause {
    fn from(text: String) -> Self {
        Self { sqlstate: None, text: text.into(), lost_connection: false, not_begun: false }
    }
}

impl From<&tokio_postgres::Error> for Cause {
    fn from(error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            // Its own Display would add detail and hint.
            Some(told) => Self {
                sqlstate: SqlState::new(told.code().code().as_bytes()),
                ..told.message().to_owned().into()
            },
            // Its Display says where it failed, its sources say why.
            None => {
                let mut text = error.to_string();
                let mut source = StdError::source(error);
                while let Some(why) = source {
                    text = format!("{text}: {why}");
                    source = why.source();
                }
                Self { lost_connection: true, ..text.into() }
            }
        }
    }
}

impl Cause {
    fn of(error: &DieselError, sqlstate: Option<SqlState>) -> Self {
        let mut lost_connection = false;
        let text = match error {
            DieselError::DatabaseError(kind, told) => {
                lost_connection = matches!(
                    kind,
                    DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection
                );
                // PostgreSQL quotes the value in the message of a data exception (class 22).
                let quotes = sqlstate.is_some_and(|code| code.as_str().starts_with("22"));
                let message = if quotes { "a value is not acceptable" } else { told.message() };
                let places = [
                    ("table", told.table_name()),
                    ("column", told.column_name()),
                    ("constraint", told.constraint_name()),
                ];
                let places: Vec<_> = places
                    .iter()
                    .filter_map(|(kind, name)| Some(format!("{kind} {}", (*name)?)))
                    .collect();
                match places.as_slice() {
                    [] => message.to_owned(),
                    places => format!("{message} ({})", places.join(", ")),
                }
            }
            DieselError::NotFound => "no row".to_owned(),
            DieselError::DeserializationError(inner) if inner.is::<UnexpectedNullError>() => {
                "a column is NULL that its Rust type does not allow to be".to_owned()
            }
            DieselError::DeserializationError(_) => {
                "a value could not be read as its Rust type".to_owned()
            }
            DieselError::SerializationError(_) => "a value could not be bound".to_owned(),
            DieselError::QueryBuilderError(inner) => inner.to_string(),
            other => other.to_string(),
        };
        Self { sqlstate, lost_connection, ..text.into() }
    }

    /// The server's code, where it gave one.
    pub fn sqlstate(&self) -> Option<SqlState> {
        self.sqlstate
    }

    fn code(&self) -> &str {
        self.sqlstate.as_ref().map_or("", SqlState::as_str)
    }

    fn class(&self) -> &str {
        self.code().get(..2).unwrap_or_default()
    }

    /// Stopped by a timeout or a cancel request, though the server is well.
    fn canceled(&self) -> bool {
        self.code() == SqlState::QUERY_CANCELED
    }

    /// What a server told, in words that may be logged.
    pub(super) fn told(sqlstate: Option<SqlState>, text: String) -> Self {
        Self { sqlstate, ..text.into() }
    }

    /// Adds what happened elsewhere.
    pub(super) fn and(self, other: &Self) -> Self {
        Self { text: format!("{self}; {other}").into(), ..self }
    }

    /// Says where it happened.
    pub(super) fn at(self, place: impl fmt::Display) -> Self {
        Self { text: format!("{place}: {}", self.text).into(), ..self }
    }
}
