//! A private PostgreSQL server from the installed binaries.

mod account;
mod binaries;
mod cluster;
mod directory;

pub use cluster::{Cluster, Options, SUPERUSER};
