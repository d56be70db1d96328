//! How far an attempt to connect has come: where it failed tells what to mend.

use std::sync::{Arc, Mutex, PoisonError};

/// A step on the way to a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The host's name becomes addresses.
    #[default]
    Resolve,
    /// A socket is opened.
    Reach,
    /// TLS is negotiated, and the certificate verified where that is wanted.
    Secure,
    /// The server accepts the login.
    LogIn,
    /// It is what `target_session_attrs` asks for.
    Suit,
}

/// One attempt's progress, written while connecting. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<Mutex<(Step, bool)>>);

impl Progress {
    /// Notes that a step has begun, at an address where TLS is not established yet.
    pub(super) fn begins(&self, step: Step) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (step, false);
    }

    /// Notes that TLS is established.
    pub(super) fn is_secured(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (Step::LogIn, true);
    }

    /// Notes that the server has accepted the login.
    pub(super) fn is_logged_in(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = Step::Suit;
    }

    /// The step that began last.
    pub(super) fn step(&self) -> Step {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Whether TLS was established.
    pub(super) fn encrypted(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}
