//! What a server keeps on disk: `data/`, `passwords.json`, `postgres.log`.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use aws_lc_rs::digest::{SHA256, digest};
use rustix::process::{Pid, Signal, kill_process};

use super::account::{Account, check_owner};
use super::binaries::Binaries;
use super::cluster::{LOGINS, SUPERUSER};

/// How long an earlier run's server may take to stop.
const STOP: Duration = Duration::from_secs(30);

/// The directory of one server. Only its owner may enter.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) path: PathBuf,
    pub(super) account: Option<Account>,
}

impl Directory {
    /// Makes the directory where it is missing, and refuses somebody else's.
    pub(super) fn open(path: &Path, account: Option<Account>) -> Result<Self> {
        if !path.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(path)?;
            account.map_or(Ok(()), |it| it.own(path))?;
        }
        check_owner(path, account)?;
        Ok(Self { path: path.canonicalize()?, account })
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("postgres.log")
    }

    /// The end of the server's log: what it said last.
    pub(super) fn log_tail(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// A command that runs as the server's user.
    pub(super) fn command(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        self.prepare(&mut command);
        command
    }

    /// Lets `command` run as the server's user, in this directory, in one locale everywhere
    /// (macOS refuses to start a server without one).
    pub(super) fn prepare(&self, command: &mut Command) {
        command.current_dir(&self.path).env("LC_ALL", "C");
        if let Some(account) = self.account {
            account.run(command);
        }
    }

    /// The passwords of the roles that log in, made at random the first time.
    pub(super) fn passwords(&self) -> Result<BTreeMap<String, String>> {
        let path = self.path.join("passwords.json");
        if path.exists() {
            let text = fs::read_to_string(&path)?;
            return serde_json::from_str(&text)
                .with_context(|| format!("{} is damaged: make clean", path.display()));
        }
        if self.data().exists() {
            bail!("{} lacks passwords.json: make clean", self.path.display());
        }
        let passwords: BTreeMap<_, _> =
            LOGINS.iter().map(|role| Ok((role.to_string(), random()?))).collect::<Result<_>>()?;
        write_private(&path, &serde_json::to_string_pretty(&passwords)?)?;
        Ok(passwords)
    }

    /// Makes `data/` by `initdb`, whole or not at all, where it is missing.
    pub(super) fn init(&self, binaries: &Binaries, password: &str) -> Result<()> {
        if self.data().exists() {
            return self.check_version(binaries);
        }
        let unfinished = self.path.join("data.new");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)?;
        }
        let password_file = self.path.join("initdb-password");
        write_private(&password_file, password)?;
        self.account.map_or(Ok(()), |it| it.own(&password_file))?;
        let mut command = self.command(binaries.program("initdb"));
        command.arg("--pgdata").arg(&unfinished).arg("--pwfile").arg(&password_file);
        command.args(["--username", SUPERUSER, "--auth", "scram-sha-256"]);
        command.args(["--encoding", "UTF8", "--locale", "C", "--no-sync"]);
        let output = command.output().context("cannot run initdb")?;
        fs::remove_file(&password_file)?;
        if !output.status.success() {
            bail!("initdb failed:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        fs::rename(&unfinished, self.data())?;
        Ok(())
    }

    fn check_version(&self, binaries: &Binaries) -> Result<()> {
        let made_by = fs::read_to_string(self.data().join("PG_VERSION"))?;
        let found = binaries.major()?;
        if made_by.trim() != found.to_string() {
            let path = self.path.display();
            bail!("{path} was made by PostgreSQL {}, found is {found}: make clean", made_by.trim());
        }
        Ok(())
    }

    /// Ends what an earlier run left: waits for a server that is stopping, stops one that is not.
    ///
    /// The lock file of a server that is gone stays: PostgreSQL reads in it whether some of its
    /// processes still use the data. Only where its process id lives on in another program, which
    /// would block the start, is it removed.
    pub(super) async fn release(&self) -> Result<()> {
        let lock = self.data().join("postmaster.pid");
        let began = Instant::now();
        let mut asked = false;
        while let Ok(text) = fs::read_to_string(&lock) {
            let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
            let Some(pid) = pid.and_then(Pid::from_raw) else { return Ok(()) };
            match self.program(pid) {
                None => return Ok(()),
                Some(Program::Server) => {}
                // A server that has just ended may still be listed, as a defunct process.
                Some(Program::Other) => return remove_if_there(&lock),
            }
            if began.elapsed() > STOP {
                bail!("an earlier PostgreSQL, process {}, does not stop", pid.as_raw_nonzero());
            }
            // A server whose run was killed is stopped by its shell: it gets the time for that.
            if began.elapsed() > Duration::from_secs(2) && !asked {
                kill_process(pid, Signal::INT)?;
                asked = true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// What the process runs; `None` when there is none of that id.
    fn program(&self, pid: Pid) -> Option<Program> {
        let pid = pid.as_raw_nonzero().to_string();
        let output = Command::new("ps").args(["-o", "args=", "-p", &pid]).output().ok()?;
        let arguments = String::from_utf8_lossy(&output.stdout);
        match arguments.trim() {
            "" => None,
            text if text.contains(&*self.data().to_string_lossy()) => Some(Program::Server),
            _ => Some(Program::Other),
        }
    }
}

/// Removes a file, unless it is gone already.
pub(crate) fn remove_if_there(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        outcome => Ok(outcome?),
    }
}

/// What a process id belongs to.
enum Program {
    /// A PostgreSQL server on our data.
    Server,
    /// Anything else.
    Other,
}

/// Where the server of the state folder `folder` keeps its data: in it, or, where the server's
/// user cannot enter it, in `/var/tmp` under a name that belongs to the folder's path.
pub fn place(folder: &Path) -> Result<PathBuf> {
    let inside = folder.join("postgres");
    let account = Account::find()?;
    if inside.exists() || account.is_none_or(|it| it.can_enter(folder)) {
        return Ok(inside);
    }
    let path = folder.canonicalize()?;
    let digest = digest(&SHA256, path.as_os_str().as_bytes());
    let name: String = digest.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Path::new("/var/tmp").join(format!("user-service-{name}")))
}

/// Writes a file that only we can read, whole or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    let unfinished = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(&unfinished)?.write_all(text.as_bytes())?;
    Ok(fs::rename(unfinished, path)?)
}

/// 128 random bits in hexadecimal: nothing to escape in a URL or in SQL.
fn random() -> Result<String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).context("no randomness")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
