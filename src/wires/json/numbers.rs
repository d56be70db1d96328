//! The numbers of ProtoJSON: those of JSON (RFC 8259, section 6), bare or in a string, and the
//! names of the floats that JSON lacks. Read exactly: what is out of range is an error.

/// A number as JSON writes one.
struct Number<'t> {
    negative: bool,
    whole: &'t str,
    fraction: &'t str,
    /// The power of ten, bounded to where no number of a message begins or ends.
    exponent: i64,
}

/// An integer. A fraction of zeros and an exponent are fine (`1.0`, `1e2`), as long as the value is
/// one. `None` for all else, and for what is larger than any field.
pub(super) fn integer(text: &str) -> Option<i128> {
    let Number { negative, whole, fraction, exponent } = parse(text)?;
    let signed = |value: i128| if negative { -value } else { value };
    if fraction.is_empty() && exponent == 0 {
        return whole.parse().ok().map(signed);
    }
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let dropped = digits.len() - significant.len();
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }

    let length = |text: &str| i64::try_from(text.len()).ok();
    let zeros = exponent - length(fraction)? + i64::try_from(dropped).ok()?;
    // An i128 has 39 digits at most.
    if zeros < 0 || length(significant)? + zeros > 39 {
        return None;
    }
    let zeros = "0".repeat(usize::try_from(zeros).ok()?);
    format!("{significant}{zeros}").parse().ok().map(signed)
}

/// A double. `None` where it is no number, or too large for one.
pub(super) fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => {
            parse(text)?;
            text.parse().ok().filter(|value: &f64| value.is_finite())
        }
    }
}

/// A float. `None` where it is no number, or too large for one.
pub(super) fn float(text: &str) -> Option<f32> {
    match text {
        "NaN" => Some(f32::NAN),
        "Infinity" => Some(f32::INFINITY),
        "-Infinity" => Some(f32::NEG_INFINITY),
        _ => {
            parse(text)?;
            text.parse().ok().filter(|value: &f32| value.is_finite())
        }
    }
}

fn parse(text: &str) -> Option<Number<'_>> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, rest) = digits(rest)?;
    if whole.len() > 1 && whole.starts_with('0') {
        return None;
    }
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest)?,
        None => ("", rest),
    };
    let exponent = match rest.strip_prefix(['e', 'E']) {
        Some(rest) => exponent(rest)?,
        None if rest.is_empty() => 0,
        None => return None,
    };
    Some(Number { negative, whole, fraction, exponent })
}

fn exponent(text: &str) -> Option<i64> {
    const FAR: i64 = i64::MAX / 4;
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, "") = digits(rest)? else { return None };
    let value = digits.parse().unwrap_or(FAR).min(FAR);
    Some(if negative { -value } else { value })
}

/// One digit or more, and what stands behind them.
fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_integer_may_have_an_exponent_and_a_fraction_of_zeros() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("0.000e-7", 0),
            ("0e999999999999999999999999", 0),
            ("1.0", 1),
            ("1e2", 100),
            ("1E+2", 100),
            ("-1.25e2", -125),
            ("1200e-2", 12),
            ("1e18", 1_000_000_000_000_000_000),
            ("9007199254740993.0", 9_007_199_254_740_993),
            ("18446744073709551615", u64::MAX.into()),
        ] {
            assert_eq!(integer(text), Some(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_integer_is_none() {
        for text in [
            "",
            "-",
            "+1",
            "01",
            "-01",
            "1.",
            ".5",
            "1.5",
            "12e-1",
            "1e",
            "1e+",
            "1e1.0",
            " 1",
            "1 ",
            "0x10",
            "1_000",
            "NaN",
            "١",
            "1e20000",
            "1e999999999999999999999999",
            "1e-999999999999999999999999",
        ] {
            assert_eq!(integer(text), None, "{text}");
        }
    }

    #[test]
    fn floats_are_in_range_and_have_their_own_three_names() {
        assert_eq!(float("3.4028234e38"), Some(f32::MAX));
        assert_eq!(float("3.4028235e+38"), Some(f32::MAX));
        assert_eq!(double("1e-999999999"), Some(0.0));
        for text in ["1e39", "inf", "nan", "infinity", "+1", "1.", ".5", "Inf", "-NaN", "+Infinity"]
        {
            assert_eq!(float(text), None, "{text}");
        }
        for text in ["1e309", "inf", "nan", "-inf", "1e999999999"] {
            assert_eq!(double(text), None, "{text}");
        }
        assert!(double("NaN").is_some_and(f64::is_nan));
        assert_eq!(float("-Infinity"), Some(f32::NEG_INFINITY));
    }

    proptest! {
        #[test]
        fn any_integer_is_read_however_it_is_written(value in any::<i64>(), zeros in 0_usize..30) {
            let plain = value.to_string();
            prop_assert_eq!(integer(&plain), Some(value.into()));
            let shifted = format!("{plain}{}e-{zeros}", "0".repeat(zeros));
            let unshifted = if value == 0 { "0".to_owned() } else { shifted };
            prop_assert_eq!(integer(&unshifted), Some(value.into()));
            prop_assert_eq!(integer(&format!("{plain}.{}", "0".repeat(zeros + 1))), Some(value.into()));
        }
    }
}
