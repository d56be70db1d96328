//! The command line: the commands, and a flag for each setting that is not secret.

use clap::{Arg, ArgMatches};

use super::settings::{SETTINGS, Setting};

const ABOUT: &str = "\
The backend that a Supabase project puts beside itself: gRPC, gRPC-Web and HTTP/JSON on one port.

Every setting is an environment variable; each that is not secret is a flag too, which wins.
A secret may come from a file instead, named by the same variable with _FILE.
Durations: 500ms, 10s, 5m. Sizes: 4096, 256KiB, 8MiB.";

const EXAMPLES: &str = "\
Examples:
  DATABASE_URL=postgresql://… SUPABASE_URL=https://….supabase.co user-service
  DATABASE_URL_FILE=/run/secrets/database user-service migrate
  user-service serve --listen-addr 0.0.0.0:8080 --max-body-bytes 1MiB

Exit codes: 0 done, 1 failed, 2 wrong settings.";

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve, the default.
    Serve,
    /// Make the tables, policies and functions that are missing.
    Migrate,
}

/// Understands the command line. Exits with the help, or with what is wrong with the arguments.
pub fn command() -> (Command, impl Fn(&str) -> Option<String>) {
    let matches = parser().get_matches();
    let (command, flags) = match matches.subcommand() {
        Some(("migrate", flags)) => (Command::Migrate, flags.clone()),
        Some((_, flags)) => (Command::Serve, flags.clone()),
        None => (Command::Serve, matches.clone()),
    };
    (command, move |name: &str| flag(&flags, name).or_else(|| std::env::var(name).ok()))
}

fn flag(flags: &ArgMatches, name: &str) -> Option<String> {
    flags.try_get_one::<String>(name).ok().flatten().cloned()
}

fn parser() -> clap::Command {
    let flags = SETTINGS.iter().flat_map(|(heading, settings)| {
        settings.iter().filter(|setting| !setting.secret).map(|setting| {
            Arg::new(setting.name)
                .long(setting.flag())
                .value_name("VALUE")
                .help(help(setting))
                .help_heading(*heading)
                .global(true)
        })
    });
    clap::Command::new("user-service")
        .about(ABOUT)
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(format!("{}\n\n{EXAMPLES}", secrets()))
        .max_term_width(100)
        .subcommand(
            clap::Command::new("serve").about("Serves until SIGTERM or Ctrl-C (the default)"),
        )
        .subcommand(clap::Command::new("migrate").about(
            "Makes what is missing in the database; what a project already has stays as it is",
        ))
        .args(flags)
}

fn help(setting: &Setting) -> String {
    let default =
        setting.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    format!("{}{default} [env: {}]", setting.help, setting.name)
}

/// Secrets have no flag: a command line is seen by every user of the machine.
fn secrets() -> String {
    let lines = SETTINGS
        .iter()
        .flat_map(|(_, settings)| settings.iter())
        .filter(|setting| setting.secret)
        .map(|setting| format!("  {}\n          {}", setting.name, setting.help));
    format!("Secrets, by environment or file alone:\n{}", lines.collect::<Vec<_>>().join("\n"))
}
