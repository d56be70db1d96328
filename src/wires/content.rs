//! Content types, as far as they decide the wire.

use http::{HeaderMap, HeaderValue, header};

/// What the `content-type` header says. Parameters and case do not matter (RFC 9110, 8.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentType {
    /// No such header.
    None,
    Json,
    /// `application/grpc`, with `+proto` or without.
    Grpc,
    /// `application/grpc-web`, with `+proto` or without.
    GrpcWeb,
    /// `application/grpc-web-text`, with `+proto` or without.
    GrpcWebText,
    /// gRPC in an encoding that is not spoken here, such as `application/grpc+json`.
    OtherGrpc,
    /// Anything else, more than one header included.
    Other,
}

impl ContentType {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(header::CONTENT_TYPE).iter();
        let Some(value) = values.next() else { return Self::None };
        if values.next().is_some() {
            return Self::Other;
        }
        let Ok(value) = value.to_str() else { return Self::Other };
        // Most clients write it just so.
        Self::of_essence(value).unwrap_or_else(|| {
            let essence = essence(value);
            Self::of_essence(&essence).unwrap_or(match essence.starts_with("application/grpc") {
                true => Self::OtherGrpc,
                false => Self::Other,
            })
        })
    }

    fn of_essence(essence: &str) -> Option<Self> {
        Some(match essence {
            "application/json" => Self::Json,
            "application/grpc" | "application/grpc+proto" => Self::Grpc,
            "application/grpc-web" | "application/grpc-web+proto" => Self::GrpcWeb,
            "application/grpc-web-text" | "application/grpc-web-text+proto" => Self::GrpcWebText,
            _ => return None,
        })
    }

    /// Whether a body of this type is read as JSON: one without a type is, too.
    pub(super) fn may_be_json(self) -> bool {
        matches!(self, Self::Json | Self::None)
    }

    /// The form in which tonic and tonic-web, which compare exactly, know it.
    pub(super) fn canonical(self) -> Option<HeaderValue> {
        match self {
            Self::Grpc => Some(HeaderValue::from_static("application/grpc")),
            Self::GrpcWeb => Some(HeaderValue::from_static("application/grpc-web+proto")),
            Self::GrpcWebText => Some(HeaderValue::from_static("application/grpc-web-text+proto")),
            _ => None,
        }
    }
}

/// A media type without its parameters, in lower case.
fn essence(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// True where an `accept` header names this media type and does not weigh it zero.
pub(super) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| essence(range) == media_type && !weighs_zero(range))
}

fn weighs_zero(range: &str) -> bool {
    range.split(';').skip(1).any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        name.trim().eq_ignore_ascii_case("q") && value.trim().parse() == Ok(0.0_f32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &'static str) -> ContentType {
        ContentType::of(&HeaderMap::from_iter([(
            header::CONTENT_TYPE,
            HeaderValue::from_static(value),
        )]))
    }

    #[test]
    fn parameters_and_case_do_not_matter() {
        assert_eq!(of("Application/JSON ; charset=utf-8"), ContentType::Json);
        assert_eq!(of("APPLICATION/grpc-web; x=y"), ContentType::GrpcWeb);
        assert_eq!(of("application/grpc-web-text+Proto"), ContentType::GrpcWebText);
        assert_eq!(of("application/grpc+proto"), ContentType::Grpc);
    }

    #[test]
    fn a_subtype_that_is_not_spoken_is_still_known_for_grpc() {
        assert_eq!(of("application/grpc+json"), ContentType::OtherGrpc);
        assert_eq!(of("application/grpc-web+foo"), ContentType::OtherGrpc);
        assert_eq!(of("application/x-json"), ContentType::Other);
        assert_eq!(of(""), ContentType::Other);
    }

    #[test]
    fn two_content_types_are_none_that_is_accepted() {
        let mut headers = HeaderMap::new();
        headers.append(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.append(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        assert_eq!(ContentType::of(&headers), ContentType::Other);
    }

    #[test]
    fn accept_is_read_range_by_range() {
        let accept = |value: &'static str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(value))]);
            accepts(&headers, "text/event-stream")
        };
        assert!(accept("application/json, Text/Event-Stream;q=0.5"));
        assert!(!accept("text/event-stream;q=0"));
        assert!(!accept("text/*"));
        assert!(!accept("*/*"));
    }
}
