//! The table `users`: its columns, what `authenticated` may do with it, its policies.

use super::{Check, Finding, Tell, finding::unanswered};
use crate::db::inspect::{Column, Inspector, Kind, Policy, Users};

/// What depends on there being a table.
const OF_THE_TABLE: [Check; 4] =
    [Check::Columns, Check::Grants, Check::RowSecurity, Check::Policies];

/// The columns that the service needs, and their types.
const COLUMNS: [(&str, &str); 2] = [("id", "uuid"), ("full_name", "text")];

/// Looks at `users` in this schema.
pub(super) async fn check(schema: &str, inspector: &Inspector, tell: Tell<'_>) -> Option<Users> {
    let users = match inspector.users().await {
        Ok(Some(users)) => users,
        Ok(None) => {
            tell(missing(schema, inspector).await);
            OF_THE_TABLE.into_iter().for_each(|check| tell(check.skipped("there is no users")));
            return None;
        }
        Err(cause) => {
            tell(unanswered(Check::Users, &cause));
            OF_THE_TABLE.into_iter().for_each(|check| tell(check.skipped("users is not known")));
            return None;
        }
    };
    let table = format!("{schema}.users");
    tell(kind(&users, &table));
    tell(columns(&users, &table));
    tell(grants(&users, &table, schema));
    tell(row_security(&users, &table));
    tell(policies(&users, &table));
    users.policies.iter().map(policy).for_each(tell);
    Some(users)
}

async fn missing(schema: &str, inspector: &Inspector) -> Finding {
    let elsewhere = inspector.users_elsewhere().await.unwrap_or_default();
    let hint = match elsewhere.as_slice() {
        [] if schema == "public" => {
            "`user-service migrate` makes the usual starter's table".to_owned()
        }
        [] => "make it, or unset DATABASE_SCHEMA: `user-service migrate` makes public.users"
            .to_owned(),
        schemas => format!("there is one in {}: set DATABASE_SCHEMA", schemas.join(", ")),
    };
    Check::Users.failed(format!("there is no table users in the schema {schema}")).hint(hint)
}

fn kind(users: &Users, table: &str) -> Finding {
    match users.kind {
        Kind::Table => Check::Users.ok(format!("{table} is there")),
        Kind::ViewAsOwner | Kind::ViewAsCaller => {
            Check::Users.ok(format!("{table} is there, a view"))
        }
        Kind::Other => Check::Users
            .failed(format!("{table} is neither a table nor a view: no policy guards it"))
            .hint("make it a table, or a view with security_invoker"),
    }
}

fn columns(users: &Users, table: &str) -> Finding {
    let (mut wrong, mut hints) = (Vec::new(), Vec::new());
    for (name, sql_type) in COLUMNS {
        match users.columns.iter().find(|column| column.name == name) {
            None => {
                wrong.push(format!("there is no column {name}"));
                hints.push(format!("alter table {table} add column {name} {sql_type};"));
            }
            Some(Column { fits: false, sql_type: found, .. }) => {
                wrong.push(format!("{name} is {found}, and must be {sql_type}"));
                hints.push(format!("alter table {table} alter column {name} type {sql_type} using {name}::{sql_type};"));
            }
            Some(_) => {}
        }
    }
    if !wrong.is_empty() {
        let hint =
            format!("{} Or a view with these two columns, in a schema of its own", hints.join(" "));
        return Check::Columns.failed(wrong.join("; ")).hint(hint);
    }
    let found = users.columns.iter().map(|column| format!("{} {}", column.name, column.sql_type));
    Check::Columns.ok(found.collect::<Vec<_>>().join(", "))
}

fn grants(users: &Users, table: &str, schema: &str) -> Finding {
    if !users.reachable {
        return Check::Grants
            .failed(format!("authenticated may not use the schema {schema}"))
            .hint(format!("grant usage on schema {schema} to authenticated;"));
    }
    if users.columns.iter().any(|column| !column.readable) {
        return Check::Grants
            .failed(format!("authenticated may not read {table}: GetName answers ACCESS_DENIED"))
            .hint(format!("grant select (id, full_name) on {table} to authenticated;"));
    }
    if users.columns.iter().any(|column| column.name == "full_name" && !column.writable) {
        return Check::Grants
            .warning(format!("authenticated may not change full_name in {table}: UpdateName answers ACCESS_DENIED"))
            .hint(format!("grant update (full_name) on {table} to authenticated;"));
    }
    Check::Grants.ok("authenticated may read and change full_name")
}

fn row_security(users: &Users, table: &str) -> Finding {
    match (users.kind, users.row_security) {
        (Kind::Table, true) => Check::RowSecurity.ok("on"),
        (Kind::Table, false) => Check::RowSecurity
            .failed(format!("off: whoever may read {table} sees every row, in the project's API too"))
            .hint(format!("alter table {table} enable row level security; and policies by which users see and change their own row")),
        (Kind::ViewAsCaller, _) => {
            Check::RowSecurity.ok("the view reads as the caller: the policies of its tables decide")
        }
        (Kind::ViewAsOwner, _) => Check::RowSecurity
            .failed("the view reads as its owner: the policies of its tables do not see the caller")
            .hint(format!("alter view {table} set (security_invoker = on); (PostgreSQL 15)")),
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
        format!("create policy \"Can {command} own user data\" on {table} for {rule};")
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

fn policy(policy: &Policy) -> Finding {
    let Policy { name, command, permissive, roles, .. } = policy;
    let restricts = if *permissive { "" } else { ", restrictive" };
    Check::Policy.ok(format!("\"{name}\": {command} for {}{restricts}", roles.join(", ")))
}
