//! The RPCs of `user.v1.UserService`.

use tonic::{Request, Response, Status, codec::CompressionEncoding};

use crate::{
    auth::{Auth, Caller, Guarded, Sessions},
    db::{Db, users},
    error::{Error, Reason},
    proto::user::v1::{
        GetNameRequest, GetNameResponse, UpdateNameRequest, UpdateNameResponse,
        user_service_server::{self, UserServiceServer},
    },
};

/// The longest name, in Unicode scalar values.
const MAX_NAME: usize = 200;

/// The RPCs. Built behind their guard by [`guarded`] and in no other way.
pub struct UserService {
    db: Db,
}

/// The service behind its guard: no call reaches an RPC without a [`Caller`]. Requests may be gzip;
/// what they unpack to has at most `max_message_bytes`.
pub fn guarded(
    db: Db,
    auth: &Auth,
    sessions: Sessions,
    max_message_bytes: usize,
) -> Guarded<UserServiceServer<UserService>> {
    let service = UserServiceServer::new(UserService { db })
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(max_message_bytes);
    auth.guard(service, sessions)
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
        let name = valid_name(&request.full_name)?;
        let stored = users::set_full_name(&self.db, caller, name).await?;
        let full_name = stored.ok_or(Reason::UserNotFound)?;
        Ok(UpdateNameResponse { full_name })
    }
}

/// The name without the white space around it, if it may be stored.
fn valid_name(name: &str) -> Result<&str, Error> {
    let name = name.trim();
    let wrong = |description| Err(Error::field("full_name", description));
    if name.is_empty() {
        return wrong("must not be empty");
    }
    if name.chars().count() > MAX_NAME {
        return wrong("must have at most 200 characters");
    }
    if name.chars().any(char::is_control) {
        return wrong("must not hold control characters");
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_then_has_1_to_200_characters_without_controls() {
        assert_eq!(valid_name("  Ada \u{2003}").ok(), Some("Ada"));
        assert_eq!(valid_name(&"é".repeat(200)).ok(), Some("é".repeat(200).as_str()));
        for wrong in ["", " \t\n", &"é".repeat(201), "Ada\0", "Ada\u{85}Lovelace"] {
            let error = valid_name(wrong).expect_err(wrong);
            assert_eq!(error.reason(), Reason::FieldInvalid);
        }
    }
}
