//! The two users that everybody tries the service with.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::auth::{Auth, Session};

/// The user who has a name.
pub const ADA: &str = "ada@example.com";
/// The name of [`ADA`].
pub const ADA_NAME: &str = "Ada Lovelace";
/// The user whose name is NULL.
pub const NAMELESS: &str = "nameless@example.com";
/// The password of both.
pub const PASSWORD: &str = "password";

/// A session of each user.
#[derive(Clone, Debug)]
pub struct Seeds {
    /// [`ADA`]'s.
    pub ada: Session,
    /// [`NAMELESS`]'s.
    pub nameless: Session,
}

/// Signs both users in, or up where they are not there yet; the project's sign-up trigger makes
/// their rows in `public.users`.
pub async fn seed(auth: &Auth) -> Result<Seeds> {
    let ada = enter(auth, ADA, json!({ "full_name": ADA_NAME })).await?;
    let nameless = enter(auth, NAMELESS, json!({})).await?;
    Ok(Seeds { ada, nameless })
}

async fn enter(auth: &Auth, email: &str, data: Value) -> Result<Session> {
    let outcome = match auth.sign_in(email, PASSWORD).await {
        Err(error) if error.code == "invalid_credentials" => {
            auth.sign_up(email, PASSWORD, data).await
        }
        outcome => outcome,
    };
    outcome.with_context(|| format!("cannot sign {email} in (make clean starts afresh)"))
}
