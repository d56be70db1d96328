//! What a peer can do to a connection, and what the settings of connections do, over raw bytes
//! against the service's own stack and accept loop.

mod age;
#[path = "../auth/support/alone.rs"]
#[expect(dead_code, reason = "these tests need no variables")]
mod alone;
mod certificates;
mod floods;
mod frames;
#[path = "../wires/library.rs"]
mod library;
mod limits;
mod server;
mod silence;
#[path = "../stack_support/mod.rs"]
mod stack_support;
mod unread;
