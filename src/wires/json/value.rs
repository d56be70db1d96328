//! Reads the JSON that has no type but its own: `google.protobuf.Value`.

use std::fmt;

use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, Value};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};

use super::{
    read::{List, Map},
    slot::Slot,
    walk::Walk,
};

// The fields of a `google.protobuf.Value`, one of which is set.
const NULL: u32 = 1;
const NUMBER: u32 = 2;
const STRING: u32 = 3;
const BOOL: u32 = 4;
const STRUCT: u32 = 5;
const LIST: u32 = 6;

/// Reads a `google.protobuf.Value`.
pub(super) struct AnyJson<'s, 'w, 'de> {
    pub(super) descriptor: &'s MessageDescriptor,
    pub(super) walk: &'w mut Walk<'de>,
}

/// The `Value` that is `null`.
pub(super) fn null(descriptor: &MessageDescriptor) -> Value {
    Value::Message(with(descriptor, NULL, Value::EnumNumber(0)))
}

impl<'de> AnyJson<'_, '_, 'de> {
    fn is<E>(&self, number: u32, value: Value) -> Result<DynamicMessage, E> {
        Ok(with(self.descriptor, number, value))
    }

    /// Opens the message in a field, whose only field `read` reads.
    fn open<E: Error>(
        self,
        number: u32,
        read: impl FnOnce(Slot, &mut Walk<'de>) -> Result<Value, E>,
    ) -> Result<DynamicMessage, E> {
        let field = self.descriptor.get_field(number).map(|field| field.kind());
        let Some(Kind::Message(inside)) = field else { return Err(E::custom("no such field")) };
        let only = inside.get_field(1).ok_or_else(|| E::custom("no such field"))?;
        self.walk.open()?;
        let value = read(Slot::from(&only), &mut *self.walk)?;
        self.walk.close();
        self.is(number, Value::Message(with(&inside, 1, value)))
    }
}

impl<'de> Visitor<'de> for AnyJson<'_, '_, 'de> {
    type Value = DynamicMessage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<DynamicMessage, E> {
        self.is(NULL, Value::EnumNumber(0))
    }

    fn visit_bool<E>(self, value: bool) -> Result<DynamicMessage, E> {
        self.is(BOOL, Value::Bool(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "a Value has doubles and no other numbers")]
    fn visit_i64<E>(self, value: i64) -> Result<DynamicMessage, E> {
        self.is(NUMBER, Value::F64(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "a Value has doubles and no other numbers")]
    fn visit_u64<E>(self, value: u64) -> Result<DynamicMessage, E> {
        self.is(NUMBER, Value::F64(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<DynamicMessage, E> {
        self.is(NUMBER, Value::F64(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<DynamicMessage, E> {
        self.is(STRING, Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<DynamicMessage, A::Error> {
        self.open(LIST, |slot, walk| match slot {
            Slot::List(kind) => {
                List { element: &Slot::One(kind), walk }.visit_seq(seq).map(Value::List)
            }
            _ => Err(A::Error::custom("not a list")),
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DynamicMessage, A::Error> {
        self.open(STRUCT, |slot, walk| match slot {
            Slot::Map(entry) => Map { entry: &entry, walk }.visit_map(map).map(Value::Map),
            _ => Err(A::Error::custom("not a map")),
        })
    }
}

fn with(descriptor: &MessageDescriptor, number: u32, value: Value) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    message.set_field_by_number(number, value);
    message
}
