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

#[test]
fn keys_must_not_be_too_old_before_the_next_come() {
    let project = ("SUPABASE_URL", "https://project.supabase.co");
    let told = |settings: &[(&str, &str)], beginnings: &[&str]| {
        assert_told(&[settings, &[project]].concat(), beginnings);
    };
    told(&[("JWKS_MAX_STALE", "5m")], &["JWKS_MAX_STALE is less than 10m 5s"]);
    told(&[("JWKS_MAX_STALE", "605s")], &[]);
    told(&[("JWKS_REFRESH", "24h")], &["JWKS_MAX_STALE is less than 1day 5s"]);
    // The cooldown holds back a refresh, too.
    let seldom = [("JWKS_REFRESH", "1s"), ("JWKS_COOLDOWN", "25h")];
    told(&seldom, &["JWKS_MAX_STALE is less than 1day 1h 5s"]);
}

#[test]
fn the_longest_token_fits_into_the_headers() {
    let secret = ("JWT_SECRET", "a secret of thirty-two bytes or more");
    let told = |settings: &[(&str, &str)], beginnings: &[&str]| {
        assert_told(&[settings, &[secret]].concat(), beginnings);
    };
    told(&[("TOKEN_MAX_BYTES", "28KiB")], &[]);
    told(
        &[("TOKEN_MAX_BYTES", "64KiB")],
        &[
            "TOKEN_MAX_BYTES is more than fits into MAX_HEADER_BYTES: set it to 28.0 KiB or less, or MAX_HEADER_BYTES to 68.0 KiB or more",
        ],
    );
    told(&[("TOKEN_MAX_BYTES", "64KiB"), ("MAX_HEADER_BYTES", "68KiB")], &[]);
    told(&[("MAX_HEADER_BYTES", "16KiB")], &["TOKEN_MAX_BYTES is more"]);
    told(&[("MAX_HEADER_BYTES", "much")], &["MAX_HEADER_BYTES"]);
}
