//! What a place in a message holds.

use prost_reflect::{ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor};

/// The type of a field's value.
#[derive(Clone, Debug)]
pub(in crate::wires) enum Slot {
    /// One value.
    One(Kind),
    /// A list of values.
    List(Kind),
    /// A map, by the type of its entries.
    Map(MessageDescriptor),
}

impl Slot {
    fn new(kind: Kind, list: bool) -> Self {
        match kind {
            Kind::Message(entry) if entry.is_map_entry() => Self::Map(entry),
            kind if list => Self::List(kind),
            kind => Self::One(kind),
        }
    }

    /// What the slot expects, for the client that sent something else.
    pub(in crate::wires) fn expected(&self) -> String {
        match self {
            Self::One(kind) => format!("expected a value of type {}", name(kind)),
            Self::List(kind) => format!("expected values of type {}", name(kind)),
            Self::Map(_) => "expected a map".to_owned(),
        }
    }
}

impl From<&FieldDescriptor> for Slot {
    fn from(field: &FieldDescriptor) -> Self {
        Self::new(field.kind(), field.is_list())
    }
}

impl From<&ExtensionDescriptor> for Slot {
    fn from(extension: &ExtensionDescriptor) -> Self {
        Self::new(extension.kind(), extension.is_list())
    }
}

/// The name of a type, as proto files write it.
pub(super) fn name(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(of) => of.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}
