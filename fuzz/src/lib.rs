//! What the targets share. All of them go in by the library's public API: what they find, a
//! stranger can send.

pub mod tokens;
pub mod wires;
