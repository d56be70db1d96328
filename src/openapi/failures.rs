//! Errors: `google.rpc.Status` with its details, a response for each HTTP status, an example for
//! each reason.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};
use tonic::Code;
use utoipa::openapi::{
    ArrayBuilder, Content, ContentBuilder, HeaderBuilder, Object, ObjectBuilder, OneOfBuilder, Ref,
    RefOr, Response, ResponseBuilder, Schema, Type, example::ExampleBuilder, schema::Discriminator,
};

use super::schemas::Schemas;
use crate::wires::{Reason, http_status};

/// Reasons of the wires that no call of a documented operation ends with.
const BESIDE: [Reason; 3] =
    [Reason::RouteNotFound, Reason::MethodNotAllowed, Reason::NotImplemented];

const STATUS: &str = "google.rpc.Status";
const TYPE_PREFIX: &str = "type.googleapis.com/";

/// One reason why a call fails.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// `ErrorInfo.reason`.
    pub reason: &'static str,
    /// The gRPC status code.
    pub code: Code,
    /// The sentence that clients get.
    pub message: &'static str,
    /// Whether it comes with a `RetryInfo`.
    pub retry: bool,
}

/// A failure, and how HTTP says it.
struct Answer {
    failure: Failure,
    http: StatusCode,
    names_field: bool,
}

/// All failures, each once.
pub(super) struct Failures<'a> {
    domain: &'a str,
    by_status: BTreeMap<u16, Vec<Answer>>,
}

impl<'a> Failures<'a> {
    /// Those of the wires, and `others`.
    pub(super) fn new(domain: &'a str, others: &[Failure]) -> Self {
        let of_wires = Reason::ALL.iter().filter(|reason| !BESIDE.contains(reason)).map(|reason| {
            let (code, retry) = (reason.code(), *reason == Reason::Overloaded);
            let failure =
                Failure { reason: reason.as_str(), code, message: reason.message(), retry };
            (failure, reason.http())
        });
        let others = others
            .iter()
            .filter(|failure| Reason::from_name(failure.reason).is_none())
            .map(|failure| (*failure, http_status(failure.code)));
        let mut by_status: BTreeMap<u16, Vec<Answer>> = BTreeMap::new();
        for (failure, http) in of_wires.chain(others) {
            let names_field = failure.reason == Reason::FieldInvalid.as_str();
            by_status.entry(http.as_u16()).or_default().push(Answer { failure, http, names_field });
        }
        Self { domain, by_status }
    }

    /// What an operation may answer, by status.
    pub(super) fn references(&self, has_body: bool) -> impl Iterator<Item = (String, Ref)> {
        let bodiless = [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNSUPPORTED_MEDIA_TYPE];
        self.by_status
            .iter()
            .filter_map(|(status, answers)| Some((status, answers.first()?.http)))
            .filter(move |(_, http)| has_body || !bodiless.contains(http))
            .map(|(status, http)| (status.to_string(), Ref::from_response_name(name(http))))
    }

    /// The responses that the references refer to.
    pub(super) fn responses(&self, schemas: &mut Schemas) -> BTreeMap<String, RefOr<Response>> {
        let status = self.schema(schemas);
        self.by_status
            .values()
            .filter_map(|answers| {
                let http = answers.first()?.http;
                Some((name(http), self.response(answers, http, status.clone()).into()))
            })
            .collect()
    }

    fn response(&self, answers: &[Answer], http: StatusCode, status: Ref) -> Response {
        let lines: Vec<_> = answers
            .iter()
            .map(|Answer { failure, .. }| {
                format!("- `{}` ({:?}): {}", failure.reason, failure.code, failure.message)
            })
            .collect();
        let title = http.canonical_reason().unwrap_or_default();
        let examples = answers.iter().map(|answer| {
            let example = ExampleBuilder::new().value(Some(self.example(answer))).build();
            (answer.failure.reason, example)
        });
        let content: Content =
            ContentBuilder::new().schema(Some(status)).examples_from_iter(examples).build();
        let mut response = ResponseBuilder::new()
            .description(format!("{title}, for one of these reasons:\n\n{}", lines.join("\n")))
            .content("application/json", content);
        let challenge = match http {
            StatusCode::UNAUTHORIZED => {
                Some("RFC 6750: `Bearer`, with the error where a token was sent.")
            }
            StatusCode::FORBIDDEN => Some(
                "RFC 6750: `Bearer error=\"insufficient_scope\"`, where another token would do.",
            ),
            _ => None,
        };
        if challenge.is_some() {
            let header = HeaderBuilder::new()
                .schema(Object::with_type(Type::String))
                .description(challenge)
                .build();
            response = response.header("WWW-Authenticate", header);
        }
        if answers.iter().all(|answer| answer.failure.retry) {
            let header = HeaderBuilder::new()
                .schema(ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)))
                .description(Some("Seconds until another attempt makes sense."))
                .build();
            response = response.header("Retry-After", header);
        }
        response.build()
    }

    fn example(&self, answer: &Answer) -> Value {
        let Answer { failure, names_field, .. } = answer;
        let of = |name| format!("{TYPE_PREFIX}google.rpc.{name}");
        let mut details = vec![
            json!({"@type": of("ErrorInfo"), "reason": failure.reason, "domain": self.domain}),
        ];
        if *names_field {
            let violation = json!({"field": "name_of_the_field", "description": "what is wrong"});
            details.push(json!({"@type": of("BadRequest"), "field_violations": [violation]}));
        }
        if failure.retry {
            details.push(json!({"@type": of("RetryInfo"), "retry_delay": "1s"}));
        }
        json!({"code": failure.code as i32, "message": failure.message, "details": details})
    }

    /// `google.rpc.Status`, with the details that this API gives.
    fn schema(&self, schemas: &mut Schemas) -> Ref {
        let string = |description: &str| {
            ObjectBuilder::new().schema_type(Type::String).description(Some(description))
        };
        let reasons = self.by_status.values().flatten().map(|answer| answer.failure.reason);
        let error_info = detail("ErrorInfo", "Why the call failed, in a form for programs.")
            .property("reason", string("The reason: stable.").enum_values(Some(reasons)))
            .property("domain", string("Whose reason it is.").enum_values(Some([self.domain])))
            .required("reason")
            .required("domain");
        let violation = ObjectBuilder::new()
            .schema_type(Type::Object)
            .property("field", string("The path of the field, as the request has it."))
            .property("description", string("What is wrong with it."));
        let violations = ArrayBuilder::new().items(violation);
        let bad_request = detail("BadRequest", "Which fields of the request are wrong.")
            .property("field_violations", violations);
        let delay = string("The least time to wait, such as `1s`.");
        let retry_info =
            detail("RetryInfo", "When the client may try again.").property("retry_delay", delay);

        let mut any = OneOfBuilder::new();
        let mut kinds = Discriminator::new("@type");
        for (name, schema) in
            [("ErrorInfo", error_info), ("BadRequest", bad_request), ("RetryInfo", retry_info)]
        {
            let reference = schemas.add(&format!("google.rpc.{name}"), schema);
            kinds
                .mapping
                .insert(format!("{TYPE_PREFIX}google.rpc.{name}"), reference.ref_location.clone());
            any = any.item(reference);
        }
        let details: Schema = ArrayBuilder::new()
            .items(any.discriminator(Some(kinds)))
            .description(Some("`ErrorInfo` always; `BadRequest` and `RetryInfo` where they apply."))
            .into();
        let status = ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("The error that every call can end with."))
            .property(
                "code",
                ObjectBuilder::new()
                    .schema_type(Type::Integer)
                    .description(Some("The gRPC status code.")),
            )
            .property("message", string("A sentence in English, for developers."))
            .property("details", details)
            .required("code")
            .required("message");
        schemas.add(STATUS, status)
    }
}

/// An error detail: an `Any` of this type.
fn detail(name: &str, description: &str) -> ObjectBuilder {
    let of = [format!("{TYPE_PREFIX}google.rpc.{name}")];
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(description))
        .property("@type", ObjectBuilder::new().schema_type(Type::String).enum_values(Some(of)))
        .required("@type")
}

/// A response's name: the status' own words as one.
fn name(http: StatusCode) -> String {
    http.canonical_reason().unwrap_or(http.as_str()).replace(' ', "")
}
