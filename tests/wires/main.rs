//! The three wires over real sockets, in front of a library of books and shelves that uses every
//! feature of the HTTP annotations.

mod bindings;
mod json;
mod library;
mod policies;
mod properties;
mod raw;
mod raw_bodies;
mod raw_http;
mod serve;
mod streams;
mod three_wires;
