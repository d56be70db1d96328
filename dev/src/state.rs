//! What a clone's stack keeps on disk: the folder `.dev`, held by one run at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::postgres::{self, remove_if_there};

/// What shells source.
pub const ENV: &str = "env";
/// The Auth stand-in's keys.
pub(crate) const KEYS: &str = "auth-keys.json";
/// Who holds the folder.
const LOCK: &str = "lock";

/// How long a run may take to stop: the service finishes its calls first.
const STOP: Duration = Duration::from_secs(60);

/// The folder of one clone.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// Held while a run lasts; the kernel lets go of it with the process.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl Folder {
    /// `.dev` in the clone, made where it is missing.
    pub fn open(clone: &Path) -> Result<Self> {
        Self::at(&clone.join(".dev"))
    }

    /// Another folder, made where it is missing: for a stack beside the clone's.
    pub fn at(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path.canonicalize()?))
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Where PostgreSQL's data is: here, or where its user can enter.
    pub fn postgres(&self) -> Result<PathBuf> {
        postgres::place(&self.0)
    }

    /// Takes the folder for this process.
    ///
    /// # Errors
    ///
    /// When another run holds it.
    pub fn lock(&self) -> Result<Lock> {
        let mut file = self.lock_file()?;
        if file.try_lock().is_err() {
            let pid = holder(&mut file)?;
            bail!("the stack runs already, as process {pid}: stop it with Ctrl-C there");
        }
        file.set_len(0)?;
        write!(file, "{}", std::process::id())?;
        Ok(Lock(file))
    }

    /// Stops the run that holds the folder and waits for its end; `false` when there is none.
    pub fn stop(&self) -> Result<bool> {
        let mut file = self.lock_file()?;
        if file.try_lock().is_ok() {
            return Ok(false);
        }
        let pid = holder(&mut file)?;
        kill_process(Pid::from_raw(pid).context("a lock without a process")?, Signal::TERM)?;
        let end = Instant::now() + STOP;
        while file.try_lock().is_err() {
            if Instant::now() > end {
                bail!("process {pid} does not stop");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(true)
    }

    /// Removes data, keys and passwords. What others keep in the folder stays.
    pub fn remove(self) -> Result<()> {
        let postgres = self.postgres()?;
        if postgres.exists() {
            fs::remove_dir_all(&postgres)
                .with_context(|| format!("cannot remove {}", postgres.display()))?;
        }
        for file in [KEYS, ENV, LOCK] {
            remove_if_there(&self.file(file))?;
        }
        // Fails, as it should, where something else is in it.
        let _ = fs::remove_dir(self.0);
        Ok(())
    }

    fn lock_file(&self) -> Result<File> {
        let mut options = OpenOptions::new();
        Ok(options.read(true).write(true).create(true).truncate(false).open(self.file(LOCK))?)
    }
}

fn holder(file: &mut File) -> Result<i32> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    text.trim().parse().context("another run is just starting")
}
