//! Reads the messages of a plain gRPC answer.

use bytes::{Buf as _, Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt as _;
use tonic::{Status, body::Body};

use super::status;

/// The prefix of a message: one byte of flags, four of length (gRPC over HTTP/2, "Length-Prefixed-
/// Message").
pub(super) const PREFIX: usize = 5;

/// The messages of an answer, and then how it ended.
pub(super) struct Messages {
    body: Body,
    buffer: BytesMut,
    end: Option<Status>,
}

impl Messages {
    /// Reads an answer's body. A status in the headers is its end.
    pub(super) fn new(headers: &HeaderMap, body: Body) -> Self {
        Self { body, buffer: BytesMut::new(), end: status::read(headers) }
    }

    /// The next message; `None` at the end. Nothing is read ahead of what is asked for.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(message) = self.take() {
                return Some(message);
            }
            if self.end.is_some() {
                return None;
            }
            match self.body.frame().await {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.buffer.extend_from_slice(&data),
                    Err(frame) => {
                        self.end = frame.trailers_ref().and_then(status::read);
                    }
                },
                Some(Err(status)) => self.end = Some(status),
                None => self.end = Some(Status::internal("an answer without a status")),
            }
        }
    }

    /// How the answer ended, once there is no next message.
    pub(super) async fn end(mut self) -> Status {
        while self.next().await.is_some() {}
        self.end.unwrap_or_else(|| Status::ok(""))
    }

    fn take(&mut self) -> Option<Bytes> {
        let length = self.buffer.get(1..PREFIX)?.try_into().map(u32::from_be_bytes).ok()? as usize;
        if self.buffer.len() - PREFIX < length {
            return None;
        }
        self.buffer.advance(PREFIX);
        Some(self.buffer.split_to(length).freeze())
    }
}
