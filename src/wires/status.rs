//! Reads and writes the status of a gRPC answer, in headers or trailers.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::HeaderMap;
use percent_encoding::percent_decode;
use tonic::{Code, Status};

/// Binary metadata is written without padding and read with and without (gRPC over HTTP/2,
/// "Custom-Metadata").
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The status code in these headers or trailers, if they have one.
pub(super) fn code(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|code| Code::from_bytes(code.as_bytes()))
}

/// The status in these headers or trailers, without other metadata. Unlike
/// [`Status::from_header_map`] it takes details that are not base64 for none.
pub(super) fn read(headers: &HeaderMap) -> Option<Status> {
    let code = code(headers)?;
    let message = headers.get(Status::GRPC_MESSAGE).map_or_else(String::new, |message| {
        percent_decode(message.as_bytes()).decode_utf8_lossy().into_owned()
    });
    let details = headers
        .get(Status::GRPC_STATUS_DETAILS)
        .and_then(|details| BASE64.decode(details.as_bytes()).ok())
        .unwrap_or_default();
    Some(Status::with_details(code, message, details.into()))
}

/// Writes a status over the one that these headers or trailers have.
pub(super) fn write(status: &Status, headers: &mut HeaderMap) {
    headers.remove(Status::GRPC_MESSAGE);
    headers.remove(Status::GRPC_STATUS_DETAILS);
    if status.add_header(headers).is_err() {
        headers.insert(Status::GRPC_STATUS, (Code::Internal as i32).into());
    }
}

/// Trailers with this status and nothing else.
pub(super) fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(3);
    write(status, &mut trailers);
    trailers
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_status_survives_the_way_through_headers() {
        let status = Status::with_details(Code::NotFound, "naïve 100 %", vec![1, 2, 3].into());
        let read = read(&trailers(&status)).expect("a status");
        assert_eq!(read.code(), Code::NotFound);
        assert_eq!(read.message(), "naïve 100 %");
        assert_eq!(read.details(), [1, 2, 3]);
    }

    #[test]
    fn details_that_are_not_base64_are_none() {
        let mut headers = trailers(&Status::not_found("x"));
        headers.insert(Status::GRPC_STATUS_DETAILS, HeaderValue::from_static("%%%"));
        assert!(read(&headers).expect("a status").details().is_empty());
    }
}
