//! The call that GetName makes, with a user's token: what it returns, or why it does not.

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use tokio::time::Instant;

use super::{Check, Database, Finding, Setup, Tell, finding::unanswered};
use crate::{
    auth::{Caller, Session, Standing},
    db::{self, inspect::Users, sessions, users},
    error::{Error, Reason},
    proto::user::v1::user_service_server::SERVICE_NAME,
};

/// Without a token.
pub(super) fn skip(tell: Tell<'_>) {
    let hint = "echo \"$TOKEN\" | user-service check --token -";
    tell(
        Check::Token
            .skipped("none was given: with one, this says the name that GetName returns")
            .hint(hint),
    );
}

/// Calls.
pub(super) async fn check(
    setup: &Setup,
    database: &Database,
    users: Option<&Users>,
    token: &str,
    tell: Tell<'_>,
) {
    let caller = match authenticate(setup, token) {
        Ok(caller) => caller,
        Err(finding) => {
            tell(finding);
            return tell(Check::Name.skipped("the token is not accepted"));
        }
    };
    if database.barred.is_some() {
        tell(accepted(&caller));
        return tell(Check::Name.skipped("calls get no connection to the database"));
    }
    match standing(setup, &caller).await {
        None => tell(accepted(&caller)),
        Some(finding) => {
            tell(finding);
            return tell(Check::Name.skipped("the token is not accepted"));
        }
    }
    let found = users::full_name(&setup.db, &caller).await;
    tell(match found {
        Ok(Some(Some(name))) => Check::Name.ok(format!("GetName returns \"{name}\"")),
        Ok(Some(None)) => Check::Name
            .ok("GetName returns no name: the user's row is there, and its full_name is NULL"),
        Ok(None) => no_row(database, users, &caller).await,
        Err(error) => failed(&error),
    });
}

/// The way of every call, up to who calls.
fn authenticate(setup: &Setup, token: &str) -> Result<Caller, Finding> {
    if token.is_empty() {
        return Err(Check::Token
            .failed("there was nothing on standard input")
            .hint("is the variable empty? echo \"$TOKEN\" | user-service check --token -"));
    }
    let Ok(value) = HeaderValue::from_str(&format!("Bearer {token}")) else {
        return Err(Check::Token
            .failed("it holds what no header can hold")
            .hint(hint(Reason::TokenMalformed)));
    };
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    let path = format!("/{SERVICE_NAME}/GetName");
    let caller = setup.auth.authenticate(&path, &headers, Instant::now() + setup.time());
    caller.map_err(|error| refused(&error))
}

/// The session's state, where it is checked; `None` where nothing is against it.
async fn standing(setup: &Setup, caller: &Caller) -> Option<Finding> {
    let (true, Some(user)) = (setup.checks_sessions(), caller.id()) else { return None };
    let Some(id) = caller.session() else {
        return Some(
            Check::Token
                .failed("SESSION_CHECK is on, and the token has no session_id")
                .hint("SESSION_CHECK=off, or tokens that Supabase Auth has made"),
        );
    };
    match sessions::standing(&setup.db, Session { id, user }).await {
        Ok(Standing::Active) => None,
        Ok(Standing::Ended) => Some(refused(&Reason::SessionEnded.into())),
        Ok(Standing::Banned) => Some(refused(&Reason::UserBanned.into())),
        Err(error) => Some(unanswered(Check::Token, error)),
    }
}

fn accepted(caller: &Caller) -> Finding {
    let who = caller.id().map(|id| id.to_string()).unwrap_or_default();
    Check::Token.ok(format!("accepted: user {who}"))
}

fn refused(error: &Error) -> Finding {
    let reason = error.reason();
    let cause = error.cause().map(|cause| format!(" ({cause})")).unwrap_or_default();
    let message = format!("{}: {}{cause}", reason.as_str(), reason.message());
    Check::Token.failed(message).hint(hint(reason))
}

fn hint(reason: Reason) -> &'static str {
    match reason {
        Reason::TokenExpired | Reason::SessionEnded => {
            "sign in again and take the new access_token"
        }
        Reason::TokenKeyUnknown | Reason::TokenSignature => {
            "is the token of this project? Compare its `iss` with SUPABASE_URL, and where it is HS256, JWT_SECRET with the project's"
        }
        Reason::TokenAlgorithm => {
            "an HS256 token needs JWT_SECRET, any other SUPABASE_URL or JWKS_URL"
        }
        Reason::TokenIssuer => {
            "the token's `iss` must be the issuer above, to the letter: JWT_ISSUER changes that"
        }
        Reason::TokenAudience => {
            "the token's `aud` must be the audience above: JWT_AUDIENCE changes that"
        }
        Reason::TokenNotYetValid => "the issuer's clock is ahead of ours: see issuer-clock",
        Reason::KeysUnavailable => "see keys",
        Reason::TokenLifetime => "JWT_MAX_LIFETIME allows less",
        Reason::TokenTooLarge => {
            "TOKEN_MAX_BYTES allows less; is there much in the user's user_metadata?"
        }
        _ => "send the access_token of a signed-in user's session, nothing before or behind it",
    }
}

/// Tells why there is no row, as far as the login can see.
async fn no_row(database: &Database, users: Option<&Users>, caller: &Caller) -> Finding {
    let looks = (&database.inspector, caller.id(), users.is_some_and(|users| users.login_sees_all));
    let there = match looks {
        (Some(inspector), Some(id), true) => inspector.has_row(id).await.ok(),
        _ => None,
    };
    let (why, hint) = match there {
        Some(true) => (
            "the row is there, and a policy hides it from its user",
            "see policies: one for SELECT must hold for the user's own row, as `(select auth.uid()) = id` does",
        ),
        Some(false) => (
            "there is no row with the user's id",
            "insert one; for users to come, a trigger on auth.users makes it at sign-up, as `user-service migrate` does for a new table",
        ),
        None => (
            "there is none, or a policy hides it",
            "look as the project's owner for a row with the user's id, and at the policies for SELECT",
        ),
    };
    Check::Name.failed(format!("GetName answers USER_NOT_FOUND: {why}")).hint(hint)
}

fn failed(error: &db::Error) -> Finding {
    let hint = match error {
        db::Error::Denied(_) => "see grants: authenticated must be allowed to read users",
        db::Error::Deadline | db::Error::Overloaded | db::Error::Unavailable(_) => {
            "is the database busy, or users locked?"
        }
        db::Error::ReadOnly | db::Error::Query(_) => "see users and columns",
    };
    Check::Name.failed(format!("GetName fails: {error}")).hint(hint)
}
