//! Binds path, query and body into the request message.

use std::collections::HashSet;

use bytes::Bytes;
use http::HeaderValue;
use prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor, Value};

use super::{
    binding::{Binding, HTTP_BODY, RequestBody, is_http_body, resolve},
    decide::Target,
    json,
    reason::{Reason, Refusal},
    router::segments,
    template::decode,
    values,
};

const BROKEN_PATH: Refusal =
    Refusal::saying(Reason::RequestMalformed, "the path is not well-formed percent-encoding");
const BROKEN_QUERY: Refusal =
    Refusal::saying(Reason::RequestMalformed, "the query is not well-formed percent-encoding");

/// The request message. `content_type` is only looked at where the body is not JSON.
pub(super) fn bind(
    target: &Target,
    content_type: Option<&HeaderValue>,
    body: Bytes,
) -> Result<DynamicMessage, Refusal> {
    let binding = &*target.binding;
    let mut message = bind_body(binding, content_type, body)?;
    bind_path(binding, target.path.path(), &mut message)?;
    bind_query(binding, target.path.query().unwrap_or_default(), &mut message)?;
    Ok(message)
}

fn bind_body(
    binding: &Binding,
    content_type: Option<&HeaderValue>,
    body: Bytes,
) -> Result<DynamicMessage, Refusal> {
    let input = binding.rpc().input();
    match binding.body() {
        RequestBody::Whole if input.full_name() == HTTP_BODY => {
            Ok(http_body(&input, content_type, body))
        }
        RequestBody::Field(field) if is_http_body(field) => {
            let mut message = DynamicMessage::new(input);
            if let prost_reflect::Kind::Message(inner) = field.kind() {
                message.set_field(field, Value::Message(http_body(&inner, content_type, body)));
            }
            Ok(message)
        }
        _ if body.is_empty() => Ok(DynamicMessage::new(input)),
        RequestBody::None => {
            Err(Refusal::saying(Reason::RequestMalformed, "this method takes no body"))
        }
        RequestBody::Whole => json::read(&input, &body),
        RequestBody::Field(field) => json::read_field(field, &body),
    }
}

/// A `google.api.HttpBody`: the bytes as they are, and what they say they are.
fn http_body(
    descriptor: &MessageDescriptor,
    content_type: Option<&HeaderValue>,
    body: Bytes,
) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    // A declaration that differs from Google's leaves what does not fit unset.
    let _ = message.try_set_field_by_name("content_type", Value::String(content_type.to_owned()));
    let _ = message.try_set_field_by_name("data", Value::Bytes(body));
    message
}

fn bind_path(binding: &Binding, path: &str, message: &mut DynamicMessage) -> Result<(), Refusal> {
    let template = binding.template();
    let raw = segments(path, template.verb().is_some());
    for (variable, chain) in template.variables().iter().zip(binding.fields()) {
        let text = variable.value(&raw).ok_or(BROKEN_PATH)?;
        let name = variable.field_path();
        let Some((field, parents)) = chain.split_last() else { continue };
        let value =
            values::parse(field, &text).map_err(|expected| Refusal::field(name, expected))?;
        let parent = enter(message, parents, name)?;
        if parent.has_field(field) && *parent.get_field(field) != value {
            return Err(Refusal::field(name, "the path and the body give different values"));
        }
        set(parent, field, value, name)?;
    }
    Ok(())
}

/// Binds query parameters. Fields that the path or the body fills cannot be given again.
fn bind_query(binding: &Binding, query: &str, message: &mut DynamicMessage) -> Result<(), Refusal> {
    let input = binding.rpc().input();
    let mut given: HashSet<Vec<u32>> = HashSet::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, text) = (form_decode(name)?, form_decode(text)?);
        if *binding.body() == RequestBody::Whole {
            return Err(Refusal::field(
                &name,
                "no such query parameter: the body holds all fields",
            ));
        }
        // Each name opens a message, and JSON would not open more.
        if name.split('.').count() > json::MAX_DEPTH {
            return Err(Refusal::field(&name, "nested too deeply"));
        }
        let chain = resolve(&input, &name).map_err(|problem| Refusal::field(&name, problem))?;
        let Some((field, parents)) = chain.split_last() else { continue };
        if !values::has_text_form(field) {
            return Err(Refusal::field(&name, "this type has no form in a query"));
        }
        if binding.fields().contains(&chain) {
            return Err(Refusal::field(&name, "given by the path already"));
        }
        if matches!(binding.body(), RequestBody::Field(body) if chain.first() == Some(body)) {
            return Err(Refusal::field(&name, "given by the body already"));
        }

        let value =
            values::parse(field, &text).map_err(|expected| Refusal::field(&name, expected))?;
        let parent = enter(message, parents, &name)?;
        if field.is_list() {
            if let Some(list) = parent.get_field_mut(field).as_list_mut() {
                list.push(value);
            }
            continue;
        }
        set(parent, field, value, &name)?;
        if !given.insert(chain.iter().map(FieldDescriptor::number).collect()) {
            return Err(Refusal::field(&name, "given more than once"));
        }
    }
    Ok(())
}

/// The message inside, made where it is not there yet.
fn enter<'m>(
    message: &'m mut DynamicMessage,
    parents: &[FieldDescriptor],
    name: &str,
) -> Result<&'m mut DynamicMessage, Refusal> {
    let mut inside = message;
    for parent in parents {
        refuse_second_of_oneof(inside, parent, name)?;
        inside = inside
            .get_field_mut(parent)
            .as_message_mut()
            .ok_or_else(|| Refusal::field(name, "no such field"))?;
    }
    Ok(inside)
}

fn set(
    message: &mut DynamicMessage,
    field: &FieldDescriptor,
    value: Value,
    name: &str,
) -> Result<(), Refusal> {
    refuse_second_of_oneof(message, field, name)?;
    message.set_field(field, value);
    Ok(())
}

fn refuse_second_of_oneof(
    message: &DynamicMessage,
    field: &FieldDescriptor,
    name: &str,
) -> Result<(), Refusal> {
    let Some(oneof) = field.containing_oneof() else { return Ok(()) };
    if oneof.fields().any(|other| other != *field && message.has_field(&other)) {
        return Err(Refusal::field(name, "another field of the same oneof is given, too"));
    }
    Ok(())
}

/// `application/x-www-form-urlencoded`, as browsers write queries: `+` is a space.
fn form_decode(text: &str) -> Result<String, Refusal> {
    decode(&text.replace('+', " ")).ok_or(BROKEN_QUERY)
}
