//! The table `users`: its columns, what `authenticated` may do with it, its policies.

use super::{Check, Finding, Tell, finding::unanswered, grants};
use crate::db::inspect::{Column, Inspector, Kind, Policy, Users};

/// What depends on there being a table.
const OF_THE_TABLE: [Check; 4] =
    [Check::Columns, Check::Grants, Check::RowSecurity, Check::Policies];

/// The columns that the service needs, and their types.
const COLUMNS: [(&str, &str); 2] = [("id", "uuid"), ("full_name", "text")];

/// Looks at `users` in this schema, which calls cannot use for the reason `unusable`.
pub(super) async fn check(
    schema: &str,
    unusable: Option<&str>,
    inspector: &Inspector,
    tell: Tell<'_>,
) -> Option<Users> {
    let users = match inspector.users().await {
        Ok(Some(users)) => users,
        Ok(None) => {
            tell(missing(schema, unusable, inspector).await);
            OF_THE_TABLE.into_iter().for_each(|check| tell(check.skipped("there is no users")));
            return None;
        }
        Err(cause) => {
            tell(unanswered(Check::Users, &cause));
            OF_THE_TABLE.into_iter().for_each(|check| tell(check.skipped("users is not known")));
            return None;
        }
    };
    let table = format!("{}.users", users.schema);
    tell(kind(&users, &table));
    tell(columns(&users, &table));
    tell(grants::check(&users, &table, schema));
    tell(row_security(&users, &table));
    tell(policies(&users, &table));
    users.policies.iter().map(policy).for_each(tell);
    Some(users)
}

async fn missing(schema: &str, unusable: Option<&str>, inspector: &Inspector) -> Finding {
    let elsewhere = inspector.users_elsewhere().await.unwrap_or_default();
    let hint = match elsewhere.as_slice() {
        [] if schema == "public" => {
            "`user-service migrate` makes the usual starter's table".to_owned()
        }
        [] => "make it, or unset DATABASE_SCHEMA: `user-service migrate` makes public.users"
            .to_owned(),
        schemas => format!("there is one in {}: set DATABASE_SCHEMA", schemas.join(", ")),
    };
    let message = match unusable {
        Some(why) => format!("{why}: every call answers DATABASE_UNAVAILABLE"),
        None => format!("there is no table users in the schema {schema}"),
    };
    Check::Users.failed(message).hint(hint)
}

fn kind(users: &Users, table: &str) -> Finding {
    match users.kind {
        Kind::Table => Check::Users.ok(format!("{table} is there")),
        Kind::ViewAsOwner | Kind::ViewAsCaller => match &users.fixed {
            None => Check::Users.ok(format!("{table} is there, a view")),
            Some(cause) => Check::Users
                .warning(format!("{table} is there, a view that takes no changes: UpdateName answers INTERNAL ({cause})"))
                .hint("make it a selection of one table's columns, without distinct, group by or a join, or give it an `instead of update` trigger"),
        },
        Kind::Other => Check::Users
            .failed(format!("{table} is neither a table nor a view: no policy guards it"))
            .hint("make it a table, or a view with security_invoker"),
    }
}

fn columns(users: &Users, table: &str) -> Finding {
    let mut wrong = Vec::new();
    for (name, sql_type) in COLUMNS {
        match users.columns.iter().find(|column| column.name == name) {
            None => wrong.push(format!("there is no column {name}")),
            Some(Column { fits: false, sql_type: found, .. }) => {
                wrong.push(format!("{name} is {found}, and must be {sql_type}"));
            }
            Some(_) => {}
        }
    }
    if !wrong.is_empty() {
        return Check::Columns.failed(wrong.join("; ")).hint(columns_hint(users, table));
    }
    let found = users.columns.iter().map(|column| format!("{} {}", column.name, column.sql_type));
    Check::Columns.ok(found.collect::<Vec<_>>().join(", "))
}

/// SQL that mends the columns of a table; a view, or a type that holds no user's id, takes more.
fn columns_hint(users: &Users, table: &str) -> String {
    const BY_A_VIEW: &str = "a view with `id uuid` and `full_name text`, in a schema of its own, will do: docs/profiles.md shows one";
    let mut statements = Vec::new();
    let mut in_the_way: Vec<&Policy> = Vec::new();
    for (name, sql_type) in COLUMNS {
        match users.columns.iter().find(|column| column.name == name) {
            _ if users.kind != Kind::Table => return BY_A_VIEW.to_owned(),
            Some(column) if column.fits => {}
            None => statements.push(format!("alter table {table} add column {name} {sql_type};")),
            Some(column) if name == "id" && !column.is_text => return BY_A_VIEW.to_owned(),
            Some(_) => {
                let using = |policy: &&Policy| policy.columns.iter().any(|column| column == name);
                in_the_way.extend(users.policies.iter().filter(using));
                statements.push(format!("alter table {table} alter column {name} type {sql_type} using {name}::{sql_type};"));
            }
        }
    }
    in_the_way.dedup_by_key(|policy| policy.name.as_str());
    let drops =
        in_the_way.iter().map(|policy| format!("drop policy {} on {table};", policy.quoted));
    let sql = drops.chain(statements).collect::<Vec<_>>().join(" ");
    match in_the_way.is_empty() {
        true => format!("{sql} -- or: {BY_A_VIEW}"),
        // All or nothing: without its policies the table would be closed.
        false => format!(
            "begin; {sql} commit; -- a policy that looks at the column has to be made anew after it: note what it says first"
        ),
    }
}

fn row_security(users: &Users, table: &str) -> Finding {
    match (users.kind, users.row_security) {
        (Kind::Table, true) => Check::RowSecurity.ok("on"),
        (Kind::Table, false) => Check::RowSecurity
            .failed(format!("off: whoever may read {table} sees every row, in the project's API too"))
            .hint(format!("alter table {table} enable row level security; -- then policies by which users see and change their own row")),
        (Kind::ViewAsCaller, _) => {
            Check::RowSecurity.ok("the view reads as the caller: the policies of its tables decide")
        }
        (Kind::ViewAsOwner, _) => Check::RowSecurity
            .failed("the view reads as its owner: the policies of its tables do not see the caller")
            .hint(format!("alter view {table} set (security_invoker = on); -- since PostgreSQL 15")),
        (Kind::Other, _) => Check::RowSecurity.skipped("what is no table has none"),
    }
}

/// Whether a user sees a row at all, and may change it.
fn policies(users: &Users, table: &str) -> Finding {
    if users.kind != Kind::Table {
        return Check::Policies.skipped("users is not a table: it has none of its own");
    }
    if !users.row_security {
        return Check::Policies.skipped("not in force while row level security is off");
    }
    let opens = |command| users.policies.iter().any(|policy| policy.opens(command));
    let advice = |command: &str, rule: &str| {
        let name = free_name(users, &format!("Can {command} own user data"));
        format!("create policy \"{name}\" on {table} for {rule};")
    };
    if !opens("SELECT") {
        return Check::Policies
            .failed(
                "none lets authenticated see a row: GetName answers USER_NOT_FOUND to everybody",
            )
            .hint(advice("view", "select using ((select auth.uid()) = id)"));
    }
    if !opens("UPDATE") {
        let rule = "update using ((select auth.uid()) = id) with check ((select auth.uid()) = id)";
        return Check::Policies
            .warning("none lets authenticated change a row: UpdateName answers USER_NOT_FOUND to everybody")
            .hint(advice("update", rule));
    }
    Check::Policies.ok("authenticated may see and change what these open")
}

/// A name that no policy has.
fn free_name(users: &Users, name: &str) -> String {
    let taken = |name: &String| users.policies.iter().any(|policy| policy.name == *name);
    let more = (2_u32..).map(|number| format!("{name} ({number})"));
    std::iter::once(name.to_owned()).chain(more).find(|name| !taken(name)).unwrap_or_default()
}

fn policy(policy: &Policy) -> Finding {
    let Policy { name, command, permissive, roles, .. } = policy;
    let restricts = if *permissive { "" } else { ", restrictive" };
    Check::Policy.ok(format!("\"{name}\": {command} for {}{restricts}", roles.join(", ")))
}
