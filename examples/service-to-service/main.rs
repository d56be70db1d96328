//! Another service of yours calls user-service for the user that called it.
//!
//! With `make run` in another shell:
//! `set -a; . .dev/env; set +a; cargo run --example service-to-service`
//!
//! To take along: `users.rs`, `retry.rs`, and `proto/` with a `build.rs` that compiles it by
//! `tonic_prost_build` in the place of `user_service::proto`.

mod retry;
mod users;

use std::{env, error::Error, time::Duration};

use tokio::time::Instant;
use tonic::{
    Status,
    metadata::MetadataMap,
    transport::{ClientTlsConfig, Endpoint},
};
use users::{ForwardToken, Users};

/// What this service has for the whole of an answer.
const WHOLE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // One for the whole process: a clone of it shares the connection.
    let users = Users::new(endpoint(variable("USER_SERVICE_URL")?)?);

    // What came with the call that is being answered: in a tonic method, `request.metadata()`.
    let mut incoming = MetadataMap::new();
    incoming.insert("authorization", format!("Bearer {}", variable("TOKEN")?).parse()?);

    let greeting = greeting(&users, &incoming).await;
    println!("{}", greeting.map_err(|it| format!("{:?}: {}", it.code(), it.message()))?);
    Ok(())
}

/// A method of this service, which has no user of its own: it acts for the one who called it.
async fn greeting(users: &Users, incoming: &MetadataMap) -> Result<String, Status> {
    let deadline = Instant::now() + WHOLE;
    let token = ForwardToken::of(incoming)?;
    let name = users.full_name(token, deadline).await?;
    Ok(format!("Hello, {}.", name.as_deref().unwrap_or("whoever you are")))
}

/// Where user-service is: `http://`, or `https://` with the system's certificate authorities.
fn endpoint(url: String) -> Result<Endpoint, tonic::transport::Error> {
    let tls = url.starts_with("https:");
    let endpoint = Endpoint::from_shared(url)?;
    if tls {
        return endpoint.tls_config(ClientTlsConfig::new().with_native_roots());
    }
    Ok(endpoint)
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("{name} is not set: `make run` writes it to .dev/env"))
}
