//! HTTP/2 frame by frame (RFC 9113, section 4.1), for peers that no client library would be.

use std::io;

use bytes::{Buf as _, BufMut as _};
use prost::Message;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::server::SOON;

/// Frame types (RFC 9113, section 6).
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// Flags.
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// Error codes (RFC 9113, section 7).
pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// A setting (RFC 9113, section 6.5.2).
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;

#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The error code of RST_STREAM or GOAWAY.
    pub(crate) fn error(&self) -> u32 {
        let mut rest = &self.payload[..];
        if self.kind == GOAWAY {
            rest.advance(4); // the last stream
        }
        rest.get_u32()
    }

    fn ends_stream(&self) -> bool {
        let at_end = matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0;
        at_end || self.kind == RST_STREAM
    }
}

/// One side of a connection that does what it is told and nothing else.
pub(crate) struct Http2<T = TcpStream> {
    pub(crate) io: T,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Http2<T> {
    /// Sends the preface and these settings, and acknowledges the other side's.
    pub(crate) async fn begin(io: T, settings: &[(u16, u32)]) -> Self {
        let mut http2 = Self { io };
        http2.io.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("sent");
        let mut payload = Vec::new();
        for (setting, value) in settings {
            payload.put_u16(*setting);
            payload.put_u32(*value);
        }
        http2.send(SETTINGS, 0, 0, &payload).await.expect("sent");
        while http2.next().await.expect("settings").kind != SETTINGS {}
        http2.send(SETTINGS, ACK, 0, &[]).await.expect("sent");
        http2
    }

    /// Fails where the other side has closed the connection.
    pub(crate) async fn send(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> io::Result<()> {
        self.io.write_all(&frame(kind, flags, stream, payload)).await
    }

    /// Begins a gRPC call: its headers, and its one message with its prefix.
    pub(crate) async fn call(&mut self, stream: u32, path: &str, message: &impl Message) {
        self.send(HEADERS, END_HEADERS, stream, &grpc_headers(path)).await.expect("sent");
        let mut framed = vec![0];
        framed.put_u32(u32::try_from(message.encoded_len()).expect("small"));
        message.encode(&mut framed).expect("memory");
        self.send(DATA, END_STREAM, stream, &framed).await.expect("sent");
    }

    /// The next frame; `None` where the other side has closed the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        timeout(SOON, self.io.read_exact(&mut head)).await.expect("in time").ok()?;
        let mut rest = &head[..];
        let (length, kind, flags) = (rest.get_uint(3), rest.get_u8(), rest.get_u8());
        let stream = rest.get_u32() & 0x7fff_ffff;
        let mut payload = vec![0; usize::try_from(length).expect("24 bits")];
        timeout(SOON, self.io.read_exact(&mut payload)).await.expect("in time").ok()?;
        Some(Frame { kind, flags, stream, payload })
    }

    /// The next frame of this kind; `None` where the connection ends first.
    pub(crate) async fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// The last frame of a stream; `None` where the connection ends first.
    pub(crate) async fn end_of(&mut self, stream: u32) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.stream == stream && frame.ends_stream() {
                return Some(frame);
            }
        }
    }

    /// Waits for the other side to close the connection; the error code of its GOAWAY, if one came.
    pub(crate) async fn closed(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some(frame) = self.next().await {
            if frame.kind == GOAWAY {
                code = Some(frame.error());
            }
        }
        code
    }
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(9 + payload.len());
    frame.put_uint(payload.len() as u64, 3);
    frame.put_u8(kind);
    frame.put_u8(flags);
    frame.put_u32(stream);
    frame.put(payload);
    frame
}

pub(crate) fn grpc_headers(path: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "x"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        field(&mut block, name, value);
    }
    block
}

/// A literal header field without indexing, with a new name, in plain text (RFC 7541, 6.2.2).
pub(crate) fn field(block: &mut Vec<u8>, name: &str, value: &str) {
    block.put_u8(0);
    for text in [name, value] {
        integer(block, text.len());
        block.put(text.as_bytes());
    }
}

/// An integer with a prefix of seven bits (RFC 7541, section 5.1).
fn integer(block: &mut Vec<u8>, value: usize) {
    let Some(mut rest) = value.checked_sub(0x7f) else { return block.put_u8(value as u8) };
    block.put_u8(0x7f);
    while rest >= 0x80 {
        block.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    block.put_u8(rest as u8);
}
