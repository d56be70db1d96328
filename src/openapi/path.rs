//! Path templates of `google.api.http` as OpenAPI writes them: one parameter for each wildcard.

use std::collections::{HashMap, HashSet};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use prost_reflect::FieldDescriptor;

use crate::wires::{Binding, Segment};

/// What may stand in a path as it is (RFC 3986, `pchar`).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// A path with its parameters in braces.
pub(super) struct Path {
    pub(super) text: String,
    pub(super) parameters: Vec<Parameter>,
}

/// One wildcard of a path.
pub(super) struct Parameter {
    pub(super) name: String,
    /// The field, where the wildcard is all of its value.
    pub(super) field: Option<FieldDescriptor>,
    /// What it is a part of, in Markdown.
    pub(super) note: Option<String>,
}

impl Path {
    pub(super) fn of(binding: &Binding) -> Self {
        let template = binding.template();
        let mut path = Self { text: String::new(), parameters: vec![] };
        let mut names = HashSet::new();
        let mut before = "segment";
        for (at, segment) in template.segments().iter().enumerate() {
            path.text.push('/');
            if let Segment::Literal(literal) = segment {
                before = literal;
                path.text.extend(utf8_percent_encode(literal, SEGMENT));
                continue;
            }
            let mut variables = template.variables().iter().zip(binding.fields());
            let variable = variables.find(|(it, _)| it.range(template).contains(&at));
            let whole = variable.filter(|(it, _)| it.range(template).len() == 1);
            let base = whole.map_or(before, |(it, _)| it.field_path());
            let name = (1..)
                .map(|n| if n == 1 { base.to_owned() } else { format!("{base}{n}") })
                .find(|name| names.insert(name.clone()))
                .unwrap_or_default();

            let mut note = variable.filter(|_| whole.is_none()).map(|(it, _)| {
                format!("A part of the field `{}`, whose path is `{template}`.", it.field_path())
            });
            if *segment == Segment::Rest {
                note = Some("Any number of segments, the slashes between them included.".into());
            }
            let field = whole.and_then(|(_, chain)| chain.last()).cloned();
            path.text += &format!("{{{name}}}");
            path.parameters.push(Parameter { name, field, note });
        }
        if let Some(verb) = template.verb() {
            path.text.push(':');
            path.text.extend(utf8_percent_encode(verb, SEGMENT));
        }
        path
    }
}

/// Paths so far. OpenAPI takes two that differ in parameters' names alone for one and the same.
#[derive(Default)]
pub(super) struct Taken(HashMap<String, Vec<String>>);

impl Taken {
    /// Gives a path the parameters' names of the one that is like it.
    pub(super) fn unify(&mut self, mut path: Path) -> Path {
        let names: Vec<_> = path.parameters.iter().map(|it| it.name.clone()).collect();
        let form = with_names(&path.text, names.iter().map(|_| ""));
        let names = self.0.entry(form).or_insert(names);
        path.text = with_names(&path.text, names.iter().map(String::as_str));
        for (parameter, name) in path.parameters.iter_mut().zip(names) {
            parameter.name.clone_from(name);
        }
        path
    }
}

/// The path with other names in its braces.
fn with_names<'n>(path: &str, names: impl Iterator<Item = &'n str>) -> String {
    let mut parts = path.split(['{', '}']);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for name in names {
        // Between two literals stands the old name.
        let literal = parts.nth(1).unwrap_or_default();
        text += &format!("{{{name}}}{literal}");
    }
    text
}
