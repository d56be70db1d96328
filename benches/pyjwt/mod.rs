//! PyJWT, decoding the same tokens in a process of its own.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use serde_json::Value;

/// Where `scripts/bench.sh` installs it.
const PYTHON: &str = ".dev/pyjwt/bin/python";

pub struct Pyjwt {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Pyjwt {
    /// Hands it the tokens and how to verify them, as `decode.py` describes it.
    pub fn start(given: &Value) -> Self {
        let mut process = Command::new(PYTHON)
            .arg("benches/pyjwt/decode.py")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{PYTHON}: {error}: scripts/bench.sh installs it"));
        let mut questions = process.stdin.take().expect("a pipe");
        let answers = BufReader::new(process.stdout.take().expect("a pipe"));
        writeln!(questions, "{given}").expect("it reads");
        Self { process, questions, answers }
    }

    /// The least time for one token in a walk over all of them.
    pub fn decode(&mut self) -> Duration {
        writeln!(self.questions).expect("it reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("it answers");
        Duration::from_secs_f64(answer.trim().parse().expect("seconds, and every token decoded"))
    }
}

impl Drop for Pyjwt {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
