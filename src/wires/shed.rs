//! A limit on concurrent calls: what is beyond it is refused at once instead of queued.

use std::sync::Arc;

use futures_util::future::Either;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::body::Body;

use super::{
    call::Call,
    reason::{Domain, Reason},
    step::{Answer, Inner, Leave, MaybeAtOnce, Step, Then, at_once, wrap},
};

/// The step that sheds load: see [`Api::shed`](super::Api::shed).
#[derive(Clone, Debug)]
pub struct ShedStep {
    places: Arc<Semaphore>,
    exempt: fn(&Call) -> bool,
    domain: Domain,
}

impl ShedStep {
    pub(super) fn new(max_calls: usize, exempt: fn(&Call) -> bool, domain: Domain) -> Self {
        let places = Arc::new(Semaphore::new(max_calls.min(Semaphore::MAX_PERMITS)));
        Self { places, exempt, domain }
    }
}

impl Step for ShedStep {
    type Future<S: Inner> = MaybeAtOnce<Then<S::Future, Place>>;

    fn pass<S: Inner>(&self, request: Request<Body>, inner: &mut S) -> Self::Future<S> {
        let call = request.extensions().get::<Call>();
        let streams = call.is_some_and(Call::streams);
        let place = if call.is_some_and(self.exempt) {
            None
        } else if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            Some(place)
        } else {
            return at_once(self.domain.status(Reason::Overloaded).into_http());
        };
        Either::Left(Then::new(inner.call(request), Place { place, streams }))
    }
}

/// A call's place among those at a time, if it needs one.
#[derive(Debug)]
pub struct Place {
    place: Option<OwnedSemaphorePermit>,
    streams: bool,
}

impl Leave<Answer> for Place {
    fn leave(self, Ok(mut response): Answer) -> Response<Body> {
        // One message is made already, and how fast the client reads it is not the service's load.
        let (Some(place), true) = (self.place, self.streams) else { return response };
        if !response.body().is_end_stream() {
            // Given back when the answer's body is dropped, at its end or before.
            wrap(response.body_mut(), |body| {
                body.map_frame(move |frame| {
                    let _held = &place;
                    frame
                })
            });
        }
        response
    }
}
