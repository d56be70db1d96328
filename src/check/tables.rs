//! What the service finds in the database.

use uuid::Uuid;

use super::{Check, Database, Finding, Setup, Tell, finding::unanswered, users};
use crate::{
    auth::Session,
    db::{
        self, SqlState,
        inspect::{self, AuthUid, Inspector, Record, Users},
        sessions,
    },
};

/// What is not looked at without a connection.
const ALL: [Check; 8] = [
    Check::Users,
    Check::Columns,
    Check::Grants,
    Check::RowSecurity,
    Check::Policies,
    Check::AuthUid,
    Check::Migrations,
    Check::SessionCheck,
];

/// Looks at what is there, and returns what `users` is.
pub(super) async fn check(
    setup: &Setup,
    database: &Database,
    owner: Option<&db::Settings>,
    tell: Tell<'_>,
) -> Option<Users> {
    let Some(inspector) = &database.inspector else {
        for check in ALL {
            tell(check.skipped("there is no connection to the database"));
        }
        return None;
    };
    let schema = &setup.config.database.schema;
    let users = users::check(schema, database.unusable.as_deref(), inspector, tell).await;
    tell(match inspector.auth_uid().await {
        Ok(found) => auth_uid(found),
        Err(cause) => unanswered(Check::AuthUid, &cause),
    });
    let needs = Needs { table: users.is_none(), session_standing: setup.checks_sessions() };
    tell(match owner {
        None => migrations(inspector, needs).await,
        Some(owner) => owners_migrations(owner, needs).await,
    });
    tell(match database.barred {
        None => session_check(setup).await,
        Some(why) => Check::SessionCheck.skipped(why),
    });
    users
}

/// What of the migrations' work there has to be.
#[derive(Clone, Copy)]
struct Needs {
    /// `public.users`, since there is no `users`.
    table: bool,
    /// The function that `SESSION_CHECK` asks.
    session_standing: bool,
}

fn auth_uid(found: AuthUid) -> Finding {
    match found {
        AuthUid::Usable => Check::AuthUid.ok("there, and policies may call it"),
        AuthUid::Missing => Check::AuthUid
            .failed("there is no function auth.uid(), by which policies know the caller")
            .hint("this is not the database of a Supabase project: is DATABASE_URL the right one?"),
        AuthUid::Unusable => Check::AuthUid
            .failed("authenticated may not call auth.uid(), or it returns no uuid")
            .hint("grant usage on schema auth to authenticated; grant execute on function auth.uid() to authenticated;"),
    }
}

/// The record, read as the project's owner.
async fn owners_migrations(owner: &db::Settings, needs: Needs) -> Finding {
    let (attempts, inspector) = inspect::attempts(owner).await;
    if let Some(inspector) = inspector {
        return migrations(&inspector, needs).await;
    }
    let causes = attempts.iter().filter_map(|attempt| attempt.failed.as_ref());
    let causes = causes.map(|(_, cause)| cause.to_string()).collect::<Vec<_>>().join("; ");
    Check::Migrations
        .failed(format!("MIGRATE_DATABASE_URL leads to no session: {causes}"))
        .hint("`user-service migrate` needs the owner's login, by a direct connection or the session pooler")
}

async fn migrations(inspector: &Inspector, needs: Needs) -> Finding {
    let (names, of, session_standing) = match inspector.migrations().await {
        Ok(Record::Pending { names, of, session_standing }) => (names, of, session_standing),
        Ok(Record::Hidden) => {
            return Check::Migrations.skipped("this login may not read which were applied").hint(
                "set MIGRATE_DATABASE_URL to the owner's connection string, and it is read there",
            );
        }
        Err(cause) => return unanswered(Check::Migrations, &cause),
    };
    if names.is_empty() {
        return Check::Migrations.ok(format!("all {of} were applied"));
    }
    // None recorded: the project had what is needed, or the Supabase CLI has made it.
    if names.len() == of && !needs.table && (session_standing || !needs.session_standing) {
        let session = match session_standing {
            true => "and so is user_service.session_standing",
            false => "and SESSION_CHECK is off",
        };
        return Check::Migrations.ok(format!(
            "`user-service migrate` has recorded none, and none is needed: users is there, {session}"
        ));
    }
    Check::Migrations
        .warning(format!("pending: {}", names.join(", ")))
        .hint("`user-service migrate` applies them; what the project already has stays as it is")
}

/// Asks what `SESSION_CHECK` asks, of a session that nobody has.
async fn session_check(setup: &Setup) -> Finding {
    let nobody = Session { id: Uuid::nil(), user: Uuid::nil() };
    match (sessions::standing(&setup.db, nobody).await, setup.checks_sessions()) {
        (Ok(_), true) => Check::SessionCheck.ok("on, and user_service.session_standing answers"),
        (Ok(_), false) => {
            Check::SessionCheck.ok("off; user_service.session_standing is there to switch it on")
        }
        (Err(error), on) => session_check_fails(&error, on),
    }
}

fn session_check_fails(error: &db::Error, on: bool) -> Finding {
    let (why, hint) = match error.sqlstate().as_ref().map_or("", SqlState::as_str) {
        // undefined_function, invalid_schema_name
        "42883" | "3F000" => (
            "user_service.session_standing is not there".to_owned(),
            "`user-service migrate` makes it",
        ),
        SqlState::INSUFFICIENT_PRIVILEGE => (
            format!("anon may not call user_service.session_standing: {error}"),
            "grant usage on schema user_service to anon; grant execute on function user_service.session_standing(uuid, uuid) to anon;",
        ),
        _ => (
            format!("whether user_service.session_standing is there is not known: {error}"),
            "is the database busy, or does the function fail? Try again",
        ),
    };
    match on {
        true => Check::SessionCheck
            .failed(format!("SESSION_CHECK is on, and cannot ask: {why}"))
            .hint(hint),
        false => Check::SessionCheck.skipped(format!("SESSION_CHECK is off; {why}")).hint(hint),
    }
}
