//! Everything that `serve` starts, and how it ends.

use std::{
    fmt,
    future::{Future, pending},
    sync::Arc,
    time::Duration,
};

use axum::routing::get;
use http::{Request, header::CONTENT_TYPE};
use tokio::{net::TcpListener, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;
use tonic::{body::Body, service::RoutesBuilder};
use tower::{ServiceExt, util::BoxCloneSyncService};
use uuid::Uuid;

use crate::{
    app::{self, Shared},
    auth::{Auth, Clock, KeysState, Session, Sessions},
    config::Config,
    db::{self, Db},
    error::{self, Reason},
    health::Readiness,
    metrics::{self, Elsewhere, Metrics},
    observe::Observe,
    pages,
    proto::{self, user::v1::user_service_server},
    server::{self, App},
    tls, user_service,
    wires::StepLayer,
};

/// The pause before a database that did not answer is asked again what the login may.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Why the service could not start: text for the operator.
#[derive(Debug)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// Serves on these listeners until `shutdown`, then drains.
///
/// # Errors
/// What cannot work however long one waits: an annotation, no certificate authorities. A database or
/// an issuer that is down is none: the service is not ready until they are up.
pub async fn run(
    config: Config,
    listener: TcpListener,
    admin: Option<TcpListener>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let api = app::api(proto::DESCRIPTORS, &config.app).map_err(text)?;
    let clock = Clock::system();
    let auth = Auth::new(config.auth, api.pool(), clock.clone()).map_err(text)?;
    let db = Db::new(config.database);
    let sessions = sessions(config.session_check, &clock, &db);
    let metrics = Arc::new(Metrics::new(Elsewhere { auth: auth.clone(), db: db.clone() }));
    let (reporter, health) = tonic_health::server::health_reporter();
    let readiness = Readiness::new(reporter, &[user_service_server::SERVICE_NAME]).await;
    let closing = CancellationToken::new();

    let mut services = RoutesBuilder::default();
    let user_service =
        user_service::guarded(db.clone(), api.pool(), &auth, sessions, config.app.max_body_bytes);
    services.add_service(user_service.map_err(text)?);
    let pages = pages::router(&config.pages, &api, &auth, |service| !app::is_beside(service));
    let observer = StepLayer(Observe::new(metrics.clone()));
    let shared =
        Shared { health, readiness: readiness.clone(), pages, observer, closing: closing.clone() };
    let app = app::new(&api, services, &config.app, shared);

    // All of it ends with this function.
    let mut background = JoinSet::new();
    background.spawn({
        let (auth, closing) = (auth.clone(), closing.clone());
        async move { auth.refresh_keys(closing).await }
    });
    background.spawn(warn_of_login(db.clone()));
    background.spawn(readiness.clone().probe(
        move || {
            let db = db.clone();
            async move { answers(&db, config.session_check.is_some()).await }
        },
        move || auth.keys_state() == KeysState::Ok,
    ));
    if let Some(tls) = config.tls.clone() {
        background.spawn(tls.follow(tls::LOOK_AGAIN));
    }
    if let Some(admin) = admin {
        let pages = operators_pages(&readiness, metrics);
        background.spawn(server::run(admin, pages, None, config.connections.clone(), pending()));
    }

    let address = listener.local_addr().map_err(text)?;
    tracing::info!(%address, tls = config.tls.is_some(), "listening");
    let shutdown = async {
        shutdown.await;
        tracing::info!("shutting down");
        readiness.close().await;
        sleep(config.shutdown_delay).await;
        closing.cancel();
    };
    server::run(listener, app, config.tls, config.connections, shutdown).await;
    tracing::info!("ended");
    Ok(())
}

/// Says once what the login has beyond its needs, as soon as the database can be asked.
async fn warn_of_login(db: Db) {
    let login = loop {
        match db.login().await {
            Ok(login) => break login,
            Err(error) => tracing::debug!(%error, "the login cannot be looked at yet"),
        }
        sleep(ASK_AGAIN).await;
    };
    let excess = login.excess();
    if !excess.is_empty() {
        let role = login.role;
        let excess = excess.join(", ");
        tracing::warn!(
            role,
            excess,
            "the login has more rights than the service needs: see sql/login.sql"
        );
    }
}

/// The session check, where it is wanted.
fn sessions(ttl: Option<Duration>, clock: &Clock, db: &Db) -> Sessions {
    let Some(ttl) = ttl else { return Sessions::unchecked() };
    let db = db.clone();
    Sessions::checked(ttl, clock.clone(), move |session| {
        let db = db.clone();
        async move { unavailable_if_broken(db::sessions::standing(&db, session).await) }
    })
}

/// A session that cannot be looked up, whyever, is a database that is not what it should be: the
/// call may succeed later, and is not the caller's fault.
fn unavailable_if_broken<T>(looked_up: Result<T, db::Error>) -> Result<T, error::Error> {
    looked_up.map_err(|error| error::Error::new(Reason::DatabaseUnavailable).because(error))
}

/// Whether the database answers, and where sessions are checked, whether it can tell of them.
async fn answers(db: &Db, checks_sessions: bool) -> bool {
    if let Err(error) = db.ping().await {
        tracing::debug!(%error, "the database does not answer");
        return false;
    }
    if !checks_sessions {
        return true;
    }
    let nobody = Session { id: Uuid::nil(), user: Uuid::nil() };
    match db::sessions::standing(db, nobody).await {
        Ok(_) | Err(db::Error::Overloaded | db::Error::Deadline) => true,
        Err(error) => {
            tracing::warn!(%error, "SESSION_CHECK is on and cannot ask: run `user-service migrate`");
            false
        }
    }
}

/// What `ADMIN_ADDR` serves.
fn operators_pages(readiness: &Readiness, metrics: Arc<Metrics>) -> App {
    let page = async move || ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics.render());
    let pages = readiness.pages().route("/metrics", get(page));
    let pages =
        ServiceExt::<Request<Body>>::map_response(pages, |response| response.map(Body::new));
    BoxCloneSyncService::new(pages)
}

fn text(error: impl fmt::Display) -> Error {
    Error(error.to_string())
}
