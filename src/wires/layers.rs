//! The layers that an [`Api`] makes, outermost first.

use std::time::Duration;

use super::{
    Call, api::Api, deadline::DeadlineStep, decide::DecideStep, framing::FramingStep,
    outcome::OutcomeStep, panic_guard::PanicGuardStep, shed::ShedStep, step::StepLayer,
    translate::TranslateStep, upload::UploadStep,
};

impl Api {
    /// Sees uploads that are cut short for what they are, and reads what an early answer leaves
    /// unread, or says that the connection closes.
    pub fn upload(&self) -> StepLayer<UploadStep> {
        StepLayer(UploadStep::new(self.domain()))
    }

    /// Decides which wire and which RPC a request is, and refuses what is neither.
    pub fn decide(&self) -> StepLayer<DecideStep> {
        StepLayer(DecideStep::new(self.clone()))
    }

    /// Turns JSON and gRPC-Web into gRPC, and answers back.
    pub fn translate(&self) -> StepLayer<TranslateStep> {
        StepLayer(TranslateStep::new(self.clone()))
    }

    /// Notes how a call ended in its [`Record`](super::Record), and gives a status that says no
    /// reason, one of tonic's own, the `ErrorInfo` that every error has.
    pub fn outcome(&self) -> StepLayer<OutcomeStep> {
        StepLayer(OutcomeStep::new(self.domain()))
    }

    /// Refuses calls beyond this many at once. A unary call holds its place until its handler has
    /// answered, a stream until its end. Exempt calls neither count nor are refused.
    pub fn shed(&self, max_calls: usize, exempt: fn(&Call) -> bool) -> StepLayer<ShedStep> {
        StepLayer(ShedStep::new(max_calls, exempt, self.domain()))
    }

    /// Bounds unary calls and the wait for a stream's first message; `grpc-timeout` shortens that,
    /// and bounds a whole stream.
    pub fn deadline(&self, limit: Duration) -> StepLayer<DeadlineStep> {
        StepLayer(DeadlineStep::new(limit, self.domain()))
    }

    /// Checks number and size of request messages.
    pub fn framing(&self) -> StepLayer<FramingStep> {
        StepLayer(FramingStep::new(self.max_message_bytes(), self.domain()))
    }

    /// Answers INTERNAL where a handler, or the stream it returned, panics.
    pub fn panic_guard(&self) -> StepLayer<PanicGuardStep> {
        StepLayer(PanicGuardStep::new(self.domain()))
    }
}
