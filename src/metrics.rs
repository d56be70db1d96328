//! What is counted: `/metrics`, in the OpenMetrics text format.

use std::{fmt, sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _, text},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::ConstGauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use tonic::Code;

use crate::{auth::Auth, db::Db, wires::Wire};

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The name of an RPC that does not exist: one series, whatever clients make up.
const NO_RPC: &str = "none";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    rpc: String,
    wire: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Served {
    rpc: String,
    wire: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    reason: String,
}

/// Everything that is counted. Its series are bounded: RPCs that exist, wires, codes, reasons.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter<u64, AtomicU64>>,
    seconds: Family<Served, Histogram, fn() -> Histogram>,
    refusals: Family<Refusal, Counter<u64, AtomicU64>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// All at zero.
    pub fn new(elsewhere: impl Collector) -> Self {
        let mut registry = Registry::with_prefix("user_service");
        let requests = Family::default();
        registry.register("requests", "Calls that have ended", requests.clone());
        let seconds: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.000_5, 2.0, 16)));
        registry.register("request_seconds", "How long calls took, in seconds", seconds.clone());
        let refusals = Family::default();
        registry.register("refusals", "Calls that failed, by reason", refusals.clone());
        registry.register_collector(Box::new(elsewhere));
        Self { registry, requests, seconds, refusals }
    }

    /// Counts a call that has ended. `rpc` is `package.Service/Method`, if there is such an RPC.
    pub fn ended(
        &self,
        rpc: Option<&str>,
        wire: Option<Wire>,
        code: Code,
        reason: Option<&str>,
        took: Duration,
    ) {
        let rpc = rpc.unwrap_or(NO_RPC).to_owned();
        let wire = wire.map_or(NO_RPC, Wire::as_str);
        let code = code_name(code);
        self.requests.get_or_create(&Request { rpc: rpc.clone(), wire, code }).inc();
        self.seconds.get_or_create(&Served { rpc, wire }).observe(took.as_secs_f64());
        if let Some(reason) = reason {
            self.refusals.get_or_create(&Refusal { reason: reason.to_owned() }).inc();
        }
    }

    /// The text of `/metrics`.
    pub fn render(&self) -> String {
        let mut page = String::new();
        // Writing into a String cannot fail.
        let _ = text::encode(&mut page, &self.registry);
        page
    }
}

/// What is counted elsewhere, read whenever the metrics are rendered.
pub struct Elsewhere {
    /// Token cache and key set.
    pub auth: Auth,
    /// Connections.
    pub db: Db,
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere").finish_non_exhaustive()
    }
}

impl Collector for Elsewhere {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counts = self.auth.counts();
        let mut count = |name, help, label: &'static str, values: [(&'static str, u64); 2]| {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            values.into_iter().try_for_each(|(value, count)| {
                ConstCounter::new(count).encode(family.encode_family(&[(label, value)])?)
            })
        };
        count(
            "token_cache",
            "Tokens that were or were not found verified",
            "result",
            [("hit", counts.cache_hits()), ("miss", counts.cache_misses())],
        )?;
        count(
            "jwks_fetches",
            "Fetches of the project's keys",
            "result",
            [("ok", counts.fetches()), ("failed", counts.failed_fetches())],
        )?;
        let connections = self.db.connections();
        let mut family = encoder.encode_descriptor(
            "pool_connections",
            "Connections to the database, and calls that wait for one",
            None,
            MetricType::Gauge,
        )?;
        let waiting = i64::try_from(connections.waiting).unwrap_or(i64::MAX);
        [("idle", connections.idle.into()), ("busy", connections.busy.into()), ("waiting", waiting)]
            .into_iter()
            .try_for_each(|(state, connections): (_, i64)| {
                ConstGauge::new(connections).encode(family.encode_family(&[("state", state)])?)
            })
    }
}

/// The code's name as `google/rpc/code.proto` has it.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
