//! The gRPC interceptor: turns the request's token into a [`Caller`] in its extensions.
//!
//! It neither waits nor reads anything but memory; what must wait is the session layer's.

use std::sync::Arc;

use http::HeaderMap;
use tokio::time::Instant;
use tonic::{Request, Status, service::Interceptor};
use tracing::{Span, field};

use crate::{
    error::{Error, Reason},
    wires::Call,
};

use super::{Auth, Caller, Role};

/// Authenticates every call that reaches the service behind it.
#[derive(Clone, Debug)]
pub struct AuthInterceptor(pub(super) Auth);

impl Interceptor for AuthInterceptor {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let extensions = request.extensions();
        let call = extensions.get::<Call>();
        let Some((call, deadline)) = call.and_then(|call| call.deadline().map(|at| (call, at)))
        else {
            let cause = "the guard stands outside the layers that decide RPC and deadline";
            return Err(Error::new(Reason::Internal).because(cause).into());
        };
        let caller = self.0.authenticate(call.path(), request.metadata().as_ref(), deadline)?;
        if let Some(id) = caller.id() {
            Span::current().record("user", field::display(id));
        }
        request.extensions_mut().insert(caller);
        Ok(request)
    }
}

impl Auth {
    /// Verifies the token, if any, and what the method at `path` requires: the way of every call.
    ///
    /// # Errors
    /// The reason for which the call is refused, with its cause for the operator.
    pub fn authenticate(
        &self,
        path: &str,
        headers: &HeaderMap,
        deadline: Instant,
    ) -> Result<Caller, Error> {
        let verified = self.verify(headers)?;
        let Some(requirement) = self.0.requirements.of(path) else {
            let cause = "the descriptors that requirements were read from lack this method";
            return Err(Error::new(Reason::Internal).because(cause));
        };
        requirement.check(verified.as_ref()).map_err(|refusal| refusal.into_error(None))?;
        Ok(match verified {
            None => Caller::stranger(deadline),
            Some(verified) => Caller {
                role: Role::Authenticated,
                id: Some(verified.subject()),
                session: verified.session(),
                claims: Arc::clone(verified.claims()),
                deadline,
            },
        })
    }
}
