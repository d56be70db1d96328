//! One port, three wires. Knows HTTP and descriptors, nothing of users.

mod call;

pub use call::{Call, Deadline, Outcome, Record, Wire};
