//! Counts and measures request messages as they go by, where tonic does not or says it wrong: a
//! message over the limit is OUT_OF_RANGE there, a missing one INTERNAL, a second one ignored.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Request;
use http_body::{Frame, SizeHint};
use tonic::{Status, body::Body};

use super::{
    Wire,
    call::Call,
    frames::PREFIX,
    reason::{Domain, Reason, Refusal},
    step::{Inner, Step, wrap},
};

const NO_MESSAGE: Refusal =
    Refusal::saying(Reason::NotImplemented, "this method takes one request message, and none came");
const MORE_MESSAGES: Refusal =
    Refusal::saying(Reason::NotImplemented, "this method takes one request message, and more came");
const CUT_SHORT: Refusal = Refusal::saying(Reason::RequestMalformed, "the request was cut short");
const UNREADABLE: Refusal =
    Refusal::saying(Reason::RequestMalformed, "the request body cannot be read");

/// The step that watches frames: see [`Api::framing`](super::Api::framing).
#[derive(Clone, Debug)]
pub struct FramingStep {
    limit: usize,
    domain: Domain,
}

impl FramingStep {
    pub(super) fn new(limit: usize, domain: Domain) -> Self {
        Self { limit, domain }
    }
}

impl Step for FramingStep {
    type Future<S: Inner> = S::Future;

    fn pass<S: Inner>(&self, mut request: Request<Body>, inner: &mut S) -> S::Future {
        let call = request.extensions().get::<Call>();
        match call.map(|call| (call.wire(), call.takes_one())) {
            // Framed by the translator: one message, its limit checked.
            Some((Wire::Json, _)) | None => {}
            Some((wire, one)) => wrap(request.body_mut(), |inner| Framed {
                inner,
                translated: wire == Wire::GrpcWeb,
                watch: Watch { one, limit: self.limit, ..Watch::default() },
                over: false,
                domain: self.domain,
            }),
        }
        inner.call(request)
    }
}

/// A request body whose frames are watched. It fails with a status, which tonic passes on.
struct Framed {
    inner: Body,
    /// From gRPC-Web, whose translator hides the status of an error in a text of its own.
    translated: bool,
    watch: Watch,
    over: bool,
    domain: Domain,
}

impl http_body::Body for Framed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        let checked = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(Ok(()), |data| self.watch.see(data)),
            Some(Err(_)) if self.translated => Err(UNREADABLE),
            Some(Err(_)) => Ok(()),
            None => self.watch.end(),
        };
        if let Err(refusal) = checked {
            self.over = true;
            return Poll::Ready(Some(Err(self.domain.status(refusal))));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        // An empty body is asked once more, to fail.
        self.over || (self.inner.is_end_stream() && self.watch.end().is_ok())
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Where in the sequence of prefixes and messages a body is.
#[derive(Debug, Default)]
struct Watch {
    /// Exactly one message may come.
    one: bool,
    /// The largest message, in bytes.
    limit: usize,
    seen: u64,
    prefix: [u8; PREFIX],
    /// Bytes of the prefix that are there.
    have: usize,
    /// Bytes of the message that are still to come.
    to_come: usize,
}

impl Watch {
    fn see(&mut self, mut data: &[u8]) -> Result<(), Refusal> {
        while !data.is_empty() {
            let wanted = if self.to_come > 0 { self.to_come } else { PREFIX - self.have };
            let (part, rest) = data.split_at(wanted.min(data.len()));
            data = rest;
            if self.to_come > 0 {
                self.to_come -= part.len();
                continue;
            }
            for (place, byte) in self.prefix.iter_mut().skip(self.have).zip(part) {
                *place = *byte;
            }
            self.have += part.len();
            if self.have == PREFIX {
                self.have = 0;
                self.begin_message()?;
            }
        }
        Ok(())
    }

    fn begin_message(&mut self) -> Result<(), Refusal> {
        self.seen += 1;
        if self.one && self.seen > 1 {
            return Err(MORE_MESSAGES);
        }
        let [_, length @ ..] = self.prefix;
        self.to_come = u32::from_be_bytes(length) as usize;
        if self.to_come > self.limit {
            return Err(Reason::BodyTooLarge.into());
        }
        Ok(())
    }

    fn end(&self) -> Result<(), Refusal> {
        if self.have > 0 || self.to_come > 0 {
            return Err(CUT_SHORT);
        }
        if self.one && self.seen == 0 {
            return Err(NO_MESSAGE);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn messages(lengths: &[u32]) -> Vec<u8> {
        let frame = |length: &u32| {
            let mut frame = vec![0];
            frame.extend(length.to_be_bytes());
            frame.resize(PREFIX + *length as usize, 7);
            frame
        };
        lengths.iter().flat_map(frame).collect()
    }

    fn watch(one: bool, chunks: &[&[u8]]) -> Result<(), Refusal> {
        let mut watch = Watch { one, limit: 10, ..Watch::default() };
        chunks.iter().try_for_each(|chunk| watch.see(chunk))?;
        watch.end()
    }

    #[test]
    fn one_message_is_one_message() {
        assert_eq!(watch(true, &[&messages(&[10])]), Ok(()));
        assert_eq!(watch(true, &[&messages(&[0])]), Ok(()));
        assert_eq!(watch(true, &[]), Err(NO_MESSAGE));
        assert_eq!(watch(true, &[&messages(&[3, 0])]), Err(MORE_MESSAGES));
        assert_eq!(watch(true, &[&messages(&[11])]), Err(Reason::BodyTooLarge.into()));
    }

    #[test]
    fn a_stream_may_have_none_and_may_have_many() {
        assert_eq!(watch(false, &[]), Ok(()));
        assert_eq!(watch(false, &[&messages(&[3, 0, 10])]), Ok(()));
        assert_eq!(watch(false, &[&messages(&[3, 11])]), Err(Reason::BodyTooLarge.into()));
    }

    #[test]
    fn an_end_inside_a_message_is_seen() {
        assert_eq!(watch(false, &[&[0, 0, 0]]), Err(CUT_SHORT));
        assert_eq!(watch(false, &[&[0, 0, 0, 0, 3, 7]]), Err(CUT_SHORT));
    }

    proptest! {
        #[test]
        fn where_a_chunk_ends_does_not_matter(
            lengths in prop::collection::vec(0_u32..14, 0..5),
            cut in 1_usize..9,
            one: bool,
        ) {
            let all = messages(&lengths);
            let chunks: Vec<_> = all.chunks(cut).collect();
            prop_assert_eq!(watch(one, &chunks), watch(one, &[&all]));
        }
    }
}
