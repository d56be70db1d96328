//! JSON objects as JOSE wants them: every member name once (RFC 7515, section 4; RFC 7519,
//! section 4), nothing behind the object, nesting bounded by the parser.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};

/// A JSON value that borrows its text where no escape forbids it.
#[derive(Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    /// A number without point and exponent, as far as 64 bits hold it.
    Integer(f64),
    /// Any other number.
    Float(f64),
    String(Cow<'a, str>),
    Array(Vec<Value<'a>>),
    Object(Object<'a>),
}

impl Value<'_> {
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Integer(number) | Self::Float(number) => Some(*number),
            _ => None,
        }
    }
}

/// A test of a member by its name and value; an item of a list has the list's name.
type Test<'t> = &'t dyn Fn(&str, &Value<'_>) -> bool;

impl Value<'_> {
    fn contains(&self, name: &str, test: Test<'_>) -> bool {
        test(name, self)
            || match self {
                Self::Array(items) => items.iter().any(|item| item.contains(name, test)),
                Self::Object(object) => object.contains(test),
                _ => false,
            }
    }
}

/// A JSON object whose member names are distinct, sorted by name.
#[derive(Debug, PartialEq)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Object<'a> {
    /// Reads the text of one object; `None` when it is anything else.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        // The parser's own words are dropped: they quote what they read.
        match serde_json::from_str(text).ok()? {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value<'a>> {
        let index = self.0.binary_search_by(|(other, _)| other.as_ref().cmp(name)).ok()?;
        self.0.get(index).map(|(_, value)| value)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether any member passes the test, at any depth.
    pub(super) fn contains(&self, test: Test<'_>) -> bool {
        self.0.iter().any(|(name, value)| value.contains(name, test))
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

/// A member's name. `Cow` by itself would copy every one.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Value::Integer(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Value::Integer(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Value::String(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Value::String(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut object: Vec<(Cow<'de, str>, Value<'de>)> = Vec::new();
        while let Some((Name(name), value)) = members.next_entry()? {
            object.push((name, value));
        }
        // Sorting finds duplicates without the quadratic time that a sender could ask for.
        object.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        if object.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other)) {
            return Err(A::Error::custom("a member name occurs twice"));
        }
        Ok(Value::Object(Object(object)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_object_with_distinct_members_is_read() {
        for good in ["{}", " {\"a\":1}\n", r#"{"a":{"a":[{"a":null},{"a":true}]}}"#] {
            assert!(Object::parse(good).is_some(), "{good}");
        }
        let bad = [
            "",
            "null",
            "[]",
            "{} {}",
            "{,}",
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"\u0061":1}"#,
            r#"{"x":[{"a":1,"a":1}]}"#,
            r#"{"a":1e999}"#,
            r#"{"a":NaN}"#,
            r#"{"a":"\ud800"}"#,
            "{\"a\":\"\u{1}\"}",
            "\u{feff}{}",
        ];
        for bad in bad {
            assert!(Object::parse(bad).is_none(), "{bad}");
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        assert!(Object::parse(&deep).is_none());
    }

    #[test]
    fn members_are_found_by_name_escaped_or_not() {
        let object = Object::parse(r#"{"b":"x","a\u0062":"\n","":0}"#).expect("an object");
        assert_eq!(object.get("b").and_then(Value::as_str), Some("x"));
        assert_eq!(object.get("ab").and_then(Value::as_str), Some("\n"));
        assert_eq!(object.get(""), Some(&Value::Integer(0.0)));
        assert!(!object.has("a"));
    }
}
