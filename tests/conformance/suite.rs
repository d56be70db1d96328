//! Runs the suite's runner and reads what it says. There is no list of known failures.

use std::{env, fs, path::Path, process::Command};

use libtest_mimic::Failed;

use crate::SERVER;

/// gRPC over HTTP/2 and gRPC-Web over both, every kind of stream, identity and gzip.
pub(crate) const CLEAR: &str = "
features:
  versions: [HTTP_VERSION_1, HTTP_VERSION_2]
  protocols: [PROTOCOL_GRPC, PROTOCOL_GRPC_WEB]
  codecs: [CODEC_PROTO]
  compressions: [COMPRESSION_IDENTITY, COMPRESSION_GZIP]
  supportsHalfDuplexBidiOverHttp1: true
  supportsTls: false
";

/// The same, and once more over TLS, and once more with client certificates.
pub(crate) const TLS: &str = "
features:
  versions: [HTTP_VERSION_1, HTTP_VERSION_2]
  protocols: [PROTOCOL_GRPC, PROTOCOL_GRPC_WEB]
  codecs: [CODEC_PROTO]
  compressions: [COMPRESSION_IDENTITY, COMPRESSION_GZIP]
  supportsHalfDuplexBidiOverHttp1: true
  supportsTls: true
  supportsTlsClientCerts: true
";

/// Runs all cases that `features` choose, which are `cases`: a suite that has lost some is no proof.
pub(crate) fn run(name: &str, features: &str, cases: u32) -> Result<(), Failed> {
    let config = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("conformance-{name}.yaml"));
    fs::write(&config, features)?;
    let ran = Command::new("connectconformance")
        .args(["--mode", "server", "--conf"])
        .arg(&config)
        .arg("--")
        .arg(env::current_exe()?)
        .arg(SERVER)
        .output()
        .map_err(|error| {
            format!("connectconformance: {error}: run the tests by `make test`, which installs it")
        })?;
    let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    let all_passed = said.contains(&format!("Total cases: {cases}\n{cases} passed, 0 failed"));
    if ran.status.success() && all_passed { Ok(()) } else { Err(said.into()) }
}
