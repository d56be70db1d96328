//! One HTTP binding of an RPC as an operation.

use prost_reflect::{FieldDescriptor, Kind};
use utoipa::openapi::{
    Content, Object, ObjectBuilder, OneOfBuilder, RefOr, Required, ResponseBuilder, Schema,
    SecurityRequirement, Type,
    path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
    request_body::{RequestBody as Body, RequestBodyBuilder},
};

use super::{
    comments::{comment, summary},
    failures::Failures,
    path::Path,
    schemas::{Schemas, array, describe, is_required},
};
use crate::wires::{Binding, HTTP_BODY, RequestBody, has_text_form};

/// The security scheme's name.
pub(super) const BEARER: &str = "bearer";

/// Who may call a method.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// Whether a call without a token is refused.
    pub token_required: bool,
    /// What else is required, a sentence.
    pub note: Option<&'static str>,
}

pub(super) fn operation(
    binding: &Binding,
    id: String,
    path: &Path,
    access: Access,
    schemas: &mut Schemas,
    failures: &Failures<'_>,
) -> Operation {
    let rpc = binding.rpc();
    let comment = comment(&rpc.parent_file(), rpc.path()).unwrap_or_default();
    let (summary, rest) = summary(&comment);
    let texts: Vec<_> = rest.into_iter().chain(access.note.map(str::to_owned)).collect();

    let summary = if summary.is_empty() { rpc.name().to_owned() } else { summary };
    let mut operation = OperationBuilder::new()
        .operation_id(Some(id))
        .summary(Some(summary))
        .tag(rpc.parent_service().full_name())
        .security(SecurityRequirement::new(BEARER, [""; 0]));
    if !texts.is_empty() {
        operation = operation.description(Some(texts.join("\n\n")));
    }
    if !access.token_required {
        operation = operation.security(SecurityRequirement::default());
    }
    for parameter in path_parameters(path, schemas).chain(query_parameters(binding, schemas)) {
        operation = operation.parameter(parameter);
    }

    let body = request_body(binding, schemas);
    let has_body = body.is_some();
    operation = operation.request_body(body);
    let success = ResponseBuilder::new().description("The answer.");
    let success = answer(binding, schemas)
        .into_iter()
        .fold(success, |response, (media_type, content)| response.content(media_type, content));
    operation = operation.response("200", success);
    for (status, reference) in failures.references(has_body) {
        operation = operation.response(status, reference);
    }
    operation.build()
}

fn path_parameters<'a>(
    path: &'a Path,
    schemas: &mut Schemas,
) -> impl Iterator<Item = Parameter> + use<'a> {
    let parameters: Vec<_> = path
        .parameters
        .iter()
        .map(|it| {
            let schema = match &it.field {
                Some(field) => schemas.described_field(field),
                None => Object::with_type(Type::String).into(),
            };
            ParameterBuilder::new()
                .name(&it.name)
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .description(it.note.clone())
                .schema(Some(schema))
                .build()
        })
        .collect();
    parameters.into_iter()
}

/// The fields that neither path nor body fill.
fn query_parameters(binding: &Binding, schemas: &mut Schemas) -> Vec<Parameter> {
    let mut open: Vec<Vec<FieldDescriptor>> = match binding.body() {
        RequestBody::Whole => vec![],
        RequestBody::None => binding.rpc().input().fields().map(|field| vec![field]).collect(),
        RequestBody::Field(body) => {
            let input = binding.rpc().input();
            input.fields().filter(|field| field != body).map(|field| vec![field]).collect()
        }
    };
    let mut parameters = Vec::new();
    open.reverse();
    while let Some(chain) = open.pop() {
        let Some(field) = chain.last() else { continue };
        if binding.fields().contains(&chain) {
            continue;
        }
        if has_text_form(field) {
            let names: Vec<_> = chain.iter().map(FieldDescriptor::name).collect();
            let required = if chain.len() == 1 && is_required(field) {
                Required::True
            } else {
                Required::False
            };
            let parameter = ParameterBuilder::new()
                .name(names.join("."))
                .parameter_in(ParameterIn::Query)
                .required(required)
                .description(comment(&field.parent_message().parent_file(), field.path()))
                .schema(Some(query_value(field, schemas)));
            parameters.push(parameter.build());
            continue;
        }
        // Fields inside messages, but not of messages inside themselves, of which there is no end.
        if let (Kind::Message(inside), false, false) =
            (field.kind(), field.is_list(), field.is_map())
            && !chain.iter().any(|outer| *outer.parent_message() == inside)
        {
            let fields: Vec<_> = inside.fields().collect();
            open.extend(
                fields.into_iter().rev().map(|field| [chain.clone(), vec![field]].concat()),
            );
        }
    }
    parameters
}

fn query_value(field: &FieldDescriptor, schemas: &mut Schemas) -> RefOr<Schema> {
    let value = schemas.value(field);
    if field.is_list() { array(value) } else { value }
}

fn request_body(binding: &Binding, schemas: &mut Schemas) -> Option<Body> {
    let input = binding.rpc().input();
    let (schema, required) = match binding.body() {
        RequestBody::None => return None,
        RequestBody::Field(field) if is_http_body(field) => return Some(any_bytes()),
        RequestBody::Field(field) => (schemas.described_field(field), false),
        RequestBody::Whole if input.full_name() == HTTP_BODY => return Some(any_bytes()),
        RequestBody::Whole => {
            let in_path: Vec<_> = binding
                .fields()
                .iter()
                .filter(|chain| chain.len() == 1)
                .flatten()
                .cloned()
                .collect();
            let needed = input.fields().filter(|field| !in_path.contains(field));
            let required = needed.filter(is_required).count() > 0;
            let schema = if in_path.is_empty() {
                schemas.message(&input)
            } else {
                schemas.object(&input, &in_path).into()
            };
            (schema, required)
        }
    };
    let content = Content::new(Some(schema));
    let required = if required { Required::True } else { Required::False };
    Some(
        RequestBodyBuilder::new()
            .content("application/json", content)
            .required(Some(required))
            .build(),
    )
}

/// Bytes of any content type.
fn any_bytes() -> Body {
    RequestBodyBuilder::new().content("*/*", Content::default()).build()
}

/// The contents of a good answer, by media type.
fn answer(binding: &Binding, schemas: &mut Schemas) -> Vec<(&'static str, Content)> {
    let output = binding.rpc().output();
    let is_bytes = match binding.response_body() {
        None => output.full_name() == HTTP_BODY,
        Some(field) => is_http_body(field),
    };
    if is_bytes {
        return vec![("*/*", Content::default())];
    }
    let schema = match binding.response_body() {
        None => schemas.message(&output),
        Some(field) => {
            let schema = schemas.described_field(field);
            if field.supports_presence() { or_null(schema) } else { schema }
        }
    };
    if !binding.rpc().is_server_streaming() {
        return vec![("application/json", Content::new(Some(schema)))];
    }
    let stream = |form: &str| {
        let of = "What each message of the stream is.".to_owned();
        let message = describe(schema.clone(), of);
        let object = ObjectBuilder::new().schema_type(Type::String).description(Some(form));
        let schema = OneOfBuilder::new().item(object).item(message);
        Content::new(Some(schema))
    };
    vec![
        ("application/x-ndjson", stream("One message a line.")),
        ("text/event-stream", stream("One message an event, where `Accept` asks for it.")),
    ]
}

/// An answer's body that is a field which is not set is `null`.
fn or_null(schema: RefOr<Schema>) -> RefOr<Schema> {
    OneOfBuilder::new().item(schema).item(Object::with_type(Type::Null)).into()
}

fn is_http_body(field: &FieldDescriptor) -> bool {
    !field.is_list()
        && matches!(field.kind(), Kind::Message(message) if message.full_name() == HTTP_BODY)
}
