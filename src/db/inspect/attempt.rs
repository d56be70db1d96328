//! The way to each of the servers that the settings name, step by step.

use std::net::IpAddr;

use super::Inspector;
use crate::db::{
    Cause, Settings, Step, Verification,
    dial::Peer,
    progress::Progress,
    session::Session,
    target::{Address, Host, Target},
};

/// An attempt to connect to one server.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Host and port, or the socket's path.
    pub server: String,
    /// What the host's name resolved to.
    pub addresses: Vec<IpAddr>,
    /// Whether the server is on this machine: a Unix socket, or loopback.
    pub is_local: bool,
    /// `sslmode`.
    pub ssl_mode: String,
    /// What is verified of the server's certificate, where TLS is used.
    pub verified: Verification,
    /// Whether TLS was established.
    pub encrypted: bool,
    /// The step that failed, and why.
    pub failed: Option<(Step, Cause)>,
}

/// Tries each server that the settings name, and returns the first session that will do. Each
/// address has `connect_timeout`.
pub async fn attempts(settings: &Settings) -> (Vec<Attempt>, Option<Inspector>) {
    let (mut attempts, mut first) = (Vec::new(), None);
    for host in &settings.target.hosts {
        let (attempt, session) = attempt(&settings.target, host).await;
        attempts.push(attempt);
        first = first.or(session);
    }
    (attempts, first.map(|session| Inspector::new(session, settings)))
}

async fn attempt(target: &Target, host: &Host) -> (Attempt, Option<Session>) {
    let mut attempt = Attempt {
        server: host.to_string(),
        addresses: Vec::new(),
        is_local: matches!(host.address, Address::Socket(_)),
        ssl_mode: host.ssl_mode.to_string(),
        verified: target.verified,
        encrypted: false,
        failed: None,
    };
    let peers = match Session::resolve(target, host).await {
        Ok(peers) => peers,
        Err(cause) => {
            attempt.failed = Some((Step::Resolve, cause));
            return (attempt, None);
        }
    };
    attempt.addresses.extend(peers.iter().filter_map(|peer| match peer {
        Peer::Tcp(address) => Some(address.ip()),
        Peer::Unix(_) => None,
    }));
    attempt.is_local |=
        !attempt.addresses.is_empty() && attempt.addresses.iter().all(IpAddr::is_loopback);

    let progress = Progress::default();
    let attrs = target.session_attrs;
    let opened = Session::open_any(target, host, peers, attrs, None, &progress).await;
    attempt.encrypted = progress.encrypted();
    match opened {
        Ok(session) => (attempt, Some(session)),
        Err(cause) => {
            attempt.failed = Some((progress.step(), cause));
            (attempt, None)
        }
    }
}
