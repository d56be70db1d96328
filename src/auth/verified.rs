//! A token that passed every check.

use std::{fmt, sync::Arc};

use uuid::Uuid;

use super::claims::Claims;

/// What a verified token says. Cheap to clone.
#[derive(Clone)]
pub struct Verified(Arc<Inner>);

struct Inner {
    claims: Claims,
    text: Arc<str>,
}

impl Verified {
    pub(super) fn new(claims: Claims, text: &str) -> Self {
        Self(Arc::new(Inner { claims, text: text.into() }))
    }

    /// The user's id: `sub`.
    pub fn subject(&self) -> Uuid {
        self.0.claims.subject
    }

    /// The session that the token belongs to: `session_id`, which tokens of other issuers lack.
    pub fn session(&self) -> Option<Uuid> {
        self.0.claims.session
    }

    /// Whether the user signed in anonymously: `is_anonymous`.
    pub fn is_anonymous(&self) -> bool {
        self.0.claims.anonymous
    }

    /// Whether the session has a second factor: `aal` of `aal2` or `aal3`.
    pub fn has_second_factor(&self) -> bool {
        self.0.claims.second_factor
    }

    /// The claims as the issuer wrote them, JSON.
    pub fn claims(&self) -> &Arc<str> {
        &self.0.text
    }

    pub(super) fn times(&self) -> &super::claims::Times {
        &self.0.claims.times
    }

    /// The memory behind the handle.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<Inner>() + self.0.text.len()
    }
}

/// Without the claims: they hold names and addresses.
impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").field("subject", &self.subject()).finish_non_exhaustive()
    }
}
