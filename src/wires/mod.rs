//! One port, three wires: gRPC, gRPC-Web and HTTP/JSON in front of the same gRPC routes.
//!
//! Driven by descriptors and their `google.api.http` annotations; knows nothing of any service.
//! [`Api`] reads the descriptors once, at the start, and makes the layers, outermost first:
//!
//! ```text
//! upload        sees a body that is cut short, and what of it nobody read
//! decide        which wire, which RPC: the one place; 404, 405, 415, OPTIONS
//! translate     JSON ⇄ gRPC with a lazy body; gRPC-Web ⇄ gRPC; gRPC as it is
//! outcome       how the call ended, for whoever observes; completes bare statuses
//! shed          refuses what is beyond the limit on concurrent calls
//! deadline      bounds the call, on every wire
//! framing       watches the 5-byte prefixes: too large, too few, too many
//! panic guard   a panic is INTERNAL
//! ```
//!
//! Whatever can refuse a call once its RPC is known speaks gRPC [`Status`](tonic::Status) and
//! stands inside the translators, so that each wire gets its own right shape.

mod answer;
mod api;
mod bind;
mod binding;
mod call;
mod content;
mod deadline;
mod decide;
mod frames;
mod framing;
mod json;
mod layers;
mod outcome;
mod panic_guard;
mod reason;
mod request;
mod respond;
mod router;
mod shed;
mod status;
mod step;
mod stream;
mod template;
mod translate;
mod upload;
mod values;

pub use answer::http_status;
pub use api::{Api, Options, StartError};
pub use binding::{Binding, HTTP_BODY, RequestBody};
pub use call::{Call, Outcome, Record, Wire};
pub use deadline::DeadlineStep;
pub use decide::DecideStep;
pub use framing::FramingStep;
pub use outcome::OutcomeStep;
pub use panic_guard::PanicGuardStep;
pub use reason::Reason;
pub use shed::ShedStep;
pub use step::{
    Answer, Inner, Leave, MaybeAtOnce, Step, StepLayer, Stepped, Then, at_once, take, wrap,
};
pub use template::{Segment, Template, Variable};
pub use translate::TranslateStep;
pub use upload::UploadStep;
pub use values::has_text_form;
