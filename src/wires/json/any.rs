//! Reads a message that names its own type: `google.protobuf.Any`.

use std::{borrow::Cow, fmt};

use prost::Message as _;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, Value};
use serde::de::{DeserializeSeed as _, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{
    fields::Fields,
    form::Form,
    read::{Read, Text, parser},
    slot::Slot,
    walk::Walk,
};

/// Reads a `google.protobuf.Any`.
pub(super) struct Any<'s, 'w, 'de> {
    pub(super) descriptor: &'s MessageDescriptor,
    pub(super) walk: &'w mut Walk<'de>,
}

impl<'de> Visitor<'de> for Any<'_, '_, 'de> {
    type Value = DynamicMessage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with its @type")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DynamicMessage, A::Error> {
        let Self { descriptor, walk } = self;
        // Objects have no order: what stands before the type waits for it.
        let mut early: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
        let mut any = DynamicMessage::new(descriptor.clone());
        let url = loop {
            match map.next_key()? {
                Some(Text(name)) if name == "@type" => break map.next_value::<Text<'de>>()?.0,
                Some(Text(name)) => early.push((name, map.next_value()?)),
                None if early.is_empty() => return Ok(any),
                None => return Err(A::Error::custom("no @type")),
            }
        };
        let pool = descriptor.parent_pool();
        let of = url.rsplit_once('/').and_then(|(_, name)| pool.get_message_by_name(name));
        let mut content = Content::of(&of.ok_or_else(|| A::Error::custom("unknown type"))?);
        for (name, json) in early {
            content.read(walk, name, |read| {
                read.deserialize(&mut parser(json.get().as_bytes())).map_err(A::Error::custom)
            })?;
        }
        while let Some(Text(name)) = map.next_key()? {
            content.read(walk, name, |read| map.next_value_seed(read))?;
        }
        let content = content.message().ok_or_else(|| A::Error::custom("no value"))?;
        any.set_field_by_number(1, Value::String(url.into_owned()));
        any.set_field_by_number(2, Value::Bytes(content.encode_to_vec().into()));
        Ok(any)
    }
}

/// What an `Any` holds beside its type.
enum Content {
    /// The fields of a message.
    Fields(Fields),
    /// A message with a form of its own, as `value`.
    Value(Slot, Option<Value>),
}

impl Content {
    fn of(descriptor: &MessageDescriptor) -> Self {
        match Form::of(descriptor) {
            Form::Object => Self::Fields(Fields::of(descriptor)),
            _ => Self::Value(Slot::One(Kind::Message(descriptor.clone())), None),
        }
    }

    fn read<'de, E: Error>(
        &mut self,
        walk: &mut Walk<'de>,
        name: Cow<'de, str>,
        next: impl FnOnce(Read<'_, '_, 'de>) -> Result<Option<Value>, E>,
    ) -> Result<(), E> {
        let (slot, value) = match self {
            Self::Fields(fields) => return fields.read(walk, name, next),
            Self::Value(slot, value) => (slot, value),
        };
        let known = name == "value";
        walk.step_to(name);
        if !known {
            return Err(walk.refuse("no such field"));
        }
        if value.is_some() {
            return Err(walk.refuse("given more than once"));
        }
        *value = next(Read { slot, or_unset: false, walk: &mut *walk })?;
        walk.step_back();
        Ok(())
    }

    fn message(self) -> Option<DynamicMessage> {
        match self {
            Self::Fields(fields) => Some(fields.message),
            Self::Value(_, Some(Value::Message(message))) => Some(message),
            Self::Value(..) => None,
        }
    }
}
