//! Tries a call again while the service says UNAVAILABLE, and never past the deadline.

use std::{error::Error as _, future::Future, io, iter, time::Duration};

use tokio::{
    select,
    time::{Instant, sleep},
};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// How often and how fast. For calls that may be done twice: all that read, and writes that set.
#[derive(Clone, Debug)]
pub struct Retry {
    /// How many tries in all.
    pub tries: u32,
    /// The longest that one try may take.
    pub each: Duration,
    /// The longest pause after the first try; it doubles with each further one …
    pub first_pause: Duration,
    /// … up to this.
    pub longest_pause: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            tries: 5,
            each: Duration::from_secs(3),
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(2),
        }
    }
}

impl Retry {
    /// Calls until there is an answer, tries or time are used up, or trying again would not help.
    /// `call` gets the time that its try has.
    ///
    /// # Errors
    ///
    /// The last try's status; `DEADLINE_EXCEEDED` where it did not end in its time. That is not
    /// tried again: a service that is too slow does not get faster by more calls.
    pub async fn until<T, F>(
        &self,
        deadline: Instant,
        mut call: impl FnMut(Duration) -> F,
    ) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let mut longest_pause = self.first_pause;
        let mut tries = 0;
        loop {
            let time = self.each.min(left(deadline));
            let ended = select! {
                biased; // tonic's own limit ends at the same moment, and says CANCELLED
                () = sleep(time) => Err(Status::deadline_exceeded("no answer in time")),
                ended = call(time) => ended,
            };
            let status = match ended {
                Ok(answer) => return Ok(answer),
                Err(status) if lost_connection(&status) => {
                    Status::unavailable(format!("the connection was lost: {}", status.message()))
                }
                Err(status) => status,
            };
            tries += 1;
            if status.code() != Code::Unavailable || tries == self.tries {
                return Err(status);
            }
            let pause = asked(&status) + longest_pause.mul_f64(fastrand::f64());
            if pause >= left(deadline) {
                return Err(status);
            }
            sleep(pause).await;
            longest_pause = (longest_pause * 2).min(self.longest_pause);
        }
    }
}

/// The least time that the service wants us to wait: `google.rpc.RetryInfo`.
fn asked(status: &Status) -> Duration {
    status.get_details_retry_info().and_then(|info| info.retry_delay).unwrap_or_default()
}

/// Whether the connection ended under the call: UNAVAILABLE in gRPC, but tonic says CANCELLED for a
/// call that had not been sent, and UNKNOWN for one that had.
fn lost_connection(status: &Status) -> bool {
    let mut causes = iter::successors(status.source(), |&error| error.source());
    matches!(status.code(), Code::Cancelled | Code::Unknown)
        && causes.any(|cause| {
            cause.is::<io::Error>()
                || cause.downcast_ref().is_some_and(|it: &hyper::Error| it.is_canceled())
        })
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
