//! A project with everything right, and the binary that looks at it.

use std::{
    fs,
    process::{Output, Stdio},
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use dev::testing::Database;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, process::Command, sync::OnceCell, time::timeout};
use uuid::Uuid;

use crate::{
    auth_support::{
        issuer::{Issuer, with},
        key_server::KeyServer,
    },
    db_support::Project,
};

/// How long a check may take, whatever does not answer.
const LIMIT: Duration = Duration::from_secs(60);

/// The login that `sql/login.sql` makes, once for the server.
const LOGIN: &str = "user_service";
static LOGIN_MADE: OnceCell<()> = OnceCell::const_new();

/// Keys take long to make.
static ISSUER: OnceLock<Issuer> = OnceLock::new();

/// A project, its keys, and the settings that lead to both.
pub struct Rig {
    pub project: Project,
    pub issuer: &'static Issuer,
    pub keys: KeyServer,
    settings: Vec<(String, String)>,
}

impl Rig {
    /// Everything is right, down to the login.
    pub async fn new() -> Self {
        let project = Project::new().await;
        let issuer = ISSUER.get_or_init(Issuer::new);
        let keys = KeyServer::start(issuer.jwks()).await;
        LOGIN_MADE
            .get_or_init(async || {
                let sql = fs::read_to_string("sql/login.sql").expect("a file of ours");
                project.run(&format!("{sql}; alter role {LOGIN} password '{LOGIN}'")).await;
            })
            .await;
        let settings = [
            ("DATABASE_URL", login(&project.database)),
            ("MIGRATE_DATABASE_URL", project.database.url("postgres")),
            ("SUPABASE_URL", keys.url().origin().ascii_serialization()),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Self { project, issuer, keys, settings }
    }

    /// The URL of the least login.
    pub fn login(&self) -> String {
        login(&self.project.database)
    }

    /// With this setting instead.
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.retain(|(set, _)| set != name);
        self.settings.push((name.to_owned(), value.into()));
        self
    }

    /// The claims of a token that a user of the project has now.
    pub fn claims(&self, user: Uuid) -> Value {
        let issuer = format!("{}/auth/v1", self.keys.url().origin().ascii_serialization());
        let claims = self.issuer.claims(now());
        with(&with(&claims, "iss", issuer), "sub", user.to_string())
    }

    pub fn token(&self, user: Uuid) -> String {
        self.issuer.es256(&self.claims(user))
    }

    /// What `check --json` finds.
    pub async fn check(&self) -> Checked {
        Checked::of(self.run(&["--json"], None).await)
    }

    /// What `check --json --token -` finds.
    pub async fn check_with(&self, token: &str) -> Checked {
        Checked::of(self.run(&["--json", "--token", "-"], Some(token)).await)
    }

    /// Runs the binary, and sees that it keeps its secrets.
    pub async fn run(&self, arguments: &[&str], token: Option<&str>) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_user-service"));
        command.arg("check").args(arguments).env_clear().envs(self.settings.iter().cloned());
        command.env("RUST_LOG", "trace").kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("a process");
        let mut input = child.stdin.take().expect("a pipe");
        // It need not read what it does not want.
        let _ = input.write_all(token.unwrap_or_default().as_bytes()).await;
        drop(input);
        let ended = timeout(LIMIT, child.wait_with_output()).await.expect("an end");
        let Output { status, stdout, stderr } = ended.expect("a run");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let ran = Ran { code: status.code(), stdout: text(stdout), stderr: text(stderr) };
        for secret in self.secrets(token) {
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(!said.contains(&secret), "{secret} is in:\n{said}");
        }
        ran
    }

    /// Passwords, secrets, and a token with each of its parts.
    fn secrets(&self, token: Option<&str>) -> Vec<String> {
        let of_settings = self.settings.iter().filter_map(|(name, value)| match name.as_str() {
            "DATABASE_URL" | "MIGRATE_DATABASE_URL" => {
                let (login, _) = value.split_once('@')?;
                let password = login.rsplit_once(':')?.1;
                // That of the least login is its name, which is told.
                (password != LOGIN).then(|| password.to_owned())
            }
            "JWT_SECRET" => Some(value.clone()),
            _ => None,
        });
        let parts = token.into_iter().flat_map(|token| token.split('.'));
        let parts = parts.filter(|part| part.len() > 20).map(str::to_owned);
        of_settings.filter(|password| password.len() > 3).chain(parts).collect()
    }
}

/// The URL of the least login, once a rig has made it.
pub fn login(database: &Database) -> String {
    let url = database.url("postgres");
    let (_, place) = url.split_once('@').expect("a URL with a login");
    format!("postgresql://{LOGIN}:{LOGIN}@{place}")
}

/// Seconds since 1970.
pub fn now() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    now.as_secs().try_into().expect("before 2106")
}

/// How the binary ended.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// What was found.
pub struct Checked {
    pub code: Option<i32>,
    findings: Vec<Value>,
}

impl Checked {
    fn of(ran: Ran) -> Self {
        assert_eq!(ran.stderr, "", "all is said on stdout");
        let findings = serde_json::from_str(&ran.stdout).expect("one JSON document");
        Self { code: ran.code, findings }
    }

    /// The checks with this status.
    pub fn with(&self, status: &str) -> Vec<&str> {
        let these = self.findings.iter().filter(|finding| finding["status"] == json!(status));
        these.map(|finding| finding["check"].as_str().expect("a name")).collect()
    }

    /// Sees that these checks failed and no others, and that each says how to mend it.
    #[track_caller]
    pub fn fails(&self, checks: &[&str]) {
        assert_eq!(self.with("failed"), checks, "{:#?}", self.findings);
        assert_eq!(self.code, Some(i32::from(!checks.is_empty())));
        for finding in self.findings.iter().filter(|it| it["status"] == json!("failed")) {
            assert!(finding["hint"].is_string(), "no hint: {finding}");
        }
    }

    /// Message and hint of the first finding of this name.
    #[track_caller]
    pub fn said(&self, check: &str) -> (&str, &str) {
        let finding = self.findings.iter().find(|finding| finding["check"] == json!(check));
        let finding = finding.unwrap_or_else(|| panic!("no {check} in {:#?}", self.findings));
        (finding["message"].as_str().expect("text"), finding["hint"].as_str().unwrap_or_default())
    }

    /// Status of the first finding of this name.
    pub fn status(&self, check: &str) -> &str {
        let finding = self.findings.iter().find(|finding| finding["check"] == json!(check));
        finding.and_then(|finding| finding["status"].as_str()).unwrap_or("absent")
    }
}
