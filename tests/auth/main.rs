//! Verification by itself, with a key server on a real socket and a clock that can be set.

#[path = "../service/support/client.rs"]
#[expect(dead_code, reason = "these tests speak plain calls only")]
mod client;
#[expect(dead_code, reason = "the other test binaries use what is left")]
mod support;

mod cache;
mod guard;
mod https;
mod key_set;
mod keys;
mod properties;
mod rfc_examples;
mod rfcs;
mod settings;
mod tokens;
