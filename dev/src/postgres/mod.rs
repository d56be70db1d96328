//! A private PostgreSQL server from the installed binaries.

mod account;
mod binaries;
mod cluster;
mod directory;

pub(crate) use cluster::connect;
pub use cluster::{Cluster, Options, SUPERUSER};
pub use directory::place;
pub(crate) use directory::write_private;
