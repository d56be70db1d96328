//! The request body as it comes from the connection: uploads that are cut short are errors, and
//! what an early answer leaves unread is read or the connection says that it closes.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, Either};
use http::{HeaderValue, Request, Response, Version, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::{sync::oneshot, time};
use tonic::{Status, body::Body};

use super::{
    reason::{Domain, Reason, Refusal},
    step::{Answer, Inner, Step, wrap},
};

/// The most that is read of a body nobody wants, in bytes, before the connection is given up.
const DRAIN_BYTES: usize = 1024 * 1024;
/// The longest that this takes.
const DRAIN_TIME: Duration = Duration::from_millis(500);

/// The step that watches uploads: see [`Api::upload`](super::Api::upload).
#[derive(Clone, Debug)]
pub struct UploadStep {
    domain: Domain,
}

impl UploadStep {
    pub(super) fn new(domain: Domain) -> Self {
        Self { domain }
    }
}

impl Step for UploadStep {
    type Future<S: Inner> = Either<S::Future, BoxFuture<'static, Answer>>;

    fn pass<S: Inner>(&self, mut request: Request<Body>, inner: &mut S) -> Self::Future<S> {
        if request.body().is_end_stream() {
            return Either::Left(inner.call(request));
        }
        let unread = watch(&mut request, self.domain);
        let answer = inner.call(request);
        let Some(unread) = unread else { return Either::Left(answer) };
        Either::Right(Box::pin(async move {
            let Ok(mut response) = answer.await;
            unread.settle(&mut response).await;
            Ok(response)
        }))
    }
}

/// A request body that tells a clean end from a broken one.
///
/// hyper takes an HTTP/2 stream that the client reset with NO_ERROR for one that ended
/// (`body/incoming.rs`): an end without END_STREAM is an error here. A reset with CANCEL becomes
/// CANCELLED, which tonic takes for a clean end (`codec/decode.rs`): it has another status here.
struct Upload {
    /// `None` when it is over.
    inner: Option<Body>,
    http2: bool,
    unread: Option<oneshot::Sender<Body>>,
    domain: Domain,
}

/// Watches the request's body, and returns what there is to do with the rest of it after the
/// answer: over HTTP/2 nothing, since a stream can end by itself.
fn watch(request: &mut Request<Body>, domain: Domain) -> Option<Unread> {
    let http2 = request.version() >= Version::HTTP_2;
    let (unread, rest) = (!http2)
        .then(|| {
            let (unread, body) = oneshot::channel();
            let awaits_go_ahead = request.headers().contains_key(header::EXPECT);
            (unread, Unread { body, awaits_go_ahead })
        })
        .unzip();
    wrap(request.body_mut(), |body| Upload { inner: Some(body), http2, unread, domain });
    rest
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let http2 = self.http2;
        let Some(inner) = self.inner.as_mut() else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(&mut *inner).poll_frame(cx));
        let cut_short = match &frame {
            Some(Ok(_)) => return Poll::Ready(frame),
            Some(Err(_)) => true,
            None => http2 && !inner.is_end_stream(),
        };
        self.inner = None;
        Poll::Ready(cut_short.then(|| {
            let refusal = Refusal::saying(Reason::RequestMalformed, "the request was cut short");
            Err(self.domain.status(refusal))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(|body| body.size_hint()).unwrap_or_default()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let (Some(unread), Some(body)) = (self.unread.take(), self.inner.take())
            && !body.is_end_stream()
        {
            // Nobody waits any more where the whole call is gone: then the connection is, too.
            let _ = unread.send(body);
        }
    }
}

/// What an early answer left unread of an HTTP/1.1 request.
struct Unread {
    body: oneshot::Receiver<Body>,
    awaits_go_ahead: bool,
}

impl Unread {
    /// Reads the rest within bounds, so that the connection can carry another request; else says
    /// that it closes. hyper (`proto/h1`) closes it in silence, and a next call on it would die.
    async fn settle(mut self, response: &mut Response<Body>) {
        let Ok(body) = self.body.try_recv() else { return };
        // RFC 9110, 10.1.1: who waits for `100 Continue` and gets a final answer may or may not
        // send the body. Reading would ask for it.
        let read =
            !self.awaits_go_ahead && time::timeout(DRAIN_TIME, drain(body)).await.unwrap_or(false);
        if !read {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// Reads a body to its end; `false` where it is too long or breaks off.
async fn drain(mut body: Body) -> bool {
    let mut left = DRAIN_BYTES;
    if body.size_hint().lower() > left as u64 {
        return false;
    }
    loop {
        match body.frame().await {
            None => return true,
            Some(Err(_)) => return false,
            Some(Ok(frame)) => match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
                Some(less) => left = less,
                None => return false,
            },
        }
    }
}
