//! A child process that never outlives us, even when we are killed.
//!
//! A shell stands between: it starts the program and reads a pipe whose other end only we hold.
//! A line on the pipe names a signal for the program. When the pipe ends, because it was closed
//! or because we are gone, the shell stops the program. No `unsafe`, no Linux-only call.

use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{ffi::OsStr, io::Write, os::unix::process::CommandExt};

use anyhow::{Context, Result, bail};

/// `$1` is the signal for the end of the pipe, `$2` a directory to remove after it (or empty),
/// the rest the program. `kill -s` takes names without `SIG`.
const SHELL: &str = r#"
stop=$1 remove=$2; shift 2
exec 3<&0 </dev/null
"$@" 3<&- & program=$!
exec 2>/dev/null
( while read -r signal <&3; do kill -s "$signal" $program; done
  trap '' TERM; kill -s "$stop" $program; exit 0 ) & watch=$!
wait $program; code=$?
kill $watch
wait $watch && [ -n "$remove" ] && { rm -rf "$remove" || { sleep 1; rm -rf "$remove"; }; }
exit $code
"#;

/// How long a dropped program is waited for.
const STOP: Duration = Duration::from_secs(60);

/// A program under supervision. Dropping it stops the program and waits for its end, a minute at
/// most.
#[derive(Debug)]
pub struct Supervised {
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl Supervised {
    /// Starts `program`, to be stopped by `stop` (a signal's name, such as `TERM`) when this
    /// value or this process is gone; then `remove` is deleted.
    ///
    /// `prepare` sets environment, output, user and working directory. The program gets a process
    /// group of its own, so that Ctrl-C reaches only us and the order of stopping is ours.
    pub fn spawn<A: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        stop: &str,
        remove: Option<&Path>,
        prepare: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SHELL, "sh", stop]);
        command.arg(remove.unwrap_or(Path::new("")));
        command.arg(program).args(arguments);
        command.stdin(Stdio::piped()).process_group(0);
        prepare(&mut command);
        let mut shell =
            command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let pipe = shell.stdin.take();
        Ok(Self { shell, pipe })
    }

    /// Sends a signal, named without `SIG`, to the program.
    pub fn signal(&mut self, name: &str) -> Result<()> {
        let Some(pipe) = &mut self.pipe else { bail!("the process is being stopped already") };
        writeln!(pipe, "{name}").context("the process is gone already")
    }

    /// The program's status once it has ended; as a shell gives it, 128 + n for a signal.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.shell.try_wait().ok().flatten()
    }

    /// Waits for the program's end for at most `limit`.
    pub async fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.exited() {
                return Ok(status);
            }
            if Instant::now() > end {
                bail!("the process did not end within {limit:?}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let end = Instant::now() + STOP;
        while self.exited().is_none() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
