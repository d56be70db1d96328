//! What is read of settings, and what is told when they are wrong.

use super::{PoolMode, SessionAttrs, SslMode, Target, read};

fn given(variables: &[(&str, &str)]) -> Result<Target, Vec<String>> {
    read::target("DATABASE_URL", &|name| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

fn url(url: &str) -> Target {
    given(&[("DATABASE_URL", url)]).unwrap()
}

fn problems(url: &str) -> Vec<String> {
    given(&[("DATABASE_URL", url)]).unwrap_err()
}

fn shown(target: &Target) -> Vec<String> {
    target.hosts.iter().map(ToString::to_string).collect()
}

#[test]
fn the_pool_mode_is_told_by_port_and_by_pgbouncer() {
    for (text, mode) in [
        ("postgres://u:p@h/d", PoolMode::Session),
        ("postgres://u:p@h:6543/d", PoolMode::Transaction),
        ("postgres://u:p@h:6543/d?pgbouncer=false", PoolMode::Session),
        ("postgres://u:p@h:5432/d?pgbouncer=true", PoolMode::Transaction),
        ("postgres://u:p@h:5432/d?pgbouncer=true&supa=base-pooler.x", PoolMode::Transaction),
    ] {
        assert_eq!(url(text).pool_mode(), mode, "{text}");
    }
}

#[test]
fn tls_is_preferred_at_home_and_required_elsewhere() {
    for (host, mode) in [
        ("localhost", SslMode::Prefer),
        ("127.0.0.2", SslMode::Prefer),
        ("[::1]", SslMode::Prefer),
        ("%2Frun", SslMode::Disable),
        ("db.example.com", SslMode::Require),
        ("10.0.0.1", SslMode::Require),
    ] {
        let target = url(&format!("postgres://u:p@{host}/d"));
        assert_eq!(target.hosts[0].ssl_mode, mode, "{host}");
    }
    let target = url("postgres://u:p@localhost,elsewhere/d?sslmode=disable");
    assert!(target.hosts.iter().all(|host| host.ssl_mode == SslMode::Disable));
}

#[test]
fn parts_make_a_target_and_complete_a_url() {
    let parts = [
        ("PGHOST", "a,::1"),
        ("PGPORT", "5433"),
        ("PGUSER", "me"),
        ("PGPASSWORD", "p@ss word"),
        ("PGDATABASE", "d"),
        ("PGTARGETSESSIONATTRS", "read-write"),
    ];
    let target = given(&parts).unwrap();
    assert_eq!(shown(&target), ["a:5433", "[::1]:5433"]);
    assert_eq!(target.login.get_password(), Some(&b"p@ss word"[..]));
    assert_eq!(target.session_attrs, SessionAttrs::ReadWrite);
    assert_eq!(target.login.get_application_name(), Some("user-service"));

    let both = [("DATABASE_URL", "postgres://u@h:1/d"), ("PGPASSWORD", "x"), ("PGHOST", "i")];
    let target = given(&both).unwrap();
    assert_eq!(shown(&target), ["h:1"]);
    assert_eq!(target.login.get_user(), Some("u"));
    assert_eq!(target.login.get_password(), Some(&b"x"[..]));
}

#[test]
fn what_libpq_would_heed_is_refused_wherever_it_is_said() {
    let parts = [("PGHOST", "h"), ("PGUSER", "u"), ("PGPASSWORD", "p")];
    for (parameter, variable, value) in [
        ("hostaddr", "PGHOSTADDR", "10.0.0.1"),
        ("service", "PGSERVICE", "mine"),
        ("sslcert", "PGSSLCERT", "/a.crt"),
        ("sslkey", "PGSSLKEY", "/a.key"),
        ("sslnegotiation", "PGSSLNEGOTIATION", "direct"),
        ("gssencmode", "PGGSSENCMODE", "require"),
        ("load_balance_hosts", "PGLOADBALANCEHOSTS", "random"),
    ] {
        let told = problems(&format!("postgres://u:p@h/d?{parameter}={value}"));
        let start = format!("DATABASE_URL: {parameter} is not understood: ");
        assert!(told.len() == 1 && told[0].starts_with(&start), "{told:#?}");
        for place in [&parts[..], &[("DATABASE_URL", "postgres://u:p@h/d")]] {
            let told = given(&[place, &[(variable, value)]].concat()).unwrap_err();
            let start = format!("{variable} is not understood: ");
            assert!(told.len() == 1 && told[0].starts_with(&start), "{told:#?}");
        }
    }
    // A file with passwords matters where there is none.
    let file = ("PGPASSFILE", "/home/me/.pgpass");
    let told = given(&[("PGHOST", "h"), ("PGUSER", "u"), file]).unwrap_err();
    assert!(told[0].starts_with("PGPASSFILE is not understood"), "{told:#?}");
    given(&[&parts[..], &[file]].concat()).unwrap();
}

#[test]
fn what_asks_for_no_more_than_is_done_is_let_be() {
    let harmless = [
        ("PGSSLNEGOTIATION", "postgres"),
        ("PGGSSENCMODE", "prefer"),
        ("PGLOADBALANCEHOSTS", "disable"),
        ("PGSERVICEFILE", "/home/me/.pg_service.conf"),
        ("PGPASSFILE", "/home/me/.pgpass"),
        ("PGHOSTADDR", ""),
        ("DATABASE_URL", "postgres://u:p@h/d?gssencmode=disable&sslnegotiation=postgres"),
    ];
    assert_eq!(shown(&given(&harmless).unwrap()), ["h:5432"]);
}

#[test]
fn all_problems_are_told_at_once() {
    let told = problems("postgres://h:0/d?sslmode=maybe&connection_limit=1&connect_timeout=x");
    for part in
        ["port must be", "names no user", "sslmode must be", "DATABASE_POOL_SIZE", "seconds"]
    {
        assert!(told.iter().any(|problem| problem.contains(part)), "{part}: {told:#?}");
    }
    assert_eq!(told.len(), 5, "{told:#?}");
    assert_eq!(problems("postgres://u@h:1/d?port=2"), ["DATABASE_URL: port is given twice"]);
    let nothing = given(&[]).unwrap_err();
    assert!(nothing[0].contains("DATABASE_URL is not set"), "{nothing:#?}");
}

#[test]
fn a_password_that_was_never_filled_in_is_told() {
    for text in [
        "postgresql://postgres:[YOUR-PASSWORD]@db.ref.supabase.co:5432/postgres",
        "postgresql://postgres:%5BYOUR-PASSWORD%5D@db.ref.supabase.co:5432/postgres",
    ] {
        let told = problems(text);
        assert!(told[0].starts_with("DATABASE_URL still has [YOUR-PASSWORD]"), "{told:#?}");
        assert_eq!(told.len(), 1);
    }
}

#[test]
fn no_part_of_a_password_is_told() {
    for text in [
        "postgres://u:S3CRET@h:x/d?S3CRET=1",
        "postgres://u:p@S3CRET?s=S3CRET@h/d",
        "postgres://u:S3CRET@h,i:1,2:3/d?port=1,2,3,4",
        "postgres://u:S3CRET@h/d?sslmode=S3CRET",
    ] {
        let told = problems(text);
        assert!(!format!("{told:?}").contains("S3CRET"), "{text}: {told:#?}");
    }
    assert!(!format!("{:?}", url("postgres://u:S3CRET@h/d")).contains("S3CRET"));
}

#[test]
fn authorities_are_read_at_the_start() {
    let told = problems("postgres://u:p@h/d?sslmode=verify-full&sslrootcert=/not/there");
    assert!(told[0].contains("/not/there"), "{told:#?}");
    let told = problems("postgres://u:p@h/d?sslmode=verify-ca&sslrootcert=system");
    assert!(told[0].contains("verify-full"), "{told:#?}");
    let told = problems("postgres://u:p@h/d?sslrootcert=/some/file");
    assert!(told[0].contains("sslmode is not"), "{told:#?}");
    url("postgres://u:p@h/d?sslmode=verify-full");
}
