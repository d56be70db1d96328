//! What the descriptors say, read once at the start.

use std::{collections::HashMap, fmt, sync::Arc};

use http::{HeaderName, Method};
use prost_reflect::{DescriptorPool, ExtensionDescriptor, MethodDescriptor};

use super::{
    binding::Binding,
    call::Rpc,
    reason::Domain,
    router::{Router, taken},
    template::Template,
    values,
};

/// The annotation that binds an RPC to HTTP.
const HTTP_ANNOTATION: &str = "google.api.http";

/// What is not in the descriptors.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `ErrorInfo` domain of refusals. Without one, statuses carry no details at all, as the
    /// gRPC conformance suite expects; HTTP codes are then those that the gRPC code maps to.
    pub domain: Option<&'static str>,
    /// The largest request message, in bytes: a body of JSON, what gzip unpacks to, a gRPC message.
    pub max_message_bytes: usize,
    /// Path templates of pages that something outside serves. No binding may hide behind one.
    pub reserved_paths: Vec<String>,
    /// The response metadata that becomes HTTP headers of a JSON answer.
    pub response_metadata: Vec<HeaderName>,
}

impl Default for Options {
    /// No domain, 256 KiB, no reserved paths, no metadata.
    fn default() -> Self {
        Self {
            domain: None,
            max_message_bytes: 256 * 1024,
            reserved_paths: vec![],
            response_metadata: vec![],
        }
    }
}

/// The RPCs of a service, and how HTTP reaches them. Cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    pool: DescriptorPool,
    error_details: DescriptorPool,
    /// By their path on the gRPC wire.
    rpcs: HashMap<Box<str>, Arc<Rpc>>,
    router: Router,
    bindings: Vec<Arc<Binding>>,
    domain: Domain,
    options: Options,
}

/// The RPCs by their paths. All of it has no end: descriptors hold each other.
impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.rpcs.keys()).finish()
    }
}

impl Api {
    /// Reads descriptor sets (encoded `FileDescriptorSet`s; a file in several counts once) and the
    /// annotations in them.
    ///
    /// # Errors
    ///
    /// Names everything that is wrong: a set that cannot be read, an annotation that makes no
    /// sense, two bindings that are alike, a binding that a reserved path hides.
    pub fn new(descriptor_sets: &[&[u8]], options: Options) -> Result<Self, StartError> {
        let mut pool = DescriptorPool::new();
        for set in descriptor_sets {
            pool.decode_file_descriptor_set(*set).map_err(|error| {
                StartError(vec![format!("a descriptor set cannot be read: {error}")])
            })?;
        }

        let mut problems = Vec::new();
        let mut reserved = Vec::new();
        for path in options.reserved_paths.iter().filter(|path| *path != "/") {
            match Template::parse(path) {
                Ok(template) => reserved.push(template),
                Err(problem) => problems.push(format!("the reserved path `{path}` {problem}")),
            }
        }

        let http = pool.get_extension_by_name(HTTP_ANNOTATION);
        let mut rpcs = HashMap::new();
        let mut router = Router::default();
        let mut bindings = Vec::new();
        for rpc in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            let rpc = Arc::new(Rpc::new(rpc));
            rpcs.insert(rpc.path.clone(), Arc::clone(&rpc));
            let found = bindings_of(&rpc, http.as_ref()).unwrap_or_else(|problem| {
                problems.push(format!("{}: {problem}", rpc.method.full_name()));
                vec![]
            });
            for binding in found.into_iter().map(Arc::new) {
                if let Some(template) = taken(&binding, &reserved) {
                    problems
                        .push(format!("{binding} can never be reached: `{template}` is reserved"));
                } else if let Err(other) = router.insert(Arc::clone(&binding)) {
                    problems.push(format!("{binding} is the same as {other}"));
                } else {
                    bindings.push(binding);
                }
            }
        }
        if !problems.is_empty() {
            return Err(StartError(problems));
        }

        let domain = Domain(options.domain);
        let error_details = values::error_details();
        Ok(Self(Arc::new(Inner { pool, error_details, rpcs, router, bindings, domain, options })))
    }

    /// Everything that the descriptor sets describe.
    pub fn pool(&self) -> &DescriptorPool {
        &self.0.pool
    }

    /// Every RPC, in no particular order.
    pub fn rpcs(&self) -> impl Iterator<Item = &MethodDescriptor> {
        self.0.rpcs.values().map(|rpc| &rpc.method)
    }

    /// Every binding, in the order of the descriptors; of each RPC those of its annotation first,
    /// then `POST /package.Service/Method`.
    pub fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.0.bindings.iter().map(AsRef::as_ref)
    }

    /// Every HTTP method that some binding takes, for CORS.
    pub fn http_methods(&self) -> Vec<Method> {
        let mut methods: Vec<_> =
            self.bindings().filter_map(|binding| binding.http_method().cloned()).collect();
        methods.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        methods.dedup();
        methods
    }

    pub(super) fn rpc(&self, path: &str) -> Option<&Arc<Rpc>> {
        self.0.rpcs.get(path)
    }

    pub(super) fn router(&self) -> &Router {
        &self.0.router
    }

    pub(super) fn domain(&self) -> Domain {
        self.0.domain
    }

    pub(super) fn error_details(&self) -> &DescriptorPool {
        &self.0.error_details
    }

    pub(super) fn max_message_bytes(&self) -> usize {
        self.0.options.max_message_bytes
    }

    pub(super) fn response_metadata(&self) -> &[HeaderName] {
        &self.0.options.response_metadata
    }
}

/// All bindings of an RPC: its annotation's, then the one that every RPC has, unless the
/// annotation says the same.
fn bindings_of(rpc: &Arc<Rpc>, http: Option<&ExtensionDescriptor>) -> Result<Vec<Binding>, String> {
    let mut bindings = http.map_or_else(|| Ok(vec![]), |http| Binding::annotated(rpc, http))?;
    let implicit = Binding::implicit(rpc)?;
    let said = bindings.iter().any(|binding| {
        binding.http_method() == implicit.http_method()
            && binding.template().to_string() == implicit.template().to_string()
    });
    if !said {
        bindings.push(implicit);
    }
    Ok(bindings)
}

/// Why an [`Api`] cannot start: one line for each problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartError(pub(super) Vec<String>);

impl StartError {
    /// Each problem: the RPC, the template, the reason.
    pub fn problems(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for StartError {}
