//! What `authenticated` may do with `users`.

use std::collections::BTreeMap;

use super::{Check, Finding};
use crate::db::inspect::{Shown, Users};

/// Looks at the grants on the schema, the table, and the tables behind a view.
pub(super) fn check(users: &Users, table: &str, schema: &str) -> Finding {
    if !users.reachable {
        let answers = match schema {
            "public" => "GetName answers INTERNAL",
            _ => "every call answers DATABASE_UNAVAILABLE",
        };
        return Check::Grants
            .failed(format!("authenticated may not use the schema {schema}: {answers}"))
            .hint(format!("grant usage on schema {} to authenticated;", users.schema));
    }
    let column = |name: &str| users.columns.iter().find(|column| column.name == name);
    let (Some(id), Some(full_name)) = (column("id"), column("full_name")) else {
        return Check::Grants.skipped("a column is missing");
    };
    if !id.readable || !full_name.readable {
        return Check::Grants
            .failed(format!("authenticated may not read {table}: GetName answers ACCESS_DENIED"))
            .hint(format!("grant select (id, full_name) on {table} to authenticated;"));
    }
    if let Some(cause) = &users.unreadable {
        return Check::Grants
            .failed(format!("authenticated may not read what is behind {table}: GetName answers ACCESS_DENIED ({cause})"))
            .hint(reads_behind(&users.shows).unwrap_or_else(what_policies_use));
    }
    if users.fixed.is_some() {
        return Check::Grants.ok("authenticated may read full_name");
    }
    if !full_name.writable {
        return Check::Grants
            .warning(format!("authenticated may not change full_name in {table}: UpdateName answers ACCESS_DENIED"))
            .hint(format!("grant update (full_name) on {table} to authenticated;"));
    }
    if let Some(cause) = &users.unwritable {
        return Check::Grants
            .warning(format!("authenticated may not change what is behind {table}: UpdateName answers ACCESS_DENIED ({cause})"))
            .hint(writes_behind(&users.shows).unwrap_or_else(what_policies_use));
    }
    Check::Grants.ok("authenticated may read and change full_name")
}

fn what_policies_use() -> String {
    "authenticated needs the grants on all that the view, its policies and their functions use"
        .to_owned()
}

/// SQL by which a view's tables can be read; `None` where nothing is missing there.
fn reads_behind(shows: &[Shown]) -> Option<String> {
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for shown in shows.iter().filter(|shown| !shown.readable) {
        missing.entry(&shown.table).or_default().push(&shown.column);
    }
    let grant = |(table, columns): (&&str, &Vec<&str>)| {
        format!("grant select ({}) on {table} to authenticated;", columns.join(", "))
    };
    let sql = missing.iter().map(grant).collect::<Vec<_>>();
    (!sql.is_empty()).then(|| sql.join(" "))
}

/// SQL by which the name behind a view can be changed: the column of that name, else the only text;
/// `None` where it is not clear which one it is.
fn writes_behind(shows: &[Shown]) -> Option<String> {
    let mut texts = shows.iter().filter(|shown| shown.is_text);
    let named = shows.iter().find(|shown| shown.column == "full_name");
    let name = named.or_else(|| texts.next().filter(|_| texts.next().is_none()))?;
    let Shown { table, column, writable, .. } = name;
    (!writable).then(|| format!("grant update ({column}) on {table} to authenticated;"))
}
