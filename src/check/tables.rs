//! What the service finds in the database.

use uuid::Uuid;

use super::{Check, Database, Finding, Setup, Tell, finding::unanswered, users};
use crate::{
    auth::Session,
    db::{
        self,
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
    let users = users::check(&setup.config.database.schema, inspector, tell).await;
    tell(match inspector.auth_uid().await {
        Ok(found) => auth_uid(found),
        Err(cause) => unanswered(Check::AuthUid, &cause),
    });
    let needed = users.is_none() || setup.checks_sessions();
    tell(match owner {
        None => migrations(inspector, needed).await,
        Some(owner) => owners_migrations(owner, needed).await,
    });
    tell(match database.serves {
        true => session_check(setup).await,
        false => Check::SessionCheck.skipped("the login may not become a caller"),
    });
    users
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
async fn owners_migrations(owner: &db::Settings, needed: bool) -> Finding {
    let (attempts, inspector) = inspect::attempts(owner).await;
    if let Some(inspector) = inspector {
        return migrations(&inspector, needed).await;
    }
    let causes = attempts.iter().filter_map(|attempt| attempt.failed.as_ref());
    let causes = causes.map(|(_, cause)| cause.to_string()).collect::<Vec<_>>().join("; ");
    Check::Migrations
        .failed(format!("MIGRATE_DATABASE_URL leads to no session: {causes}"))
        .hint("`user-service migrate` needs the owner's login, by a direct connection or the session pooler")
}

async fn migrations(inspector: &Inspector, needed: bool) -> Finding {
    let (names, of) = match inspector.migrations().await {
        Ok(Record::Pending { names, of }) => (names, of),
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
    if names.len() == of && !needed {
        return Check::Migrations
            .ok("none was applied, and none is needed: users is there, and SESSION_CHECK is off");
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
        (Err(error), true) => Check::SessionCheck
            .failed(format!("SESSION_CHECK is on, and cannot ask: {error}"))
            .hint("`user-service migrate` makes user_service.session_standing; or SESSION_CHECK=off"),
        (Err(_), false) => Check::SessionCheck
            .skipped("SESSION_CHECK is off, and user_service.session_standing is not there to switch it on")
            .hint("`user-service migrate` makes it, should you want it"),
    }
}
