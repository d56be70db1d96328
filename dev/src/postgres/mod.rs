//! A private PostgreSQL server from the installed binaries.

mod account;
mod binaries;
mod cluster;
mod directory;
mod options;

pub(crate) use cluster::connect;
pub use cluster::{Cluster, SUPERUSER};
pub use directory::place;
pub(crate) use directory::{remove_if_there, write_private};
pub use options::Options;
