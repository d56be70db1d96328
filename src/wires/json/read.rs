//! Reads ProtoJSON, in one pass.

use std::{borrow::Cow, collections::HashMap, fmt};

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};
use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    any::Any,
    fields::Fields,
    form::Form,
    scalars, slot,
    slot::Slot,
    value::{self, AnyJson},
    walk::Walk,
};
use crate::wires::reason::{Reason, Refusal};

const NOT_AN_OBJECT: Refusal =
    Refusal::saying(Reason::RequestMalformed, "the body is not a JSON object");
const MISFIT: Refusal = Refusal::saying(Reason::RequestMalformed, "the body does not fit its type");

/// Reads a message.
pub(in crate::wires) fn read(
    descriptor: &MessageDescriptor,
    json: &[u8],
) -> Result<DynamicMessage, Refusal> {
    let whole = if Form::of(descriptor) == Form::Object { NOT_AN_OBJECT } else { MISFIT };
    let (mut walk, mut parser) = (Walk::default(), parser(json));
    let message = walk.message(descriptor, &mut parser);
    let message = message.and_then(|message| parser.end().map(|()| message));
    message.map_err(|error| walk.refusal(&error, whole))
}

/// Reads one field of a message, from JSON that is the field's value alone.
pub(in crate::wires) fn read_field(
    field: &FieldDescriptor,
    json: &[u8],
) -> Result<DynamicMessage, Refusal> {
    let mut message = DynamicMessage::new(field.parent_message().clone());
    let (mut walk, mut parser) = (Walk::default(), parser(json));
    walk.step_to(Cow::Owned(field.name().to_owned()));
    let read = Read { slot: &Slot::from(field), or_unset: true, walk: &mut walk };
    let value = read.deserialize(&mut parser);
    let value = value.and_then(|value| parser.end().map(|()| value));
    if let Some(value) = value.map_err(|error| walk.refusal(&error, MISFIT))? {
        message.set_field(field, value);
    }
    Ok(message)
}

pub(super) fn parser(json: &[u8]) -> serde_json::Deserializer<serde_json::de::SliceRead<'_>> {
    let mut parser = serde_json::Deserializer::from_slice(json);
    // The walk counts messages, each at most two levels of JSON; the parser's own limit is less.
    parser.disable_recursion_limit();
    parser
}

/// A string, or a name of an object, as it stands in the body where it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'t>(#[serde(borrow)] pub(super) Cow<'t, str>);

/// Reads what a place holds. `None` is a `null` that leaves the place unset.
pub(super) struct Read<'s, 'w, 'de> {
    pub(super) slot: &'s Slot,
    /// A field may be unset; an element of a list or a value of a map may not.
    pub(super) or_unset: bool,
    pub(super) walk: &'w mut Walk<'de>,
}

impl<'de> DeserializeSeed<'de> for Read<'_, '_, 'de> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Value>, D::Error> {
        if self.or_unset {
            return deserializer.deserialize_option(self);
        }
        self.walk.value(self.slot, deserializer).map(Some)
    }
}

impl<'de> Visitor<'de> for Read<'_, '_, 'de> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.slot.expected())
    }

    fn visit_none<E>(self) -> Result<Option<Value>, E> {
        Ok(match self.slot {
            Slot::One(Kind::Message(message)) if Form::of(message) == Form::Value => {
                Some(value::null(message))
            }
            Slot::One(Kind::Enum(of)) if scalars::is_null(of) => Some(Value::EnumNumber(0)),
            _ => None,
        })
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.walk.value(self.slot, deserializer).map(Some)
    }
}

impl<'de> Walk<'de> {
    fn value<D>(&mut self, slot: &Slot, deserializer: D) -> Result<Value, D::Error>
    where
        D: Deserializer<'de>,
    {
        let value = match slot {
            Slot::One(Kind::Message(message)) => {
                self.message(message, deserializer).map(Value::Message)
            }
            Slot::One(kind) => scalar(kind, deserializer),
            Slot::List(kind) => {
                let element = &Slot::One(kind.clone());
                deserializer.deserialize_seq(List { element, walk: self }).map(Value::List)
            }
            Slot::Map(entry) => {
                deserializer.deserialize_map(Map { entry, walk: self }).map(Value::Map)
            }
        };
        value.inspect_err(|_| self.note(slot.expected()))
    }

    fn message<D>(
        &mut self,
        descriptor: &MessageDescriptor,
        deserializer: D,
    ) -> Result<DynamicMessage, D::Error>
    where
        D: Deserializer<'de>,
    {
        self.open()?;
        let message = match Form::of(descriptor) {
            Form::Object | Form::Empty => {
                deserializer.deserialize_map(Object { descriptor, walk: self })?
            }
            Form::Any => deserializer.deserialize_map(Any { descriptor, walk: self })?,
            Form::Text => DynamicMessage::deserialize(descriptor.clone(), deserializer)?,
            Form::Wrapper | Form::Only => {
                let mut message = DynamicMessage::new(descriptor.clone());
                if let Some(only) = descriptor.get_field(1) {
                    message.set_field(&only, self.value(&Slot::from(&only), deserializer)?);
                }
                message
            }
            Form::Value => deserializer.deserialize_any(AnyJson { descriptor, walk: self })?,
        };
        self.close();
        Ok(message)
    }
}

fn scalar<'de, D: Deserializer<'de>>(kind: &Kind, deserializer: D) -> Result<Value, D::Error> {
    let value = match kind {
        Kind::String => Some(Value::String(Text::deserialize(deserializer)?.0.into_owned())),
        Kind::Bytes => scalars::bytes(&Text::deserialize(deserializer)?.0),
        // Numbers digit by digit, before they are rounded.
        kind => scalars::from_json(kind, <&RawValue>::deserialize(deserializer)?.get()),
    };
    value.ok_or_else(|| D::Error::custom("misfit"))
}

pub(super) struct List<'s, 'w, 'de> {
    pub(super) element: &'s Slot,
    pub(super) walk: &'w mut Walk<'de>,
}

impl<'de> Visitor<'de> for List<'_, '_, 'de> {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Value>, A::Error> {
        let Self { element: slot, walk } = self;
        let mut values = Vec::new();
        loop {
            walk.step_to_index(values.len());
            let read = Read { slot, or_unset: false, walk: &mut *walk };
            let value = seq.next_element_seed(read)?.flatten();
            walk.step_back();
            match value {
                Some(value) => values.push(value),
                None => return Ok(values),
            }
        }
    }
}

pub(super) struct Map<'s, 'w, 'de> {
    pub(super) entry: &'s MessageDescriptor,
    pub(super) walk: &'w mut Walk<'de>,
}

impl<'de> Visitor<'de> for Map<'_, '_, 'de> {
    type Value = HashMap<MapKey, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { entry, walk } = self;
        let key_kind = entry.map_entry_key_field().kind();
        let slot = &Slot::from(&entry.map_entry_value_field());
        let mut values = HashMap::new();
        while let Some(Text(name)) = map.next_key()? {
            let key = scalars::map_key(&key_kind, &name);
            walk.step_to(name);
            let Some(key) = key else {
                return Err(
                    walk.refuse(format!("expected a key of type {}", slot::name(&key_kind)))
                );
            };
            if values.contains_key(&key) {
                return Err(walk.refuse("given more than once"));
            }
            walk.open()?;
            let value = map.next_value_seed(Read { slot, or_unset: false, walk: &mut *walk })?;
            walk.close();
            walk.step_back();
            values.extend(value.map(|value| (key, value)));
        }
        Ok(values)
    }
}

struct Object<'s, 'w, 'de> {
    descriptor: &'s MessageDescriptor,
    walk: &'w mut Walk<'de>,
}

impl<'de> Visitor<'de> for Object<'_, '_, 'de> {
    type Value = DynamicMessage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DynamicMessage, A::Error> {
        let mut fields = Fields::of(self.descriptor);
        while let Some(Text(name)) = map.next_key()? {
            fields.read(self.walk, name, |read| map.next_value_seed(read))?;
        }
        Ok(fields.message)
    }
}
