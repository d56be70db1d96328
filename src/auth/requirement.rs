//! What each method requires of its caller, read from the descriptors once.

use std::collections::HashMap;

use prost_reflect::{DescriptorPool, ExtensionDescriptor, MethodDescriptor, Value};

use crate::error::Reason;

use super::{SettingsError, refusal::Refusal, verified::Verified};

/// The method option in `proto/auth/v1/requirement.proto`.
const EXTENSION: &str = "auth.v1.requires";

/// Who may call a method. A token that is sent is verified first, whatever is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// Any signed-in user: what a method requires that says nothing.
    SignedIn,
    /// Anybody.
    Public,
    /// A signed-in user who is not anonymous.
    PermanentUser,
    /// A signed-in user with a second factor.
    Aal2,
}

impl Requirement {
    fn from_number(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::SignedIn),
            1 => Some(Self::Public),
            2 => Some(Self::PermanentUser),
            3 => Some(Self::Aal2),
            _ => None,
        }
    }

    /// Refuses a caller who is not what is required.
    pub(super) fn check(self, caller: Option<&Verified>) -> Result<(), Refusal> {
        match (self, caller) {
            (Self::Public, _) => Ok(()),
            (_, None) => Err(Refusal::new(Reason::TokenMissing, "no token")),
            (Self::PermanentUser, Some(caller)) if caller.is_anonymous() => Err(Refusal::new(
                Reason::PermanentUserRequired,
                "an anonymous user on a method for permanent users",
            )),
            (Self::Aal2, Some(caller)) if !caller.has_second_factor() => {
                Err(Refusal::new(Reason::Aal2Required, "no second factor"))
            }
            (_, Some(_)) => Ok(()),
        }
    }
}

/// The requirements of every method, by its path on the gRPC wire.
#[derive(Debug)]
pub(super) struct Requirements(HashMap<String, Requirement>);

impl Requirements {
    /// Reads them. A value that this version does not know stops the start: it may be stricter
    /// than any that it does.
    pub(super) fn read(pool: &DescriptorPool) -> Result<Self, SettingsError> {
        let extension = pool.get_extension_by_name(EXTENSION);
        let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
        let required = methods.map(|method| {
            let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
            match requirement(&method, extension.as_ref()) {
                Some(requirement) => Ok((path, requirement)),
                None => Err(SettingsError::UnknownRequirement(path)),
            }
        });
        Ok(Self(required.collect::<Result<_, _>>()?))
    }

    /// What a method requires; `None` for one that the descriptors do not know.
    pub(super) fn of(&self, path: &str) -> Option<Requirement> {
        self.0.get(path).copied()
    }
}

fn requirement(
    method: &MethodDescriptor,
    extension: Option<&ExtensionDescriptor>,
) -> Option<Requirement> {
    let Some(extension) = extension else {
        return Some(Requirement::SignedIn); // no file of the set imports the option
    };
    match method.options().get_extension(extension).as_ref() {
        Value::EnumNumber(number) => Requirement::from_number(*number),
        _ => None,
    }
}
