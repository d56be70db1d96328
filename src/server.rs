//! The accept loop: one port for HTTP/1.1 and HTTP/2, in the clear or over TLS.
//!
//! The caller owns the socket. Nothing in here knows what is served.

use std::{
    convert::Infallible,
    future::{Future, pending},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::body::Body;
use tower::ServiceExt as _;

use crate::tls::Tls;

/// What is served: a whole stack behind one type, cloned for each connection.
pub type App = tower::util::BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// How long accepting pauses after an error such as a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Spreads the end of connections that began together, as gRPC's servers do: at most this part of
/// the maximum age is added to it.
const AGE_JITTER: f64 = 0.1;

/// Limits on connections. Every duration is measured from the event that its name says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Connections at a time; further ones wait in the listener's queue.
    pub max_connections: usize,
    /// Streams at a time on one HTTP/2 connection.
    pub max_concurrent_streams: u32,
    /// Bytes of a request's header list, on HTTP/1.1 and HTTP/2 alike.
    pub max_header_bytes: u32,
    /// From the connection to its first request, the TLS handshake included.
    pub first_request_timeout: Duration,
    /// From the connection to the end of the TLS handshake.
    pub tls_handshake_timeout: Duration,
    /// HTTP/1.1: from the last answer (or the connection) to the end of the next request's header.
    pub header_timeout: Duration,
    /// HTTP/2: between pings.
    pub keepalive_interval: Duration,
    /// HTTP/2: from a ping to its answer; a peer that gives none is gone. On either protocol so is one
    /// whose socket takes no byte of what is being written for the interval and this long. A peer on
    /// HTTP/2 that answers pings and opens no window (RFC 9113, section 5.2) stays, for nothing is
    /// being written: `max_connection_age` ends it, `max_connections` bounds how many there are.
    pub keepalive_timeout: Duration,
    /// The age at which a connection is asked to end (HTTP/2: GOAWAY); `None` for never.
    pub max_connection_age: Option<Duration>,
    /// From that request to the end of the connection, calls in flight or not.
    pub max_connection_age_grace: Duration,
    /// From the end of accepting to the end of all connections.
    pub shutdown_timeout: Duration,
}

/// Serves `app` until `shutdown` completes, then drains: accepts no more, asks every connection to
/// end, and waits for calls in flight at most [`Settings::shutdown_timeout`].
pub async fn run(
    listener: TcpListener,
    app: App,
    tls: Option<Tls>,
    settings: Settings,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let places = Arc::new(Semaphore::new(settings.max_connections));
    let connections = TaskTracker::new();
    let drain = CancellationToken::new();
    let abort = CancellationToken::new();
    let shared =
        Arc::new(Shared { http: http(&settings), settings, tls, app, drain: drain.clone() });

    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut shutdown => break,
        };
        let Some((socket, place)) = accepted else { continue };
        let (shared, abort) = (shared.clone(), abort.clone());
        connections.spawn(async move {
            let _place = place;
            let _ = abort.run_until_cancelled(shared.connection(socket)).await;
        });
    }

    drop(listener);
    drain.cancel();
    connections.close();
    if timeout(shared.settings.shutdown_timeout, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "calls were cut at the drain limit");
        abort.cancel();
        connections.wait().await;
    }
}

/// The next connection, with its place among those allowed at a time.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((socket, _)) => Some((socket, place)),
        Err(error) => {
            tracing::warn!(%error, "could not accept a connection");
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Both protocols' settings.
fn http(settings: &Settings) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(settings.max_header_bytes as usize);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.max_concurrent_streams)
        .max_header_list_size(settings.max_header_bytes)
        .keep_alive_interval(settings.keepalive_interval)
        .keep_alive_timeout(settings.keepalive_timeout);
    http
}

/// What every connection needs.
struct Shared {
    http: auto::Builder<TokioExecutor>,
    settings: Settings,
    tls: Option<Tls>,
    app: App,
    drain: CancellationToken,
}

impl Shared {
    /// Serves one connection to its end. Errors in it are the peer's: they end it and nothing else.
    async fn connection(&self, socket: TcpStream) {
        let opened = Instant::now();
        // Answers are whole frames: waiting to merge small ones only delays them.
        let _ = socket.set_nodelay(true);
        let Some(tls) = &self.tls else { return self.serve(socket, opened).await };
        match timeout(self.settings.tls_handshake_timeout, tls.accept(socket)).await {
            Ok(Ok(stream)) => self.serve(stream, opened).await,
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake did not end in time"),
        }
    }

    async fn serve(
        &self,
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        opened: Instant,
    ) {
        let asked = Arc::new(AtomicBool::new(false));
        let service = {
            let asked = asked.clone();
            self.app.clone().map_request(move |request: Request<Incoming>| {
                asked.store(true, Ordering::Relaxed);
                request.map(Body::new)
            })
        };
        // HTTP/1.1 has no pings, and their answers do not prove that answers to calls are read.
        let mut io = TimeoutStream::new(io);
        let Settings { keepalive_interval, keepalive_timeout, .. } = self.settings;
        io.set_write_timeout(Some(keepalive_interval.saturating_add(keepalive_timeout)));
        let io = TokioIo::new(Box::pin(io));
        let connection = self.http.serve_connection(io, TowerToHyperService::new(service));
        let mut connection = pin!(connection);

        // One rule for a silent socket, half a preface and an idle HTTP/2 connection alike.
        let first_request = self.settings.first_request_timeout;
        let mut never_asked = pin!(async {
            sleep_until(opened + first_request).await;
            if asked.load(Ordering::Relaxed) {
                pending::<()>().await;
            }
        });
        let mut asked_to_end = pin!(async {
            tokio::select! {
                () = self.end_of_age(opened) => Some(self.settings.max_connection_age_grace),
                () = self.drain.cancelled() => None, // the drain has a limit of its own
            }
        });
        let mut cut: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(pending());
        let mut ending = false;
        loop {
            tokio::select! {
                served = connection.as_mut() => {
                    if let Err(error) = served {
                        tracing::debug!(error, "connection ended early");
                    }
                    return;
                }
                () = &mut never_asked => return,
                grace = &mut asked_to_end, if !ending => {
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                    if let Some(grace) = grace {
                        cut = Box::pin(sleep(grace));
                    }
                }
                () = &mut cut => return,
            }
        }
    }

    /// Completes when a connection opened at `opened` is too old, if there is such an age.
    async fn end_of_age(&self, opened: Instant) {
        let Some(age) = self.settings.max_connection_age else { return pending().await };
        let spread = f64::from(opened.elapsed().subsec_nanos() % 1000) / 1000.0;
        sleep_until(opened + age + age.mul_f64(AGE_JITTER * spread)).await;
    }
}
