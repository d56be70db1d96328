//! The development stack of user-service: what stands around the service when it runs on a
//! developer's machine and in its tests.
//!
//! ```text
//! process    a child that never outlives us
//! postgres   a private PostgreSQL from the installed binaries
//! supabase   the parts of Supabase's database that the service relies on
//! auth       a stand-in for Supabase Auth, with its state in that database
//! testing    one server for a test process, one copied database for a test
//! seed       two users
//! state      the folder .dev and its lock
//! stack      all of it, with the service's built binary as a child
//! ```
//!
//! It knows the service only as a program with settings: never as a crate.

pub mod auth;
mod http;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod seed;
pub mod stack;
pub mod state;
pub mod supabase;
pub mod testing;
pub mod token;
