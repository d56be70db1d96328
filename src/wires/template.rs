//! Path templates of `google.api.http`, as the comments of googleapis' `http.proto` define them:
//!
//! ```text
//! Template = "/" Segments [ ":" LITERAL ]
//! Segments = Segment { "/" Segment }
//! Segment  = "*" | "**" | LITERAL | "{" FieldPath [ "=" Segments ] "}"
//! ```

use std::{fmt, ops::Range};

use percent_encoding::percent_decode_str;

/// A part of a path between two slashes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Exactly this text, percent-decoded.
    Literal(String),
    /// `*`: any one segment that is not empty.
    Single,
    /// `**`: any number of segments, none included; always the last.
    Rest,
}

/// A part of a template that fills a field of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    field_path: String,
    start: usize,
    /// One past the last segment; `None` up to the end of the path.
    end: Option<usize>,
    single: bool,
}

impl Variable {
    /// The path of the field, its names joined by dots.
    pub fn field_path(&self) -> &str {
        &self.field_path
    }

    /// Which of the template's segments it takes.
    pub fn range(&self, template: &Template) -> Range<usize> {
        self.start..self.end.unwrap_or(template.segments.len())
    }

    /// The value that a path gives to this variable; `None` where its percent-encoding is broken.
    ///
    /// In a variable of more than one segment an encoded slash stays encoded, so that it is not
    /// taken for one that separates segments.
    pub(super) fn value(&self, segments: &[&str]) -> Option<String> {
        let end = self.end.unwrap_or(segments.len());
        let raw = segments.get(self.start..end)?;
        if self.single {
            return decode(raw.first()?);
        }
        let decoded: Option<Vec<_>> = raw.iter().map(|part| decode_keeping_slashes(part)).collect();
        Some(decoded?.join("/"))
    }
}

/// A parsed path template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    segments: Vec<Segment>,
    variables: Vec<Variable>,
    verb: Option<String>,
}

impl Template {
    /// The segments that a path must have, variables resolved to what they match.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// What fills fields, in the order of the path.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// What stands behind the last segment's colon.
    pub fn verb(&self) -> Option<&str> {
        self.verb.as_deref()
    }

    /// Parses a template. The error says in a few words what is wrong.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix('/').ok_or("does not begin with `/`")?;
        let (path, verb) = split_verb(rest);
        let verb = verb.map(literal).transpose()?;
        if verb.as_ref().is_some_and(|verb| verb.contains('/')) {
            return Err("has a verb that is not at its end");
        }

        let mut template =
            Self { text: text.to_owned(), segments: vec![], variables: vec![], verb };
        for part in split_segments(path)? {
            match part.strip_prefix('{') {
                Some(variable) => {
                    let inside =
                        variable.strip_suffix('}').ok_or("has a brace inside a segment")?;
                    template.push_variable(inside)?;
                }
                None => template.segments.push(segment(part)?),
            }
        }
        let last = template.segments.len().saturating_sub(1);
        if template.segments.iter().take(last).any(|segment| *segment == Segment::Rest) {
            return Err("has `**` before its end");
        }
        Ok(template)
    }

    fn push_variable(&mut self, inside: &str) -> Result<(), &'static str> {
        let (field_path, pattern) = inside.split_once('=').unwrap_or((inside, "*"));
        if !field_path.split('.').all(is_identifier) {
            return Err("has a variable whose name is not a field path");
        }
        if self.variables.iter().any(|other| other.field_path == field_path) {
            return Err("has two variables for one field");
        }
        let start = self.segments.len();
        for part in pattern.split('/') {
            self.segments.push(segment(part)?);
        }
        let end = (self.segments.last() != Some(&Segment::Rest)).then_some(self.segments.len());
        self.variables.push(Variable {
            field_path: field_path.to_owned(),
            start,
            end,
            single: pattern == "*",
        });
        Ok(())
    }

    /// True where every path of `other` is one of this template's too. Verbs do not matter.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let mut theirs = other.segments.iter();
        for segment in &self.segments {
            match (segment, theirs.next()) {
                (Segment::Rest, _) => return true,
                (_, None) | (_, Some(Segment::Rest)) => return false,
                (Segment::Single, Some(_)) => {}
                (Segment::Literal(_), Some(their)) if segment == their => {}
                (Segment::Literal(_), Some(_)) => return false,
            }
        }
        theirs.next().is_none()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Splits off the verb: what follows the last colon of the last segment, outside of braces.
fn split_verb(path: &str) -> (&str, Option<&str>) {
    let after_variables = path.rfind('}').map_or(0, |brace| brace + 1);
    let after_slashes = path.rfind('/').map_or(0, |slash| slash + 1);
    match path.rfind(':') {
        Some(colon) if colon >= after_variables.max(after_slashes) => {
            let (head, verb) = path.split_at(colon);
            (head, verb.strip_prefix(':'))
        }
        _ => (path, None),
    }
}

/// Splits at the slashes outside of braces.
fn split_segments(path: &str) -> Result<Vec<&str>, &'static str> {
    let mut parts = Vec::new();
    let mut inside = false;
    let mut start = 0;
    for (at, byte) in path.bytes().enumerate() {
        match byte {
            b'{' if inside => return Err("has a variable inside a variable"),
            b'{' => inside = true,
            b'}' if !inside => return Err("has a closing brace without an opening one"),
            b'}' => inside = false,
            b'/' if !inside => {
                parts.push(path.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err("has a brace that is not closed");
    }
    parts.push(path.get(start..).unwrap_or_default());
    Ok(parts)
}

fn segment(part: &str) -> Result<Segment, &'static str> {
    match part {
        "*" => Ok(Segment::Single),
        "**" => Ok(Segment::Rest),
        _ => literal(part).map(Segment::Literal),
    }
}

/// A literal: RFC 3986's `pchar`s, at least one. `*` only percent-encoded.
fn literal(part: &str) -> Result<String, &'static str> {
    const MARKS: &[u8] = b"-._~%!$&'()+,;=:@";
    if part.is_empty() {
        return Err("has an empty segment or verb");
    }
    if !part.bytes().all(|byte| byte.is_ascii_alphanumeric() || MARKS.contains(&byte)) {
        return Err("has a character that cannot stand in a path");
    }
    decode(part).ok_or("has broken percent-encoding")
}

fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Percent-decodes; `None` where a `%` is not followed by two hex digits or the result is not
/// UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    parts.next();
    let whole = parts.all(|part| {
        let mut bytes = part.bytes();
        (0..2).all(|_| bytes.next().is_some_and(|byte| byte.is_ascii_hexdigit()))
    });
    if !whole {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

/// Percent-decodes all but slashes.
fn decode_keeping_slashes(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.as_bytes().windows(3).position(|w| w.eq_ignore_ascii_case(b"%2F")) {
        let (head, tail) = rest.split_at(at);
        let (slash, tail) = tail.split_at(3);
        decoded += &decode(head)?;
        decoded += slash;
        rest = tail;
    }
    decoded += &decode(rest)?;
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Template {
        Template::parse(text).expect(text)
    }

    fn value(template: &str, path: &str) -> Option<String> {
        let segments: Vec<_> = path.split('/').skip(1).collect();
        parse(template).variables().first().and_then(|variable| variable.value(&segments))
    }

    #[test]
    fn a_template_has_segments_variables_and_a_verb() {
        let template = parse("/v1/{parent=shelves/*}/books/{book.id}:check-out");
        let literal = |text: &str| Segment::Literal(text.to_owned());
        assert_eq!(
            template.segments(),
            [literal("v1"), literal("shelves"), Segment::Single, literal("books"), Segment::Single]
        );
        let fields: Vec<_> = template.variables().iter().map(Variable::field_path).collect();
        assert_eq!(fields, ["parent", "book.id"]);
        assert_eq!(template.verb(), Some("check-out"));
    }

    #[test]
    fn a_wrong_template_says_what_is_wrong() {
        for (text, reason) in [
            ("v1", "does not begin with `/`"),
            ("/", "has an empty segment or verb"),
            ("/a//b", "has an empty segment or verb"),
            ("/a/", "has an empty segment or verb"),
            ("/a:", "has an empty segment or verb"),
            ("/**/a", "has `**` before its end"),
            ("/{a=**}/b", "has `**` before its end"),
            ("/{a={b}}", "has a variable inside a variable"),
            ("/{a", "has a brace that is not closed"),
            ("/a}", "has a closing brace without an opening one"),
            ("/{a}b", "has a brace inside a segment"),
            ("/a{b}", "has a character that cannot stand in a path"),
            ("/{}", "has a variable whose name is not a field path"),
            ("/{a..b}", "has a variable whose name is not a field path"),
            ("/{1a}", "has a variable whose name is not a field path"),
            ("/{a=}", "has an empty segment or verb"),
            ("/{a}/{a}", "has two variables for one field"),
            ("/a b", "has a character that cannot stand in a path"),
            ("/a%2", "has broken percent-encoding"),
            ("/a*", "has a character that cannot stand in a path"),
        ] {
            assert_eq!(Template::parse(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn only_a_variable_of_one_segment_decodes_slashes() {
        assert_eq!(value("/a/{id}", "/a/x%2Fy%3Az").as_deref(), Some("x/y:z"));
        assert_eq!(value("/{name=a/*}", "/a/x%2Fy%20z").as_deref(), Some("a/x%2Fy z"));
        assert_eq!(value("/a/{rest=**}", "/a/x/%2f%C3%A9").as_deref(), Some("x/%2fé"));
        assert_eq!(value("/a/{rest=**}", "/a").as_deref(), Some(""));
    }

    #[test]
    fn broken_percent_encoding_has_no_value() {
        for path in ["/a/%", "/a/%2", "/a/%zz", "/a/%FF"] {
            assert_eq!(value("/a/{id}", path), None, "{path}");
        }
    }

    #[test]
    fn a_template_covers_what_is_never_reached_beside_it() {
        for (wide, narrow, covers) in [
            ("/docs", "/docs", true),
            ("/docs/**", "/docs/{file}", true),
            ("/docs/**", "/docs", true),
            ("/docs", "/{page}", false),
            ("/docs/*", "/docs/**", false),
            ("/docs", "/docs/a", false),
        ] {
            assert_eq!(parse(wide).covers(&parse(narrow)), covers, "{wide} {narrow}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC{0,40}|[/{}=*:.a%2F]{0,30}") {
            let _ = Template::parse(&text);
        }

        #[test]
        fn what_is_encoded_decodes_to_itself(text in "\\PC{0,20}") {
            use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
            let encoded = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
            prop_assert_eq!(decode(&encoded), Some(text));
        }
    }
}
