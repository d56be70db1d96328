//! user-service, as another service calls it.

use std::time::Duration;

use tokio::time::Instant;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataMap, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};
use user_service::proto::user::v1::{GetNameRequest, user_service_client::UserServiceClient};

use super::retry::Retry;

/// How long a peer may be silent before it is asked for a sign of life, and how long it has for one.
/// Without it, calls over a connection that is dead but not closed fail for as long as TCP hopes.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(5));

/// user-service. Cheap to clone; the clones share one connection.
#[derive(Clone, Debug)]
pub struct Users {
    channel: Channel,
    retry: Retry,
}

impl Users {
    /// Connects at the first call: this service may start before the other.
    pub fn new(endpoint: Endpoint) -> Self {
        let (interval, limit) = KEEP_ALIVE;
        let channel =
            endpoint.http2_keep_alive_interval(interval).keep_alive_timeout(limit).connect_lazy();
        Self { channel, retry: Retry::default() }
    }

    /// The full name of the user whose token this is; none when they have none yet.
    ///
    /// # Errors
    ///
    /// The service's status, `DEADLINE_EXCEEDED` of our own making included. `ErrorInfo.reason` in
    /// its details tells what to do about it: `docs/errors.md`.
    pub async fn full_name(
        &self,
        token: ForwardToken,
        deadline: Instant,
    ) -> Result<Option<String>, Status> {
        let client = self.as_caller(token);
        let get_name = |timeout| {
            let mut client = client.clone();
            async move {
                let mut request = Request::new(GetNameRequest {});
                request.set_timeout(timeout);
                client.get_name(request).await
            }
        };
        let answer = self.retry.until(deadline, get_name).await?;
        Ok(answer.into_inner().full_name)
    }

    /// A client that acts as this user. To be made for each call that is answered: it costs nothing.
    fn as_caller(
        &self,
        token: ForwardToken,
    ) -> UserServiceClient<InterceptedService<Channel, ForwardToken>> {
        UserServiceClient::with_interceptor(self.channel.clone(), token)
    }
}

/// Sends the caller's token along.
#[derive(Clone, Debug)]
pub struct ForwardToken(MetadataValue<Ascii>);

impl ForwardToken {
    /// The token that came with a call.
    ///
    /// # Errors
    ///
    /// `UNAUTHENTICATED` when none did: there is nobody to act for.
    pub fn of(incoming: &MetadataMap) -> Result<Self, Status> {
        let mut token = incoming
            .get("authorization")
            .cloned()
            .ok_or_else(|| Status::unauthenticated("this needs a signed-in user"))?;
        token.set_sensitive(true); // kept out of Debug, and out of HTTP/2's compression table
        Ok(Self(token))
    }
}

impl Interceptor for ForwardToken {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}
