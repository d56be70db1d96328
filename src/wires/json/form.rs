//! Which messages ProtoJSON writes in a form of their own.

use prost_reflect::MessageDescriptor;

/// How ProtoJSON writes a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wires) enum Form {
    /// An object of its fields.
    Object,
    /// An object without any.
    Empty,
    /// `Any`: an object that names its own type.
    Any,
    /// `Timestamp`, `Duration`, `FieldMask`: a string.
    Text,
    /// The wrappers of scalars: the scalar.
    Wrapper,
    /// `Struct` and `ListValue`: their only field.
    Only,
    /// `Value`: any JSON.
    Value,
}

impl Form {
    /// The form of this message.
    pub(in crate::wires) fn of(message: &MessageDescriptor) -> Self {
        let Some(name) = message.full_name().strip_prefix("google.protobuf.") else {
            return Self::Object;
        };
        match name {
            "Empty" => Self::Empty,
            "Any" => Self::Any,
            "Timestamp" | "Duration" | "FieldMask" => Self::Text,
            "DoubleValue" | "FloatValue" | "Int64Value" | "UInt64Value" | "Int32Value"
            | "UInt32Value" | "BoolValue" | "StringValue" | "BytesValue" => Self::Wrapper,
            "Struct" | "ListValue" => Self::Only,
            "Value" => Self::Value,
            _ => Self::Object,
        }
    }
}
