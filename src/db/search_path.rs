//! Where unqualified names are looked for.

use std::{fmt, sync::Arc};

/// `search_path` as text: the schema that holds `users`, then `public` and `extensions`, as a
/// Supabase project has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SearchPath {
    schema: Arc<str>,
    path: Arc<str>,
}

impl SearchPath {
    /// The path that begins with `schema`, whatever characters are in its name.
    pub(super) fn new(schema: &str) -> Self {
        let path = match schema {
            "public" => "public, extensions".into(),
            _ => format!("{}, public, extensions", quoted(schema)).into(),
        };
        Self { schema: schema.into(), path }
    }

    /// The schema that holds `users`, as it is named.
    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    pub(super) fn as_str(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for SearchPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// A name as SQL has it, whatever characters are in it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::SearchPath;

    #[test]
    fn a_schema_is_quoted_whatever_its_name() {
        assert_eq!(SearchPath::new("public").as_str(), "public, extensions");
        assert_eq!(SearchPath::new("My App").as_str(), "\"My App\", public, extensions");
        assert_eq!(SearchPath::new("a\"; --").as_str(), "\"a\"\"; --\", public, extensions");
    }
}
