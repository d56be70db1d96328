//! Sessions: access tokens, refresh tokens and their rotation, signing out.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::anyhow;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde::Serialize;
use serde_json::{Value, json};
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::error::AuthError;
use super::keys::Keys;
use super::users;

/// Life of an access token, in seconds: Supabase's default. Under 90 s every read in supabase-js
/// would refresh.
pub const ACCESS_TOKEN_LIFETIME: u64 = 3600;
/// How long a refresh token may be used again, in seconds: server components cannot store the new
/// one, so two refreshes race.
const REUSE_INTERVAL: f64 = 10.0;

/// A session as Supabase Auth answers a sign-in.
#[derive(Clone, Debug, Serialize)]
pub struct Session {
    /// The JWT that callers send.
    pub access_token: String,
    /// Always `bearer`.
    pub token_type: &'static str,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    /// When it expires, in seconds since 1970.
    pub expires_at: u64,
    /// Good for one refresh, and for 10 s more.
    pub refresh_token: String,
    /// The user, as supabase-js shows it.
    pub user: Value,
    /// What the access token says.
    #[serde(skip)]
    pub claims: Value,
}

impl Session {
    /// The user's id: the token's `sub`.
    pub fn user_id(&self) -> Uuid {
        self.claims["sub"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default()
    }

    /// The session's id: the token's `session_id`.
    pub fn session_id(&self) -> Uuid {
        self.claims["session_id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default()
    }
}

/// Which sessions a sign-out ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of the user's.
    Global,
    /// The token's own.
    Local,
    /// All of the user's but the token's own.
    Others,
}

/// Issues what the sessions of one issuer need.
#[derive(Clone, Debug)]
pub(super) struct Issuer {
    pub(super) keys: Keys,
    pub(super) name: String,
}

impl Issuer {
    /// Begins a session of the user, who proved who they are by `method` (as `amr` calls it).
    pub(super) async fn begin(
        &self,
        tx: &Transaction<'_>,
        user: Uuid,
        method: &str,
    ) -> Result<Session, AuthError> {
        let session = Uuid::new_v4();
        let sql = "
            insert into auth.sessions (id, user_id, created_at, updated_at, aal)
            values ($1, $2, now(), now(), 'aal1')";
        tx.execute(sql, &[&session, &user]).await?;
        let sql = "
            insert into auth.mfa_amr_claims (id, session_id, created_at, updated_at,
              authentication_method)
            values ($1, $2, now(), now(), $3)";
        tx.execute(sql, &[&Uuid::new_v4(), &session, &method]).await?;
        let refresh_token = add_refresh_token(tx, session, user, None).await?;
        self.issue(tx, session, user, refresh_token).await
    }

    /// Changes a refresh token for a new session state.
    pub(super) async fn refresh(
        &self,
        tx: &Transaction<'_>,
        token: &str,
    ) -> Result<Session, AuthError> {
        let unknown = || refused("refresh_token_not_found", "Refresh Token Not Found");
        // Two refreshes of one session wait here for each other.
        let sql = "
            select s.id from auth.sessions s join auth.refresh_tokens t on t.session_id = s.id
            where t.token = $1 for update of s";
        let row = tx.query_opt(sql, &[&token]).await?;
        let session: Uuid = row.ok_or_else(unknown)?.get(0);
        let sql = "
            select s.user_id, coalesce(s.not_after < now(), false),
              coalesce(u.banned_until > now(), false), t.revoked,
              extract(epoch from now() - t.updated_at)::float8
            from auth.refresh_tokens t
            join auth.sessions s on s.id = t.session_id
            join auth.users u on u.id = s.user_id and u.deleted_at is null
            where t.token = $1";
        let row = tx.query_opt(sql, &[&token]).await?.ok_or_else(unknown)?;
        let (user, ended, banned, used): (Uuid, bool, bool, bool) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let used_for: f64 = row.get(4);
        if ended {
            return Err(refused("session_expired", "Session Expired"));
        }
        if banned {
            return Err(refused("user_banned", "User Banned"));
        }
        if !used {
            let next = add_refresh_token(tx, session, user, Some(token)).await?;
            return self.issue(tx, session, user, next).await;
        }
        let sql = "
            select token, parent from auth.refresh_tokens
            where session_id = $1 and not revoked order by id desc limit 1";
        let active = tx.query_opt(sql, &[&session]).await?;
        if let Some(active) = active {
            // The client never stored what it was given, or two of its parts refreshed at once.
            let is_child = active.get::<_, Option<&str>>(1) == Some(token);
            if is_child || used_for < REUSE_INTERVAL {
                return self.issue(tx, session, user, active.get(0)).await;
            }
        }
        Err(refused("refresh_token_already_used", "Already Used"))
    }

    /// The claims of Supabase's access tokens, signed.
    async fn issue(
        &self,
        tx: &Transaction<'_>,
        session: Uuid,
        user: Uuid,
        refresh_token: String,
    ) -> Result<Session, AuthError> {
        let sql = "
            update auth.sessions s set refreshed_at = now() at time zone 'utc', updated_at = now()
            where id = $1
            returning aal::text, (
              select coalesce(jsonb_agg(jsonb_build_object('method', authentication_method,
                'timestamp', extract(epoch from updated_at)::bigint) order by updated_at desc), '[]')
              from auth.mfa_amr_claims where session_id = s.id)";
        let row = tx.query_one(sql, &[&session]).await?;
        let (aal, amr): (String, Value) = (row.get(0), row.get(1));
        let shown = users::show(tx, user).await?.ok_or_else(user_not_found)?;
        let now = now();
        let expires_at = now + ACCESS_TOKEN_LIFETIME;
        let claims = json!({
            "iss": self.name, "sub": user, "aud": "authenticated", "exp": expires_at, "iat": now,
            "email": shown["email"], "phone": shown["phone"],
            "app_metadata": shown["app_metadata"], "user_metadata": shown["user_metadata"],
            "role": "authenticated", "aal": aal, "amr": amr, "session_id": session,
            "is_anonymous": shown["is_anonymous"],
        });
        Ok(Session {
            access_token: self.keys.sign(&claims)?,
            token_type: "bearer",
            expires_in: ACCESS_TOKEN_LIFETIME,
            expires_at,
            refresh_token,
            user: shown,
            claims,
        })
    }

    /// The user and session of an access token that is good now and whose session has not ended.
    pub(super) async fn authenticate(
        &self,
        tx: &Transaction<'_>,
        token: &str,
    ) -> Result<(Value, Uuid), AuthError> {
        let bad = |cause: &anyhow::Error| {
            let text = format!("invalid JWT: unable to parse or verify signature, {cause}");
            AuthError::new(403, "bad_jwt", text)
        };
        let claims = self.keys.verify(token).map_err(|cause| bad(&cause))?;
        if claims["exp"].as_u64().is_none_or(|exp| exp <= now()) {
            return Err(bad(&anyhow!("token is expired")));
        }
        let id = |name: &str| -> Option<Uuid> { claims[name].as_str()?.parse().ok() };
        let user = id("sub").ok_or_else(|| bad(&anyhow!("invalid sub")))?;
        let shown = users::show(tx, user).await?.ok_or_else(user_not_found)?;
        let session = id("session_id").unwrap_or_default();
        let sql = "select 1 from auth.sessions where id = $1 and user_id = $2";
        if tx.query_opt(sql, &[&session, &user]).await?.is_none() {
            let message = "Session from session_id claim in JWT does not exist";
            return Err(AuthError::new(403, "session_not_found", message));
        }
        let sql = "select banned_until > now() from auth.users where id = $1";
        if tx.query_one(sql, &[&user]).await?.get::<_, Option<bool>>(0) == Some(true) {
            return Err(AuthError::new(403, "user_banned", "User is banned"));
        }
        Ok((shown, session))
    }
}

/// Ends sessions of the user that `session` belongs to.
pub(super) async fn end(
    tx: &Transaction<'_>,
    session: Uuid,
    scope: Scope,
) -> Result<(), AuthError> {
    let condition = match scope {
        Scope::Local => "id = $1",
        Scope::Global => "user_id = (select user_id from auth.sessions where id = $1)",
        Scope::Others => "user_id = (select user_id from auth.sessions where id = $1) and id <> $1",
    };
    tx.execute(&format!("delete from auth.sessions where {condition}"), &[&session]).await?;
    Ok(())
}

/// Adds a refresh token in the place of `parent`, which is then used up.
async fn add_refresh_token(
    tx: &Transaction<'_>,
    session: Uuid,
    user: Uuid,
    parent: Option<&str>,
) -> Result<String, AuthError> {
    let sql = "update auth.refresh_tokens set revoked = true, updated_at = now() where token = $1";
    tx.execute(sql, &[&parent]).await?;
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| anyhow!("no randomness"))?;
    let token = BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let sql = "
        insert into auth.refresh_tokens (token, user_id, session_id, parent, revoked, created_at,
          updated_at)
        values ($1, $2::uuid::text, $3, $4, false, now(), now())";
    tx.execute(sql, &[&token, &user, &session, &parent]).await?;
    Ok(token)
}

fn refused(code: &'static str, why: &str) -> AuthError {
    AuthError::new(400, code, format!("Invalid Refresh Token: {why}"))
}

fn user_not_found() -> AuthError {
    AuthError::new(403, "user_not_found", "User from sub claim in JWT does not exist")
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
