//! One request over HTTP/1.1 to a server of our own: readiness, and a token.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// More than any answer that is asked for here.
const LIMIT: u64 = 1 << 20;

/// The status that `GET path` is answered with on `port`.
pub(crate) async fn get_status(port: u16, path: &str) -> Result<u16> {
    Ok(send(port, &format!("GET {path} HTTP/1.1\r\n"), "").await?.0)
}

/// The status and the JSON that `POST path` with this body is answered with on `port`.
pub(crate) async fn post_json(port: u16, path: &str, body: &Value) -> Result<(u16, Value)> {
    let head = format!("POST {path} HTTP/1.1\r\ncontent-type: application/json\r\n");
    let (status, text) = send(port, &head, &body.to_string()).await?;
    Ok((status, serde_json::from_str(&text).context("the answer is no JSON")?))
}

async fn send(port: u16, head: &str, body: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let length = body.len();
    let rest = format!(
        "host: 127.0.0.1:{port}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(format!("{head}{rest}").as_bytes()).await?;
    let mut answer = String::new();
    stream.take(LIMIT).read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer is no HTTP")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.context("the answer has no status")?, body.to_owned()))
}
