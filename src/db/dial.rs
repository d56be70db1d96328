//! A socket to a database server.

use std::{io, net::SocketAddr, path::PathBuf};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio_util::either::Either;

use super::target::{Address, Host, Keepalive};

/// TCP or a Unix socket.
pub(super) type Socket = Either<TcpStream, UnixStream>;

/// One server's one address.
#[derive(Clone, Debug)]
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
