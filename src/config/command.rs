//! The command line: the commands, and a flag for each setting that is not secret.

use clap::{Arg, ArgAction, ArgMatches, error::ErrorKind};

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
  user-service check
  user-service serve --listen-addr 0.0.0.0:8080 --max-body-bytes 1MiB

Exit codes: 0 done, 1 failed, 2 wrong settings.";

const CHECK: &str = "\
Connects with the settings that `serve` would have, and says line by line what is right, what is
not, and how to mend it: the way to the database, TLS, the login and its rights, the table `users`,
row level security and its policies, migrations, the project's keys, the clocks. It changes nothing.

With `--token -` it reads a user's access token from standard input and makes the call that GetName
makes: the same verification, the same query, the same policies. It says the name, or why there is
none. The token is never shown.";

const CHECK_EXAMPLES: &str = "\
Lines:
  ok    right
  warn  it works, and could be better or safer
  FAIL  calls fail, or more is open than should be; the hint says how to mend it
  skip  not looked at, and why

Examples:
  user-service check
  echo \"$TOKEN\" | user-service check --token -
  user-service check --json | jq -r '.[] | select(.status == \"failed\") | .check'

Exit codes: 0 nothing failed, 1 something did, 2 wrong settings or arguments.";

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve, the default.
    Serve,
    /// Make the tables, policies and functions that are missing.
    Migrate,
    /// Say what is right and what is not.
    Check(Check),
}

/// How to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// Call as the user whose token is on standard input.
    pub token: bool,
    /// One JSON document, no text.
    pub json: bool,
}

/// Understands the command line. Exits with the help, or with what is wrong with the arguments.
pub fn command() -> (Command, impl Fn(&str) -> Option<String>) {
    let matches = parser().get_matches();
    let (command, flags) = match matches.subcommand() {
        Some(("migrate", flags)) => (Command::Migrate, flags.clone()),
        Some(("check", flags)) => (Command::Check(check(flags)), flags.clone()),
        Some((_, flags)) => (Command::Serve, flags.clone()),
        None => (Command::Serve, matches.clone()),
    };
    (command, move |name: &str| flag(&flags, name).or_else(|| std::env::var(name).ok()))
}

/// Its arguments. A token itself is refused without being repeated: whoever gave it on the command
/// line has shown it to every user of the machine.
fn check(flags: &ArgMatches) -> Check {
    let token = flags.get_one::<String>("token");
    if token.is_some_and(|token| token != "-") {
        let advice = "--token takes `-` alone, and reads the token from standard input:\n  echo \"$TOKEN\" | user-service check --token -";
        parser().error(ErrorKind::ValueValidation, advice).exit();
    }
    Check { token: token.is_some(), json: flags.get_flag("json") }
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
        .subcommand(
            clap::Command::new("check")
                .about("Says what is right with the setup, what is not, and how to mend it")
                .long_about(CHECK)
                .after_help(CHECK_EXAMPLES)
                .arg(Arg::new("token").long("token").value_name("-").help(
                    "Reads an access token from standard input and calls GetName with it; takes `-` alone",
                ))
                .arg(
                    Arg::new("json")
                        .long("json")
                        .action(ArgAction::SetTrue)
                        .help("Prints one JSON document: a list of {check, status, message, hint}"),
                ),
        )
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
