//! Why a token is not accepted, while it is still being looked at.

use crate::error::{Error, Reason};

use super::Digest;

/// The reason for the client and a sentence for the log. It holds nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: Reason,
    pub(super) cause: &'static str,
}

impl Refusal {
    pub(super) const fn new(reason: Reason, cause: &'static str) -> Self {
        Self { reason, cause }
    }

    /// The failure, its cause marked by eight hexadecimal digits of the token's hash: enough to
    /// find a client's calls in the log, useless to forge with.
    pub(super) fn into_error(self, digest: Option<Digest>) -> Error {
        let error = Error::new(self.reason);
        match digest {
            Some([a, b, c, d, ..]) => {
                error.because(format!("token {a:02x}{b:02x}{c:02x}{d:02x}: {}", self.cause))
            }
            None => error.because(self.cause),
        }
    }
}
