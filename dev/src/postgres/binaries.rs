//! Where the server's binaries are.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The oldest major version that Supabase still runs.
const OLDEST: u32 = 13;

/// Folders whose entries are named by major version, as Debian, Homebrew (both kinds of Mac) and
/// PostgreSQL's own packages make them; each entry holds `bin/`.
const FOLDERS: [&str; 4] = ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt", "/usr"];

/// The folder that holds `postgres`, `initdb` and their libraries.
#[derive(Clone, Debug)]
pub(super) struct Binaries(PathBuf);

impl Binaries {
    /// Asks `pg_config` on PATH, then looks into the usual folders, newest version first.
    ///
    /// A `postgres` on PATH is no answer by itself: it may be a link or a wrapper without the
    /// other programs beside it, so it is followed to where it really is.
    pub(super) fn find() -> Result<Self> {
        let candidates = from_pg_config().into_iter().chain(from_path()).chain(from_folders());
        candidates
            .into_iter()
            .find(|folder| ["postgres", "initdb"].iter().all(|it| folder.join(it).is_file()))
            .map(Self)
            .context(
                "PostgreSQL's server programs are not installed: scripts/setup.sh installs them",
            )
    }

    /// The path of one program.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The major version, as `postgres --version` tells it.
    pub(super) fn major(&self) -> Result<u32> {
        let output = Command::new(self.program("postgres")).arg("--version").output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.split_whitespace().nth(2).unwrap_or_default();
        let major = version.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        major.parse().with_context(|| format!("cannot read a version in {text:?}"))
    }
}

fn from_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end()))
}

fn from_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter_map(|folder| folder.join("postgres").canonicalize().ok())
        .filter_map(|program| Some(program.parent()?.to_owned()))
        .collect()
}

fn from_folders() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = FOLDERS
        .iter()
        .filter_map(|folder| Path::new(folder).read_dir().ok())
        .flat_map(|entries| entries.flatten())
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix("postgresql@").or(name.strip_prefix("pgsql-"));
            let major = version.unwrap_or(&name).parse().ok()?;
            (major >= OLDEST).then(|| (major, entry.path().join("bin")))
        })
        .collect();
    found.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    found.into_iter().map(|(_, folder)| folder).collect()
}
