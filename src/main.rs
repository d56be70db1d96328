//! The `user-service` binary: settings → log → listeners → serve.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    fmt::Display,
    io::{self, BufRead as _, IsTerminal as _, Read as _},
    net::SocketAddr,
    process::ExitCode,
};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use user_service::{
    check::{self, Format, Report},
    config::{self, Check, Command, Config, Log, Problems},
    db, logging, serve,
};

/// Settings that are wrong: nothing was started.
const WRONG_SETTINGS: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let (command, lookup) = config::command();
    let done = match command {
        Command::Serve => match config::serve(&lookup) {
            Ok(config) => serve(config).await,
            Err(problems) => return wrong_settings(&problems),
        },
        Command::Migrate => match config::migrate(&lookup) {
            Ok((database, log)) => migrate(database, log).await,
            Err(problems) => return wrong_settings(&problems),
        },
        Command::Check(how) => match config::check(&lookup) {
            Ok((config, owner)) => return check(how, config, owner).await,
            Err(problems) => return wrong_settings(&problems),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&failure);
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config) -> Result<(), String> {
    logging::start(&config.log);
    let listener = bind("LISTEN_ADDR", config.listen).await?;
    let admin = match config.admin {
        Some(address) => Some(bind("ADMIN_ADDR", address).await?),
        None => None,
    };
    let shutdown = terminated().map_err(|error| format!("cannot listen for signals: {error}"))?;
    serve::run(config, listener, admin, shutdown).await.map_err(|error| error.to_string())
}

async fn migrate(database: db::Settings, log: Log) -> Result<(), String> {
    logging::start(&log);
    db::migrate(&database, |line| say(&line)).await.map_err(|error| error.to_string())
}

/// Prints what is right and what is not, and exits with whether something is wrong.
async fn check(how: Check, config: Config, owner: Option<db::Settings>) -> ExitCode {
    let token = match how.token {
        true => Some(token(config.auth.token_max_bytes)),
        false => None,
    };
    let format = match (how.json, io::stdout().is_terminal()) {
        (true, _) => Format::Json,
        (_, false) => Format::Plain,
        (_, true) if std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty()) => {
            Format::Marked
        }
        (_, true) => Format::Coloured,
    };
    let mut report = Report::new(io::stdout(), format);
    match check::run(config, owner, token.as_deref(), &mut |finding| report.tell(finding)).await {
        Ok(()) if report.end() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(problem) => wrong_settings(&Problems(vec![problem])),
    }
}

/// The first line of standard input. What is longer than a token may be is not read to its end; what
/// is not text is none.
fn token(max_bytes: usize) -> String {
    if io::stdin().is_terminal() {
        say(&"paste an access token, then press Enter");
    }
    let (mut line, limit) = (Vec::new(), max_bytes.saturating_add(2));
    let read = io::stdin().lock().take(limit as u64).read_until(b'\n', &mut line);
    if let Err(error) = read {
        say(&format_args!("standard input cannot be read: {error}"));
    }
    String::from_utf8_lossy(&line).trim().to_owned()
}

async fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}. {setting} moves it"))
}

/// Completes at SIGTERM or Ctrl-C.
fn terminated() -> io::Result<impl Future<Output = ()>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}

fn wrong_settings(Problems(problems): &Problems) -> ExitCode {
    for problem in problems {
        say(problem);
    }
    say(&"see `user-service --help`");
    ExitCode::from(WRONG_SETTINGS)
}

#[expect(clippy::print_stderr, reason = "before the log is there, and for people at a terminal")]
fn say(text: &dyn Display) {
    eprintln!("user-service: {text}");
}
