//! The SQLSTATE of the first error that a server reports, read off the stream.
//!
//! diesel-async keeps the code of few errors, and message texts are localised. So the stream that
//! tokio-postgres reads from, above TLS, is watched for `ErrorResponse`.

use std::{
    fmt, io,
    pin::Pin,
    str,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

/// How much of an `ErrorResponse` is looked at: the code is its third field, behind two words.
const LOOK_AT: usize = 128;

/// A SQLSTATE: five characters (PostgreSQL documentation, appendix A).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SqlState([u8; 5]);

impl SqlState {
    pub(super) const TOO_MANY_CONNECTIONS: &str = "53300";
    pub(super) const QUERY_CANCELED: &str = "57014";
    pub(super) const LOCK_NOT_AVAILABLE: &str = "55P03";
    /// A missing grant, or a policy's `WITH CHECK`.
    pub const INSUFFICIENT_PRIVILEGE: &str = "42501";
    pub(super) const READ_ONLY_TRANSACTION: &str = "25006";

    /// The five characters.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or("?????")
    }

    pub(super) fn new(code: &[u8]) -> Option<Self> {
        code.iter().all(u8::is_ascii_alphanumeric).then(|| code.try_into().ok().map(Self))?
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Holds the first code since it was cleared: the cause, where others follow from it.
#[derive(Clone, Debug, Default)]
pub(super) struct FirstSqlState(Arc<AtomicU64>);

impl FirstSqlState {
    pub(super) fn clear(&self) {
        self.0.store(0, Ordering::Release);
    }

    pub(super) fn get(&self) -> Option<SqlState> {
        match self.0.load(Ordering::Acquire).to_be_bytes() {
            [0, 0, 0, 0, ..] => None,
            [_, _, _, a, b, c, d, e] => Some(SqlState([a, b, c, d, e])),
        }
    }

    fn set(&self, SqlState([a, b, c, d, e]): SqlState) {
        let code = u64::from_be_bytes([0, 0, 0, a, b, c, d, e]);
        // Not the first: the one that is there stays.
        let _ = self.0.compare_exchange(0, code, Ordering::AcqRel, Ordering::Acquire);
    }
}

/// Follows the server's messages (PostgreSQL documentation, chapter 55.7): a tag, a length that
/// counts itself, a body.
struct Watch {
    at: At,
    /// A header, or the beginning of an `ErrorResponse`, as far as it was read.
    read: Vec<u8>,
    first: FirstSqlState,
}

/// Where in a message the stream is, and how many bytes of it are still to come.
#[derive(Clone, Copy)]
enum At {
    Header,
    ErrorBody(usize),
    Other(usize),
}

impl Watch {
    fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let wanted = match self.at {
                At::Header => 5 - self.read.len(),
                At::ErrorBody(left) | At::Other(left) => left,
            };
            let (part, rest) = bytes.split_at(wanted.min(bytes.len()));
            let left = wanted - part.len();
            bytes = rest;
            self.at = match self.at {
                At::Other(_) if left == 0 => At::Header,
                At::Other(_) => At::Other(left),
                At::Header => {
                    self.read.extend_from_slice(part);
                    self.header()
                }
                At::ErrorBody(_) => {
                    let room = LOOK_AT.saturating_sub(self.read.len());
                    self.read.extend(part.iter().take(room));
                    if left == 0 { self.error() } else { At::ErrorBody(left) }
                }
            };
        }
    }

    fn header(&mut self) -> At {
        let &[tag, a, b, c, d] = self.read.as_slice() else { return At::Header };
        self.read.clear();
        // The length counts its own four bytes. An empty body is an empty `Other`.
        let left = (u32::from_be_bytes([a, b, c, d]) as usize).saturating_sub(4);
        match (tag, left) {
            (_, 0) => At::Header,
            (b'E', left) => At::ErrorBody(left),
            (_, left) => At::Other(left),
        }
    }

    fn error(&mut self) -> At {
        // Fields: a letter, a text, a zero. `C` is the code.
        let mut fields = self.read.split(|byte| *byte == 0);
        if let Some(code) = fields.find_map(|field| SqlState::new(field.strip_prefix(b"C")?)) {
            self.first.set(code);
        }
        self.read.clear();
        At::Header
    }
}

/// A stream from a server, watched for errors.
pub(super) struct Watched<S> {
    stream: S,
    watch: Watch,
    server_closes: bool,
}

impl<S> Watched<S> {
    /// Watches a stream of which `skip` bytes come before the first message.
    pub(super) fn new(stream: S, skip: usize, first: FirstSqlState) -> Self {
        let at = if skip == 0 { At::Header } else { At::Other(skip) };
        let watch = Watch { at, read: Vec::with_capacity(LOOK_AT), first };
        Self { stream, watch, server_closes: false }
    }

    /// Leaves it to the server to close the stream: shutting it down waits for that.
    pub(super) fn server_closes(self) -> Self {
        Self { server_closes: true, ..self }
    }

    /// Puts another stream in the place of this one's, watched from its first byte.
    pub(super) async fn replace<T, E>(
        self,
        stream: impl AsyncFnOnce(S) -> Result<T, E>,
    ) -> Result<Watched<T>, E> {
        let watched = Watched::new(stream(self.stream).await?, 0, self.watch.first);
        Ok(Watched { server_closes: self.server_closes, ..watched })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.watch.read(buf.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.server_closes {
            let mut unread = [0; 64];
            let mut unread = ReadBuf::new(&mut unread);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut unread))?;
            if unread.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Watched<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.stream.channel_binding()
    }
}

#[cfg(test)]
mod tests {
    use super::{At, FirstSqlState, LOOK_AT, Watch};

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[tag], &length[..], body].concat()
    }

    fn stream() -> Vec<u8> {
        let error = |code: &str| {
            let text = "x".repeat(2 * LOOK_AT);
            message(b'E', format!("SFEHLER\0VERROR\0C{code}\0M{text}\0\0").as_bytes())
        };
        let rows = message(b'D', &b"\0\x05E\0\0\0\x09C99999".repeat(50));
        [
            b"S".to_vec(),
            message(b'1', b""),
            rows,
            error("42501"),
            message(b'Z', b"E"),
            error("25P02"),
        ]
        .concat()
    }

    #[test]
    fn the_first_code_is_found_however_the_stream_is_cut() {
        let stream = stream();
        for size in [1, 2, 3, 5, 7, 100, stream.len()] {
            let first = FirstSqlState::default();
            let mut watch = Watch { at: At::Other(1), read: Vec::new(), first: first.clone() };
            for part in stream.chunks(size) {
                watch.read(part);
                assert!(watch.read.len() <= LOOK_AT);
            }
            assert_eq!(first.get().unwrap().as_str(), "42501", "in pieces of {size}");
            first.clear();
            assert_eq!(first.get(), None);
        }
    }
}
