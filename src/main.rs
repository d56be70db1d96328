//! The `user-service` binary: settings → log → listeners → serve.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fmt::Display, io, net::SocketAddr, process::ExitCode};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use user_service::{
    config::{self, Command, Config, Log, Problems},
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
