//! A TCP proxy that counts, delays, stalls and cuts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

/// How a cancel request begins: its length, its code (PostgreSQL documentation, chapter 55.7).
const CANCEL_REQUEST: [u8; 8] = [0, 0, 0, 16, 4, 210, 22, 46];

/// A way to a server that can be made worse.
pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

struct State {
    upstream: u16,
    /// How long each byte takes, each way, in microseconds.
    delay: AtomicU64,
    sessions: AtomicU64,
    cancel_requests: AtomicU64,
    refusing: AtomicBool,
    stalled: watch::Sender<bool>,
    /// Counts cuts: connections end when it changes.
    cut: watch::Sender<u64>,
    /// Counts failovers: what was begun before ends at the next byte.
    failovers: AtomicU64,
}

impl Proxy {
    /// Listens on a free port in front of a server on this one.
    pub async fn start(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State {
            upstream,
            delay: AtomicU64::new(0),
            sessions: AtomicU64::new(0),
            cancel_requests: AtomicU64::new(0),
            refusing: AtomicBool::new(false),
            stalled: watch::channel(false).0,
            cut: watch::channel(0).0,
            failovers: AtomicU64::new(0),
        });
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !shared.refusing.load(Ordering::SeqCst) {
                    tokio::spawn(carry(client, shared.clone()));
                }
            }
        });
        Self { port, state }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL with the proxy's port in place of the server's.
    pub fn url(&self, url: &str) -> String {
        url.replace(&format!(":{}/", self.state.upstream), &format!(":{}/", self.port))
    }

    /// How many sessions have been begun.
    pub fn sessions(&self) -> u64 {
        self.state.sessions.load(Ordering::SeqCst)
    }

    /// How many cancel requests have been sent.
    pub fn cancel_requests(&self) -> u64 {
        self.state.cancel_requests.load(Ordering::SeqCst)
    }

    pub fn delay(&self, delay: Duration) {
        self.state.delay.store(delay.as_micros().try_into().expect("short"), Ordering::SeqCst);
    }

    /// Ends every connection.
    pub fn cut(&self) {
        self.state.cut.send_modify(|cuts| *cuts += 1);
    }

    /// Ends every connection, which its client notices only when it sends something: as after a
    /// failover behind an address that stays the same.
    pub fn fail_over(&self) {
        self.state.failovers.fetch_add(1, Ordering::SeqCst);
    }

    /// Ends new connections at once, or not any more.
    pub fn refuse(&self, refusing: bool) {
        self.state.refusing.store(refusing, Ordering::SeqCst);
    }

    /// Lets nothing through, or all that has gathered.
    pub fn stall(&self, stalled: bool) {
        self.state.stalled.send_replace(stalled);
    }
}

async fn carry(client: TcpStream, state: Arc<State>) {
    let mut cut = state.cut.subscribe();
    cut.mark_unchanged();
    let mut first = [0; 8];
    while matches!(client.peek(&mut first).await, Ok(1..8)) {
        sleep(Duration::from_millis(1)).await;
    }
    let counter = match first {
        CANCEL_REQUEST => &state.cancel_requests,
        _ => &state.sessions,
    };
    counter.fetch_add(1, Ordering::SeqCst);
    let begun = state.failovers.load(Ordering::SeqCst);
    let Ok(server) = TcpStream::connect(("127.0.0.1", state.upstream)).await else { return };
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a socket");
    }
    let (mut client_out, mut client_in) = client.into_split();
    let (mut server_out, mut server_in) = server.into_split();
    tokio::select! {
        () = pump(&mut client_out, &mut server_in, &state, begun) => {
            // What is on its way to the client still arrives.
            sleep(Duration::from_millis(1)).await;
        }
        () = pump(&mut server_out, &mut client_in, &state, begun) => {}
        _ = cut.changed() => {}
    }
}

/// Carries bytes, each as late as it has to be; bytes that come meanwhile are not later for it.
async fn pump(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    state: &State,
    begun: u64,
) {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(size @ 1..) = from.read(&mut buffer).await {
            if begun < state.failovers.load(Ordering::SeqCst) {
                break;
            }
            let delay = Duration::from_micros(state.delay.load(Ordering::SeqCst));
            let _ = sender.send((Instant::now() + delay, buffer[..size].to_vec()));
        }
        drop(sender);
    };
    let write = async {
        let mut stalled = state.stalled.subscribe();
        while let Some((due, bytes)) = receiver.recv().await {
            sleep_until(due).await;
            let _ = stalled.wait_for(|stalled| !stalled).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    // A closure moves the sender into `read`, so that `write` ends after it.
    tokio::join!(read, write);
}
