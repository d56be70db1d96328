//! A stream of messages as an HTTP answer: newline-delimited JSON, server-sent events, or the bytes
//! of `google.api.HttpBody`s one after the other.

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::stream;
use http::{HeaderValue, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use tonic::{Code, Status, body::Body};

use super::{
    answer,
    api::Api,
    frames::Messages,
    respond::{Asked, Content},
};

/// How messages follow each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Lines,
    /// HTML Living Standard, 9.2 "Server-sent events".
    Events,
    /// As they are.
    Bytes,
}

/// Starts the answer once the first message is there, or the end: what fails before it has an HTTP
/// status of its own.
pub(super) async fn answer(
    api: &Api,
    asked: Asked,
    mut messages: Messages,
) -> Result<Response<Body>, Status> {
    let first = match messages.next().await {
        Some(message) => Some(asked.show(api, message).await?),
        None => None,
    };
    let (form, content_type) = match first.as_ref().and_then(|first| first.raw.clone()) {
        Some(content_type) => (Form::Bytes, content_type),
        None if asked.events => (Form::Events, HeaderValue::from_static("text/event-stream")),
        None => (Form::Lines, HeaderValue::from_static("application/x-ndjson")),
    };
    let Some(first) = first else {
        let end = messages.end().await;
        return if end.code() == Code::Ok {
            Ok(answer::ok(content_type, Bytes::new()))
        } else {
            Err(end)
        };
    };

    let api = api.clone();
    let state = State { api, asked, messages, form, next: Some(Ok(first)) };
    // Pulled by the connection: a slow client slows the handler, and one that goes away drops it.
    let frames = stream::unfold(Some(state), |state| async move {
        let (frame, state) = state?.step().await?;
        Some((frame.map(Frame::data), state))
    });
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    response.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
    answer::protect(response.headers_mut());
    Ok(response)
}

struct State {
    api: Api,
    asked: Asked,
    messages: Messages,
    form: Form,
    /// What was read already.
    next: Option<Result<Content, Status>>,
}

impl State {
    /// One frame of the answer, and what is left. `None` at a good end.
    async fn step(mut self) -> Option<(Result<Bytes, Status>, Option<Self>)> {
        let next = match self.next.take() {
            Some(next) => next,
            None => match self.messages.next().await {
                Some(message) => self.asked.show(&self.api, message).await,
                None => {
                    let end = self.messages.end().await;
                    if end.code() == Code::Ok {
                        return None;
                    }
                    return Some((last(&self.api, self.form, end), None));
                }
            },
        };
        Some(match next {
            Ok(content) => (Ok(self.form.write(&content.body)), Some(self)),
            Err(status) => (last(&self.api, self.form, status), None),
        })
    }
}

impl Form {
    fn write(self, body: &Bytes) -> Bytes {
        let (before, after): (&[u8], &[u8]) = match self {
            Self::Lines => (b"", b"\n"),
            Self::Events => (b"data: ", b"\n\n"),
            Self::Bytes => return body.clone(),
        };
        let mut out = BytesMut::with_capacity(before.len() + body.len() + after.len());
        out.put(before);
        out.put_slice(body);
        out.put(after);
        out.freeze()
    }
}

/// The last event of a stream that fails: its status. Bytes have no place for one and break off.
fn last(api: &Api, form: Form, status: Status) -> Result<Bytes, Status> {
    let json = answer::status_json(api, &status);
    match form {
        Form::Lines => Ok(format!("{{\"error\":{json}}}\n").into()),
        Form::Events => Ok(format!("event: error\ndata: {json}\n\n").into()),
        Form::Bytes => Err(status),
    }
}
