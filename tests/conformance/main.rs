//! The public gRPC conformance suite (connectrpc.com/conformance), run by its own runner against
//! the stack and the accept loop that the service has. `scripts/test.sh` installs the runner.
//!
//! The runner starts this program again, once for each kind of server that it wants.

mod server;
mod service;
#[path = "../stack_support/mod.rs"]
mod stack_support;
mod suite;
mod trailers;

use libtest_mimic::{Arguments, Trial};

/// With this argument the program is the server under test.
const SERVER: &str = "--as-the-server-under-test";

fn main() {
    if std::env::args().nth(1).as_deref() == Some(SERVER) {
        return server::run();
    }
    let trials = vec![
        Trial::test("every_case_in_the_clear_passes", || suite::run("clear", suite::CLEAR, 742)),
        Trial::test("every_case_with_and_without_tls_and_client_certificates_passes", || {
            suite::run("tls", suite::TLS, 1310)
        }),
    ];
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1); // a run keeps every core busy
    libtest_mimic::run(&arguments, trials).exit();
}
