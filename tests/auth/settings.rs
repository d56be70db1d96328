//! Settings that no token could be verified with are problems, and those that would surprise are
//! warned of: each under the name of its variable, and all at once.

use user_service::config::{self, Config, Problems};

/// Reads these settings, besides which all is well.
fn read(settings: &[(&str, &str)]) -> Result<Config, Problems> {
    config::serve(&|name: &str| {
        let set = settings.iter().find(|(setting, _)| *setting == name);
        match (set, name) {
            (Some((_, value)), _) => Some((*value).to_owned()),
            (None, "DATABASE_URL") => Some("postgresql://nobody@127.0.0.1:1/none".to_owned()),
            _ => None,
        }
    })
}

fn warnings(settings: &[(&str, &str)]) -> Vec<String> {
    read(settings).expect("settings").warnings
}

/// Exactly one line for each of these beginnings, in this order.
fn assert_begin(told: &[String], beginnings: &[&str]) {
    assert_eq!(told.len(), beginnings.len(), "{told:#?}");
    for (line, beginning) in told.iter().zip(beginnings) {
        assert!(line.starts_with(beginning), "{beginning} in {told:#?}");
    }
}

fn assert_told(settings: &[(&str, &str)], beginnings: &[&str]) {
    let told = read(settings).map_or_else(|Problems(problems)| problems, |_| Vec::new());
    assert_begin(&told, beginnings);
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
fn keys_that_are_too_old_before_the_next_come_are_warned_of() {
    let warned = |settings: &[(&str, &str)], beginnings: &[&str]| {
        let settings = [settings, &[("SUPABASE_URL", "https://project.supabase.co")]].concat();
        assert_begin(&warnings(&settings), beginnings);
    };
    warned(&[("JWKS_MAX_STALE", "5m")], &["JWKS_MAX_STALE is less than 10m 5s"]);
    warned(&[("JWKS_MAX_STALE", "605s")], &[]);
    warned(&[("JWKS_REFRESH", "24h")], &["JWKS_MAX_STALE is less than 1day 5s"]);
    // The cooldown holds back a refresh, too.
    let seldom = [("JWKS_REFRESH", "1s"), ("JWKS_COOLDOWN", "25h")];
    warned(&seldom, &["JWKS_MAX_STALE is less than 1day 1h 5s"]);
}

#[test]
fn a_token_that_no_header_holds_is_warned_of() {
    let warned = |settings: &[(&str, &str)], beginnings: &[&str]| {
        let secret = ("JWT_SECRET", "a secret of thirty-two bytes or more");
        assert_begin(&warnings(&[settings, &[secret]].concat()), beginnings);
    };
    warned(&[("TOKEN_MAX_BYTES", "28KiB")], &[]);
    let advice = "TOKEN_MAX_BYTES is more than fits into MAX_HEADER_BYTES: set it to 28.0 KiB or \
                  less, or MAX_HEADER_BYTES to 68.0 KiB or more";
    warned(&[("TOKEN_MAX_BYTES", "64KiB")], &[advice]);
    warned(&[("TOKEN_MAX_BYTES", "64KiB"), ("MAX_HEADER_BYTES", "68KiB")], &[]);
    warned(&[("MAX_HEADER_BYTES", "16KiB")], &["TOKEN_MAX_BYTES is more"]);
}
