//! When a call's time is up, on every wire.
//!
//! `tonic::transport::Server` answers CANCELLED, where the protocol says DEADLINE_EXCEEDED, bounds
//! only the wait for the answer's head, and ignores a malformed `grpc-timeout`.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::Either;
use http::{HeaderMap, HeaderName, Request, Response};
use http_body::{Body as _, Frame};
use pin_project_lite::pin_project;
use tokio::{
    task::coop::{Unconstrained, unconstrained},
    time::{Instant, Sleep, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;
use tonic::{Status, body::Body};

use super::{
    call::Call,
    reason::{Domain, Reason, Refusal},
    status,
    step::{Answer, Inner, Leave, MaybeAtOnce, Step, Then, at_once, wrap},
};

/// So far away that it never matters.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The step that bounds calls: see [`Api::deadline`](super::Api::deadline).
#[derive(Clone, Debug)]
pub struct DeadlineStep {
    limit: Duration,
    domain: Domain,
}

impl DeadlineStep {
    pub(super) fn new(limit: Duration, domain: Domain) -> Self {
        Self { limit, domain }
    }
}

impl Step for DeadlineStep {
    type Future<S: Inner> = MaybeAtOnce<Then<Timed<S::Future>, Bounds>>;

    fn pass<S: Inner>(&self, mut request: Request<Body>, inner: &mut S) -> Self::Future<S> {
        let now = Instant::now();
        let asked = match grpc_timeout(request.headers()) {
            Ok(Some(Duration::ZERO)) => Err(Reason::Deadline.into()),
            other => other,
        };
        let asked = match asked {
            Ok(asked) => asked,
            Err(refusal) => return at_once(self.domain.status(refusal).into_http()),
        };
        let mut call = request.extensions_mut().get_mut::<Call>();
        let streams = call.as_deref().is_some_and(Call::streams);

        let asked = asked.map(|asked| now + asked.min(NEVER));
        let limit = now + self.limit.min(NEVER);
        let first = asked.map_or(limit, |asked| asked.min(limit));
        let whole = if streams { asked.unwrap_or(now + NEVER) } else { first };
        if let Some(call) = &mut call {
            call.bound(whole);
        }

        let stream = streams.then_some(StreamBounds { first, whole, cut: asked.is_some() });
        let bounds = Bounds { stream, domain: self.domain };
        let timed = Timed { inside: inner.call(request), timer: Timer::new(first) };
        Either::Left(Then::new(timed, bounds))
    }
}

/// What is bounded of an answer once it is there.
#[derive(Debug)]
pub struct Bounds {
    /// `None` where the answer is one message, which is whole when the answer is there.
    stream: Option<StreamBounds>,
    domain: Domain,
}

#[derive(Debug)]
struct StreamBounds {
    /// Of the wait for the first message.
    first: Instant,
    /// Of the whole stream.
    whole: Instant,
    /// The client asked for its end then.
    cut: bool,
}

impl Leave<Option<Answer>> for Bounds {
    fn leave(self, answer: Option<Answer>) -> Response<Body> {
        let Some(Ok(mut response)) = answer else {
            return self.domain.status(Reason::Deadline).into_http();
        };
        let Some(StreamBounds { first, whole, cut }) = self.stream else { return response };
        if response.body().is_end_stream() {
            return response;
        }
        wrap(response.body_mut(), |inner| Bounded {
            inner: Some(if cut { Body::new(Cut::at(whole, inner)) } else { inner }),
            timer: Timer::new(first),
            begun: false,
            whole,
            domain: self.domain,
        });
        response
    }
}

/// A point in time. There is a timer for it once something had to be awaited: most answers are
/// there at once.
struct Timer {
    time: Instant,
    sleep: Option<Pin<Box<Unconstrained<Sleep>>>>,
}

impl Timer {
    fn new(time: Instant) -> Self {
        Self { time, sleep: None }
    }

    /// Ready when the time has come, also beside work that leaves its task no budget.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let sleep =
            self.sleep.get_or_insert_with(|| Box::pin(unconstrained(sleep_until(self.time))));
        sleep.as_mut().poll(cx)
    }
}

pin_project! {
    /// What comes from inside, or `None` when its time is up.
    pub struct Timed<F> {
        #[pin]
        inside: F,
        timer: Timer,
    }
}

impl<F: Future> Future for Timed<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(from_inside) = this.inside.poll(cx) {
            return Poll::Ready(Some(from_inside));
        }
        this.timer.poll(cx).map(|()| None)
    }
}

/// An answer's body that ends with DEADLINE_EXCEEDED when time is up.
struct Bounded {
    /// `None` when it is over: that drops the handler's stream.
    inner: Option<Body>,
    /// Of what is awaited.
    timer: Timer,
    /// The first message has come.
    begun: bool,
    whole: Instant,
    domain: Domain,
}

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(inner) = self.inner.as_mut() else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(inner).poll_frame(cx) {
            if !self.begun && matches!(&frame, Some(Ok(frame)) if frame.is_data()) {
                self.begun = true;
                self.timer = Timer::new(self.whole);
            }
            return Poll::Ready(frame);
        }
        ready!(self.timer.poll(cx));
        self.inner = None;
        let status = self.domain.status(Reason::Deadline);
        Poll::Ready(Some(Ok(Frame::trailers(status::trailers(&status)))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(|inner| inner.is_end_stream())
    }
}

/// A body that is dropped when its time is up, and the handler's stream with it, whether or not
/// anybody asks for more of it: while a client takes nothing, its connection does not.
struct Cut {
    inner: Arc<Mutex<Option<Body>>>,
    _task: AbortOnDropHandle<()>,
}

impl Cut {
    fn at(time: Instant, inner: Body) -> Self {
        let inner = Arc::new(Mutex::new(Some(inner)));
        let task = tokio::spawn({
            let inner = Arc::clone(&inner);
            async move {
                sleep_until(time).await;
                let stream = Self::lock(&inner).take();
                drop(stream);
            }
        });
        Self { inner, _task: AbortOnDropHandle::new(task) }
    }

    /// A body that panicked while it was locked is the panic guard's business.
    fn lock(inner: &Mutex<Option<Body>>) -> MutexGuard<'_, Option<Body>> {
        inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl http_body::Body for Cut {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match Self::lock(&self.inner).as_mut() {
            Some(inner) => Pin::new(inner).poll_frame(cx),
            None => Poll::Pending, // whoever bounds it says so
        }
    }

    fn is_end_stream(&self) -> bool {
        Self::lock(&self.inner).as_ref().is_some_and(|inner| inner.is_end_stream())
    }
}

/// The `grpc-timeout` of a request: at most eight digits and a unit (gRPC over HTTP/2, "Timeout").
fn grpc_timeout(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    const MALFORMED: Refusal =
        Refusal::saying(Reason::RequestMalformed, "the grpc-timeout header is malformed");
    let mut values = headers.get_all(GRPC_TIMEOUT).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(MALFORMED);
    }
    parse_timeout(value.as_bytes()).map(Some).ok_or(MALFORMED)
}

fn parse_timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let amount: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(amount * 60 * 60),
        b'M' => Duration::from_secs(amount * 60),
        b'S' => Duration::from_secs(amount),
        b'm' => Duration::from_millis(amount),
        b'u' => Duration::from_micros(amount),
        b'n' => Duration::from_nanos(amount),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        assert_eq!(parse_timeout(b"1H"), Some(Duration::from_secs(3600)));
        assert_eq!(parse_timeout(b"00000100m"), Some(Duration::from_millis(100)));
        assert_eq!(parse_timeout(b"99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for malformed in ["", "1", "m", "-1m", "1 m", "1h", "123456789m", "1.5S", "+1S"] {
            assert_eq!(parse_timeout(malformed.as_bytes()), None, "{malformed:?}");
        }
    }

    #[tokio::test]
    async fn time_is_up_beside_work_that_leaves_its_task_no_budget() {
        let work = Box::pin(async {
            loop {
                tokio::task::coop::consume_budget().await;
            }
        });
        let timer = Timer::new(Instant::now() + Duration::from_millis(20));
        let ended = Timed::<Pin<Box<dyn Future<Output = ()>>>> { inside: work, timer };
        let ended = tokio::time::timeout(Duration::from_secs(5), ended).await;
        assert_eq!(ended, Ok(None), "the timer never had its turn");
    }

    #[test]
    fn two_timeouts_are_malformed() {
        let mut headers = HeaderMap::new();
        headers.append("grpc-timeout", http::HeaderValue::from_static("1S"));
        assert_eq!(grpc_timeout(&headers), Ok(Some(Duration::from_secs(1))));
        headers.append("grpc-timeout", http::HeaderValue::from_static("2S"));
        assert!(grpc_timeout(&headers).is_err());
    }
}
