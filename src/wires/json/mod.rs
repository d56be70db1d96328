//! ProtoJSON, by descriptors: <https://protobuf.dev/programming-guides/json/>.
//!
//! `prost-reflect` reads and writes it. What it lets pass or cannot name is checked before: names
//! that are unknown, given twice, or two of one oneof.

mod form;
mod write;

use std::{collections::HashSet, fmt};

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_path_to_error::{Segment, Track};

pub(super) use self::write::{to_value, write, write_field};
use super::{
    reason::{Reason, Refusal},
    values::expected,
};

/// Messages may nest as deep as prost decodes them, less one for the value of a last level.
pub(super) const MAX_DEPTH: usize = 99;

const NOT_JSON: Refusal = Refusal::saying(Reason::RequestMalformed, "the body is not valid JSON");
const TOO_DEEP: Refusal =
    Refusal::saying(Reason::RequestMalformed, "the body is nested too deeply");

/// Reads a message.
pub(super) fn read(descriptor: &MessageDescriptor, json: &[u8]) -> Result<DynamicMessage, Refusal> {
    check(descriptor, json)?;

    let mut track = Track::new();
    let mut parser = serde_json::Deserializer::from_slice(json);
    let tracked = serde_path_to_error::Deserializer::new(&mut parser, &mut track);
    DynamicMessage::deserialize(descriptor.clone(), tracked).map_err(|_| {
        let path = track.path();
        let field = field_at(descriptor, &path);
        let description =
            field.map_or_else(|| "does not fit its type".to_owned(), |f| expected(&f));
        Refusal::field(&path.to_string(), description)
    })
}

/// Reads one field of a message, from JSON that is the field's value alone.
pub(super) fn read_field(field: &FieldDescriptor, json: &[u8]) -> Result<DynamicMessage, Refusal> {
    // One complete value and nothing behind it: what stands around it cannot change its meaning.
    let value: &RawValue = serde_json::from_slice(json).map_err(|_| NOT_JSON)?;
    let whole = format!("{{\"{}\":{}}}", field.name(), value.get());
    read(field.parent_message(), whole.as_bytes())
}

/// The field that a path of JSON names leads to.
fn field_at(
    message: &MessageDescriptor,
    path: &serde_path_to_error::Path,
) -> Option<FieldDescriptor> {
    let mut field: Option<FieldDescriptor> = None;
    let mut inside = Some(message.clone());
    for segment in path.iter() {
        let Segment::Map { key } = segment else { continue };
        let next = match field.take().filter(FieldDescriptor::is_map).map(|map| map.kind()) {
            Some(Kind::Message(entry)) => entry.map_entry_value_field(),
            _ => named(&inside?, key)?,
        };
        inside = match next.kind() {
            Kind::Message(message) => Some(message),
            _ => None,
        };
        field = Some(next);
    }
    field
}

fn named(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message.get_field_by_name(name).or_else(|| message.get_field_by_json_name(name))
}

/// Checks syntax, names and depth.
fn check(descriptor: &MessageDescriptor, json: &[u8]) -> Result<(), Refusal> {
    let mut walk = Walk::default();
    let mut parser = serde_json::Deserializer::from_slice(json);
    let shape = Shape::of_message(descriptor.clone());
    let checked = Check { shape, walk: &mut walk }.deserialize(&mut parser);
    checked.and_then(|_| parser.end()).map_err(|_| walk.refusal.unwrap_or(NOT_JSON))
}

/// What a place in the JSON is meant to hold, as far as names go.
#[derive(Clone)]
enum Shape {
    /// A message, or a list of them.
    Message(MessageDescriptor),
    /// A map, with values of this shape.
    Map(Box<Shape>),
    /// No names that a descriptor knows: scalars, `Struct`, `Any`.
    Free,
}

impl Shape {
    fn of_message(message: MessageDescriptor) -> Self {
        if message.full_name().starts_with("google.protobuf.") {
            return Self::Free;
        }
        Self::Message(message)
    }

    fn of_field(field: &FieldDescriptor) -> Self {
        match field.kind() {
            Kind::Message(entry) if field.is_map() => {
                Self::Map(Box::new(Self::of_field(&entry.map_entry_value_field())))
            }
            Kind::Message(message) => Self::of_message(message),
            _ => Self::Free,
        }
    }
}

/// A step of the way to a place in the JSON.
enum Place {
    Name(String),
    Index(usize),
}

/// Where the check is, and what it found.
#[derive(Default)]
struct Walk {
    path: Vec<Place>,
    /// Messages that are open, those that JSON does not show included.
    depth: usize,
    refusal: Option<Refusal>,
}

impl Walk {
    fn refuse(&mut self, name: &str, description: &str) {
        let mut path = String::new();
        for place in &self.path {
            match place {
                Place::Name(name) => path += &format!("{name}."),
                Place::Index(index) => path = format!("{}[{index}].", path.trim_end_matches('.')),
            }
        }
        self.refusal = Some(Refusal::field(&(path + name), description));
    }

    /// Opens so many messages.
    fn enter<E: serde::de::Error>(&mut self, messages: usize) -> Result<(), E> {
        self.depth += messages;
        if self.depth > MAX_DEPTH {
            self.refusal = Some(TOO_DEEP);
            return Err(E::custom("too deep"));
        }
        Ok(())
    }
}

/// Checks one JSON value. Gives `true` where it is not `null`.
struct Check<'w> {
    shape: Shape,
    walk: &'w mut Walk,
}

impl<'de> DeserializeSeed<'de> for Check<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Check<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        // In free JSON a `Value` and a `ListValue`.
        let messages = if matches!(self.shape, Shape::Free) { 2 } else { 0 };
        self.walk.enter(messages)?;
        for index in 0.. {
            self.walk.path.push(Place::Index(index));
            let element = Check { shape: self.shape.clone(), walk: &mut *self.walk };
            let more = seq.next_element_seed(element)?.is_some();
            self.walk.path.pop();
            if !more {
                break;
            }
        }
        self.walk.depth -= messages;
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let Self { shape, walk } = self;
        // In free JSON a `Struct`, its map's entry, and the entry's `Value`.
        let messages = if matches!(shape, Shape::Free) { 3 } else { 1 };
        walk.enter(messages)?;
        let mut names = HashSet::new();
        let mut numbers = HashSet::new();
        let mut oneofs = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            let (inside, oneof, new) = match &shape {
                Shape::Message(message) => match named(message, &name) {
                    Some(field) => {
                        let oneof =
                            field.containing_oneof().map(|oneof| oneof.full_name().to_owned());
                        (Shape::of_field(&field), oneof, numbers.insert(field.number()))
                    }
                    None if message.get_extension_by_json_name(&name).is_some() => {
                        (Shape::Free, None, names.insert(name.clone()))
                    }
                    None => {
                        walk.refuse(&name, "no such field");
                        return Err(A::Error::custom("unknown"));
                    }
                },
                Shape::Map(value) => ((**value).clone(), None, names.insert(name.clone())),
                Shape::Free => (Shape::Free, None, names.insert(name.clone())),
            };
            if !new {
                walk.refuse(&name, "given more than once");
                return Err(A::Error::custom("twice"));
            }
            walk.path.push(Place::Name(name));
            let set = map.next_value_seed(Check { shape: inside, walk: &mut *walk })?;
            let Some(Place::Name(name)) = walk.path.pop() else { continue };
            if set && oneof.is_some_and(|oneof| !oneofs.insert(oneof)) {
                walk.refuse(&name, "another field of the same oneof is given, too");
                return Err(A::Error::custom("oneof"));
            }
        }
        walk.depth -= messages;
        Ok(true)
    }
}
