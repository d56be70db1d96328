//! A limit on concurrent calls: what is beyond it is refused at once instead of queued.

use std::sync::Arc;

use http::{Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tokio::sync::Semaphore;
use tonic::body::Body;

use super::{
    call::Call,
    reason::{Domain, Reason},
    step::{Inner, Step},
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
    async fn run<S: Inner>(self, request: Request<Body>, mut inner: S) -> Response<Body> {
        if request.extensions().get().is_some_and(self.exempt) {
            let Ok(response) = inner.call(request).await;
            return response;
        }
        let streams = request.extensions().get().is_some_and(Call::streams);
        let Ok(place) = self.places.try_acquire_owned() else {
            return self.domain.status(Reason::Overloaded).into_http();
        };
        let Ok(response) = inner.call(request).await;
        // One message is made already, and how fast the client reads it is not the service's load.
        if !streams || response.body().is_end_stream() {
            return response;
        }
        // Given back when the answer's body is dropped, at its end or before.
        response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _held = &place;
                frame
            }))
        })
    }
}
