//! Whether PostgreSQL's `jsonb` can hold a token's claims. What it cannot would make every policy
//! that asks `auth.jwt()` fail, long after the token was accepted.

use super::json::{Object, Value};

/// The longest number, in characters, and the longest exponent, in digits. `numeric` holds 16,383
/// digits behind the point; what is measured or counted anywhere has a few dozen.
const NUMBER_CHARS: usize = 1000;
const EXPONENT_DIGITS: usize = 3;

/// Tells whether `jsonb` holds this object, which was read from `text`.
pub(super) fn holds(object: &Object<'_>, text: &str) -> bool {
    // Both searches are the common way out. JSON can write U+0000 only as this escape, and only a
    // number with a point or an exponent, or a very long one, is read as a float.
    let has_nul = text.contains("\\u0000")
        && object.contains(&|name, value| {
            name.contains('\0') || matches!(value, Value::String(text) if text.contains('\0'))
        });
    let has_float = object.contains(&|_, value| matches!(value, Value::Float(_)));
    let is_outsized = has_float && has_outsized_number(text);
    !has_nul && !is_outsized
}

/// Looks at each number as it is written: once read, one that is too small is only a zero.
fn has_outsized_number(json: &str) -> bool {
    let outside = outside_strings(json);
    let is_of_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    outside.split(|byte| !is_of_number(byte)).any(|number| {
        let last_digits = number.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let has_exponent = number.iter().any(|byte| matches!(byte, b'e' | b'E'));
        number.len() > NUMBER_CHARS || (has_exponent && last_digits > EXPONENT_DIGITS)
    })
}

/// The text with every string blanked.
fn outside_strings(json: &str) -> Vec<u8> {
    let (mut inside, mut escaped) = (false, false);
    let outside = json.bytes().map(|byte| {
        let was_inside = inside;
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            _ => {}
        }
        if was_inside || inside { b' ' } else { byte }
    });
    outside.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_jsonb_refuses_is_found_and_nothing_else() {
        let held = [
            r#"{"a":[1,-2,3.5,0.0,1e5,-1E-300,123456789012345678901234567890]}"#.to_owned(),
            r#"{"a":"1e-20000","1e-20000":"\\u0000","b":0.1}"#.to_owned(),
            r#"{"a":"\"1e-20000","b":0.1}"#.to_owned(),
            format!(r#"{{"a":0.{}}}"#, "1".repeat(900)),
        ];
        let refused = [
            r#"{"a":1e-20000}"#.to_owned(),
            r#"{"a":[{"b":0E-99999}]}"#.to_owned(),
            r#"{"a":"\\","b":1e-20000}"#.to_owned(),
            format!(r#"{{"a":0.{}}}"#, "0".repeat(17_000)),
            r#"{"a":"\u0000"}"#.to_owned(),
            r#"{"\u0000":1}"#.to_owned(),
            r#"{"a":[1,{"b":["x\u0000"]}]}"#.to_owned(),
        ];
        let holds = |text: &str| holds(&Object::parse(text).expect("an object"), text);
        for text in held {
            assert!(holds(&text), "{text}");
        }
        for text in refused {
            assert!(!holds(&text), "{text}");
        }
    }
}
