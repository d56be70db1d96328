//! A socket to a database server, and TLS on it.

use std::{io, net::SocketAddr, path::PathBuf, pin::Pin};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio_postgres::{
    config::SslMode as Negotiate,
    tls::{MakeTlsConnect, TlsConnect},
};
use tokio_util::either::Either;

use super::{
    progress::{Progress, Step},
    sqlstate::{FirstSqlState, Watched},
    target::{Address, Host, Keepalive, SslMode},
    tls::Tls,
};

/// TCP or a Unix socket.
pub(super) type Socket = Either<TcpStream, UnixStream>;

/// One server's one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// All addresses of a host, in the resolver's order.
pub(super) async fn peers(host: &Host) -> io::Result<Vec<Peer>> {
    match &host.address {
        Address::Socket(folder) => {
            Ok(vec![Peer::Unix(folder.join(format!(".s.PGSQL.{}", host.port)))])
        }
        Address::Host(name) => {
            Ok(lookup_host((name.as_str(), host.port)).await?.map(Peer::Tcp).collect())
        }
    }
}

/// Opens a socket.
pub(super) async fn dial(peer: &Peer, keepalive: Option<Keepalive>) -> io::Result<Socket> {
    match peer {
        Peer::Unix(path) => Ok(Either::Right(UnixStream::connect(path).await?)),
        Peer::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            if let Some(Keepalive { idle, interval, count }) = keepalive {
                let keepalive = TcpKeepalive::new().with_time(idle).with_interval(interval);
                SockRef::from(&stream).set_tcp_keepalive(&keepalive.with_retries(count))?;
            }
            Ok(Either::Left(stream))
        }
    }
}

impl SslMode {
    /// Whether a server without TLS is refused.
    pub(super) fn demands_tls(self) -> bool {
        self.negotiate() == Negotiate::Require
    }

    /// What tokio-postgres has to know of it: the rest is the TLS client's.
    pub(super) fn negotiate(self) -> Negotiate {
        match self {
            Self::Disable => Negotiate::Disable,
            Self::Prefer => Negotiate::Prefer,
            Self::Require | Self::VerifyCa | Self::VerifyFull => Negotiate::Require,
        }
    }
}

/// Prepares a socket for the login: watched as it is, and watched again above TLS.
pub(super) fn secure(
    socket: Socket,
    tls: &Tls,
    host: &str,
    ssl_mode: SslMode,
    sqlstate: FirstSqlState,
    progress: Progress,
) -> (Watched<Socket>, Secure) {
    // The server's answer to the question for TLS is one byte.
    let skip = usize::from(ssl_mode != SslMode::Disable);
    let mut tls = tls.clone();
    let Ok(connector) = MakeTlsConnect::<Socket>::make_tls_connect(&mut tls, host);
    (Watched::new(socket, skip, sqlstate), Secure { connector, progress })
}

type Connector = <Tls as MakeTlsConnect<Socket>>::TlsConnect;

/// Makes TLS of a watched socket, watched again.
pub(super) struct Secure {
    connector: Connector,
    progress: Progress,
}

impl TlsConnect<Watched<Socket>> for Secure {
    type Stream = Watched<<Connector as TlsConnect<Socket>>::Stream>;
    type Error = <Connector as TlsConnect<Socket>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, Self::Error>> + Send>>;

    fn connect(self, stream: Watched<Socket>) -> Self::Future {
        let Self { connector, progress } = self;
        Box::pin(stream.replace(async move |socket| {
            progress.begins(Step::Secure);
            let secured = connector.connect(socket).await?;
            progress.is_secured();
            Ok(secured)
        }))
    }
}
