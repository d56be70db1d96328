//! A fresh token from a running stack.

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::http;
use crate::postgres::write_private;
use crate::seed::{ADA, PASSWORD};
use crate::state::{ENV, Folder};

/// Signs [`ADA`] in over HTTP, as a client would, and puts the token into `.dev/env`.
pub async fn fresh(folder: &Folder) -> Result<String> {
    let env = folder.file(ENV);
    let text = fs::read_to_string(&env).context("there is no .dev/env yet: make run")?;
    let url = text.lines().find_map(|line| line.strip_prefix("SUPABASE_URL="));
    let port = url.and_then(|url| url.rsplit_once(':')?.1.parse().ok());
    let port = port.context(".dev/env has no SUPABASE_URL: make run writes it")?;

    let body = json!({ "email": ADA, "password": PASSWORD });
    let (status, session) = http::post_json(port, "/auth/v1/token?grant_type=password", &body)
        .await
        .context("the Auth stand-in does not answer: is make run running?")?;
    let Some(token) = session["access_token"].as_str() else {
        bail!("the Auth stand-in answered {status}: {session}");
    };

    let others = text.split_inclusive('\n').filter(|line| !line.starts_with("TOKEN="));
    let text: String = std::iter::once(&*format!("TOKEN={token}\n")).chain(others).collect();
    write_private(&env, &text)?;
    Ok(token.to_owned())
}
