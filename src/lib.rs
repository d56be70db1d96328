//! The backend that a Supabase project puts beside itself.
//!
//! A call's way, from the socket to PostgreSQL, is the order of these modules:
//!
//! ```text
//! server        accepts connections
//! app           the layer stack: observe → decide → translate → may refuse → the service
//! wires         which wire, which RPC; JSON and gRPC-Web to gRPC; framing, deadline, panic guard
//! auth          token → Caller; what the method requires
//! user_service  the RPCs
//! db            one transaction as this caller
//! ```

#![warn(unreachable_pub)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "bad input and bad days end in a Status, never in a panic"
)]
#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what is to be said goes to the log, through tracing, or is returned"
)]

pub mod app;
pub mod auth;
pub mod check;
pub mod config;
pub mod db;
pub mod error;
pub mod health;
pub mod limits;
pub mod logging;
pub mod metrics;
pub mod observe;
pub mod openapi;
pub mod pages;
pub mod proto;
pub mod serve;
pub mod server;
pub mod shutdown;
pub mod tls;
pub mod user_service;
pub mod wires;
