//! `user-service check`: the binary itself, against real databases and key addresses, right and
//! wrong.

#[path = "../auth/support/mod.rs"]
#[expect(dead_code, reason = "these tests sign tokens and publish keys, no more")]
mod auth_support;
mod caller;
mod connection;
#[path = "../db_support/mod.rs"]
mod db_support;
mod hints;
mod output;
mod support;
mod tables;
mod tokens;
