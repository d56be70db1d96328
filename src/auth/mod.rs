//! `Authorization` → [`Caller`].

mod caller;

pub use caller::{Caller, Role};
