//! A key server on a real socket, over HTTP or HTTPS, that can rotate, lie, stall, redirect, die.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};

use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    sync::watch,
    task::AbortHandle,
};
use tokio_rustls::TlsAcceptor;
use url::Url;

/// What the server does with a request.
#[derive(Clone, Debug)]
pub enum Manner {
    /// Answers 200 with this body.
    Answer(Vec<u8>),
    /// The same, and says what time it has (`Date`): so many seconds ahead of the right one.
    AnswerAhead(i64, Vec<u8>),
    /// Answers with this status and an empty body.
    Status(u16),
    /// Answers 302 to this address.
    Redirect(Url),
    /// Answers 200 with a body that never ends, each byte as fast as it is taken.
    Flood,
    /// Reads the request and says nothing.
    Stall,
    /// Sends the head and half of the body, then says nothing more.
    StallInBody(Vec<u8>),
    /// Closes the connection at once.
    Die,
}

pub struct KeyServer {
    address: SocketAddr,
    scheme: &'static str,
    manner: watch::Sender<Manner>,
    requests: Arc<AtomicUsize>,
    accepting: AbortHandle,
}

impl KeyServer {
    pub async fn start(jwks: Value) -> Self {
        Self::serve(jwks, None).await
    }

    pub async fn start_tls(jwks: Value, tls: TlsAcceptor) -> Self {
        Self::serve(jwks, Some(tls)).await
    }

    async fn serve(jwks: Value, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let manner = watch::Sender::new(Manner::Answer(jwks.to_string().into_bytes()));
        let requests = Arc::new(AtomicUsize::new(0));
        let (manners, counter) = (manner.subscribe(), Arc::clone(&requests));
        let accepting = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (manners, counter, tls) = (manners.clone(), Arc::clone(&counter), tls.clone());
                tokio::spawn(async move {
                    let result = match tls {
                        None => answer(socket, &manners, &counter).await,
                        Some(tls) => match tls.accept(socket).await {
                            Ok(socket) => answer(socket, &manners, &counter).await,
                            Err(error) => Err(error),
                        },
                    };
                    drop(result); // a client that goes away is what some tests want
                });
            }
        });
        Self { address, scheme, manner, requests, accepting: accepting.abort_handle() }
    }

    pub fn url(&self) -> Url {
        let url = format!("{}://{}/auth/v1/.well-known/jwks.json", self.scheme, self.address);
        url.parse().unwrap()
    }

    /// Publishes another set.
    pub fn rotate(&self, jwks: &Value) {
        self.behave(Manner::Answer(jwks.to_string().into_bytes()));
    }

    pub fn behave(&self, manner: Manner) {
        self.manner.send_replace(manner);
    }

    /// How many requests came so far.
    pub fn requests(&self) -> usize {
        self.requests.load(SeqCst)
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn answer(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    manners: &watch::Receiver<Manner>,
    requests: &AtomicUsize,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await?);
    }
    let manner = manners.borrow().clone();
    requests.fetch_add(1, SeqCst);
    let ok = |length: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    match manner {
        Manner::Answer(body) => {
            socket.write_all(ok(body.len()).as_bytes()).await?;
            socket.write_all(&body).await?;
        }
        Manner::AnswerAhead(seconds, body) => {
            let now = SystemTime::now();
            let apart = Duration::from_secs(seconds.unsigned_abs());
            let date = httpdate::fmt_http_date(if seconds < 0 { now - apart } else { now + apart });
            let length = body.len();
            let head =
                format!("HTTP/1.1 200 OK\r\ndate: {date}\r\ncontent-length: {length}\r\n\r\n");
            socket.write_all(head.as_bytes()).await?;
            socket.write_all(&body).await?;
        }
        Manner::Status(status) => {
            let head = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: 0\r\n\r\n");
            socket.write_all(head.as_bytes()).await?;
        }
        Manner::Redirect(to) => {
            let head = format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
            socket.write_all(head.as_bytes()).await?;
        }
        Manner::Flood => {
            socket.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"keys\":[").await?;
            loop {
                socket.write_all(&[b' '; 4096]).await?;
            }
        }
        Manner::Stall => drop(socket.read_u8().await),
        Manner::StallInBody(body) => {
            socket.write_all(ok(body.len()).as_bytes()).await?;
            socket.write_all(&body[..body.len() / 2]).await?;
            socket.flush().await?;
            drop(socket.read_u8().await);
        }
        Manner::Die => {}
    }
    socket.shutdown().await
}
