//! Writes ProtoJSON: the proto's own names, unset fields left out.

use base64::{display::Base64Display, engine::general_purpose::STANDARD};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage as _, Value};
use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};

use super::{MAX_DEPTH, form::Form};

/// Writes a message. An error says what of it JSON cannot show: a timestamp out of range, an `Any`
/// of a type that the descriptors lack, messages that nest deeper than [`MAX_DEPTH`].
pub(in crate::wires) fn write(message: &DynamicMessage) -> Result<Vec<u8>, serde_json::Error> {
    to_vec(&Message(message, 1))
}

/// Writes one field's value. A message or an optional scalar that is not set is `null`.
pub(in crate::wires) fn write_field(
    message: &mut DynamicMessage,
    field: &FieldDescriptor,
) -> Result<Vec<u8>, serde_json::Error> {
    if !message.has_field(field) && field.supports_presence() {
        return Ok(b"null".to_vec());
    }
    let value = message.take_field(field);
    let value = value.unwrap_or_else(|| Value::default_value_for_field(field));
    to_vec(&Item { value: &value, kind: &field.kind(), depth: 1 })
}

/// A message as a JSON value; `None` where JSON cannot show it.
pub(in crate::wires) fn to_value(message: &DynamicMessage) -> Option<serde_json::Value> {
    Message(message, 1).serialize(serde_json::value::Serializer).ok()
}

fn to_vec(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut json = Vec::with_capacity(128);
    value.serialize(&mut serde_json::Serializer::new(&mut json))?;
    Ok(json)
}

/// A message, and how many messages are open with it.
struct Message<'m>(&'m DynamicMessage, usize);

impl Serialize for Message<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(message, depth) = *self;
        // What is inside an `Any` is decoded here, each with a limit of its own: none bounds all.
        if depth > MAX_DEPTH {
            return Err(S::Error::custom("messages nest too deeply"));
        }
        match Form::of(&message.descriptor()) {
            Form::Object | Form::Empty => {
                let mut object = serializer.serialize_map(None)?;
                fields(&mut object, message, depth)?;
                object.end()
            }
            Form::Any => any(message, depth, serializer),
            Form::Text => message.serialize(serializer),
            Form::Wrapper | Form::Only => {
                let only = message.descriptor().get_field(1);
                let only = only.ok_or_else(|| S::Error::custom("a field is missing"))?;
                let (value, kind) = (&*message.get_field(&only), &only.kind());
                Item { value, kind, depth }.serialize(serializer)
            }
            Form::Value => {
                let Some((field, value)) = message.fields().next() else {
                    return serializer.serialize_none();
                };
                if value.as_f64().is_some_and(|number| !number.is_finite()) {
                    return Err(S::Error::custom("a Value that is no finite number"));
                }
                Item { value, kind: &field.kind(), depth }.serialize(serializer)
            }
        }
    }
}

fn fields<M: SerializeMap>(
    object: &mut M,
    message: &DynamicMessage,
    depth: usize,
) -> Result<(), M::Error> {
    for (field, value) in message.fields() {
        object.serialize_entry(field.name(), &Item { value, kind: &field.kind(), depth })?;
    }
    for (extension, value) in message.extensions() {
        let kind = &extension.kind();
        object.serialize_entry(extension.json_name(), &Item { value, kind, depth })?;
    }
    Ok(())
}

/// An `Any` as its own type, named; one that holds nothing as an empty object.
fn any<S: Serializer>(
    any: &DynamicMessage,
    depth: usize,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let (url, value) = (any.get_field_by_name("type_url"), any.get_field_by_name("value"));
    let url = url.as_ref().and_then(|url| url.as_str()).unwrap_or_default();
    let value = value.as_ref().and_then(|value| value.as_bytes()).cloned().unwrap_or_default();
    let mut object = serializer.serialize_map(None)?;
    if url.is_empty() && value.is_empty() {
        return object.end();
    }

    let pool = any.descriptor().parent_pool().clone();
    let descriptor = url.rsplit_once('/').and_then(|(_, name)| pool.get_message_by_name(name));
    let descriptor = descriptor.ok_or_else(|| S::Error::custom("an Any of an unknown type"))?;
    let own_form = Form::of(&descriptor) != Form::Object;
    let message = DynamicMessage::decode(descriptor, value)
        .map_err(|_| S::Error::custom("an Any that is not of its type"))?;

    object.serialize_entry("@type", url)?;
    match own_form {
        true => object.serialize_entry("value", &Message(&message, depth + 1))?,
        false => fields(&mut object, &message, depth)?,
    }
    object.end()
}

/// A value of this kind inside so many messages.
struct Item<'v> {
    value: &'v Value,
    kind: &'v Kind,
    depth: usize,
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { value, kind, depth } = *self;
        match (value, kind) {
            (Value::Bool(value), _) => serializer.serialize_bool(*value),
            (Value::I32(value), _) => serializer.serialize_i32(*value),
            (Value::U32(value), _) => serializer.serialize_u32(*value),
            (Value::I64(value), _) => serializer.collect_str(value),
            (Value::U64(value), _) => serializer.collect_str(value),
            (Value::F32(value), _) => match float_name((*value).into()) {
                Some(name) => serializer.serialize_str(name),
                None => serializer.serialize_f32(*value),
            },
            (Value::F64(value), _) => match float_name(*value) {
                Some(name) => serializer.serialize_str(name),
                None => serializer.serialize_f64(*value),
            },
            (Value::String(value), _) => serializer.serialize_str(value),
            (Value::Bytes(value), _) => {
                serializer.collect_str(&Base64Display::new(value, &STANDARD))
            }
            (Value::EnumNumber(number), Kind::Enum(of)) => match of.get_value(*number) {
                _ if of.full_name() == "google.protobuf.NullValue" => serializer.serialize_none(),
                Some(value) => serializer.serialize_str(value.name()),
                None => serializer.serialize_i32(*number),
            },
            (Value::EnumNumber(number), _) => serializer.serialize_i32(*number),
            (Value::Message(message), _) => Message(message, depth + 1).serialize(serializer),
            (Value::List(values), kind) => {
                serializer.collect_seq(values.iter().map(|value| Item { value, kind, depth }))
            }
            (Value::Map(values), Kind::Message(entry)) => {
                let kind = &entry.map_entry_value_field().kind();
                // The entry is a message, too.
                let depth = depth + 1;
                serializer.collect_map(
                    values.iter().map(|(key, value)| (Key(key), Item { value, kind, depth })),
                )
            }
            (Value::Map(_), _) => Err(S::Error::custom("a map without entries' type")),
        }
    }
}

/// The string for a float that JSON does not have.
fn float_name(value: f64) -> Option<&'static str> {
    match value {
        _ if value.is_finite() => None,
        _ if value.is_nan() => Some("NaN"),
        _ if value > 0.0 => Some("Infinity"),
        _ => Some("-Infinity"),
    }
}

struct Key<'k>(&'k MapKey);

impl Serialize for Key<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            MapKey::Bool(key) => serializer.collect_str(key),
            MapKey::I32(key) => serializer.collect_str(key),
            MapKey::I64(key) => serializer.collect_str(key),
            MapKey::U32(key) => serializer.collect_str(key),
            MapKey::U64(key) => serializer.collect_str(key),
            MapKey::String(key) => serializer.serialize_str(key),
        }
    }
}
