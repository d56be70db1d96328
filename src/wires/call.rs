//! What is known of a call, in its request's extensions.

use std::sync::{Arc, OnceLock};

use prost_reflect::MethodDescriptor;
use tokio::time::Instant;
use tonic::Code;

/// The protocol that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// gRPC over HTTP/2.
    Grpc,
    /// gRPC-Web, binary or text.
    GrpcWeb,
    /// HTTP/JSON.
    Json,
}

impl Wire {
    /// The name in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::GrpcWeb => "grpc-web",
            Self::Json => "json",
        }
    }
}

/// The wire and the RPC of a request, as decided in the one place that decides; from the deadline
/// step inward, the deadline too.
#[derive(Clone, Debug)]
pub struct Call {
    wire: Wire,
    rpc: Arc<Rpc>,
    deadline: Option<Instant>,
}

/// An RPC, and what of its descriptor every call asks for.
#[derive(Debug)]
pub(super) struct Rpc {
    pub(super) method: MethodDescriptor,
    pub(super) path: Box<str>,
    client_streaming: bool,
    server_streaming: bool,
}

impl Rpc {
    pub(super) fn new(method: MethodDescriptor) -> Self {
        Self {
            path: Self::path_of(&method).into(),
            client_streaming: method.is_client_streaming(),
            server_streaming: method.is_server_streaming(),
            method,
        }
    }

    /// `/package.Service/Method`.
    fn path_of(method: &MethodDescriptor) -> String {
        format!("/{}/{}", method.parent_service().full_name(), method.name())
    }
}

impl Call {
    pub(super) fn new(wire: Wire, rpc: &Arc<Rpc>) -> Self {
        Self { wire, rpc: Arc::clone(rpc), deadline: None }
    }

    /// The protocol that the client speaks.
    pub fn wire(&self) -> Wire {
        self.wire
    }

    /// The RPC's descriptor.
    pub fn method(&self) -> &MethodDescriptor {
        &self.rpc.method
    }

    /// When the answer is no longer wanted; `None` outside the deadline step. A stream for which the
    /// client set no deadline has one so far away that it never matters.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Sets the deadline.
    pub(super) fn bound(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// Whether the request is exactly one message.
    pub(super) fn takes_one(&self) -> bool {
        !self.rpc.client_streaming
    }

    /// Whether the answer is a stream of messages.
    pub(super) fn streams(&self) -> bool {
        self.rpc.server_streaming
    }

    /// The RPC's path on the gRPC wire, `/package.Service/Method`.
    pub fn path(&self) -> &str {
        &self.rpc.path
    }
}

/// How a call ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The gRPC status code, on every wire.
    pub code: Code,
    /// `ErrorInfo.reason`, where the call failed with one.
    pub reason: Option<String>,
}

/// A place for what the inner layers find out and an outer one wants to log and count. Whoever
/// observes puts one into the request's extensions; each part is filled once.
#[derive(Clone, Debug, Default)]
pub struct Record(Arc<Entries>);

#[derive(Debug, Default)]
struct Entries {
    call: OnceLock<Call>,
    outcome: OnceLock<Outcome>,
    /// The handler's answer did not reach the client: how the call ended instead.
    overruled: OnceLock<Outcome>,
}

impl Record {
    /// The wire and the RPC, once decided; `None` where no RPC was found.
    pub fn call(&self) -> Option<&Call> {
        self.0.call.get()
    }

    /// How the call ended; `None` while it has not, or when the client went away.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.0.overruled.get().or_else(|| self.0.outcome.get())
    }

    /// Notes what was decided. The first note stands.
    pub(super) fn decided(&self, call: &Call) {
        let _ = self.0.call.set(call.clone());
    }

    /// Notes how the call ended. The first note stands.
    pub(super) fn ended(&self, outcome: Outcome) {
        let _ = self.0.outcome.set(outcome);
    }

    /// Notes that the call failed after all, on the way from the handler to the client.
    pub(super) fn overruled(&self, outcome: Outcome) {
        let _ = self.0.overruled.set(outcome);
    }
}
