//! Who the server runs as: PostgreSQL refuses to run as root.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The user that server processes run as, where that is not us.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// `None` unless we are root; then `postgres` where the system has that user, else `nobody`.
    pub(super) fn find() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let account = ["postgres", "nobody"].into_iter().find_map(|user| {
            let uid = id("-u", user)?;
            Some(Self { uid, gid: id("-g", user)? })
        });
        let account = account
            .context("PostgreSQL refuses to run as root, and no user postgres or nobody exists")?;
        Ok(Some(account))
    }

    /// Whether this user can enter `directory`, which needs a right on every folder above it too.
    pub(super) fn can_enter(self, directory: &Path) -> bool {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "cd \"$1\"", "sh"]).arg(directory).current_dir("/");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.uid(self.uid).gid(self.gid);
        command.status().is_ok_and(|status| status.success())
    }

    /// Makes `command` run as this user.
    pub(super) fn run(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Gives a file or directory to this user.
    pub(super) fn own(self, path: &Path) -> Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("cannot give {} to the server's user", path.display()))
    }
}

/// Refuses a directory that somebody else made, as anybody may in `/var/tmp`.
pub(super) fn check_owner(directory: &Path, account: Option<Account>) -> Result<()> {
    let found = std::fs::symlink_metadata(directory)?;
    let owner = account.map_or_else(|| rustix::process::geteuid().as_raw(), |it| it.uid);
    if !found.is_dir() || found.uid() != owner {
        bail!("{} exists and belongs to somebody else: remove it", directory.display());
    }
    Ok(())
}

fn id(flag: &str, user: &str) -> Option<u32> {
    let output = Command::new("id").args([flag, user]).output().ok()?;
    if !output.status.success() {
        return None;
    }
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
