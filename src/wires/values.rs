//! The value of a field from text: a part of the path, or a query parameter.

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value,
};
use serde::de::{IntoDeserializer, value::Error};

use super::json::{Form, Slot, from_text};

/// True where one value of the field can be written as text: scalars, enums, and well-known
/// messages that JSON writes as one scalar.
pub fn has_text_form(field: &FieldDescriptor) -> bool {
    match field.kind() {
        Kind::Message(message) => matches!(Form::of(&message), Form::Text | Form::Wrapper),
        _ => true,
    }
}

/// One value of the field, read as ProtoJSON reads the text in place of a JSON value. The error
/// says what the field expects, never what it got.
pub(super) fn parse(field: &FieldDescriptor, text: &str) -> Result<Value, String> {
    let value = match field.kind() {
        Kind::Message(message) => well_known(&message, text).map(Value::Message),
        scalar => from_text(&scalar, text),
    };
    value.ok_or_else(|| Slot::from(field).expected())
}

fn well_known(descriptor: &MessageDescriptor, text: &str) -> Option<DynamicMessage> {
    let only = match Form::of(descriptor) {
        Form::Wrapper => from_text(&descriptor.get_field(1)?.kind(), text)?,
        Form::Text if descriptor.name() == "FieldMask" => field_mask(text),
        Form::Text => {
            let text = IntoDeserializer::<Error>::into_deserializer(text);
            return DynamicMessage::deserialize(descriptor.clone(), text).ok();
        }
        _ => return None,
    };
    let mut message = DynamicMessage::new(descriptor.clone());
    message.set_field_by_number(1, only);
    Some(message)
}

/// The paths of a field mask. They are lowerCamelCase in JSON, and clients write the proto's own
/// names as well, which tell themselves by `_` and stay as they are.
fn field_mask(text: &str) -> Value {
    let paths = text.split(',').filter(|path| !path.is_empty());
    Value::List(paths.map(|path| Value::String(proto_name(path))).collect())
}

fn proto_name(path: &str) -> String {
    if path.contains('_') {
        return path.to_owned();
    }
    let mut name = String::with_capacity(path.len());
    for char in path.chars() {
        if char.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(char.to_ascii_lowercase());
    }
    name
}

/// The descriptors of the standard error details, for pools that lack them.
pub(super) fn error_details() -> DescriptorPool {
    DescriptorPool::decode(tonic_types::pb::FILE_DESCRIPTOR_SET).unwrap_or_default()
}
