//! Why a call is refused before it reaches a handler, and how that becomes a [`Status`].

use http::StatusCode;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// How long a client is asked to wait before it tries again, where trying again helps.
const RETRY_DELAY: std::time::Duration = std::time::Duration::from_secs(1);

/// How tonic begins to say that a compressed message unpacks to more than the limit.
const UNPACKS_TO_TOO_MUCH: &str = "Error decompressing: size limit";

/// How tonic begins to say that it does not know a `grpc-encoding`.
const UNKNOWN_ENCODING: &str = "Content is compressed with";
/// What clients are told then (gRPC's "Compression" wants UNIMPLEMENTED, with that header).
const OTHER_ENCODINGS: &str =
    "this grpc-encoding is not supported: see the grpc-accept-encoding of this answer";

/// Writes the table of reasons once: its name on the wire, its gRPC and HTTP codes, its sentence.
macro_rules! reasons {
    ($($variant:ident $name:literal $code:ident $http:ident $message:literal;)+) => {
        /// The stable, machine-readable reason of a refusal: `ErrorInfo.reason`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $(#[doc = $message] $variant,)+ }

        impl Reason {
            /// Every reason, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The gRPC status code.
            pub const fn code(self) -> Code {
                match self { $(Self::$variant => Code::$code,)+ }
            }

            /// The HTTP status code, more exact than what the gRPC code alone maps to.
            pub const fn http(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$http,)+ }
            }

            /// The sentence that clients get, unless the place of the refusal has a better one.
            pub const fn message(self) -> &'static str {
                match self { $(Self::$variant => $message,)+ }
            }
        }
    };
}

reasons! {
    RouteNotFound "ROUTE_NOT_FOUND" NotFound NOT_FOUND "there is nothing at this path";
    MethodNotAllowed "METHOD_NOT_ALLOWED" Unimplemented METHOD_NOT_ALLOWED "this path does not take this HTTP method: see the Allow header";
    ContentType "CONTENT_TYPE" InvalidArgument UNSUPPORTED_MEDIA_TYPE "this content type or content encoding is not accepted here";
    NotImplemented "NOT_IMPLEMENTED" Unimplemented NOT_IMPLEMENTED "this method is not implemented";
    RequestMalformed "REQUEST_MALFORMED" InvalidArgument BAD_REQUEST "the request is not well-formed";
    FieldInvalid "FIELD_INVALID" InvalidArgument BAD_REQUEST "a field is not valid";
    BodyTooLarge "BODY_TOO_LARGE" ResourceExhausted PAYLOAD_TOO_LARGE "the request is larger than this service accepts";
    Overloaded "OVERLOADED" ResourceExhausted TOO_MANY_REQUESTS "the service is busy: try again later";
    Deadline "DEADLINE" DeadlineExceeded GATEWAY_TIMEOUT "the deadline passed before the call was done";
    Internal "INTERNAL" Internal INTERNAL_SERVER_ERROR "internal error";
}

impl Reason {
    /// The reason with this name on the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == name)
    }
}

/// A refusal: its reason, a sentence, and the field that is wrong, where it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: Reason,
    pub(super) message: &'static str,
    field: Option<(String, String)>,
}

impl Refusal {
    /// The longest field name that is said back to the client, in characters.
    const MAX_FIELD: usize = 200;

    /// Says it in a sentence that helps more than the reason's own.
    pub(super) const fn saying(reason: Reason, message: &'static str) -> Self {
        Self { reason, message, field: None }
    }

    /// A wrong field, named by its path as the request has it. Never its value.
    pub(super) fn field(path: &str, description: impl Into<String>) -> Self {
        let path = path.chars().take(Self::MAX_FIELD).collect();
        Self { field: Some((path, description.into())), ..Reason::FieldInvalid.into() }
    }

    /// The reason for a status that says none: one that tonic itself made. Its own text is for this
    /// side only.
    pub(super) fn for_bare(status: &Status) -> Option<Self> {
        let reason = match status.code() {
            Code::InvalidArgument => Reason::RequestMalformed,
            // A handler has other limits than this one.
            Code::ResourceExhausted if status.message().starts_with(UNPACKS_TO_TOO_MUCH) => {
                Reason::BodyTooLarge
            }
            Code::Unimplemented if status.message().starts_with(UNKNOWN_ENCODING) => {
                return Some(Self::saying(Reason::NotImplemented, OTHER_ENCODINGS));
            }
            Code::Unimplemented => Reason::NotImplemented,
            Code::DeadlineExceeded => Reason::Deadline,
            Code::Internal | Code::Unknown => Reason::Internal,
            _ => return None,
        };
        Some(reason.into())
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::saying(reason, reason.message())
    }
}

/// The `ErrorInfo` domain. Without one, statuses carry no details at all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Domain(pub(super) Option<&'static str>);

impl Domain {
    /// The status of a refusal.
    pub(super) fn status(self, refusal: impl Into<Refusal>) -> Status {
        let Refusal { reason, message, field } = refusal.into();
        let Some(domain) = self.0 else { return Status::new(reason.code(), message) };

        let mut details = ErrorDetails::new();
        details.set_error_info(reason.as_str(), domain, []);
        if let Some((field, description)) = field {
            details.add_bad_request_violation(field, description);
        }
        if reason == Reason::Overloaded {
            details.set_retry_info(Some(RETRY_DELAY));
        }
        Status::with_error_details(reason.code(), message, details)
    }

    /// The reason that a status carries in its `ErrorInfo`, whoever's it is.
    pub(super) fn reason_name(status: &Status) -> Option<String> {
        if status.details().is_empty() {
            return None;
        }
        Some(status.get_details_error_info()?.reason)
    }

    /// The reason that a status carries, if it is one of ours.
    pub(super) fn reason(self, status: &Status) -> Option<Reason> {
        if status.details().is_empty() {
            return None;
        }
        let info = status.get_details_error_info()?;
        let ours = self.0 == Some(info.domain.as_str());
        ours.then(|| Reason::from_name(&info.reason)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_field_name_is_cut() {
        let refusal = Refusal::field(&"é".repeat(300), "no such field");
        assert_eq!(refusal.field.map(|(path, _)| path), Some("é".repeat(200)));
    }

    #[test]
    fn without_a_domain_a_status_is_bare() {
        let status = Domain(None).status(Reason::Deadline);
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(status.details().is_empty());
    }
}
