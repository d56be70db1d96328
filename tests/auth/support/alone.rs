//! A test that needs a process of its own, for what is the whole process's: it runs its binary again
//! with nothing but itself.

use std::{
    env,
    ffi::{OsStr, OsString},
    process::Command,
};

/// Set in the process that has one test only.
const ALONE: &str = "ALONE_IN_THIS_PROCESS";

/// Whether this process has one test only.
pub fn is() -> bool {
    env::var_os(ALONE).is_some()
}

/// A variable that [`run`] was given; `None` in a process that it did not start.
pub fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|_| is())
}

/// Runs the test of this name alone, in an environment with these variables, and passes or fails
/// with it.
#[track_caller]
pub fn run(test: &str, variables: &[(&str, &OsStr)]) {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(ALONE, "1")
        .env_remove("SSL_CERT_DIR")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
}
