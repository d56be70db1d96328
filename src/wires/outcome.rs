//! How a call ended, seen on the plain gRPC answer that all wires share.

use http::{HeaderMap, Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tonic::{Code, Status, body::Body};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::{
    Outcome, Record,
    call::Call,
    reason::{Domain, Refusal},
    status,
    step::{Answer, Inner, Leave, Step, Then, wrap},
};

/// The step that observes: see [`Api::outcome`](super::Api::outcome).
#[derive(Clone, Debug)]
pub struct OutcomeStep {
    domain: Domain,
}

impl OutcomeStep {
    pub(super) fn new(domain: Domain) -> Self {
        Self { domain }
    }
}

impl Step for OutcomeStep {
    type Future<S: Inner> = Then<S::Future, Note>;

    fn pass<S: Inner>(&self, request: Request<Body>, inner: &mut S) -> Self::Future<S> {
        let record = request.extensions().get::<Record>().cloned().unwrap_or_default();
        let call = request.extensions().get::<Call>().cloned();
        let note = Note { domain: self.domain, record, call };
        Then::new(inner.call(request), note)
    }
}

/// What has to be known to note how a call ended.
#[derive(Debug)]
pub struct Note {
    domain: Domain,
    record: Record,
    call: Option<Call>,
}

impl Leave<Answer> for Note {
    fn leave(self, Ok(mut response): Answer) -> Response<Body> {
        if !self.take(response.headers_mut()) && !response.body().is_end_stream() {
            wrap(response.body_mut(), |body| {
                body.map_frame(move |mut frame| {
                    if let Some(trailers) = frame.trailers_mut() {
                        self.take(trailers);
                    }
                    frame
                })
            });
        }
        response
    }
}

impl Note {
    /// Notes the status that headers or trailers have; `false` where they have none.
    fn take(&self, headers: &mut HeaderMap) -> bool {
        let Some(code) = status::code(headers) else { return false };
        if code == Code::Ok {
            self.record.ended(Outcome { code, reason: None });
            return true;
        }
        let Some(mut status) = status::read(headers) else { return false };
        if let Some(complete) = complete(self.domain, &status) {
            let rpc = self.call.as_ref().map(Call::path);
            tracing::info!(rpc, code = ?code, message = status.message(), "a status without a reason");
            status::write(&complete, headers);
            status = complete;
        }
        self.record.ended(Outcome { code, reason: Domain::reason_name(&status) });
        true
    }
}

/// A status that says no reason, with the one that its code has, and a sentence of ours: tonic makes
/// such statuses itself, and their text is for this side only.
fn complete(domain: Domain, status: &Status) -> Option<Status> {
    let domain = domain.0?;
    if !status.details().is_empty() {
        return None;
    }
    let Refusal { reason, message, .. } = Refusal::for_bare(status)?;
    let details = ErrorDetails::with_error_info(reason.as_str(), domain, []);
    Some(Status::with_error_details(status.code(), message, details))
}
