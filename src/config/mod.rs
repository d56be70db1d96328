//! Every setting of the service, from the environment and from flags. Read by `main` alone; what
//! is wrong is reported all at once.

mod command;
mod database;
mod pages;
mod reader;
mod settings;
mod tokens;

use std::{
    io::IsTerminal as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use http::HeaderValue;
use url::Url;

pub use self::{
    command::{Check, Command, command},
    reader::Lookup,
};
use self::{reader::Reader, settings::*};
use crate::{
    app, auth, db, server,
    tls::{self, Tls},
};

/// Shorter than any frame that a client would send, or longer than any header should be.
const HEADER_BYTES: (u64, u64) = (8 << 10, 1 << 20);
/// A body's bounds: one header's worth, and what a gRPC length prefix can say.
const BODY_BYTES: (u64, u64) = (1 << 10, 1 << 30);

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// For programs.
    Json,
}

/// What `serve` needs.
#[derive(Debug)]
pub struct Config {
    /// The one port.
    pub listen: SocketAddr,
    /// The operators' port.
    pub admin: Option<SocketAddr>,
    /// The certificate.
    pub tls: Option<Tls>,
    /// The database.
    pub database: db::Settings,
    /// Whose tokens are good.
    pub auth: auth::Settings,
    /// How long a session's state is believed; `None` where sessions are not checked.
    pub session_check: Option<Duration>,
    /// What each call may take.
    pub app: app::Settings,
    /// The web pages.
    pub pages: crate::pages::Settings,
    /// What each connection may take.
    pub connections: server::Settings,
    /// Not ready for so long before the port closes.
    pub shutdown_delay: Duration,
    /// What is logged and how.
    pub log: Log,
    /// What of this is allowed and hardly meant, a line each.
    pub warnings: Vec<String>,
}

/// What is logged and how.
#[derive(Clone, Debug)]
pub struct Log {
    /// `RUST_LOG`'s directives.
    pub filter: String,
    /// How lines look.
    pub format: LogFormat,
}

/// Everything that is wrong with the settings, a line each.
#[derive(Debug)]
pub struct Problems(pub Vec<String>);

/// Reads what `serve` needs.
pub fn serve(lookup: Lookup<'_>) -> Result<Config, Problems> {
    let mut reader = Reader::new(lookup);
    let config = (|| {
        // Each part is read whether or not another failed: only then is every problem seen.
        let (listen, admin, tls) =
            (listen(&mut reader), optional_address(&mut reader, &ADMIN_ADDR), tls(&mut reader));
        let database = database::read(&mut reader, &DATABASE_URL);
        let max_header_bytes = reader.bytes(&MAX_HEADER_BYTES, HEADER_BYTES.0, HEADER_BYTES.1);
        let tokens = tokens::read(&mut reader, max_header_bytes);
        let session_check = session_check(&mut reader);
        let app = app(&mut reader);
        let pages = pages::read(&mut reader);
        let connections = connections(&mut reader, max_header_bytes);
        let shutdown_delay = reader.duration(&SHUTDOWN_DELAY);
        let log = log(&mut reader);
        Some(Config {
            listen: listen?,
            admin: admin?,
            tls: tls?,
            database: database?,
            auth: tokens?,
            session_check: session_check?,
            app: app?,
            pages: pages?,
            connections: connections?,
            shutdown_delay: shutdown_delay?,
            log: log?,
            warnings: reader.take_warnings(),
        })
    })();
    finish(config, reader)
}

/// Reads what `migrate` needs: the database, as its owner reaches it, and the log.
pub fn migrate(lookup: Lookup<'_>) -> Result<(db::Settings, Log), Problems> {
    let mut reader = Reader::new(lookup);
    let of_its_own = reader.given(&MIGRATE_DATABASE_URL).is_some();
    let url = if of_its_own { &MIGRATE_DATABASE_URL } else { &DATABASE_URL };
    let (database, log) = (database::read(&mut reader, url), log(&mut reader));
    finish(database.zip(log), reader)
}

/// What `check` needs: everything that `serve` does, and the database as its owner reaches it, where
/// that is a setting of its own.
pub fn check(lookup: Lookup<'_>) -> Result<(Config, Option<db::Settings>), Problems> {
    let serves = serve(lookup);
    let mut reader = Reader::new(lookup);
    let owners = match reader.given(&MIGRATE_DATABASE_URL) {
        None => return serves.map(|config| (config, None)),
        Some(_) => database::read(&mut reader, &MIGRATE_DATABASE_URL),
    };
    match (serves, finish(owners, reader)) {
        (Ok(config), Ok(owners)) => Ok((config, Some(owners))),
        (Ok(_), Err(problems)) | (Err(problems), Ok(_)) => Err(problems),
        (Err(Problems(mut problems)), Err(Problems(more))) => {
            // What both read is wrong in both.
            problems
                .extend(more.into_iter().filter(|it| !problems.contains(it)).collect::<Vec<_>>());
            Err(Problems(problems))
        }
    }
}

fn finish<T>(value: Option<T>, reader: Reader<'_>) -> Result<T, Problems> {
    match (value, reader.problems()) {
        (Some(value), problems) if problems.is_empty() => Ok(value),
        (_, problems) => Err(Problems(problems)),
    }
}

fn session_check(reader: &mut Reader<'_>) -> Option<Option<Duration>> {
    let on = reader.switch(&SESSION_CHECK);
    let ttl = reader.positive_duration(&SESSION_CHECK_TTL);
    Some(on?.then_some(ttl?))
}

fn listen(reader: &mut Reader<'_>) -> Option<SocketAddr> {
    let port = match reader.given(&PORT) {
        Some(_) => Some(reader.parse(&PORT, |text| {
            text.parse::<u16>().map_err(|_| "is not a port: a number from 0 to 65535")
        })?),
        None => None,
    };
    match (reader.given(&LISTEN_ADDR), port) {
        (None, Some(port)) => Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)),
        _ => reader.parse(&LISTEN_ADDR, address),
    }
}

fn optional_address(reader: &mut Reader<'_>, setting: &Setting) -> Option<Option<SocketAddr>> {
    optional(reader, setting, |reader| reader.parse(setting, address))
}

/// `Some(None)` where the setting is absent, `None` where it is wrong.
fn optional<T>(
    reader: &mut Reader<'_>,
    setting: &Setting,
    read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Option<Option<T>> {
    if reader.given(setting).is_none() {
        return Some(None);
    }
    read(reader).map(Some)
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "is not an address: write 127.0.0.1:8080 or [::]:8080")
}

/// The certificate, opened: what is wrong with a file is a problem of the setting that names it.
fn tls(reader: &mut Reader<'_>) -> Option<Option<Tls>> {
    let (cert, key) = (reader.given(&TLS_CERT), reader.given(&TLS_KEY));
    let client_ca = reader.given(&TLS_CLIENT_CA);
    let (cert, key) = match (cert, key) {
        (Some(cert), Some(key)) => (cert, key),
        (None, None) if client_ca.is_none() => return Some(None),
        (cert, _) => {
            let missing = if cert.is_none() { &TLS_CERT } else { &TLS_KEY };
            reader.problem(missing, "is missing: TLS needs the certificate and its key");
            return None;
        }
    };
    let client_ca = client_ca.map(Into::into);
    match Tls::open(tls::Files { cert: cert.into(), key: key.into(), client_ca }) {
        Ok(tls) => Some(Some(tls)),
        Err(errors) => {
            for error in errors {
                let setting = match error.file {
                    tls::File::Cert => &TLS_CERT,
                    tls::File::Key => &TLS_KEY,
                    tls::File::ClientCa => &TLS_CLIENT_CA,
                };
                reader.add(format!("{}: {error}", setting.name));
            }
            None
        }
    }
}

fn app(reader: &mut Reader<'_>) -> Option<app::Settings> {
    let origins = optional(reader, &CORS_ALLOWED_ORIGINS, |reader| {
        reader.parse(&CORS_ALLOWED_ORIGINS, origins)
    });
    let request_timeout = reader.positive_duration(&REQUEST_TIMEOUT);
    let body = reader.bytes(&MAX_BODY_BYTES, BODY_BYTES.0, BODY_BYTES.1);
    let calls = reader.count(&MAX_CONCURRENT_CALLS, u32::MAX >> 4);
    let reflection = reader.switch(&REFLECTION);
    Some(app::Settings {
        cors: origins?.unwrap_or(app::Origins::These(Vec::new())),
        request_timeout: request_timeout?,
        max_body_bytes: usize::try_from(body?).ok()?,
        max_concurrent_calls: calls? as usize,
        reflection: reflection?,
    })
}

fn origins(text: &str) -> Result<app::Origins, String> {
    if text == "*" {
        return Ok(app::Origins::All);
    }
    text.split(',')
        .map(|item| origin(item.trim()))
        .collect::<Result<_, _>>()
        .map(app::Origins::These)
}

/// A serialized origin (RFC 6454, section 6.2): what browsers send, so that it can be compared.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let wrong = || format!("is not all origins: `{text}` is none; write https://app.example.com");
    let url = Url::parse(text).map_err(|_| wrong())?;
    let origin = url.origin().ascii_serialization();
    if !url.origin().is_tuple() || origin != text.trim_end_matches('/') {
        return Err(wrong());
    }
    HeaderValue::from_str(&origin).map_err(|_| wrong())
}

fn connections(reader: &mut Reader<'_>, max_header_bytes: Option<u64>) -> Option<server::Settings> {
    let max_connections = reader.count(&MAX_CONNECTIONS, u32::MAX >> 4);
    let max_concurrent_streams = reader.count(&MAX_CONCURRENT_STREAMS, u32::MAX >> 1);
    let first_request_timeout = reader.positive_duration(&FIRST_REQUEST_TIMEOUT);
    let tls_handshake_timeout = reader.positive_duration(&TLS_HANDSHAKE_TIMEOUT);
    let header_timeout = reader.positive_duration(&HEADER_TIMEOUT);
    let keepalive_interval = reader.positive_duration(&KEEPALIVE_INTERVAL);
    let keepalive_timeout = reader.positive_duration(&KEEPALIVE_TIMEOUT);
    let max_connection_age = optional(reader, &MAX_CONNECTION_AGE, |reader| {
        reader.positive_duration(&MAX_CONNECTION_AGE)
    });
    let max_connection_age_grace = reader.duration(&MAX_CONNECTION_AGE_GRACE);
    let shutdown_timeout = reader.duration(&SHUTDOWN_TIMEOUT);
    Some(server::Settings {
        max_connections: max_connections? as usize,
        max_concurrent_streams: max_concurrent_streams?,
        max_header_bytes: u32::try_from(max_header_bytes?).ok()?,
        first_request_timeout: first_request_timeout?,
        tls_handshake_timeout: tls_handshake_timeout?,
        header_timeout: header_timeout?,
        keepalive_interval: keepalive_interval?,
        keepalive_timeout: keepalive_timeout?,
        max_connection_age: max_connection_age?,
        max_connection_age_grace: max_connection_age_grace?,
        shutdown_timeout: shutdown_timeout?,
    })
}

fn log(reader: &mut Reader<'_>) -> Option<Log> {
    let filter = reader.parse(&RUST_LOG, |text| {
        text.parse::<tracing_subscriber::filter::Targets>()
            .map(|_| text.to_owned())
            .map_err(|_| "is not a filter: write info, or warn,user_service=debug")
    });
    let format = match reader.given(&LOG_FORMAT) {
        None if std::io::stderr().is_terminal() => Some(LogFormat::Pretty),
        None => Some(LogFormat::Json),
        Some(_) => reader.parse(&LOG_FORMAT, |text| match text {
            "pretty" => Ok(LogFormat::Pretty),
            "json" => Ok(LogFormat::Json),
            _ => Err("is neither pretty nor json"),
        }),
    };
    Some(Log { filter: filter?, format: format? })
}
