//! Our clock against others', whatever time the question took.

use std::time::Duration;

use super::{Check, Database, Finding, Setup, Tell, finding::unanswered};
use crate::{auth::Sent, db::inspect::ClockReading};

/// What to do about a clock that is wrong.
const SET_CLOCKS: &str = "let both machines take their time from the network (NTP)";

/// A span of time, seconds since 1970: when something happened, as far as is known.
#[derive(Clone, Copy)]
struct Span {
    from: f64,
    to: f64,
}

impl Span {
    /// How far the other span is ahead of this one, in seconds; less than zero behind, zero where
    /// they may be the same.
    fn ahead(self, other: Self) -> f64 {
        if other.from > self.to { other.from - self.to } else { (other.to - self.from).min(0.0) }
    }
}

/// The database's clock, which policies and the session check go by.
pub(super) async fn database(setup: &Setup, database: &Database, tell: Tell<'_>) {
    let check = Check::DatabaseClock;
    let Some(inspector) = &database.inspector else {
        return tell(check.skipped("there is no connection to the database"));
    };
    let ClockReading { ours: (asked, answered), theirs } = match inspector.clock().await {
        Ok(reading) => reading,
        Err(cause) => return tell(unanswered(check, &cause)),
    };
    let ours = Span { from: asked, to: answered };
    let ahead = ours.ahead(Span { from: theirs, to: theirs });
    if ahead.abs() > setup.config.auth.clock_skew.as_secs_f64().max(1.0) {
        return tell(check.warning(text(ahead)).hint(SET_CLOCKS));
    }
    tell(check.ok(text(ahead)));
}

/// The issuer's clock, by which tokens expire. `ours` is before the question and after the answer.
pub(super) fn issuer(setup: &Setup, ours: (f64, f64), sent: Option<Sent>) -> Finding {
    let check = Check::IssuerClock;
    let Some(sent) = sent else {
        return check.skipped("the key address does not say what time it has");
    };
    let ours = Span { from: ours.0, to: ours.1 };
    let ahead = ours.ahead(Span { from: sent.from, to: sent.to });
    let skew = setup.config.auth.clock_skew;
    if ahead.abs() > skew.as_secs_f64() {
        let allowed = humantime::format_duration(Duration::from_secs(skew.as_secs()));
        let what = if ahead > 0.0 { "new tokens are not valid yet" } else { "tokens expire early" };
        let message = format!("{}, and JWT_CLOCK_SKEW allows {allowed}: {what}", text(ahead));
        return check.failed(message).hint(SET_CLOCKS);
    }
    if ahead.abs() > skew.as_secs_f64() / 2.0 {
        return check.warning(text(ahead)).hint(SET_CLOCKS);
    }
    check.ok(text(ahead))
}

fn text(ahead: f64) -> String {
    let apart = ahead.abs();
    match ahead {
        _ if apart < 0.1 => "agrees with ours".to_owned(),
        ahead if ahead > 0.0 => format!("{apart:.1} s ahead of ours"),
        _ => format!("{apart:.1} s behind ours"),
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn spans_that_overlap_may_be_the_same_moment() {
        let ours = Span { from: 10.0, to: 12.0 };
        for (from, to, ahead) in [
            (11.0, 11.0, 0.0),
            (9.0, 10.0, 0.0),
            (12.0, 13.0, 0.0),
            (0.0, 100.0, 0.0),
            (15.0, 16.0, 3.0),
            (5.0, 6.0, -4.0),
        ] {
            assert_eq!(ours.ahead(Span { from, to }), ahead, "{from}..{to}");
        }
    }
}
