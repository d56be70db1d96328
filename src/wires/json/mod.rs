//! ProtoJSON, by descriptors: <https://protobuf.dev/programming-guides/json/>.
//!
//! Whatever [`write`] writes, [`read`] reads as the same. Names that are unknown or given twice,
//! numbers out of range and messages that nest too deeply are refused by the field's name.

mod any;
mod fields;
mod form;
mod numbers;
mod read;
mod scalars;
mod slot;
mod value;
mod walk;
mod write;

pub(super) use self::{
    form::Form,
    read::{read, read_field},
    scalars::from_text,
    slot::Slot,
    write::{to_value, write, write_field},
};

/// How many messages may be open at once, the outermost and the entries of maps included: as many
/// as prost decodes. What is inside an `Any` counts on.
pub(super) const MAX_DEPTH: usize = 101;
