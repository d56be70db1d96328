//! A fresh token from a running stack.

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::http;
use crate::ports::Ports;
use crate::postgres::write_private;
use crate::seed::{ADA, PASSWORD};
use crate::state::Folder;

/// Signs [`ADA`] in over HTTP, as a client would, and puts the token into `.dev/env`.
pub async fn fresh(folder: &Folder, ports: Ports) -> Result<String> {
    let body = json!({ "email": ADA, "password": PASSWORD });
    let path = "/auth/v1/token?grant_type=password";
    let (status, session) = http::post_json(ports.auth.number, path, &body)
        .await
        .context("the Auth stand-in does not answer: is `make run` running?")?;
    let Some(token) = session["access_token"].as_str() else {
        bail!("the Auth stand-in answered {status}: {session}");
    };
    let env = folder.file("env");
    let text = fs::read_to_string(&env).unwrap_or_default();
    let others = text.lines().filter(|line| !line.starts_with("TOKEN="));
    let lines: Vec<_> =
        std::iter::once(format!("TOKEN={token}")).chain(others.map(ToOwned::to_owned)).collect();
    write_private(&env, &(lines.join("\n") + "\n"))?;
    Ok(token.to_owned())
}
