//! The way to the database and the login: address, TLS, who the service is there.

use std::net::IpAddr;

use tokio::time::timeout;

use super::{Check, Database, Finding, Setup, Tell, finding::unanswered};
use crate::db::{
    Cause, PoolMode, SqlState, Step, Verification,
    inspect::{self, Attempt, CallerRole, Server},
};

/// Connects, and looks at the login.
pub(super) async fn check(setup: &Setup, tell: Tell<'_>) -> Database {
    let (attempts, inspector) = inspect::attempts(&setup.config.database).await;
    for attempt in &attempts {
        tell(address(attempt, inspector.is_some()));
    }
    // The server that let us come furthest tells most of what is wrong.
    let furthest = attempts.iter().rev().max_by_key(|attempt| match attempt.failed {
        None => (true, Step::LogIn),
        Some((step, _)) => (false, step),
    });
    if let Some(attempt) = furthest {
        tell(tls(attempt));
    }
    let Some(inspector) = inspector else {
        tell(match furthest.and_then(|attempt| attempt.failed.as_ref()) {
            Some((Step::LogIn, cause)) => refused(cause),
            Some((Step::Suit, cause)) => Check::Login.failed(cause.to_string()).hint(
                "of the servers in DATABASE_URL, none is what target_session_attrs asks for: name the one that is, or ask for another (any takes the first that answers)",
            ),
            _ => Check::Login.skipped("the server could not be asked"),
        });
        for check in [Check::Roles, Check::Rights] {
            tell(check.skipped("there is no connection to the database"));
        }
        let barred = Some("there is no connection to the database");
        return Database { inspector: None, barred, unusable: None };
    };
    let mut unusable = None;
    let barred = match inspector.server().await {
        Ok(server) => {
            tell(login(setup, &server, inspector.is_read_only()));
            tell(roles(&server));
            unusable = inspector.unusable().await.ok().flatten();
            let barred = match server.roles.iter().all(|role| role.may_become) {
                false => Some("the login may not become a caller"),
                true => unusable.is_some().then_some("calls cannot use the schema"),
            };
            tell(rights(setup, barred).await);
            barred
        }
        Err(cause) => {
            tell(unanswered(Check::Login, &cause));
            for check in [Check::Roles, Check::Rights] {
                tell(check.skipped("the login is not known"));
            }
            Some("the login is not known")
        }
    };
    Database { inspector: Some(inspector), barred, unusable }
}

fn address(attempt: &Attempt, another_serves: bool) -> Finding {
    let Attempt { server, addresses, failed, .. } = attempt;
    let list = addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
    // A host that was given as an address, or a socket, resolves to nothing new.
    let place = match addresses.as_slice() {
        [] => server.clone(),
        [only] if server.contains(&only.to_string()) => server.clone(),
        _ => format!("{server} ({list})"),
    };
    let (problem, hint) = match failed {
        Some((Step::Resolve, cause)) => (
            format!("{server} has no address: {cause}"),
            "is the host in DATABASE_URL right? The name of a paused project is gone until it is restored",
        ),
        Some((Step::Reach, cause)) => {
            let only_ipv6 = !addresses.is_empty() && addresses.iter().all(IpAddr::is_ipv6);
            let hint = if only_ipv6 {
                "it has only IPv6 addresses, and this network may have none: use the session pooler's connection string (Dashboard, Connect)"
            } else {
                "is the port in DATABASE_URL right, does the server run, and does every firewall on the way (the project's network restrictions too) let this machine through?"
            };
            (format!("{place} cannot be reached: {cause}"), hint)
        }
        _ => return Check::Address.ok(format!("{place} answers")),
    };
    let status = if another_serves { Check::warning } else { Check::failed };
    status(Check::Address, problem).hint(hint)
}

fn tls(attempt: &Attempt) -> Finding {
    let Attempt { is_local, ssl_mode, verified, encrypted, failed, .. } = attempt;
    let mode = format!("sslmode={ssl_mode}");
    match failed {
        Some((Step::Resolve | Step::Reach, _)) => {
            return Check::Tls.skipped("the server could not be reached");
        }
        Some((Step::Secure, cause)) => {
            let hint = match verified {
                Verification::Nothing => {
                    "the server offers no TLS, or what answers there is no PostgreSQL: look at the port, switch TLS on there, or write sslmode=disable where the whole way is trusted"
                }
                _ => {
                    "sslrootcert must name the authority that signed the server's certificate (Dashboard, Database, SSL Configuration); verify-ca does not look at the host's name"
                }
            };
            return Check::Tls.failed(format!("{mode}: {cause}")).hint(hint);
        }
        None | Some((Step::LogIn | Step::Suit, _)) => {}
    }
    match (encrypted, verified) {
        (true, Verification::AuthorityAndName) => {
            Check::Tls.ok(format!("encrypted; the certificate and its name are verified ({mode})"))
        }
        (true, Verification::Authority) => Check::Tls
            .ok(format!("encrypted; the certificate's authority is verified, not its name ({mode})")),
        (true, Verification::Nothing) if *is_local => {
            Check::Tls.ok(format!("encrypted; the certificate is not verified ({mode}, on this machine)"))
        }
        (true, Verification::Nothing) => Check::Tls
            .warning(format!("encrypted, but the certificate is not verified ({mode}): whoever is on the way could pose as the server"))
            .hint("download the project's certificate (Dashboard, Database, SSL Configuration) and add sslmode=verify-full&sslrootcert=<file> to DATABASE_URL"),
        (false, _) if *is_local => {
            Check::Tls.ok(format!("not encrypted; the server is on this machine ({mode})"))
        }
        (false, _) => Check::Tls
            .warning(format!("not encrypted ({mode}): whoever is on the way can read along"))
            .hint("add sslmode=require to DATABASE_URL, or better verify-full"),
    }
}

fn refused(cause: &Cause) -> Finding {
    let code = cause.sqlstate();
    let hint = match code.as_ref().map_or("", SqlState::as_str) {
        "" => {
            "what answers there does not behave like PostgreSQL: is the port in DATABASE_URL right, and is the server well?"
        }
        "28P01" => {
            "user or password is wrong: in a URL, percent-encode what is special in a password (@ is %40); the project's settings, Database, can reset it. Through the pooler the user is postgres.<project>"
        }
        "28000" => {
            "the server does not let this user in from here, or not without TLS (pg_hba.conf)"
        }
        "3D000" => {
            "the database at the end of DATABASE_URL does not exist; a project's is postgres"
        }
        "53300" => {
            "the server has no connection left: lower DATABASE_POOL_SIZE here or elsewhere, or use the pooler"
        }
        "57P03" => "the server is starting or stopping: try again",
        "XX000" => {
            "the pooler does not know this user: it is postgres.<project>, at the pooler of the project's region (Dashboard, Connect)"
        }
        _ => "compare DATABASE_URL with the project's connection string (Dashboard, Connect)",
    };
    Check::Login.failed(cause.to_string()).hint(hint)
}

fn login(setup: &Setup, server: &Server, read_only: bool) -> Finding {
    let Server { login, version, .. } = server;
    let pooled = match setup.config.database.pool_mode {
        PoolMode::Session => "",
        PoolMode::Transaction => ", behind a pooler in transaction mode",
    };
    let message = format!("{login}, on PostgreSQL {version}{pooled}");
    if read_only {
        let hint = "UpdateName answers DATABASE_READ_ONLY until it does; of several hosts, target_session_attrs=read-write chooses";
        return Check::Login.warning(format!("{message}, which takes no changes")).hint(hint);
    }
    Check::Login.ok(message)
}

fn roles(server: &Server) -> Finding {
    let Server { login, quoted_login, roles, .. } = server;
    let these = |wrong: fn(&CallerRole) -> bool| {
        roles.iter().filter(move |role| wrong(role)).map(|role| role.name.as_str())
    };
    let named = |wrong: fn(&CallerRole) -> bool| these(wrong).collect::<Vec<_>>().join(", ");
    let missing = named(|role| !role.exists);
    if !missing.is_empty() {
        return Check::Roles.failed(format!("there is no role {missing}")).hint(
            "this is not the database of a Supabase project: is DATABASE_URL the right one?",
        );
    }
    let barred = named(|role| !role.may_become);
    if !barred.is_empty() {
        return Check::Roles
            .failed(format!("{login} may not become {barred}, as whom calls work"))
            .hint(format!("grant {barred} to {quoted_login}; -- as the project's owner"));
    }
    let unbound = named(|role| role.unbound);
    if !unbound.is_empty() {
        let bind = |role: &str| format!("alter role {role} nosuperuser nobypassrls;");
        let bind = these(|role| role.unbound).map(bind).collect::<Vec<_>>().join(" ");
        return Check::Roles
            .failed(format!(
                "row level security does not bind {unbound}: every user sees every row"
            ))
            .hint(format!("{bind} -- as a superuser"));
    }
    Check::Roles.ok(format!("{login} may become anon and authenticated"))
}

async fn rights(setup: &Setup, barred: Option<&str>) -> Finding {
    if let Some(why) = barred {
        return Check::Rights.skipped(why);
    }
    let login = match timeout(setup.time(), setup.db.login()).await {
        Ok(Ok(login)) => login,
        Ok(Err(error)) => return unanswered(Check::Rights, error),
        Err(_) => return unanswered(Check::Rights, "none in REQUEST_TIMEOUT"),
    };
    let (role, excess) = (&login.role, login.excess());
    if excess.is_empty() {
        return Check::Rights.ok(format!("{role} has no more than the service needs"));
    }
    let excess = excess.join(", ");
    Check::Rights
        .warning(format!("{role} has more than the service needs: it {excess}"))
        .hint("sql/login.sql makes a login that can do one thing: become a caller")
}
