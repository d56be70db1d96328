//! The RPCs of `user.v1.UserService`.

use prost_reflect::DescriptorPool;
use tonic::{Request, Response, Status, codec::CompressionEncoding};

use crate::{
    auth::{Auth, Caller, Guarded, Sessions},
    db::{Db, users},
    error::{Error, Reason},
    limits::{NoLimits, Text},
    proto::user::v1::{
        GetNameRequest, GetNameResponse, UpdateNameRequest, UpdateNameResponse,
        user_service_server::{self, UserServiceServer},
    },
};

/// The RPCs. Built behind their guard by [`guarded`] and in no other way.
pub struct UserService {
    db: Db,
    full_name: Text,
}

/// The service behind its guard: no call reaches an RPC without a [`Caller`]. Requests may be gzip;
/// what they unpack to has at most `max_message_bytes`.
///
/// # Errors
/// The descriptors lack the limits of a field that the service checks.
pub fn guarded(
    db: Db,
    descriptors: &DescriptorPool,
    auth: &Auth,
    sessions: Sessions,
    max_message_bytes: usize,
) -> Result<Guarded<UserServiceServer<UserService>>, NoLimits> {
    let full_name = Text::named(descriptors, "user.v1.UpdateNameRequest", "full_name")?;
    let service = UserServiceServer::new(UserService { db, full_name })
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(max_message_bytes);
    Ok(auth.guard(service, sessions))
}

#[tonic::async_trait]
impl user_service_server::UserService for UserService {
    async fn get_name(
        &self,
        request: Request<GetNameRequest>,
    ) -> Result<Response<GetNameResponse>, Status> {
        let (caller, _) = Caller::take(request)?;
        Ok(Response::new(self.name(&caller).await?))
    }

    async fn update_name(
        &self,
        request: Request<UpdateNameRequest>,
    ) -> Result<Response<UpdateNameResponse>, Status> {
        let (caller, request) = Caller::take(request)?;
        Ok(Response::new(self.rename(&caller, request).await?))
    }
}

impl UserService {
    async fn name(&self, caller: &Caller) -> Result<GetNameResponse, Error> {
        let row = users::full_name(&self.db, caller).await?;
        let full_name = row.ok_or(Reason::UserNotFound)?;
        Ok(GetNameResponse { full_name })
    }

    async fn rename(
        &self,
        caller: &Caller,
        request: UpdateNameRequest,
    ) -> Result<UpdateNameResponse, Error> {
        let name = self.full_name.check(&request.full_name);
        let name = name.map_err(|wrong| Error::field("full_name", wrong))?;
        let stored = users::set_full_name(&self.db, caller, name).await?;
        let full_name = stored.ok_or(Reason::UserNotFound)?;
        Ok(UpdateNameResponse { full_name })
    }
}
