//! Whether the service is ready: a background probe, told through `/readyz` and `grpc.health.v1`.

use std::{future::Future, time::Duration};

use axum::{Json, Router, http::StatusCode, response::IntoResponse, routing::get};
use serde::Serialize;
use tokio::{
    sync::watch,
    time::{Instant, interval, timeout},
};
use tonic_health::{ServingStatus, server::HealthReporter};

/// How often the probe asks.
const PROBE_EVERY: Duration = Duration::from_millis(500);
/// How long the database may be out of reach before the service is not ready.
const DATABASE_PATIENCE: Duration = Duration::from_secs(2);
/// The paths of [`Readiness::pages`]: no binding may take them.
pub const PATHS: [&str; 2] = ["/healthz", "/readyz"];

/// The state of one thing that the service needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It works.
    Ok,
    /// It does not.
    Unavailable,
}

impl From<bool> for State {
    fn from(ok: bool) -> Self {
        if ok { Self::Ok } else { Self::Unavailable }
    }
}

/// The answer of `/readyz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Report {
    database: State,
    keys: State,
    #[serde(skip)]
    closing: bool,
}

impl Report {
    fn ready(self) -> bool {
        !self.closing && self.database == State::Ok && self.keys == State::Ok
    }
}

/// What is known of readiness. Clones share it.
#[derive(Clone, Debug)]
pub struct Readiness {
    report: watch::Sender<Report>,
    grpc: HealthReporter,
    services: &'static [&'static str],
}

impl Readiness {
    /// Not ready until the first probe. `services` are the names that `grpc.health.v1` knows,
    /// besides the empty one.
    pub async fn new(grpc: HealthReporter, services: &'static [&'static str]) -> Self {
        let report =
            Report { database: State::Unavailable, keys: State::Unavailable, closing: false };
        let readiness = Self { report: watch::Sender::new(report), grpc, services };
        readiness.tell_grpc().await;
        readiness
    }

    /// Probes for ever. `database` is one attempt to have a connection; `keys` is the state of the
    /// key set.
    pub async fn probe<D: Future<Output = bool>>(
        self,
        database: impl Fn() -> D,
        keys: impl Fn() -> bool,
    ) {
        let mut last_had = None;
        let mut ticks = interval(PROBE_EVERY);
        loop {
            ticks.tick().await;
            // An attempt that hangs is no connection, and must not keep the probe from saying so.
            let attempt = timeout(DATABASE_PATIENCE, database());
            if attempt.await.unwrap_or(false) {
                last_had = Some(Instant::now());
            }
            let had_lately = last_had.is_some_and(|at| at.elapsed() < DATABASE_PATIENCE);
            let (database, keys) = (State::from(had_lately), State::from(keys()));
            self.update(|report| *report = Report { database, keys, ..*report }).await;
        }
    }

    /// Not ready from now on: the process is about to end.
    pub async fn close(&self) {
        self.update(|report| report.closing = true).await;
    }

    async fn update(&self, change: impl FnOnce(&mut Report)) {
        let before = *self.report.borrow();
        self.report.send_modify(change);
        let after = *self.report.borrow();
        if before != after {
            tracing::info!(
                ready = after.ready(),
                database = ?after.database,
                keys = ?after.keys,
                closing = after.closing,
                "readiness changed"
            );
            self.tell_grpc().await;
        }
    }

    async fn tell_grpc(&self) {
        let ready = self.report.borrow().ready();
        let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in self.services.iter().chain(&[""]) {
            self.grpc.set_service_status(service, status).await;
        }
    }

    /// `/healthz` (200 while the process lives) and `/readyz` (200 or 503, with the states).
    pub fn pages(&self) -> Router {
        let readiness = self.clone();
        let [healthz, readyz] = PATHS;
        Router::new().route(healthz, get(async || "ok")).route(
            readyz,
            get(async move || {
                let report = *readiness.report.borrow();
                let status =
                    if report.ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                (status, Json(report)).into_response()
            }),
        )
    }
}
