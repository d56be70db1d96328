//! How a measured figure is printed: `name ratio limit pass|FAIL`.

/// The least or the most that a figure may be.
#[derive(Clone, Copy)]
#[expect(dead_code, reason = "no bench has figures of every kind")]
pub enum Limit {
    AtLeast(f64),
    AtMost(f64),
    /// Reported, without a limit.
    None,
}

/// Prints a figure beside its limit.
pub fn print(name: &str, ratio: f64, limit: Limit) {
    let (limit, passes) = match limit {
        Limit::AtLeast(least) => (format!(">={least}"), ratio >= least),
        Limit::AtMost(most) => (format!("<={most}"), ratio <= most),
        Limit::None => ("-".to_owned(), true),
    };
    println!("{name} {ratio:.2} {limit} {}", if passes { "pass" } else { "FAIL" });
}

/// The middle of some measurements.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
