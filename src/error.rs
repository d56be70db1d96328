//! Why a call fails, and how each reason becomes a gRPC [`Status`].
//!
//! The client gets a code, a fixed sentence and an `ErrorInfo` with the reason. The cause goes to
//! the log, once, where the error becomes a `Status`.

use std::{borrow::Cow, error::Error as StdError, time::Duration};

use tonic::{
    Code, Status,
    metadata::{MetadataMap, MetadataValue},
};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The `ErrorInfo` domain of every error of this service.
pub const DOMAIN: &str = "user-service";

/// How long a client is asked to wait before it tries again what was unavailable.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// What HTTP says of a token that is good and does not allow the call (RFC 6750, section 3.1).
const INSUFFICIENT_TOKEN: &str = "Bearer error=\"insufficient_scope\"";

/// Writes the table of reasons once: its name on the wire, its code, its sentence.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $name:literal $code:ident $message:literal;)+) => {
        /// The stable, machine-readable reason of a failure: `ErrorInfo.reason`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $(#[doc = $message] $(#[$doc])* $variant,)+ }

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

            /// The sentence that clients get, unless the place of the error has a better one.
            pub const fn message(self) -> &'static str {
                match self { $(Self::$variant => $message,)+ }
            }
        }
    };
}

reasons! {
    TokenMissing "TOKEN_MISSING" Unauthenticated "this method needs a signed-in user: send `authorization: Bearer <access token>`";
    AuthorizationMalformed "AUTHORIZATION_MALFORMED" Unauthenticated "the authorization header must be `Bearer <access token>`, once";
    TokenPlaceholder "TOKEN_PLACEHOLDER" Unauthenticated "the token is a placeholder such as `undefined`: there was no session when the call was made";
    TokenIsApiKey "TOKEN_IS_API_KEY" Unauthenticated "this is a Supabase API key, not a user's access token: send the session's access_token";
    TokenTooLarge "TOKEN_TOO_LARGE" Unauthenticated "the token is larger than this service accepts";
    TokenMalformed "TOKEN_MALFORMED" Unauthenticated "the token is not a JWT in compact form";
    TokenAlgorithm "TOKEN_ALGORITHM" Unauthenticated "the token's algorithm is not accepted";
    TokenHeader "TOKEN_HEADER" Unauthenticated "the token's header has a member that is not accepted";
    TokenKeyUnknown "TOKEN_KEY_UNKNOWN" Unauthenticated "no key of the project fits this token";
    TokenSignature "TOKEN_SIGNATURE" Unauthenticated "the token's signature does not verify";
    TokenExpired "TOKEN_EXPIRED" Unauthenticated "the token has expired";
    TokenNotYetValid "TOKEN_NOT_YET_VALID" Unauthenticated "the token is not valid yet";
    TokenLifetime "TOKEN_LIFETIME" Unauthenticated "the token's lifetime is longer than this service accepts";
    TokenIssuer "TOKEN_ISSUER" Unauthenticated "the token is from another issuer";
    TokenAudience "TOKEN_AUDIENCE" Unauthenticated "the token is meant for another audience";
    TokenRole "TOKEN_ROLE" Unauthenticated "the token's role is not `authenticated`";
    TokenSubject "TOKEN_SUBJECT" Unauthenticated "the token's subject is not a user's id";
    TokenClaims "TOKEN_CLAIMS" Unauthenticated "the token has a claim that is missing or of the wrong type";
    SessionEnded "SESSION_ENDED" Unauthenticated "the session has ended: sign in again";

    UserBanned "USER_BANNED" PermissionDenied "the user is banned";
    PermanentUserRequired "PERMANENT_USER_REQUIRED" PermissionDenied "this method is not open to anonymous users";
    Aal2Required "AAL2_REQUIRED" PermissionDenied "this method needs a second factor (aal2)";
    AccessDenied "ACCESS_DENIED" PermissionDenied "the database does not allow this to the caller";

    UserNotFound "USER_NOT_FOUND" NotFound "there is no such user that the caller may see";
    FieldInvalid "FIELD_INVALID" InvalidArgument "a field is not valid";

    Overloaded "OVERLOADED" ResourceExhausted "the service is busy: try again later";
    DatabaseUnavailable "DATABASE_UNAVAILABLE" Unavailable "the database cannot be reached: try again later";
    DatabaseReadOnly "DATABASE_READ_ONLY" Unavailable "the database takes no changes at the moment: try again later";
    KeysUnavailable "KEYS_UNAVAILABLE" Unavailable "the project's keys cannot be had at the moment: try again later";
    ShuttingDown "SHUTTING_DOWN" Unavailable "the service is shutting down: try again";
    Deadline "DEADLINE" DeadlineExceeded "the deadline passed before the call was done";
    Internal "INTERNAL" Internal "internal error";
}

impl Reason {
    /// Whether the token is good, and another of this or another user's would be let in: RFC 6750,
    /// section 3, wants HTTP to say so. What a policy denies is no token's matter.
    fn is_of_the_token(self) -> bool {
        matches!(self, Self::UserBanned | Self::PermanentUserRequired | Self::Aal2Required)
    }

    /// How long the client should wait before it tries again, where trying again helps.
    pub fn retry_delay(self) -> Option<Duration> {
        matches!(self.code(), Code::Unavailable | Code::ResourceExhausted).then_some(RETRY_DELAY)
    }
}

/// A failure: what the client is told, and the cause that only the log sees.
#[derive(Debug)]
pub struct Error {
    reason: Reason,
    message: &'static str,
    fields: Vec<(&'static str, Cow<'static, str>)>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A failure for this reason, with the reason's own sentence.
    pub fn new(reason: Reason) -> Self {
        Self { reason, message: reason.message(), fields: Vec::new(), cause: None }
    }

    /// A wrong field: `FIELD_INVALID` with a `BadRequest` that names it. The description says what
    /// is expected, never what was sent.
    pub fn field(field: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self { fields: vec![(field, description.into())], ..Self::new(Reason::FieldInvalid) }
    }

    /// Says it in a sentence that helps more than the reason's own. Fixed text: nothing of the
    /// request and nothing of a cause may get into it.
    pub fn saying(self, message: &'static str) -> Self {
        Self { message, ..self }
    }

    /// Names the cause, for the log.
    pub fn because(self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// The cause, which only the operator may see.
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync)> {
        self.cause.as_deref()
    }

    /// The reason.
    pub fn reason(&self) -> Reason {
        self.reason
    }
}

impl From<Reason> for Error {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

impl From<Error> for Status {
    /// The one place where a failure leaves for the wire, and where its cause is logged.
    fn from(error: Error) -> Self {
        let reason = error.reason.as_str();
        if let Some(cause) = &error.cause {
            match error.reason.code() {
                Code::Internal => tracing::error!(reason, %cause, "call failed"),
                Code::Unavailable | Code::DeadlineExceeded => {
                    tracing::warn!(reason, %cause, "call failed");
                }
                _ => tracing::info!(reason, %cause, "call refused"),
            }
        }
        let mut details = ErrorDetails::new();
        details.set_error_info(reason, DOMAIN, []);
        for (field, description) in error.fields {
            details.add_bad_request_violation(field, description);
        }
        if let Some(delay) = error.reason.retry_delay() {
            details.set_retry_info(Some(delay));
        }
        let mut metadata = MetadataMap::new();
        if error.reason.is_of_the_token() {
            let challenge = MetadataValue::from_static(INSUFFICIENT_TOKEN);
            metadata.insert("www-authenticate", challenge);
        }
        let code = error.reason.code();
        Self::with_error_details_and_metadata(code, error.message, details, metadata)
    }
}
