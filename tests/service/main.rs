//! The whole service, as `main` starts it, called over real sockets.

mod attacks;
#[path = "../auth/support/mod.rs"]
#[expect(dead_code, reason = "these tests sign tokens and publish keys, no more")]
mod auth_support;
mod cancellation;
mod clients;
mod cors;
mod coverage;
mod foreign;
mod grpcurl;
mod issuer;
mod name;
mod outage;
mod pages;
mod process;
mod sessions;
mod support;
