//! Much of what costs a peer nothing: each ends in a closed connection or is simply outlived, and
//! memory stays where it is.

use std::fs;

use tokio::{
    io::{self, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};

use crate::{
    alone,
    frames::{
        CANCEL, DATA, END_HEADERS, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame,
        grpc_headers,
    },
    server::{FAIL, SOON, Server},
};

/// Bytes that a flood sends at most, many times what a peer could need.
const FLOOD: usize = 8 << 20;
/// What memory may grow by meanwhile: buffers, but not what was sent.
const GROWTH: u64 = 3 << 20;
const _: () = assert!(GROWTH < FLOOD as u64 / 2, "a flood that is kept must show");

/// Bytes of memory that this process has (Linux: `proc_pid_statm(5)`).
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0);
    pages * 4096
}

/// Sends a batch again and again, until it was enough or the other side has closed the connection.
async fn flood(
    io: &mut (impl AsyncWrite + Unpin),
    mut batch: impl FnMut() -> Vec<u8>,
) -> io::Result<usize> {
    let mut sent = 0;
    while sent < FLOOD {
        let batch = batch();
        timeout(SOON, io.write_all(&batch)).await.expect("neither read nor closed")?;
        sent += batch.len();
    }
    Ok(sent)
}

/// Floods, from a peer that reads no answer and from one that reads all.
async fn survives(name: &str, server: &Server, mut batch: impl FnMut(bool) -> Vec<u8>) {
    for reads in [false, true] {
        let before = resident();
        let (mut read, mut write) = io::split(server.http2().await.io);
        let reader = tokio::spawn(async move {
            if !reads {
                return std::future::pending().await;
            }
            io::copy(&mut read, &mut io::sink()).await
        });
        let mut first = true;
        let flooded = flood(&mut write, || batch(std::mem::replace(&mut first, false))).await;
        server.is_well().await;
        reader.abort();
        let grown = resident().saturating_sub(before);
        assert!(grown < GROWTH, "{name}: {flooded:?}, memory grew by {grown} bytes");
    }
}

/// One at a time and in a process of their own, so that memory is each one's own.
#[test]
fn floods_end_or_are_outlived() {
    if !alone::is() {
        return alone::run("floods::floods_end_or_are_outlived", &[]);
    }
    tokio::runtime::Runtime::new().expect("a runtime").block_on(floods());
}

async fn floods() {
    // A peer that does not read is gone after both; one that reads has time to flood.
    let server = Server::with(&[("KEEPALIVE_INTERVAL", "1s"), ("KEEPALIVE_TIMEOUT", "1s")]).await;
    server.is_well().await; // what it needs for a first call is no flood's
    let many = |one: Vec<u8>| move |_| one.repeat(1_000);
    survives("pings", &server, many(frame(PING, 0, 0, &[7; 8]))).await;
    survives("settings", &server, many(frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]))).await;
    survives("empty settings", &server, many(frame(SETTINGS, 0, 0, &[]))).await;
    survives("window updates of nothing", &server, many(frame(WINDOW_UPDATE, 0, 0, &[0; 4]))).await;

    let headers = grpc_headers(FAIL);
    let mut next = 1;
    survives("resets", &server, |first| {
        if first {
            next = 1;
        }
        let mut batch = Vec::new();
        for _ in 0..100 {
            batch.extend(frame(HEADERS, END_HEADERS, next, &headers));
            batch.extend(frame(RST_STREAM, 0, next, &CANCEL.to_be_bytes()));
            next += 2;
        }
        batch
    })
    .await;
    survives("streams beyond the limit", &server, |first| {
        if first {
            next = 1;
        }
        let mut batch = Vec::new();
        for _ in 0..100 {
            batch.extend(frame(HEADERS, END_HEADERS, next, &headers));
            next += 2;
        }
        batch
    })
    .await;
    survives("empty data", &server, |first| {
        let head = frame(HEADERS, END_HEADERS, 1, &headers);
        let data = frame(DATA, 0, 1, &[]).repeat(1_000);
        if first { [head, data].concat() } else { data }
    })
    .await;
}
