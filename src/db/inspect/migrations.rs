//! Which of the migrations that this binary has were applied.

use super::{Inspector, column};
use crate::db::{Cause, migrate};

/// What the database knows of our migrations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// There is a record, and this login may not read it.
    Hidden,
    /// These have not been applied, by name, of so many.
    Pending {
        /// Their names.
        names: Vec<String>,
        /// How many there are, applied ones included.
        of: usize,
        /// Whether `user_service.session_standing` is there, whoever made it: the Supabase CLI keeps
        /// a record of its own.
        session_standing: bool,
    },
}

impl Inspector {
    /// Compares the record of applied migrations with those of this binary.
    ///
    /// # Errors
    /// The database's, or that it did not answer.
    pub async fn migrations(&self) -> Result<Record, Cause> {
        let readable = "
            SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'user_service' AND c.relname = '__diesel_schema_migrations'";
        let applied: Vec<String> = match self.rows(readable, &[]).await?.first() {
            None => Vec::new(),
            Some(row) if !column::<bool>(row, 0)? => return Ok(Record::Hidden),
            Some(_) => {
                let sql = "SELECT version::text FROM user_service.__diesel_schema_migrations";
                let rows = self.rows(sql, &[]).await?;
                rows.iter().map(|row| column(row, 0)).collect::<Result<_, _>>()?
            }
        };
        let known = migrate::known().map_err(|error| Cause::from(error.to_string()))?;
        let of = known.len();
        let pending = known.into_iter().filter(|known| !applied.contains(&known.version));
        let names = pending.map(|known| known.name).collect();
        let there = "
            SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE n.nspname = 'user_service' AND p.proname = 'session_standing'";
        let session_standing = !self.rows(there, &[]).await?.is_empty();
        Ok(Record::Pending { names, of, session_standing })
    }
}
