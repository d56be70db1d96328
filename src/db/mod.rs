//! Work in PostgreSQL, as the caller and as nobody else.
