//! Users: signing up, proving a password, and how a user looks on the wire.

use serde_json::{Map, Value, json};
use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::error::AuthError;

/// Cost of a password's bcrypt hash: low, since these passwords guard nothing.
const BCRYPT_COST: i32 = 6;

/// Addresses in this domain have to be confirmed; all others count as confirmed when they sign up.
const UNCONFIRMED_DOMAIN: &str = "@confirm.example.com";

/// The user as Supabase Auth shows it. PostgreSQL writes times as ISO 8601.
const USER: &str = "
    select jsonb_build_object(
      'id', id, 'aud', aud, 'role', role, 'email', coalesce(email, ''),
      'email_confirmed_at', email_confirmed_at, 'confirmation_sent_at', confirmation_sent_at, 'phone', coalesce(phone, ''),
      'confirmed_at', confirmed_at, 'last_sign_in_at', last_sign_in_at,
      'app_metadata', raw_app_meta_data, 'user_metadata', raw_user_meta_data,
      'identities', coalesce((
        select jsonb_agg(jsonb_build_object(
          'identity_id', i.id, 'id', i.provider_id, 'user_id', i.user_id,
          'identity_data', i.identity_data, 'provider', i.provider,
          'last_sign_in_at', i.last_sign_in_at, 'created_at', i.created_at,
          'updated_at', i.updated_at, 'email', i.email))
        from auth.identities i where i.user_id = users.id), '[]'),
      'created_at', created_at, 'updated_at', updated_at, 'banned_until', banned_until,
      'is_anonymous', is_anonymous)
    from auth.users where id = $1 and deleted_at is null";

/// Whether a user with this address has to open a link first.
pub(super) fn must_confirm(email: &str) -> bool {
    email.trim().to_lowercase().ends_with(UNCONFIRMED_DOMAIN)
}

/// Makes a user. Their address counts as confirmed unless it [must be](must_confirm).
pub(super) async fn create(
    tx: &Transaction<'_>,
    email: &str,
    password: &str,
    data: Map<String, Value>,
) -> Result<Uuid, AuthError> {
    let email = email.trim().to_lowercase();
    let (name, domain) = email.split_once('@').unwrap_or_default();
    if name.is_empty() || domain.is_empty() || email.len() > 255 || email.contains(' ') {
        let message = "Unable to validate email address: invalid format";
        return Err(AuthError::new(400, "validation_failed", message));
    }
    if password.is_empty() {
        let message = "Signup requires a valid password";
        return Err(AuthError::new(400, "validation_failed", message));
    }
    if password.chars().count() < 6 {
        return Err(AuthError::weak_password());
    }
    if password.len() > 72 {
        let message = "Password cannot be longer than 72 characters";
        return Err(AuthError::new(400, "validation_failed", message));
    }

    let id = Uuid::new_v4();
    let confirmed = !must_confirm(&email);
    let link = if confirmed { String::new() } else { Uuid::new_v4().simple().to_string() };
    let mut user_data = data;
    let identity = json!({
        "sub": id, "email": email, "email_verified": confirmed, "phone_verified": false,
    });
    if let Value::Object(identity) = &identity {
        user_data.extend(identity.clone());
    }
    let app_data = json!({ "provider": "email", "providers": ["email"] });
    let sql = "
        insert into auth.users (instance_id, id, aud, role, email, encrypted_password,
          email_confirmed_at, last_sign_in_at, confirmation_sent_at, raw_app_meta_data,
          raw_user_meta_data, created_at, updated_at, confirmation_token, recovery_token,
          email_change_token_new, email_change)
        values ('00000000-0000-0000-0000-000000000000', $1, 'authenticated', 'authenticated', $2,
          extensions.crypt($3, extensions.gen_salt('bf', $4)),
          case $7 when '' then now() end, case $7 when '' then now() end,
          case $7 when '' then null else now() end, $5, $6, now(), now(), $7, '', '', '')";
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
        [&id, &email, &password, &BCRYPT_COST, &app_data, &Value::Object(user_data), &link];
    tx.execute(sql, &values).await.map_err(already_registered)?;

    let sql = "
        insert into auth.identities (provider_id, user_id, identity_data, provider,
          last_sign_in_at, created_at, updated_at)
        values ($1::uuid::text, $1, $2, 'email', now(), now(), now())";
    tx.execute(sql, &[&id, &identity]).await?;
    Ok(id)
}

/// Makes a user without e-mail address and password.
pub(super) async fn create_anonymous(
    tx: &Transaction<'_>,
    data: Map<String, Value>,
) -> Result<Uuid, AuthError> {
    let id = Uuid::new_v4();
    let sql = "
        insert into auth.users (instance_id, id, aud, role, last_sign_in_at, raw_app_meta_data,
          raw_user_meta_data, created_at, updated_at, confirmation_token, recovery_token,
          email_change_token_new, email_change, is_anonymous)
        values ('00000000-0000-0000-0000-000000000000', $1, 'authenticated', 'authenticated',
          now(), '{}', $2, now(), now(), '', '', '', '', true)";
    tx.execute(sql, &[&id, &Value::Object(data)]).await?;
    Ok(id)
}

/// Confirms the address that the link with this token was sent to, and tells whose it is.
pub(super) async fn confirm(tx: &Transaction<'_>, token: &str) -> Result<Uuid, AuthError> {
    let verified = json!({ "email_verified": true });
    let sql = "
        update auth.users set email_confirmed_at = now(), last_sign_in_at = now(),
          updated_at = now(), confirmation_token = '',
          raw_user_meta_data = raw_user_meta_data || $2
        where confirmation_token = $1 and confirmation_token <> '' and deleted_at is null
        returning id";
    let expired = || AuthError::new(403, "otp_expired", "Email link is invalid or has expired");
    let id: Uuid = tx.query_opt(sql, &[&token, &verified]).await?.ok_or_else(expired)?.get(0);
    let sql = "
        update auth.identities set identity_data = identity_data || $2, updated_at = now()
        where user_id = $1";
    tx.execute(sql, &[&id, &verified]).await?;
    Ok(id)
}

/// The user that this e-mail address and password belong to.
pub(super) async fn authenticate(
    tx: &Transaction<'_>,
    email: &str,
    password: &str,
) -> Result<Uuid, AuthError> {
    let sql = "
        select id, banned_until > now(), email_confirmed_at is not null from auth.users
        where email = $1 and deleted_at is null
          and encrypted_password = extensions.crypt($2, encrypted_password)";
    let row = tx.query_opt(sql, &[&email.trim().to_lowercase(), &password]).await?;
    let wrong = || AuthError::new(400, "invalid_credentials", "Invalid login credentials");
    let row = row.ok_or_else(wrong)?;
    if row.get::<_, Option<bool>>(1) == Some(true) {
        return Err(AuthError::new(400, "user_banned", "User is banned"));
    }
    if !row.get::<_, bool>(2) {
        return Err(AuthError::not_confirmed());
    }
    let id: Uuid = row.get(0);
    let sql = "update auth.users set last_sign_in_at = now(), updated_at = now() where id = $1";
    tx.execute(sql, &[&id]).await?;
    Ok(id)
}

/// The user as Supabase Auth shows it; `None` when there is no such user or it was deleted.
pub(super) async fn show(tx: &Transaction<'_>, id: Uuid) -> Result<Option<Value>, AuthError> {
    let row = tx.query_opt(USER, &[&id]).await?;
    Ok(row.map(|row| {
        let mut user: Value = row.get(0);
        if let Value::Object(members) = &mut user {
            members.retain(|_, value| !value.is_null());
        }
        user
    }))
}

fn already_registered(error: tokio_postgres::Error) -> AuthError {
    let database = error.as_db_error();
    // A sign-up trigger of the project may fail on a constraint of its own: that is not this.
    let ours = database.is_some_and(|it| it.constraint() == Some("users_email_partial_key"));
    if error.code() == Some(&SqlState::UNIQUE_VIOLATION) && ours {
        return AuthError::new(422, "user_already_exists", "User already registered");
    }
    error.into()
}
