//! The page at `/`: sign in or paste a token, call any RPC over gRPC-Web and over JSON, and see all
//! of it. What the page knows of the RPCs it reads from `/explorer/api.json`.

use std::collections::BTreeMap;

use axum::Router;
use http::HeaderValue;
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};
use serde::Serialize;

use super::{
    Project, Settings,
    asset::{CSS, HTML, JAVASCRIPT, JSON, asset, page},
};
use crate::{
    auth::{Auth, Requirement},
    openapi::comment,
    wires::{Api, RequestBody},
};

/// The messages that describe errors, whose bytes gRPC-Web carries in trailers.
const ERRORS: [&str; 4] =
    ["google.rpc.Status", "google.rpc.ErrorInfo", "google.rpc.BadRequest", "google.rpc.RetryInfo"];
const REFLECTION: &str = "grpc.reflection.v1.ServerReflection";

/// What the page knows.
#[derive(Serialize)]
struct Description {
    version: &'static str,
    docs: bool,
    reflection: bool,
    project: Option<Project>,
    rpcs: Vec<Rpc>,
    messages: BTreeMap<String, Vec<Field>>,
    enums: BTreeMap<String, BTreeMap<String, i32>>,
}

#[derive(Serialize)]
struct Rpc {
    service: String,
    name: String,
    /// The proto file, for callers that reflection does not tell.
    file: String,
    comment: String,
    access: &'static str,
    input: String,
    output: String,
    client_streaming: bool,
    server_streaming: bool,
    bindings: Vec<Binding>,
}

#[derive(Serialize)]
struct Binding {
    method: String,
    template: String,
    /// `*`, a field, or nothing.
    body: String,
}

#[derive(Serialize)]
struct Field {
    name: String,
    json_name: String,
    number: u32,
    /// A scalar's name, `message` or `enum`.
    kind: String,
    /// The name of the message or the enum.
    of: Option<String>,
    list: bool,
    map: bool,
    comment: String,
}

pub(super) fn router(
    settings: &Settings,
    api: &Api,
    auth: &Auth,
    shown: impl Fn(&str) -> bool,
) -> Router {
    let description = describe(settings, api, auth, shown);
    let description = serde_json::to_vec(&description).unwrap_or_default();
    let script = |source: &'static str| asset(JAVASCRIPT, source);
    Router::new()
        .route("/", page(HTML, include_str!("explorer/explorer.html"), policy(settings)))
        .route("/explorer/explorer.css", asset(CSS, include_str!("explorer/explorer.css")))
        .route("/explorer/explorer.js", script(include_str!("explorer/explorer.js")))
        .route("/explorer/call.js", script(include_str!("explorer/call.js")))
        .route("/explorer/caller.js", script(include_str!("explorer/caller.js")))
        .route("/explorer/commands.js", script(include_str!("explorer/commands.js")))
        .route("/explorer/dom.js", script(include_str!("explorer/dom.js")))
        .route("/explorer/protobuf.js", script(include_str!("explorer/protobuf.js")))
        .route("/explorer/well-known.js", script(include_str!("explorer/well-known.js")))
        .route("/explorer/api.json", asset(JSON, description))
}

/// Nothing inline; connections to this service and to the project, and to nowhere else.
fn policy(settings: &Settings) -> HeaderValue {
    let project = settings.project.as_ref().map(|it| it.auth.origin().ascii_serialization());
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
         connect-src 'self' {}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'",
        project.unwrap_or_default()
    );
    // An origin is ASCII.
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

fn describe(
    settings: &Settings,
    api: &Api,
    auth: &Auth,
    shown: impl Fn(&str) -> bool,
) -> Description {
    let services = api.pool().services().filter(|service| shown(service.full_name()));
    let rpcs: Vec<_> = services.flat_map(|service| service.methods().collect::<Vec<_>>()).collect();

    let mut types = Types::default();
    let errors = ERRORS.iter().filter_map(|name| api.pool().get_message_by_name(name));
    for message in rpcs.iter().flat_map(|rpc| [rpc.input(), rpc.output()]).chain(errors) {
        types.add(&message);
    }
    Description {
        version: env!("CARGO_PKG_VERSION"),
        docs: settings.docs,
        reflection: api.pool().get_service_by_name(REFLECTION).is_some(),
        project: settings.project.clone(),
        rpcs: rpcs.iter().map(|rpc| describe_rpc(rpc, api, auth)).collect(),
        messages: types.messages,
        enums: types.enums,
    }
}

fn describe_rpc(rpc: &MethodDescriptor, api: &Api, auth: &Auth) -> Rpc {
    let service = rpc.parent_service().full_name().to_owned();
    let requirement = auth.requirement(&format!("/{service}/{}", rpc.name()));
    let bindings = api.bindings().filter(|binding| binding.rpc() == rpc).map(|binding| Binding {
        method: binding.http_method().map_or("POST", |method| method.as_str()).to_owned(),
        template: binding.template().to_string(),
        body: match binding.body() {
            RequestBody::None => String::new(),
            RequestBody::Whole => "*".to_owned(),
            RequestBody::Field(field) => field.name().to_owned(),
        },
    });
    Rpc {
        name: rpc.name().to_owned(),
        file: rpc.parent_file().name().to_owned(),
        comment: comment(&rpc.parent_file(), rpc.path()).unwrap_or_default(),
        access: match requirement {
            Some(Requirement::Public) => "public",
            Some(Requirement::PermanentUser) => "not anonymous",
            Some(Requirement::Aal2) => "second factor",
            Some(Requirement::SignedIn) | None => "signed in",
        },
        input: rpc.input().full_name().to_owned(),
        output: rpc.output().full_name().to_owned(),
        client_streaming: rpc.is_client_streaming(),
        server_streaming: rpc.is_server_streaming(),
        bindings: bindings.collect(),
        service,
    }
}

/// Messages and enums by name, each with all that it is made of.
#[derive(Default)]
struct Types {
    messages: BTreeMap<String, Vec<Field>>,
    enums: BTreeMap<String, BTreeMap<String, i32>>,
}

impl Types {
    fn add(&mut self, message: &MessageDescriptor) {
        let mut open = vec![message.clone()];
        while let Some(message) = open.pop() {
            if self.messages.contains_key(message.full_name()) {
                continue;
            }
            let fields = message.fields().map(|field| self.field(&field, &mut open)).collect();
            self.messages.insert(message.full_name().to_owned(), fields);
        }
    }

    fn field(&mut self, field: &FieldDescriptor, open: &mut Vec<MessageDescriptor>) -> Field {
        let (kind, of) = match field.kind() {
            Kind::Message(inside) => {
                open.push(inside.clone());
                ("message".to_owned(), Some(inside.full_name().to_owned()))
            }
            Kind::Enum(of) => {
                self.add_enum(&of);
                ("enum".to_owned(), Some(of.full_name().to_owned()))
            }
            scalar => (format!("{scalar:?}").to_lowercase(), None),
        };
        Field {
            name: field.name().to_owned(),
            json_name: field.json_name().to_owned(),
            number: field.number(),
            kind,
            of,
            list: field.is_list(),
            map: field.is_map(),
            comment: comment(&field.parent_message().parent_file(), field.path())
                .unwrap_or_default(),
        }
    }

    fn add_enum(&mut self, of: &EnumDescriptor) {
        let values = of.values().map(|value| (value.name().to_owned(), value.number()));
        self.enums.insert(of.full_name().to_owned(), values.collect());
    }
}
