//! An OpenAPI 3.1 document of the HTTP/JSON wire, from the same descriptors and annotations that
//! transcoding reads: comments are descriptions, bindings are operations, messages are schemas in
//! ProtoJSON. Knows HTTP and descriptors, nothing of any service.

mod comments;
mod failures;
mod operation;
mod path;
mod schemas;

use std::collections::{BTreeMap, HashMap};

use http::Method;
use prost_reflect::MethodDescriptor;
use utoipa::openapi::{
    Components, HttpMethod, Info, License, OpenApi, Paths, Server, Tag,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::TagBuilder,
};

pub use comments::comment;
pub use failures::Failure;
pub use operation::Access;

use crate::wires::{Api, Binding};
use failures::Failures;
use operation::BEARER;
use path::{Path, Taken};
use schemas::Schemas;

/// What the descriptors do not say.
#[derive(Debug)]
pub struct About<'a> {
    /// The document's title.
    pub title: &'a str,
    /// The version of the API.
    pub version: &'a str,
    /// What the API is, in Markdown.
    pub description: &'a str,
    /// The SPDX expression of its license.
    pub license: &'a str,
    /// How one comes by a token, in Markdown.
    pub token: &'a str,
    /// The `ErrorInfo` domain.
    pub domain: &'a str,
    /// Why a handler, or what stands before it, may end a call: besides the reasons of the wires.
    pub failures: &'a [Failure],
}

/// What a binding to any HTTP method (`custom: {kind: "*"}`) is shown as.
const ANY: [HttpMethod; 5] =
    [HttpMethod::Get, HttpMethod::Put, HttpMethod::Post, HttpMethod::Delete, HttpMethod::Patch];

/// Writes the document, with the services whose names `shown` wants. `access` says who may call a method.
///
/// It leaves out what OpenAPI 3.1 cannot say: HTTP methods that it does not know, and RPCs with a
/// stream of requests, which only gRPC carries.
pub fn document(
    api: &Api,
    about: &About<'_>,
    shown: impl Fn(&str) -> bool,
    access: impl Fn(&MethodDescriptor) -> Access,
) -> OpenApi {
    let bindings: Vec<&Binding> = api
        .bindings()
        .filter(|binding| shown(binding.rpc().parent_service().full_name()))
        .filter(|binding| !binding.rpc().is_client_streaming())
        .collect();
    let failures = Failures::new(about.domain, about.failures);
    let mut schemas = Schemas::new(bindings.iter().map(|binding| binding.rpc().input()));
    let mut paths = Paths::new();
    let mut taken = Taken::default();
    let mut ids: HashMap<String, usize> = HashMap::new();
    for binding in &bindings {
        let path = taken.unify(Path::of(binding));
        for method in http_methods(binding.http_method()) {
            if paths.get_path_operation(&path.text, method.clone()).is_some() {
                continue; // one that OpenAPI cannot tell from it
            }
            let id = operation_id(&mut ids, binding.rpc());
            let access = access(binding.rpc());
            let operation =
                operation::operation(binding, id, &path, access, &mut schemas, &failures);
            paths.add_path_operation(&path.text, vec![method], operation);
        }
    }

    let mut components = Components::new();
    components.responses = failures.responses(&mut schemas);
    components.schemas = schemas.finish();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(about.token))
        .build();
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));

    let mut info = Info::new(about.title, about.version);
    info.description = Some(about.description.to_owned());
    let mut license = License::new(about.license);
    license.identifier = Some(about.license.to_owned());
    info.license = Some(license);

    let mut document = OpenApi::new(info, paths);
    document.servers = Some(vec![Server::new("/")]);
    document.tags = Some(tags(&bindings));
    document.components = Some(components);
    document
}

/// A tag for each service, which groups its operations.
fn tags(bindings: &[&Binding]) -> Vec<Tag> {
    let services: BTreeMap<_, _> = bindings
        .iter()
        .map(|binding| binding.rpc().parent_service())
        .map(|service| (service.full_name().to_owned(), service.clone()))
        .collect();
    services
        .into_iter()
        .map(|(name, service)| {
            let description = comment(&service.parent_file(), service.path());
            TagBuilder::new().name(name).description(description).build()
        })
        .collect()
}

/// `Service_Method`; its further bindings are numbered from 2.
fn operation_id(ids: &mut HashMap<String, usize>, rpc: &MethodDescriptor) -> String {
    let count = ids.entry(rpc.full_name().to_owned()).or_default();
    *count += 1;
    let name = format!("{}_{}", rpc.parent_service().name(), rpc.name());
    if *count == 1 { name } else { format!("{name}{count}") }
}

/// The methods that OpenAPI knows a binding's by; none where it does not know it.
fn http_methods(method: Option<&Method>) -> Vec<HttpMethod> {
    let Some(method) = method else { return ANY.to_vec() };
    match *method {
        Method::GET => vec![HttpMethod::Get],
        Method::PUT => vec![HttpMethod::Put],
        Method::POST => vec![HttpMethod::Post],
        Method::DELETE => vec![HttpMethod::Delete],
        Method::PATCH => vec![HttpMethod::Patch],
        Method::HEAD => vec![HttpMethod::Head],
        Method::TRACE => vec![HttpMethod::Trace],
        _ => vec![],
    }
}
