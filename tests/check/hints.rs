//! The SQL of a hint, pasted as it is, mends what it is about.

use crate::support::Rig;

/// What is spoilt, the schema of the settings, the check that tells of it.
struct Broken {
    sql: &'static str,
    schema: &'static str,
    check: &'static str,
}

const fn broken(check: &'static str, sql: &'static str) -> Broken {
    Broken { sql, schema: "public", check }
}

const IN_MY_APP: &str = "create schema \"My App\"; alter table public.users set schema \"My App\";";

const BROKEN: [Broken; 17] = [
    broken("grants", "revoke all on public.users from authenticated"),
    broken("grants", "revoke update on public.users from authenticated"),
    broken("grants", "revoke usage on schema public from public, authenticated"),
    broken("auth.uid", "revoke usage on schema auth from authenticated"),
    broken("row-security", "alter table public.users disable row level security"),
    broken("columns", "alter table public.users drop column full_name"),
    broken("columns", "alter table public.users alter full_name type bytea using null"),
    broken(
        "columns",
        "drop policy \"Can view own user data\" on public.users;
         drop policy \"Can update own user data\" on public.users;
         alter table public.users drop constraint users_id_fkey, alter id type text;
         create policy \"My Own\" on public.users using (auth.uid()::text = id);
         create policy named on public.users for select using (id <> full_name)",
    ),
    broken("policies", "drop policy \"Can view own user data\" on public.users"),
    broken(
        "policies",
        "alter policy \"Can view own user data\" on public.users to anon;
         create policy \"Can view own user data (2)\" on public.users for select to anon using (true)",
    ),
    broken("policies", "alter policy \"Can update own user data\" on public.users to anon"),
    broken(
        "row-security",
        "alter table public.users rename to people;
         create view public.users as select id, full_name from public.people",
    ),
    broken(
        "grants",
        "alter table public.users rename to \"The People\";
         alter table public.\"The People\" rename full_name to \"Display Name\";
         create view public.people with (security_invoker = on) as select * from public.\"The People\";
         create view public.users with (security_invoker = on) as
             select id, \"Display Name\" as full_name from public.people;
         grant all on public.users to authenticated;
         revoke select on public.\"The People\", public.people from authenticated",
    ),
    broken(
        "grants",
        "alter table public.users rename to people;
         create view public.users with (security_invoker = on) as select id, full_name from public.people;
         grant all on public.users to authenticated;
         revoke update on public.people from authenticated",
    ),
    broken("session-check", "revoke usage on schema user_service from anon"),
    Broken { sql: IN_MY_APP, schema: "My App", check: "grants" },
    Broken {
        sql: "create schema \"user\"; alter table public.users set schema \"user\";
              grant usage on schema \"user\" to authenticated;
              alter table \"user\".users disable row level security",
        schema: "user",
        check: "row-security",
    },
];

#[tokio::test]
async fn the_sql_of_a_hint_mends_what_it_is_about() {
    for Broken { sql, schema, check } in BROKEN {
        let rig = Rig::new().await.set("DATABASE_SCHEMA", schema).set("SESSION_CHECK", "on");
        rig.project.run(sql).await;
        // Behind the first thing there may be a second.
        for step in 0..4 {
            let checked = rig.check().await;
            let ((message, hint), status) = (checked.said(check), checked.status(check));
            if step > 0 && status == "ok" {
                break;
            }
            assert!(["failed", "warning"].contains(&status), "{check} is {status} after {sql}");
            println!("{message}\n    {hint}");
            rig.project.run(hint).await;
            let mended = rig.check().await;
            assert_ne!(mended.said(check).0, message, "{hint}");
            assert!(step < 3, "{check}: no end of it after {sql}");
        }
    }
}
