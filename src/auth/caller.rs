//! Who calls: a type that only this module's parent can make, and that the inner code demands.

use std::{fmt, sync::Arc};

use tokio::time::Instant;
use tonic::Request;
use uuid::Uuid;

use crate::error::{Error, Reason};

/// What `auth.jwt()` returns to a caller without a token.
const ANON_CLAIMS: &str = r#"{"role":"anon"}"#;

/// The database role that a call works as. There are no others: `service_role` is never one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A public method, called without a token.
    Anon,
    /// A signed-in user, anonymous sign-ins included.
    Authenticated,
}

impl Role {
    /// The role's name in PostgreSQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anon => "anon",
            Self::Authenticated => "authenticated",
        }
    }
}

/// The verified caller of one call. Its fields are filled by `auth` alone.
#[derive(Clone)]
pub struct Caller {
    pub(super) role: Role,
    pub(super) id: Option<Uuid>,
    pub(super) session: Option<Uuid>,
    pub(super) claims: Arc<str>,
    pub(super) deadline: Instant,
}

impl Caller {
    /// Somebody of whom nothing is known: `anon`, who may do what everybody may.
    pub fn stranger(deadline: Instant) -> Self {
        let claims = Arc::from(ANON_CLAIMS);
        Self { role: Role::Anon, id: None, session: None, claims, deadline }
    }

    /// Takes the caller out of a request, and the message with it.
    ///
    /// # Errors
    /// `INTERNAL` when the request has none: then the service was reached past its guard.
    pub fn take<T>(mut request: Request<T>) -> Result<(Self, T), Error> {
        let caller = request.extensions_mut().remove::<Self>();
        let cause = "a request without a caller: the service stands outside its guard";
        let caller = caller.ok_or_else(|| Error::new(Reason::Internal).because(cause))?;
        Ok((caller, request.into_inner()))
    }

    /// The role that the caller's queries run as.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The user's id (`auth.users.id`, the token's `sub`); `None` without a token.
    pub fn id(&self) -> Option<Uuid> {
        self.id
    }

    /// The session that the token belongs to; tokens of other issuers have none.
    pub fn session(&self) -> Option<Uuid> {
        self.session
    }

    /// The verified claims as JSON text: what `auth.jwt()` returns in a policy.
    pub fn claims(&self) -> &str {
        &self.claims
    }

    /// When the call's answer is no longer wanted.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }
}

/// Without the claims: they hold names and addresses.
impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("role", &self.role)
            .field("id", &self.id)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
