//! The whole service, as `main` starts it, called over real sockets.

mod cancellation;
mod clients;
mod cors;
mod coverage;
mod grpcurl;
mod name;
mod outage;
mod pages;
mod process;
mod sessions;
mod support;
