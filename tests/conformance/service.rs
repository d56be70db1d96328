//! The suite's service: answers what each request asks for, with what it saw of that request.

use std::{collections::VecDeque, pin::Pin, time::Duration};

use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use prost_types::Any;
use test_protos::conformance::v1::{
    conformance_payload::RequestInfo, conformance_service_server::ConformanceService,
    unary_response_definition::Response as Wanted, *,
};
use tokio::time::{Instant, sleep};
use tonic::{Code, Request, Response, Status, Streaming, metadata::MetadataMap};
use user_service::wires::Call;

use crate::trailers::Trailers;

pub(crate) struct Conformance;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl ConformanceService for Conformance {
    async fn unary(
        &self,
        request: Request<UnaryRequest>,
    ) -> Result<Response<UnaryResponse>, Status> {
        let mut info = request_info(&request);
        let request = request.into_inner();
        info.requests.push(any("UnaryRequest", &request));
        let answered = answer(request.response_definition, info).await?;
        Ok(answered.map(|payload| UnaryResponse { payload: Some(payload) }))
    }

    async fn idempotent_unary(
        &self,
        request: Request<IdempotentUnaryRequest>,
    ) -> Result<Response<IdempotentUnaryResponse>, Status> {
        let mut info = request_info(&request);
        let request = request.into_inner();
        info.requests.push(any("IdempotentUnaryRequest", &request));
        let answered = answer(request.response_definition, info).await?;
        Ok(answered.map(|payload| IdempotentUnaryResponse { payload: Some(payload) }))
    }

    async fn client_stream(
        &self,
        request: Request<Streaming<ClientStreamRequest>>,
    ) -> Result<Response<ClientStreamResponse>, Status> {
        let mut info = request_info(&request);
        let mut requests = request.into_inner();
        let mut definition = None;
        while let Some(request) = requests.message().await? {
            if info.requests.is_empty() {
                definition.clone_from(&request.response_definition);
            }
            info.requests.push(any("ClientStreamRequest", &request));
        }
        let answered = answer(definition, info).await?;
        Ok(answered.map(|payload| ClientStreamResponse { payload: Some(payload) }))
    }

    type ServerStreamStream = Answers<ServerStreamResponse>;

    async fn server_stream(
        &self,
        request: Request<ServerStreamRequest>,
    ) -> Result<Response<Self::ServerStreamStream>, Status> {
        let mut info = request_info(&request);
        let request = request.into_inner();
        info.requests.push(any("ServerStreamRequest", &request));
        let answers = Script::answers(request.response_definition, info, None);
        Ok(answers.map(|payloads| {
            payloads.map(|it| Ok(ServerStreamResponse { payload: Some(it?) })).boxed()
        }))
    }

    type BidiStreamStream = Answers<BidiStreamResponse>;

    async fn bidi_stream(
        &self,
        request: Request<Streaming<BidiStreamRequest>>,
    ) -> Result<Response<Self::BidiStreamStream>, Status> {
        let mut info = request_info(&request);
        let mut requests = request.into_inner();
        let mut definition = None;
        let mut full_duplex = false;
        while !full_duplex && let Some(request) = requests.message().await? {
            if info.requests.is_empty() {
                definition.clone_from(&request.response_definition);
                full_duplex = request.full_duplex;
            }
            info.requests.push(any("BidiStreamRequest", &request));
        }
        let answers = Script::answers(definition, info, full_duplex.then_some(requests));
        Ok(answers.map(|payloads| {
            payloads.map(|it| Ok(BidiStreamResponse { payload: Some(it?) })).boxed()
        }))
    }

    async fn unimplemented(
        &self,
        _: Request<UnimplementedRequest>,
    ) -> Result<Response<UnimplementedResponse>, Status> {
        Err(Status::unimplemented("not implemented, as the suite wants it"))
    }
}

/// The one answer that is wanted.
async fn answer(
    definition: Option<UnaryResponseDefinition>,
    info: RequestInfo,
) -> Result<Response<ConformancePayload>, Status> {
    let definition = definition.unwrap_or_default();
    sleep(Duration::from_millis(definition.response_delay_ms.into())).await;
    let (headers, trailers) = (definition.response_headers, definition.response_trailers);
    let data = match definition.response {
        Some(Wanted::Error(mut error)) => {
            error.details.push(seen(info));
            // There is but one block of headers in an answer without a message.
            let metadata = map([headers, trailers].concat());
            return Err(status(error, MetadataMap::from_headers(metadata)));
        }
        Some(Wanted::ResponseData(data)) => data,
        None => Vec::new(),
    };
    let payload = ConformancePayload { data, request_info: Some(info) };
    Ok(with_metadata(payload, headers, trailers))
}

/// What of a stream of answers is still to come.
struct Script {
    data: VecDeque<Vec<u8>>,
    delay: Duration,
    error: Option<Error>,
    /// What was seen since the last answer.
    info: Option<RequestInfo>,
    /// One of them is awaited before each answer, but for the first.
    requests: Option<Streaming<BidiStreamRequest>>,
    answered: bool,
}

impl Script {
    fn answers(
        definition: Option<StreamResponseDefinition>,
        info: RequestInfo,
        requests: Option<Streaming<BidiStreamRequest>>,
    ) -> Response<Answers<ConformancePayload>> {
        let definition = definition.unwrap_or_default();
        let (headers, trailers) = (definition.response_headers, definition.response_trailers);
        let script = Self {
            data: definition.response_data.into(),
            delay: Duration::from_millis(definition.response_delay_ms.into()),
            error: definition.error,
            info: Some(info),
            requests,
            answered: false,
        };
        let answers = stream::unfold(Some(script), |script| async { script?.next().await });
        with_metadata(answers.boxed(), headers, trailers)
    }

    async fn next(mut self) -> Option<(Result<ConformancePayload, Status>, Option<Self>)> {
        if self.answered
            && let Some(requests) = &mut self.requests
        {
            match requests.message().await {
                Ok(Some(request)) => {
                    let info = self.info.get_or_insert_default();
                    info.requests.push(any("BidiStreamRequest", &request));
                }
                Ok(None) => self.requests = None,
                Err(status) => return Some((Err(status), None)),
            }
        }
        let Some(data) = self.data.pop_front() else {
            let mut error = self.error?;
            if !self.answered {
                error.details.extend(self.info.map(seen));
            }
            return Some((Err(status(error, MetadataMap::new())), None));
        };
        sleep(self.delay).await;
        self.answered = true;
        let request_info = self.info.take();
        Some((Ok(ConformancePayload { data, request_info }), Some(self)))
    }
}

/// What was seen, as a detail of an error before any answer.
fn seen(info: RequestInfo) -> Any {
    any("ConformancePayload.RequestInfo", &info)
}

fn status(error: Error, metadata: MetadataMap) -> Status {
    let Error { code, message, details } = error;
    let message = message.unwrap_or_default();
    let details = tonic_types::pb::Status { code, message: message.clone(), details };
    let details = details.encode_to_vec().into();
    Status::with_details_and_metadata(Code::from(code), message, details, metadata)
}

fn with_metadata<T>(message: T, headers: Vec<Header>, trailers: Vec<Header>) -> Response<T> {
    let metadata = MetadataMap::from_headers(map(headers));
    let mut response = Response::from_parts(metadata, message, http::Extensions::new());
    response.extensions_mut().insert(Trailers(map(trailers)));
    response
}

fn map(headers: Vec<Header>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for Header { name, value } in headers {
        let name: HeaderName = name.parse().expect("a header's name");
        for value in value {
            map.append(&name, HeaderValue::try_from(value).expect("a header's value"));
        }
    }
    map
}

/// What is seen of a request before its messages.
fn request_info<T>(request: &Request<T>) -> RequestInfo {
    let headers: &HeaderMap = request.metadata().as_ref();
    let values = |name| headers.get_all(name).iter().map(text).collect();
    let request_headers =
        headers.keys().map(|name| Header { name: name.to_string(), value: values(name) }).collect();
    // The stack's own: it is there even where the client set none.
    let deadline = request.extensions().get().and_then(Call::deadline).expect("a deadline");
    let left = deadline.saturating_duration_since(Instant::now()).as_millis();
    let timeout_ms =
        headers.contains_key("grpc-timeout").then(|| i64::try_from(left).expect("milliseconds"));
    RequestInfo { request_headers, timeout_ms, requests: Vec::new() }
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn any(name: &str, message: &impl Message) -> Any {
    let type_url = format!("type.googleapis.com/connectrpc.conformance.v1.{name}");
    Any { type_url, value: message.encode_to_vec() }
}
