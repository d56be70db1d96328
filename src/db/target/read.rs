//! Settings → [`Target`], with all problems at once.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio_postgres::config::{ChannelBinding, Config};

use super::{
    Address, Host, Keepalive, PoolMode, SessionAttrs, SslMode, Target,
    parameters::{FOREIGN, PARAMETERS, is_harmless, is_known},
    url,
};
use crate::db::tls;

/// What names the service in `pg_stat_activity`.
const APPLICATION_NAME: &str = "user-service";
/// How long one attempt at one address may take, up to the answer to the login.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// TCP keepalive: silence before the first probe, time between probes, probes before giving up.
const KEEPALIVE: Keepalive =
    Keepalive { idle: Duration::from_secs(30), interval: Duration::from_secs(10), count: 3 };

/// Reads what `name` and the `PG…` variables say.
pub(super) fn target(
    name: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Target, Vec<String>> {
    let mut given = Given { parameters: Vec::new(), problems: Vec::new() };
    given.read_url(name, lookup);
    given.read_parts(lookup);
    given.target(name)
}

struct Parameter {
    key: String,
    value: String,
    /// The variable that it came from.
    source: String,
}

struct Given {
    parameters: Vec<Parameter>,
    problems: Vec<String>,
}

impl Given {
    fn read_url(&mut self, name: &str, lookup: &dyn Fn(&str) -> Option<String>) {
        let Some(url) = lookup(name).filter(|url| !url.trim().is_empty()) else { return };
        match url::parameters(&url) {
            Ok(found) => self.parameters.extend(found.into_iter().map(|(key, value)| Parameter {
                key,
                value,
                source: name.to_owned(),
            })),
            Err(problem) => self.problems.push(format!("{name} {problem}")),
        }
    }

    fn read_parts(&mut self, lookup: &dyn Fn(&str) -> Option<String>) {
        // Those that are not understood too: libpq would use them, beside a URL as well.
        let foreign = FOREIGN.iter().map(|(key, variable, _)| (key, variable));
        let all = PARAMETERS.iter().map(|(key, variable)| (key, variable)).chain(foreign);
        for (key, variable) in all.filter(|(_, variable)| !variable.is_empty()) {
            let value = lookup(variable).filter(|value| !value.is_empty());
            if let Some(value) = value
                && self.parameters.iter().all(|parameter| parameter.key != *key)
            {
                let (key, source) = ((*key).to_owned(), (*variable).to_owned());
                self.parameters.push(Parameter { key, value, source });
            }
        }
    }

    fn target(mut self, name: &str) -> Result<Target, Vec<String>> {
        let pgbouncer = self.take("pgbouncer", "must be true or false", parse_bool);
        self.take("supa", "", |_| Some(())); // a mark that Supabase's integrations leave
        self.refuse_unknown();

        let hosts = self.hosts();
        if hosts.is_empty() && self.problems.is_empty() {
            self.problems.push(format!(
                "{name} is not set: give the connection string of the project's Connect page, or PGHOST and its siblings"
            ));
        }
        let login = self.login(name);
        let (ssl_mode, root) = (self.ssl_mode(), self.text("sslrootcert"));
        let tls = tls::client(ssl_mode, root.as_deref().map(Path::new))
            .map_err(|problem| self.problems.push(problem));
        let session_attrs = self.session_attrs();
        let connect_timeout = self.seconds("connect_timeout").unwrap_or(CONNECT_TIMEOUT);
        let keepalive = self.keepalive();
        for Parameter { key, source, .. } in &self.parameters {
            if is_known(key) {
                self.problems.push(format!("{source}: {key} is given twice"));
            }
        }

        let Ok((tls, verified)) = tls else { return Err(self.problems) };
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let on_pooler_port = hosts.iter().any(|host| host.port == 6543);
        Ok(Target {
            pool_mode: match pgbouncer {
                Some(true) => PoolMode::Transaction,
                None if on_pooler_port => PoolMode::Transaction,
                _ => PoolMode::Session,
            },
            hosts: hosts
                .into_iter()
                .map(|host| Host { ssl_mode: ssl_mode.unwrap_or(host.ssl_mode), ..host })
                .map(|host| match host.address {
                    // PostgreSQL speaks no TLS on a Unix socket.
                    Address::Socket(_) => Host { ssl_mode: SslMode::Disable, ..host },
                    Address::Host(_) => host,
                })
                .collect(),
            login,
            tls,
            verified,
            session_attrs,
            connect_timeout,
            keepalive,
        })
    }

    fn refuse_unknown(&mut self) {
        let has_password = self.parameters.iter().any(|parameter| parameter.key == "password");
        self.parameters.retain(|Parameter { key, value, .. }| {
            // A file for want of a password.
            !(is_harmless(key, value) || key == "passfile" && has_password)
        });
        for Parameter { key, source, .. } in self.parameters.iter().filter(|p| !is_known(&p.key)) {
            let foreign = FOREIGN.iter().find(|(name, ..)| name == key);
            self.problems.push(match foreign {
                Some((_, variable, advice)) if variable == source => {
                    format!("{source} is not understood: {advice}")
                }
                Some((name, _, advice)) => format!("{source}: {name} is not understood: {advice}"),
                None => format!(
                    "{source} has a parameter after the `?` that is not understood; in a password, write ? as %3F, & as %26 and @ as %40"
                ),
            });
        }
    }

    /// Takes a parameter out, parsed.
    fn take<T>(&mut self, key: &str, rule: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let at = self.parameters.iter().position(|parameter| parameter.key == key)?;
        let Parameter { value, source, .. } = self.parameters.remove(at);
        let parsed = parse(&value);
        if parsed.is_none() {
            self.problems.push(format!("{source}: {key} {rule}"));
        }
        parsed
    }

    fn text(&mut self, key: &str) -> Option<String> {
        self.take(key, "", |value| Some(value.to_owned()))
    }

    fn seconds(&mut self, key: &str) -> Option<Duration> {
        self.take(key, "must be whole seconds, at least 1", |value| {
            value.parse().ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
        })
    }

    fn hosts(&mut self) -> Vec<Host> {
        let names = self.text("host").unwrap_or_default();
        let ports = self
            .take("port", "must be 1 to 65535, one for all hosts or one for each", |value| {
                value.split(',').map(|port| port.parse().ok().filter(|port| *port > 0)).collect()
            })
            .unwrap_or_else(|| vec![5432_u16]);
        let names: Vec<_> = names.split(',').filter(|name| !name.is_empty()).collect();
        if ports.len() > 1 && ports.len() != names.len() {
            self.problems.push("the database's hosts and ports differ in number".to_owned());
        }
        let every_port =
            ports.iter().chain(std::iter::repeat_n(ports.first().unwrap_or(&5432), names.len()));
        names
            .iter()
            .zip(every_port)
            .map(|(name, port)| Host {
                address: match name.strip_prefix('/') {
                    Some(_) => Address::Socket(PathBuf::from(name)),
                    None => Address::Host((*name).to_owned()),
                },
                port: *port,
                ssl_mode: if is_loopback(name) { SslMode::Prefer } else { SslMode::Require },
            })
            .collect()
    }

    fn login(&mut self, name: &str) -> Config {
        let mut login = Config::new();
        match self.text("user") {
            Some(user) => {
                login.user(user);
            }
            None => self.problems.push(format!("{name} names no user")),
        }
        let source = |parameter: &&Parameter| parameter.key == "password";
        let source = self.parameters.iter().find(source).map(|found| found.source.clone());
        if let Some(password) = self.text("password") {
            if password.contains("[YOUR-PASSWORD]") {
                self.problems.push(format!(
                    "{} still has [YOUR-PASSWORD] in it: put the database's password in its place (the project's settings, Database, can reset it)",
                    source.unwrap_or_default(),
                ));
            }
            login.password(password);
        }
        if let Some(database) = self.text("dbname") {
            login.dbname(database);
        }
        if let Some(options) = self.text("options") {
            login.options(options);
        }
        let application_name = self.text("application_name");
        login.application_name(application_name.as_deref().unwrap_or(APPLICATION_NAME));
        let rule = "must be disable, prefer or require";
        let binding = self.take("channel_binding", rule, |value| match value {
            "disable" => Some(ChannelBinding::Disable),
            "prefer" => Some(ChannelBinding::Prefer),
            "require" => Some(ChannelBinding::Require),
            _ => None,
        });
        login.channel_binding(binding.unwrap_or(ChannelBinding::Prefer));
        login
    }

    fn ssl_mode(&mut self) -> Option<SslMode> {
        let rule = "must be disable, prefer, require, verify-ca or verify-full";
        self.take("sslmode", rule, |value| match value {
            "disable" => Some(SslMode::Disable),
            "prefer" => Some(SslMode::Prefer),
            "require" => Some(SslMode::Require),
            "verify-ca" => Some(SslMode::VerifyCa),
            "verify-full" => Some(SslMode::VerifyFull),
            _ => None,
        })
    }

    fn session_attrs(&mut self) -> SessionAttrs {
        let rule = "must be any, read-write, read-only, primary, standby or prefer-standby";
        let attrs = self.take("target_session_attrs", rule, |value| match value {
            "any" => Some(SessionAttrs::Any),
            "read-write" => Some(SessionAttrs::ReadWrite),
            "read-only" => Some(SessionAttrs::ReadOnly),
            "primary" => Some(SessionAttrs::Primary),
            "standby" => Some(SessionAttrs::Standby),
            "prefer-standby" => Some(SessionAttrs::PreferStandby),
            _ => None,
        });
        attrs.unwrap_or(SessionAttrs::Any)
    }

    fn keepalive(&mut self) -> Option<Keepalive> {
        let on = self.take("keepalives", "must be 0 or 1", parse_bool).unwrap_or(true);
        let keepalive = Keepalive {
            idle: self.seconds("keepalives_idle").unwrap_or(KEEPALIVE.idle),
            interval: self.seconds("keepalives_interval").unwrap_or(KEEPALIVE.interval),
            count: self
                .take("keepalives_count", "must be a number", |value| value.parse().ok())
                .unwrap_or(KEEPALIVE.count),
        };
        on.then_some(keepalive)
    }
}

fn parse_bool(value: &str) -> Option<bool> {
    match value {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn is_loopback(name: &str) -> bool {
    let address = name.parse::<IpAddr>();
    address.map_or(name == "localhost" || name.ends_with(".localhost"), |ip| ip.is_loopback())
}
