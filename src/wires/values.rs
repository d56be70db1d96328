//! The value of a field from text: a part of the path, or a query parameter.

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, Value};
use serde_json::json;

/// Well-known messages whose JSON is a string, number or boolean.
const SCALAR_MESSAGES: [&str; 12] = [
    "google.protobuf.Timestamp",
    "google.protobuf.Duration",
    "google.protobuf.FieldMask",
    "google.protobuf.DoubleValue",
    "google.protobuf.FloatValue",
    "google.protobuf.Int64Value",
    "google.protobuf.UInt64Value",
    "google.protobuf.Int32Value",
    "google.protobuf.UInt32Value",
    "google.protobuf.BoolValue",
    "google.protobuf.StringValue",
    "google.protobuf.BytesValue",
];

/// True where one value of the field can be written as text: scalars, enums, and well-known
/// messages that JSON writes as one scalar.
pub fn has_text_form(field: &FieldDescriptor) -> bool {
    match field.kind() {
        Kind::Message(message) => SCALAR_MESSAGES.contains(&message.full_name()),
        _ => !field.is_map(),
    }
}

/// One value of the field, read as ProtoJSON reads the text in place of a JSON value. The error
/// says what the field expects, never what it got.
pub(super) fn parse(field: &FieldDescriptor, text: &str) -> Result<Value, String> {
    let json = match field.kind() {
        Kind::Bool => boolean(text),
        Kind::Enum(_) => text.parse::<i32>().map_or_else(|_| json!(text), |number| json!(number)),
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.BoolValue" => boolean(text),
            "google.protobuf.FieldMask" => json!(camel_case(text)),
            _ => json!(text),
        },
        // ProtoJSON reads numbers and base64 from strings.
        _ => json!(text),
    };
    let json = if field.is_list() { json!([json]) } else { json };

    // The one public way to ProtoJSON is a whole message: one with this field alone.
    let alone = serde_json::Map::from_iter([(field.name().to_owned(), json)]);
    let parsed = DynamicMessage::deserialize(
        field.parent_message().clone(),
        serde_json::Value::Object(alone),
    );
    let value = parsed.ok().and_then(|mut message| {
        // A default value is not kept in a field without presence, but it is a value all the same.
        message.take_field(field).or_else(|| Some(Value::default_value_for_field(field)))
    });
    let value = match value {
        Some(Value::List(mut values)) => values.pop(),
        value => value,
    };
    value.ok_or_else(|| expected(field))
}

/// What a field expects, for the client that sent something else.
pub(super) fn expected(field: &FieldDescriptor) -> String {
    let kind = match field.kind() {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(of) => of.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    };
    match (field.is_list(), field.is_map()) {
        (_, true) => "expected a map".to_owned(),
        (true, _) => format!("expected values of type {kind}"),
        _ => format!("expected a value of type {kind}"),
    }
}

fn boolean(text: &str) -> serde_json::Value {
    text.parse::<bool>().map_or_else(|_| json!(text), |value| json!(value))
}

/// Field masks are lowerCamelCase in JSON; clients write the proto's own names as well.
fn camel_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut upper = false;
    for char in text.chars() {
        match char {
            '_' => upper = true,
            _ if upper => {
                out.extend(char.to_uppercase());
                upper = false;
            }
            _ => out.push(char),
        }
    }
    out
}

/// The descriptors of the standard error details, for pools that lack them.
pub(super) fn error_details() -> DescriptorPool {
    DescriptorPool::decode(tonic_types::pb::FILE_DESCRIPTOR_SET).unwrap_or_default()
}
