//! Calls `GetName` on all three wires, as the user that `TOKEN` is of.
//!
//! `make call` runs it against the development stack. Elsewhere:
//! `USER_SERVICE_URL=https://… TOKEN=eyJ… cargo run --example call`

use std::{env, error::Error};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::Endpoint,
};
use tonic_web::GrpcWebClientLayer;
use user_service::proto::user::v1::{GetNameRequest, user_service_client::UserServiceClient};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = variable("USER_SERVICE_URL")?;
    let bearer = format!("Bearer {}", variable("TOKEN")?);
    let metadata: MetadataValue<Ascii> = bearer.parse()?;
    let request = || {
        let mut request = Request::new(GetNameRequest {});
        request.metadata_mut().insert("authorization", metadata.clone());
        request
    };

    // gRPC, as a service would.
    let channel = Endpoint::from_shared(url.clone())?.connect().await?;
    let answer = UserServiceClient::new(channel).get_name(request()).await?;
    println!("gRPC       {:?}", answer.get_ref().full_name());

    // gRPC-Web, as a browser would: over HTTP/1.1.
    let http = Client::builder(TokioExecutor::new()).build_http();
    let web = tower::ServiceBuilder::new().layer(GrpcWebClientLayer::new()).service(http);
    let mut client = UserServiceClient::with_origin(web, url.parse()?);
    let answer = client.get_name(request()).await?;
    println!("gRPC-Web   {:?}", answer.get_ref().full_name());

    // HTTP/JSON, as curl would.
    let http = Client::builder(TokioExecutor::new()).build_http();
    let request = http::Request::get(format!("{url}/name"))
        .header("authorization", &bearer)
        .body(Empty::<Bytes>::new())?;
    let answer = http.request(request).await?.into_body().collect().await?.to_bytes();
    println!("HTTP/JSON  {}", String::from_utf8_lossy(&answer));
    Ok(())
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("{name} is not set: run `make run` first, then `make call`"))
}
