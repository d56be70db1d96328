//! Tokens from issuers that others wrote, with keys that those made, over every wire.

use std::{collections::BTreeMap, path::Path, process::Stdio};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, process::Command};
use tonic::Code;
use user_service::error::Reason::{self, *};

use crate::{
    auth_support::{
        issuer::{encode, random_secret, with},
        key_server::KeyServer,
    },
    support::{GET_NAME, Service, WIRES, Wire, eventually},
};

const ISSUER: &str = "https://foreign.example/auth/v1";

/// What each issuer makes with one key.
const KINDS: [(&str, Option<Reason>); 4] = [
    ("valid", None),
    ("expired", Some(TokenExpired)),
    ("for others", Some(TokenAudience)),
    ("service_role", Some(TokenRole)),
];

/// What a script in `tests/foreign` prints.
#[derive(Deserialize)]
struct Issued {
    /// The JWKs to publish.
    keys: Vec<Value>,
    /// Tokens by algorithm, then by what they are.
    tokens: BTreeMap<String, BTreeMap<String, String>>,
}

#[tokio::test]
async fn tokens_of_pyjwt_are_accepted_and_their_altered_copies_are_not() {
    let algorithms = ["ES256", "EdDSA", "HS256", "RS256"];
    stands_by(".dev/pyjwt/bin/python", "pyjwt.py", &algorithms).await;
}

#[tokio::test]
async fn tokens_of_jose_are_accepted_and_their_altered_copies_are_not() {
    stands_by("node", "jose.js", &["ES256", "EdDSA", "HS256", "RS256"]).await;
}

#[tokio::test]
async fn tokens_of_supabases_command_line_are_accepted_and_their_altered_copies_are_not() {
    stands_by("node", "supabase-cli.js", &["ES256", "RS256"]).await;
}

/// Calls a service that trusts this issuer with all that it made, and with copies of it that were
/// altered on the way.
async fn stands_by(program: &str, script: &str, algorithms: &[&str]) {
    let keys = KeyServer::start(json!({"keys": []})).await;
    let secret = String::from_utf8(random_secret()).expect("text");
    let service = Service::with(&[
        ("JWKS_URL", keys.url().as_str()),
        ("JWKS_COOLDOWN", "50ms"),
        ("JWT_ISSUER", ISSUER),
        ("JWT_SECRET", &secret),
    ])
    .await;
    let subject = service.ada().await.0.user_id();
    let given = json!({"secret": secret, "issuer": ISSUER, "subject": subject});
    let Issued { keys: published, tokens } = issue(program, script, &given).await;
    let made: Vec<_> = tokens.keys().map(String::as_str).collect();
    assert_eq!(made, algorithms);

    keys.rotate(&json!({"keys": published}));
    eventually("the keys are fetched", async || {
        let answer = service.call(Wire::Json, GET_NAME, &tokens["ES256"]["valid"], json!({})).await;
        answer.code == Code::Ok
    })
    .await;
    let mut walked = 0;
    for (algorithm, tokens) in &tokens {
        let valid = &tokens["valid"];
        let issued = KINDS.map(|(kind, reason)| (kind, tokens[kind].clone(), reason));
        let altered = altered(valid).map(|(how, token, reason)| (how, token, Some(reason)));
        for (what, token, reason) in issued.into_iter().chain(altered) {
            for wire in WIRES {
                let answer = service.call(wire, GET_NAME, &token, json!({})).await;
                let expected = reason.map_or((Code::Ok, None), |reason| {
                    (Code::Unauthenticated, Some(reason.as_str().to_owned()))
                });
                assert_eq!(answer.refusal(), expected, "{what}, {algorithm} over {wire:?}");
                let name = reason.map_or(json!({"full_name": "Ada Lovelace"}), |_| Value::Null);
                assert_eq!(answer.value, name, "{what}, {algorithm} over {wire:?}");
                walked += 1;
            }
        }
    }
    assert_eq!(walked, algorithms.len() * (4 + 6) * WIRES.len());
}

/// A valid token, altered by somebody without the key.
fn altered(token: &str) -> [(&'static str, String, Reason); 6] {
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("{token}")
    };
    let decode = |part: &str| -> Value {
        let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
        serde_json::from_slice(&bytes).expect("JSON")
    };
    let header_with = |name: &str, value: &str| {
        let header = with(&decode(header), name, value).to_string();
        format!("{}.{payload}.{signature}", encode(header.as_bytes()))
    };
    let longer = with(&decode(payload), "exp", 4_102_444_800_u32).to_string();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    [
        (
            "a longer life",
            format!("{header}.{}.{signature}", encode(longer.as_bytes())),
            TokenSignature,
        ),
        (
            "another signature",
            format!("{header}.{payload}.{first}{}", &signature[1..]),
            TokenSignature,
        ),
        ("no signature", format!("{header}.{payload}."), TokenSignature),
        ("no algorithm", header_with("alg", "none"), TokenAlgorithm),
        ("another algorithm", header_with("alg", "HS512"), TokenAlgorithm),
        ("another type", header_with("typ", "dpop+jwt"), TokenHeader),
    ]
}

/// Runs a script of `tests/foreign`.
async fn issue(program: &str, script: &str, given: &Value) -> Issued {
    let missing =
        "scripts/test.sh installs it; by hand: . scripts/tools.sh; install_foreign_issuers";
    let mut running = Command::new(program)
        .arg(Path::new("tests/foreign").join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}: {missing}"));
    let mut stdin = running.stdin.take().expect("a pipe");
    stdin.write_all(given.to_string().as_bytes()).await.expect("it reads");
    drop(stdin);
    let output = running.wait_with_output().await.expect("an end");
    assert!(output.status.success(), "{script} fails: {missing}");
    serde_json::from_slice(&output.stdout).expect("what the script says that it prints")
}
