//! `user-service check`: the binary itself, against real databases and key addresses, right and
//! wrong.

#[path = "../auth_support/mod.rs"]
mod auth_support;
mod caller;
mod connection;
#[path = "../db_support/mod.rs"]
mod db_support;
mod output;
mod support;
mod tables;
mod tokens;
