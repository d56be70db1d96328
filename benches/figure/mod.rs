//! How a measured figure is printed: `name ratio limit pass|FAIL`.

use std::{
    fmt::Debug,
    ops::{Bound, RangeBounds},
};

/// Prints the median of what was measured beside its limit: `0.8..` for at least, `..=1.5` for at
/// most, `..` for none. Returns whether it is within.
pub fn print(name: &str, mut measured: Vec<f64>, limits: impl RangeBounds<f64> + Debug) -> bool {
    measured.sort_by(f64::total_cmp);
    let ratio = measured[measured.len() / 2];
    let limit = match (limits.start_bound(), limits.end_bound()) {
        (Bound::Unbounded, Bound::Unbounded) => "-".to_owned(),
        (Bound::Included(least), _) => format!(">={least}"),
        (_, Bound::Included(most)) => format!("<={most}"),
        _ => format!("{limits:?}"),
    };
    let passes = limits.contains(&ratio);
    println!("{name} {ratio:.2} {limit} {}", if passes { "pass" } else { "FAIL" });
    passes
}
