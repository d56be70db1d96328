//! `dev`: runs the development stack of a clone. `make run` and its neighbours call it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Arg, ArgMatches, Command, value_parser};
use dev::auth::{Auth, Keys};
use dev::ports::Ports;
use dev::postgres::{Cluster, Options};
use dev::stack::{Stack, built_service};
use dev::state::Folder;
use dev::{seed, supabase, token};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

#[tokio::main]
async fn main() -> ExitCode {
    match act(&command().get_matches()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("dev: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn command() -> Command {
    let service = Arg::new("service")
        .long("service")
        .value_name("PATH")
        .value_parser(value_parser!(PathBuf))
        .help("The service's program; else the one built beside this program");
    let directory = Arg::new("directory")
        .long("directory")
        .value_name("PATH")
        .value_parser(value_parser!(PathBuf))
        .help("Keeps the database there; else it is gone at the end");
    Command::new("dev")
        .about("The development stack: PostgreSQL, a Supabase Auth stand-in, the service")
        .after_help(
            "Ports, all on 127.0.0.1: DEV_HTTP_PORT (8080), DEV_AUTH_PORT (54321), DEV_DB_PORT \
             (54322).\nState is kept in .dev (or where DEV_DIR says), for shells in .dev/env.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("run")
                .about("Starts everything, seeds two users, runs until Ctrl-C")
                .arg(service),
        )
        .subcommand(
            Command::new("auth")
                .about(
                    "Starts the Auth stand-in alone, with a database of its own, on free ports; \
                     prints SUPABASE_URL=… and runs until Ctrl-C or the end of its input",
                )
                .arg(directory),
        )
        .subcommand(Command::new("token").about("Signs Ada in and prints TOKEN=…"))
        .subcommand(Command::new("stop").about("Stops the run of this clone"))
        .subcommand(Command::new("clean").about("Stops it and removes its data, keys, passwords"))
}

async fn act(matches: &ArgMatches) -> Result<()> {
    let clone = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("dev has no clone")?;
    let folder = || match std::env::var_os("DEV_DIR") {
        Some(path) => Folder::at(Path::new(&path)),
        None => Folder::open(clone),
    };
    match matches.subcommand() {
        Some(("run", arguments)) => {
            let service = arguments.get_one::<PathBuf>("service").cloned();
            run(&folder()?, service.map_or_else(built_service, Ok)?).await
        }
        Some(("auth", arguments)) => auth(arguments.get_one("directory")).await,
        Some(("token", _)) => {
            let token = token::fresh(&folder()?).await?;
            print(&format!("TOKEN={token}\n"))
        }
        Some(("stop", _)) => {
            tell(if folder()?.stop()? { "stopped" } else { "nothing runs" });
            Ok(())
        }
        Some(("clean", _)) => {
            let folder = folder()?;
            folder.stop()?;
            folder.remove()
        }
        _ => Ok(()),
    }
}

async fn run(folder: &Folder, service: PathBuf) -> Result<()> {
    let began = Instant::now();
    let _lock = folder.lock()?;
    let mut signals = Signals::new()?;
    let progress =
        |step: &str| tell(&format!("dev: {:4.1} s {step}", began.elapsed().as_secs_f32()));
    let ports = Ports::read(|name| std::env::var(name).ok())?;
    let start = Stack::start(folder, &service, ports, progress);
    let mut stack = tokio::select! {
        stack = start => stack?,
        () = signals.any() => return Ok(()),
    };
    progress("ready");
    print(&guide(&stack))?;
    let failure = tokio::select! {
        failure = stack.ended() => Err(failure),
        () = signals.any() => Ok(()),
    };
    tell("dev: stopping …");
    stack.stop().await?;
    failure
}

/// For tests in other languages, which start this program and read its first line.
async fn auth(directory: Option<&PathBuf>) -> Result<()> {
    let mut signals = Signals::new()?;
    let options = directory.map_or_else(Options::temporary, |it| Options::persistent(it, 0));
    let cluster = Cluster::start(options).await?;
    supabase::install(&cluster).await?;
    let database = cluster.config("supabase_auth_admin", "postgres");
    let auth = Auth::start(database, 0, Keys::generate()?).await?;
    print(&format!("SUPABASE_URL={}\n", auth.url()))?;
    // A thread of its own, which the process does not wait for: reading cannot be cancelled.
    let (ended, input) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = ended.send(());
    });
    tokio::select! {
        () = signals.any() => {}
        _ = input => {}
    }
    Ok(())
}

/// What a developer sees when all runs.
fn guide(stack: &Stack) -> String {
    let seeds = stack.seeds();
    let url = stack.url();
    let authority = url.trim_start_matches("http://");
    format!(
        r#"
Users, password "{password}":
  {ada:<22} "{name}"    {ada_id}
  {nameless:<22} without a name    {nameless_id}

A token of Ada's, good for an hour; `make token` prints a fresh one:
TOKEN={token}

To paste into another shell, after `. .dev/env`:
  curl -sS -H "authorization: Bearer $TOKEN" {url}/name
  grpcurl -plaintext -H "authorization: Bearer $TOKEN" {authority} user.v1.UserService/GetName
  printf '\0\0\0\0\0' | curl -sS -H "authorization: Bearer $TOKEN" -H 'content-type: application/grpc-web+proto' --data-binary @- {url}/user.v1.UserService/GetName | cat -v
  make call

Ctrl-C stops everything.
ready: {url}
"#,
        password = seed::PASSWORD,
        ada = seed::ADA,
        name = seed::ADA_NAME,
        ada_id = seeds.ada.user_id(),
        nameless = seed::NAMELESS,
        nameless_id = seeds.nameless.user_id(),
        token = seeds.ada.access_token,
    )
}

/// The signals that end a run.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

/// Writes what a script may read.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Writes what is for people only. A closed terminal must not end a run.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
