//! Much of what costs a peer nothing: each ends in a closed connection or is simply outlived, and
//! memory stays where it is.

use std::{fs, io};

use tokio::{
    io::AsyncWriteExt as _,
    time::{Duration, timeout},
};

use crate::{
    frames::{
        CANCEL, DATA, END_HEADERS, HEADERS, Http2, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE,
        frame, grpc_headers,
    },
    server::{FAIL, Server},
};

/// Bytes that a flood sends at most, many times what a peer could need.
const FLOOD: usize = 16 << 20;
/// What memory may grow by meanwhile: buffers, but not what was sent.
const GROWTH: u64 = 48 << 20;
/// A peer that is not read from any more: as good as a closed connection.
const BLOCKED: Duration = Duration::from_secs(2);

/// Bytes of memory that this process has (Linux: `proc_pid_statm(5)`).
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0);
    pages * 4096
}

/// Sends a batch again and again, reading nothing, until enough or the other side has enough.
async fn flood(http2: &mut Http2, mut batch: impl FnMut() -> Vec<u8>) -> io::Result<usize> {
    let mut sent = 0;
    while sent < FLOOD {
        let batch = batch();
        match timeout(BLOCKED, http2.io.write_all(&batch)).await {
            Ok(written) => written?,
            Err(_) => break,
        }
        sent += batch.len();
    }
    Ok(sent)
}

async fn survives(name: &str, server: &Server, batch: impl FnMut() -> Vec<u8>) {
    let before = resident();
    let mut http2 = server.http2().await;
    let flooded = flood(&mut http2, batch).await;
    server.is_well().await;
    let grown = resident().saturating_sub(before);
    assert!(grown < GROWTH, "{name}: {flooded:?}, memory grew by {grown} bytes");
}

/// One at a time, so that memory is each one's own.
#[tokio::test(flavor = "multi_thread")]
async fn floods_end_or_are_outlived() {
    let server = Server::with(&[]).await;
    let many = |one: Vec<u8>| move || one.repeat(1_000);
    survives("pings", &server, many(frame(PING, 0, 0, &[7; 8]))).await;
    survives("settings", &server, many(frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]))).await;
    survives("empty settings", &server, many(frame(SETTINGS, 0, 0, &[]))).await;
    survives("window updates", &server, many(frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 0]))).await;

    let mut next = 1;
    let headers = grpc_headers(FAIL);
    survives("resets", &server, || {
        let mut batch = Vec::new();
        for _ in 0..100 {
            batch.extend(frame(HEADERS, END_HEADERS, next, &headers));
            batch.extend(frame(RST_STREAM, 0, next, &CANCEL.to_be_bytes()));
            next += 2;
        }
        batch
    })
    .await;

    // The stream is open and its frames are legal: they hold nothing.
    let mut begun = false;
    survives("empty data", &server, || {
        let mut batch = Vec::new();
        if !std::mem::replace(&mut begun, true) {
            batch = frame(HEADERS, END_HEADERS, 1, &headers);
        }
        batch.extend(frame(DATA, 0, 1, &[]).repeat(1_000));
        batch
    })
    .await;

    // Streams that are refused, one after the other.
    let mut next = 1;
    survives("streams", &server, || {
        let mut batch = Vec::new();
        for _ in 0..100 {
            batch.extend(frame(HEADERS, END_HEADERS, next, &headers));
            next += 2;
        }
        batch
    })
    .await;
}
