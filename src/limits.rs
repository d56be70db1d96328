//! What fields may hold: the option `(limits.v1.text)` of `proto/limits/v1/text.proto`, read by
//! the RPCs that check and by the API's documentation, so that both say the same.

use std::{borrow::Cow, fmt};

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Value};

/// The field option.
const EXTENSION: &str = "limits.v1.text";

/// Unicode's White_Space, which [`str::trim`] removes, as a character class of ECMA-262.
const WHITE_SPACE: &str =
    r"\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";
/// Unicode's control characters (Cc), as a character class of ECMA-262.
const CONTROL: &str = r"\u0000-\u001f\u007f-\u009f";

/// A text field's limits, in Unicode scalar values, white space around the text not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    min: usize,
    max: usize,
}

/// The named field has no limits in the descriptors.
#[derive(Debug)]
pub struct NoLimits(String);

impl fmt::Display for NoLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has no option ({EXTENSION}) with min <= max and max >= 1", self.0)
    }
}

impl std::error::Error for NoLimits {}

impl Text {
    /// The limits of a field, if it has some.
    pub fn of(field: &FieldDescriptor) -> Option<Self> {
        let extension = field.parent_pool().get_extension_by_name(EXTENSION)?;
        let options = field.options();
        if !options.has_extension(&extension) {
            return None;
        }
        let option = options.get_extension(&extension);
        let number = |name| number(option.as_message()?, name);
        let (min, max) = (number("min")?, number("max")?);
        (min <= max && max >= 1).then_some(Self { min, max })
    }

    /// The limits of a message's field that is checked: without them the service must not start.
    ///
    /// # Errors
    /// The field is not there, or has no limits that make sense.
    pub fn named(pool: &DescriptorPool, message: &str, field: &str) -> Result<Self, NoLimits> {
        let found = pool.get_message_by_name(message).and_then(|it| it.get_field_by_name(field));
        found
            .as_ref()
            .and_then(Self::of)
            .ok_or_else(|| NoLimits(format!("the field {message}.{field}")))
    }

    /// True where the text cannot be empty.
    pub fn required(self) -> bool {
        self.min > 0
    }

    /// The text without the white space around it.
    ///
    /// # Errors
    /// What is wrong with it, in words for a `BadRequest`.
    pub fn check(self, text: &str) -> Result<&str, Cow<'static, str>> {
        let text = text.trim();
        let count = text.chars().count();
        if text.is_empty() && self.required() {
            return Err("must not be empty".into());
        }
        if count < self.min {
            return Err(format!("must have at least {} characters", self.min).into());
        }
        if count > self.max {
            return Err(format!("must have at most {} characters", self.max).into());
        }
        if text.chars().any(char::is_control) {
            return Err("must not hold control characters".into());
        }
        Ok(text)
    }

    /// A text that [`check`](Self::check) takes.
    pub fn example(self) -> String {
        let length = 4.clamp(self.min, self.max);
        "text".chars().cycle().take(length).collect()
    }

    /// Exactly the texts that [`check`](Self::check) takes, as a regular expression of JSON Schema.
    ///
    /// `minLength` and `maxLength` could not say it: they count the white space that is removed.
    pub fn pattern(self) -> String {
        let edge = format!("[^{WHITE_SPACE}{CONTROL}]");
        let (fewest, most) = (self.min.saturating_sub(2), self.max.saturating_sub(2));
        let several = format!("{edge}[^{CONTROL}]{{{fewest},{most}}}{edge}");
        let text = match (self.min, self.max) {
            (0, 1) => format!("{edge}?"),
            (_, 1) => edge,
            (0, _) => format!("(?:{edge}|{several})?"),
            (1, _) => format!("(?:{edge}|{several})"),
            _ => several,
        };
        format!("^[{WHITE_SPACE}]*{text}[{WHITE_SPACE}]*$")
    }
}

fn number(option: &DynamicMessage, name: &str) -> Option<usize> {
    match option.get_field_by_name(name)?.as_ref() {
        Value::U32(number) => usize::try_from(*number).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn a_text_is_trimmed_and_then_has_as_many_characters_as_it_may_and_no_controls() {
        let limits = Text { min: 1, max: 200 };
        assert_eq!(limits.check("  Ada \u{2003}").as_deref(), Ok("Ada"));
        assert_eq!(limits.check(&"é".repeat(200)).as_deref(), Ok("é".repeat(200).as_str()));
        for wrong in ["", " \t\n", &"é".repeat(201), "Ada\0", "Ada\u{85}Lovelace"] {
            limits.check(wrong).expect_err(wrong);
        }
        assert!(Text { min: 2, max: 3 }.check("a").is_err());
        assert_eq!(Text { min: 0, max: 3 }.check(" ").as_deref(), Ok(""));
    }

    #[test]
    fn the_pattern_matches_what_the_check_takes_and_nothing_else() {
        const PARTS: &[&str] =
            &["", "a", "é", " ", "\t", "\u{85}", "\u{2003}", "\u{feff}", "\u{7f}", "\0"];
        let texts: Vec<String> = PARTS
            .iter()
            .flat_map(|a| PARTS.iter().flat_map(move |b| PARTS.iter().map(move |c| (a, b, c))))
            .flat_map(|(a, b, c)| [format!("{a}{b}{c}"), format!("{a}{b}xx{c}")])
            .collect();
        for (min, max) in [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3), (2, 2), (2, 4), (3, 4)] {
            let limits = Text { min, max };
            let pattern = Regex::new(&limits.pattern()).expect("a pattern");
            assert!(pattern.is_match(&limits.example()), "{}", limits.example());
            for text in &texts {
                let (checked, matched) = (limits.check(text).is_ok(), pattern.is_match(text));
                assert_eq!(checked, matched, "{min}..={max} {text:?}");
            }
        }
    }
}
