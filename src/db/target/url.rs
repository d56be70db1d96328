//! A connection URL, taken apart: `postgresql://user:password@host:port,host:port/name?key=value`.
//!
//! As libpq reads it, with one kindness: characters of a password that a URL would need escaped
//! (`@`, `/`, `#`, `?`) are taken as they are where that is unambiguous, since passwords are pasted.

use percent_encoding::percent_decode_str;

/// The parameters of a connection URL, named as libpq names them, or what is wrong with it. The
/// sentence quotes nothing of the URL: any part of it may be a piece of the password.
pub(super) fn parameters(url: &str) -> Result<Vec<(String, String)>, &'static str> {
    let rest = ["postgresql://", "postgres://"]
        .iter()
        .find_map(|scheme| url.trim().strip_prefix(scheme))
        .ok_or("must begin with postgresql://, as the project's Connect page shows it")?;

    let (user_info, rest) = split_user_info(rest);
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, name) = rest.split_once('/').unwrap_or((rest, ""));

    let mut found = Vec::new();
    if let Some(user_info) = user_info {
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        found.push(("user".to_owned(), decode(user)?));
        found.push(("password".to_owned(), decode(password)?));
    }
    if !hosts.is_empty() {
        let (names, ports) = split_hosts(hosts)?;
        found.push(("host".to_owned(), names));
        found.extend(ports.map(|ports| ("port".to_owned(), ports)));
    }
    found.push(("dbname".to_owned(), decode(name)?));
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair
            .split_once('=')
            .ok_or("has a parameter without `=` after the `?`; in a password, write ? as %3F")?;
        found.push((decode(key)?, decode(value)?));
    }
    found.retain(|(_, value)| !value.is_empty());
    Ok(found)
}

/// Splits `user:password` from the rest at the last `@` before the query. The query begins at the
/// first `?` behind the first `@` that is followed by `key=`.
fn split_user_info(rest: &str) -> (Option<&str>, &str) {
    let Some(first_at) = rest.find('@') else { return (None, rest) };
    let begins_query = |at: &usize| {
        let (key, _) = rest.get(at + 1..)?.split_once('=')?;
        Some(key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
    };
    let marks = rest.match_indices('?').map(|(at, _)| at).filter(|at| *at > first_at);
    let query = marks.into_iter().find(|at| begins_query(at) == Some(true));
    let query = query.unwrap_or(rest.len());
    let (authority, _) = rest.split_at(query);
    match authority.rfind('@') {
        Some(at) => (rest.get(..at), rest.get(at + 1..).unwrap_or_default()),
        None => (None, rest),
    }
}

/// Splits `a:1,[::1]:2,c` into `a,::1,c` and `1,2,5432`; without any port there are none.
fn split_hosts(hosts: &str) -> Result<(String, Option<String>), &'static str> {
    let mut names = Vec::new();
    let mut ports = Vec::new();
    for host in hosts.split(',') {
        let (name, port) = match host.strip_prefix('[') {
            Some(host) => {
                let (name, port) =
                    host.split_once(']').ok_or("has an IPv6 address without its closing `]`")?;
                (name, port.strip_prefix(':').unwrap_or(port))
            }
            None => host.split_once(':').unwrap_or((host, "")),
        };
        names.push(decode(name)?);
        ports.push(decode(port)?);
    }
    if ports.iter().all(String::is_empty) {
        return Ok((names.join(","), None));
    }
    for port in ports.iter_mut().filter(|port| port.is_empty()) {
        port.push_str("5432");
    }
    Ok((names.join(","), Some(ports.join(","))))
}

fn decode(text: &str) -> Result<String, &'static str> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(Into::into).map_err(|_| "has %-escapes that are not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::parameters;

    fn get(url: &str, key: &str) -> Option<String> {
        let found = parameters(url).unwrap();
        found.into_iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    #[test]
    fn the_parts_are_found() {
        let url = "postgresql://postgres.ref:s3cret@aws-0.pooler.supabase.com:6543/postgres?pgbouncer=true";
        assert_eq!(get(url, "user").as_deref(), Some("postgres.ref"));
        assert_eq!(get(url, "password").as_deref(), Some("s3cret"));
        assert_eq!(get(url, "host").as_deref(), Some("aws-0.pooler.supabase.com"));
        assert_eq!(get(url, "port").as_deref(), Some("6543"));
        assert_eq!(get(url, "dbname").as_deref(), Some("postgres"));
        assert_eq!(get(url, "pgbouncer").as_deref(), Some("true"));
    }

    #[test]
    fn a_password_is_read_escaped_and_as_it_is() {
        for (url, password) in [
            ("postgres://u:p%40ss%2Fw%3Frd%23@h/d", "p@ss/w?rd#"),
            ("postgres://u:p@ss/w?rd#@h/d", "p@ss/w?rd#"),
            ("postgres://u:a:b@h", "a:b"),
            ("postgres://u:100%@h", "100%"),
            ("postgres://u:p@h/d?application_name=me@there", "p"),
            ("postgres://u:p@?h@h/d?application_name=me@there", "p@?h"),
        ] {
            assert_eq!(get(url, "password").as_deref(), Some(password), "{url}");
            assert_eq!(get(url, "host").as_deref(), Some("h"), "{url}");
        }
    }

    #[test]
    fn several_hosts_ipv6_and_sockets_are_read() {
        let url = "postgres://u@a:1,[::1]:2,c/d";
        assert_eq!(get(url, "host").as_deref(), Some("a,::1,c"));
        assert_eq!(get(url, "port").as_deref(), Some("1,2,5432"));
        assert_eq!(get("postgres://u@%2Frun%2Fpg/d", "host").as_deref(), Some("/run/pg"));
        assert_eq!(get("postgres:///d?host=/run/pg", "host").as_deref(), Some("/run/pg"));
    }

    #[test]
    fn what_is_wrong_is_said_without_quoting() {
        for url in
            ["mysql://u:SECRET@h", "SECRET", "postgres://u:x@h?SECRET", "postgres://u:SECRET@[::1"]
        {
            let problem = parameters(url).unwrap_err();
            assert!(!problem.contains("SECRET"), "{problem}");
        }
    }
}
