//! One scalar, from its JSON or from text that stands in for it.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use prost_reflect::{EnumDescriptor, Kind, MapKey, Value};

use super::numbers;

const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);

/// A boolean, a number or an enum from its JSON; `None` where that is something else.
pub(super) fn from_json(kind: &Kind, json: &str) -> Option<Value> {
    let text = match json.starts_with('"') {
        // Only a string with escapes differs from what stands between its quotes.
        true if json.contains('\\') => &*serde_json::from_str::<String>(json).ok()?,
        true => json.get(1..json.len() - 1)?,
        false => json,
    };
    let quoted = json.starts_with('"');
    match kind {
        Kind::Bool if !quoted => boolean(text),
        Kind::Bool => None,
        Kind::Enum(of) if quoted => named(of, text),
        Kind::Enum(of) if text == "null" && is_null(of) => Some(Value::EnumNumber(0)),
        kind => from_number(kind, text),
    }
}

/// Any scalar from text, which says itself what it is. An enum by its name or its number.
pub(in crate::wires) fn from_text(kind: &Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::String => Some(Value::String(text.to_owned())),
        Kind::Bytes => bytes(text),
        Kind::Bool => boolean(text),
        Kind::Enum(of) => named(of, text).or_else(|| from_number(kind, text)),
        kind => from_number(kind, text),
    }
}

/// The key of a map.
pub(super) fn map_key(kind: &Kind, text: &str) -> Option<MapKey> {
    Some(match from_text(kind, text)? {
        Value::Bool(key) => MapKey::Bool(key),
        Value::I32(key) => MapKey::I32(key),
        Value::I64(key) => MapKey::I64(key),
        Value::U32(key) => MapKey::U32(key),
        Value::U64(key) => MapKey::U64(key),
        Value::String(key) => MapKey::String(key),
        _ => return None,
    })
}

/// Base64 of either alphabet, with padding or without.
pub(super) fn bytes(text: &str) -> Option<Value> {
    let engine = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    engine.decode(text).ok().map(|bytes| Value::Bytes(bytes.into()))
}

/// True for the enum whose JSON is `null`.
pub(super) fn is_null(of: &EnumDescriptor) -> bool {
    of.full_name() == "google.protobuf.NullValue"
}

fn named(of: &EnumDescriptor, name: &str) -> Option<Value> {
    of.get_value_by_name(name).map(|value| Value::EnumNumber(value.number()))
}

fn boolean(text: &str) -> Option<Value> {
    text.parse().ok().map(Value::Bool)
}

fn from_number(kind: &Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Double => numbers::double(text).map(Value::F64),
        Kind::Float => numbers::float(text).map(Value::F32),
        _ => {
            let integer = numbers::integer(text)?;
            match kind {
                Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                    integer.try_into().ok().map(Value::I32)
                }
                Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                    integer.try_into().ok().map(Value::I64)
                }
                Kind::Uint32 | Kind::Fixed32 => integer.try_into().ok().map(Value::U32),
                Kind::Uint64 | Kind::Fixed64 => integer.try_into().ok().map(Value::U64),
                Kind::Enum(_) => integer.try_into().ok().map(Value::EnumNumber),
                _ => None,
            }
        }
    }
}
