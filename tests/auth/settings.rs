//! Settings that no token could be verified with, or that would surprise: each is a problem that names
//! its variable, and all are told at once.

use user_service::config::{self, Problems};

/// What is wrong with these settings, besides which all is well.
fn problems(settings: &[(&str, &str)]) -> Vec<String> {
    let lookup = |name: &str| {
        let set = settings.iter().find(|(setting, _)| *setting == name);
        match (set, name) {
            (Some((_, value)), _) => Some((*value).to_owned()),
            (None, "DATABASE_URL") => Some("postgresql://nobody@127.0.0.1:1/none".to_owned()),
            _ => None,
        }
    };
    match config::serve(&lookup) {
        Ok(_) => Vec::new(),
        Err(Problems(problems)) => problems,
    }
}

/// Exactly one problem for each of these beginnings, in this order.
fn assert_told(settings: &[(&str, &str)], beginnings: &[&str]) {
    let told = problems(settings);
    assert_eq!(told.len(), beginnings.len(), "{settings:?}: {told:#?}");
    for (problem, beginning) in told.iter().zip(beginnings) {
        assert!(problem.starts_with(beginning), "{settings:?}: {beginning} in {told:#?}");
    }
}

#[test]
fn a_key_address_that_anybody_could_answer_for_is_a_problem_of_its_setting() {
    for (setting, value) in [
        ("JWKS_URL", "http://example.com/x"),
        ("JWKS_URL", "ftp://example.com/x"),
        ("SUPABASE_URL", "http://10.0.0.1"),
    ] {
        assert_told(&[(setting, value)], &[&format!("{setting}: the key address must")]);
    }
    for (setting, value) in [
        ("JWKS_URL", "https://example.com/x"),
        ("JWKS_URL", "http://localhost:9/x"),
        ("SUPABASE_URL", "http://[::1]:54321"),
    ] {
        assert_told(&[(setting, value)], &[]);
    }
    assert_told(&[("SUPABASE_URL", "http://10.0.0.1"), ("JWKS_ALLOW_HTTP", "on")], &[]);
}

#[test]
fn one_wrong_setting_of_keys_hides_no_other() {
    let settings = [
        ("LISTEN_ADDR", "nonsense"),
        ("SUPABASE_URL", "nonsense"),
        ("JWKS_URL", "http://example.com/x"),
        ("JWKS_REFRESH", "soon"),
        ("JWT_SECRET", "short"),
        ("TOKEN_CACHE_TTL", "long"),
    ];
    let beginnings = [
        "LISTEN_ADDR",
        "SUPABASE_URL",
        "JWT_SECRET",
        "TOKEN_CACHE_TTL",
        "JWKS_REFRESH",
        "JWKS_URL",
    ];
    assert_told(&settings, &beginnings);
    // Nothing is fetched here; a wrong value is wrong all the same.
    let secret = ("JWT_SECRET", "a secret of thirty-two bytes or more");
    assert_told(&[secret, ("JWKS_REFRESH", "soon")], &["JWKS_REFRESH"]);
}
