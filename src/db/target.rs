//! Where the database is and how to get there: `DATABASE_URL`, or `PGHOST`, `PGUSER`, ….

mod parameters;
mod read;
#[cfg(test)]
mod tests;
mod url;

use std::{fmt, path::PathBuf, time::Duration};

use tokio_postgres::Config;

use super::tls::{Tls, Verification};

/// What a connection is pooled by on its way, and so what may be kept between transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolMode {
    /// A session of its own: a direct connection, or a pooler in session mode.
    Session,
    /// A pooler in transaction mode: each transaction may meet another server session.
    Transaction,
}

/// `sslmode`, as libpq defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SslMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// `target_session_attrs`, as libpq defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SessionAttrs {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Keepalive {
    pub(super) idle: Duration,
    pub(super) interval: Duration,
    pub(super) count: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// A name or an IP address.
    Host(String),
    /// The folder of a Unix socket.
    Socket(PathBuf),
}

/// One server to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) address: Address,
    pub(super) port: u16,
    pub(super) ssl_mode: SslMode,
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        })
    }
}

impl fmt::Display for SessionAttrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any",
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
            Self::Primary => "primary",
            Self::Standby => "standby",
            Self::PreferStandby => "prefer-standby",
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Host(name) if name.contains(':') => write!(f, "[{name}]:{}", self.port),
            Address::Host(name) => write!(f, "{name}:{}", self.port),
            Address::Socket(folder) => write!(f, "{}/.s.PGSQL.{}", folder.display(), self.port),
        }
    }
}

/// The database: its addresses, the login, and how the way there is secured.
#[derive(Clone)]
pub struct Target {
    pub(super) hosts: Vec<Host>,
    /// The login and what the server is told at the start; the hosts are not in it.
    pub(super) login: Config,
    pub(super) tls: Tls,
    pub(super) verified: Verification,
    pub(super) session_attrs: SessionAttrs,
    pub(super) connect_timeout: Duration,
    pub(super) keepalive: Option<Keepalive>,
    pool_mode: PoolMode,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

impl Target {
    /// Reads the target from a connection URL in the variable `name`, completed by libpq's `PG…`
    /// variables, as `lookup` finds them. Reads the file that `sslrootcert` names.
    ///
    /// # Errors
    /// All that is wrong, a sentence each, without any part of the password.
    pub fn read(name: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<String>> {
        read::target(name, lookup)
    }

    /// How the database is pooled as far as the address tells: port 6543 and `?pgbouncer=true`
    /// mean transaction mode.
    pub fn pool_mode(&self) -> PoolMode {
        self.pool_mode
    }
}
