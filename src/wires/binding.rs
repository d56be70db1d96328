//! An RPC's place in HTTP: one rule of its `google.api.http` annotation, checked.

use std::{fmt, sync::Arc};

use http::Method;
use prost_reflect::{
    DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
};

use super::{call::Rpc, json::Form, template::Template, values};

/// The message that carries bytes of any content type instead of JSON.
pub const HTTP_BODY: &str = "google.api.HttpBody";

/// What of the request message the HTTP body fills.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestBody {
    /// Nothing: a request with a body is refused.
    None,
    /// The whole message, but for what the path fills (`body: "*"`).
    Whole,
    /// This field.
    Field(FieldDescriptor),
}

/// One HTTP method and path template at which an RPC can be called.
#[derive(Clone, Debug)]
pub struct Binding {
    rpc: Arc<Rpc>,
    http_method: Option<Method>,
    template: Template,
    /// The fields of the template's variables, from the request message down.
    fields: Vec<Vec<FieldDescriptor>>,
    body: RequestBody,
    response_body: Option<FieldDescriptor>,
}

impl Binding {
    /// The RPC.
    pub fn rpc(&self) -> &MethodDescriptor {
        &self.rpc.method
    }

    /// The same, as calls carry it.
    pub(super) fn shared_rpc(&self) -> &Arc<Rpc> {
        &self.rpc
    }

    /// The HTTP method; `None` for any (`custom: {kind: "*"}`).
    pub fn http_method(&self) -> Option<&Method> {
        self.http_method.as_ref()
    }

    /// The path template.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// What the HTTP body fills.
    pub fn body(&self) -> &RequestBody {
        &self.body
    }

    /// The field of the response that is the answer's body; `None` for the whole message.
    pub fn response_body(&self) -> Option<&FieldDescriptor> {
        self.response_body.as_ref()
    }

    /// The fields of the template's variables, in their order, each from the request message down.
    pub fn fields(&self) -> &[Vec<FieldDescriptor>] {
        &self.fields
    }

    /// True where the HTTP body is a `google.api.HttpBody`: bytes of any content type.
    pub(super) fn takes_any_content(&self) -> bool {
        match &self.body {
            RequestBody::None => false,
            RequestBody::Whole => self.rpc.method.input().full_name() == HTTP_BODY,
            RequestBody::Field(field) => is_http_body(field),
        }
    }

    /// The binding that every RPC has: `POST /package.Service/Method` with the whole message.
    pub(super) fn implicit(rpc: &Arc<Rpc>) -> Result<Self, String> {
        Ok(Self {
            rpc: Arc::clone(rpc),
            http_method: Some(Method::POST),
            template: Template::parse(&rpc.path)?,
            fields: vec![],
            body: RequestBody::Whole,
            response_body: None,
        })
    }

    /// The bindings of an RPC's annotation, or what is wrong with them, each with its template.
    pub(super) fn annotated(
        rpc: &Arc<Rpc>,
        http: &ExtensionDescriptor,
    ) -> Result<Vec<Self>, String> {
        let options = rpc.method.options();
        if !options.has_extension(http) {
            return Ok(vec![]);
        }
        let annotation = options.get_extension(http);
        let Some(rule) = annotation.as_message() else {
            return Err("the annotation is not a google.api.HttpRule".to_owned());
        };
        let mut bindings = vec![Self::from_rule(rpc, rule)?];
        let more = rule.get_field_by_name("additional_bindings");
        for rule in more
            .iter()
            .filter_map(|more| more.as_list())
            .flatten()
            .filter_map(|rule| rule.as_message())
        {
            if rule.has_field_by_name("additional_bindings") {
                return Err("an additional binding has additional bindings of its own".to_owned());
            }
            bindings.push(Self::from_rule(rpc, rule)?);
        }
        Ok(bindings)
    }

    fn from_rule(rpc: &Arc<Rpc>, rule: &DynamicMessage) -> Result<Self, String> {
        let (http_method, path) = pattern(rule)?;
        let about = |problem: &str| format!("`{path}` {problem}");
        let template = Template::parse(&path).map_err(about)?;
        let input = rpc.method.input();

        let mut fields = Vec::new();
        for variable in template.variables() {
            let name = variable.field_path();
            let chain = resolve(&input, name)
                .map_err(|problem| about(&format!("binds `{name}`: {problem}")))?;
            let Some(field) = chain.last() else { continue };
            if field.is_list() || field.is_map() || !values::has_text_form(field) {
                return Err(about(&format!("binds `{name}`, whose type has no form in a path")));
            }
            fields.push(chain);
        }

        let body = match text(rule, "body").as_str() {
            "" => RequestBody::None,
            "*" => RequestBody::Whole,
            name => {
                let field = input.get_field_by_name(name).ok_or_else(|| {
                    about(&format!(
                        "has the body `{name}`, which is no field of {}",
                        input.full_name()
                    ))
                })?;
                if fields.iter().any(|chain| chain.as_slice() == [field.clone()]) {
                    return Err(about(&format!("fills `{name}` from the path and from the body")));
                }
                RequestBody::Field(field)
            }
        };
        if body != RequestBody::None && matches!(http_method, Some(Method::GET | Method::HEAD)) {
            return Err(about("has a body, which GET and HEAD cannot have"));
        }

        let response_body = match text(rule, "response_body").as_str() {
            "" => None,
            name => Some(rpc.method.output().get_field_by_name(name).ok_or_else(|| {
                about(&format!(
                    "has the response body `{name}`, which is no field of {}",
                    rpc.method.output().full_name()
                ))
            })?),
        };
        Ok(Self { rpc: Arc::clone(rpc), http_method, template, fields, body, response_body })
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.http_method.as_ref().map_or("*", Method::as_str);
        write!(f, "{method} {} of {}", self.template, self.rpc.method.full_name())
    }
}

/// The HTTP method and the path of a rule; no method where it is `*`.
fn pattern(rule: &DynamicMessage) -> Result<(Option<Method>, String), String> {
    let methods = [
        ("get", Method::GET),
        ("put", Method::PUT),
        ("post", Method::POST),
        ("delete", Method::DELETE),
        ("patch", Method::PATCH),
    ];
    for (field, method) in methods {
        if rule.has_field_by_name(field) {
            return Ok((Some(method), text(rule, field)));
        }
    }
    let custom = rule.get_field_by_name("custom").filter(|_| rule.has_field_by_name("custom"));
    let Some(custom) = custom.as_ref().and_then(|custom| custom.as_message()) else {
        return Err("the rule has neither HTTP method nor path".to_owned());
    };
    let (kind, path) = (text(custom, "kind"), text(custom, "path"));
    match kind.as_str() {
        "*" => Ok((None, path)),
        "OPTIONS" | "CONNECT" => {
            Err(format!("`{path}` is bound to {kind}, which no RPC can answer"))
        }
        _ => match kind.parse() {
            Ok(method) => Ok((Some(method), path)),
            Err(_) => Err(format!("`{path}` is bound to `{kind}`, which is no HTTP method")),
        },
    }
}

fn text(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    value.as_ref().and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}

/// True where the field is one `google.api.HttpBody`.
pub(super) fn is_http_body(field: &FieldDescriptor) -> bool {
    !field.is_list()
        && matches!(field.kind(), Kind::Message(message) if message.full_name() == HTTP_BODY)
}

/// The fields along a field path; all but the last are single messages whose JSON shows their
/// fields.
pub(super) fn resolve(
    message: &MessageDescriptor,
    path: &str,
) -> Result<Vec<FieldDescriptor>, &'static str> {
    let mut chain: Vec<FieldDescriptor> = Vec::new();
    let mut message = Some(message.clone());
    for name in path.split('.') {
        let inside = message.ok_or("only a message that is not repeated has fields inside")?;
        if Form::of(&inside) != Form::Object {
            return Err("this type has no fields inside");
        }
        let field = inside
            .get_field_by_name(name)
            .or_else(|| inside.get_field_by_json_name(name))
            .ok_or("no such field")?;
        message = match field.kind() {
            Kind::Message(inner) if !field.is_list() && !field.is_map() => Some(inner),
            _ => None,
        };
        chain.push(field);
    }
    Ok(chain)
}
