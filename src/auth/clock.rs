//! The time that tokens, caches and key refreshes are measured by.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{sync::watch, time::Instant};

/// A source of time: the system's, or one that stands still until it is moved on.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<Settable>>);

#[derive(Debug)]
struct Settable {
    unix: f64,
    started: Instant,
    elapsed: watch::Sender<Duration>,
}

impl Clock {
    /// The system's time.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands at so many seconds after 1970 until [`Clock::advance`] moves it.
    pub fn standing_at(unix: u32) -> Self {
        let elapsed = watch::Sender::new(Duration::ZERO);
        let settable = Settable { unix: unix.into(), started: Instant::now(), elapsed };
        Self(Some(Arc::new(settable)))
    }

    /// Moves a standing clock on, for all its clones. The system's clock does not care.
    pub fn advance(&self, by: Duration) {
        if let Some(clock) = &self.0 {
            clock.elapsed.send_modify(|elapsed| *elapsed += by);
        }
    }

    /// Seconds since 1970, as RFC 7519 counts them (`NumericDate`).
    pub fn unix(&self) -> f64 {
        match &self.0 {
            Some(clock) => clock.unix + clock.elapsed.borrow().as_secs_f64(),
            // A clock before 1970 makes every token one from the future: refused.
            None => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
        }
    }

    /// A moment on a scale that never goes back.
    pub fn instant(&self) -> Instant {
        match &self.0 {
            Some(clock) => clock.started + *clock.elapsed.borrow(),
            None => Instant::now(),
        }
    }

    /// Waits until this clock has moved on by `duration` since `begun`, however far that is.
    pub async fn sleep(&self, begun: Instant, duration: Duration) {
        let left = |now: Instant| duration.saturating_sub(now.saturating_duration_since(begun));
        let Some(clock) = &self.0 else {
            return tokio::time::sleep(left(Instant::now())).await;
        };
        let is_over = |elapsed: &Duration| left(clock.started + *elapsed).is_zero();
        // Fails only when the sender is gone, and `clock` holds it.
        let _ = clock.elapsed.subscribe().wait_for(is_over).await;
    }
}
