//! An issuer with keys made at run time, and a key server that can be told to misbehave.

pub mod alone;
pub mod issuer;
pub mod key_server;

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use prost_reflect::DescriptorPool;
use user_service::{
    auth::{Auth, Clock, JwksSettings, Secret, Settings, Verified},
    error::Reason,
    proto,
};

use issuer::{ISSUER, Issuer};
use key_server::KeyServer;

/// Where a standing clock starts: an arbitrary moment.
pub const NOW: u32 = 1_700_000_000;

/// Verification of one issuer's tokens by both families of keys, at a time that stands still.
pub struct Rig {
    pub issuer: Issuer,
    pub server: KeyServer,
    pub clock: Clock,
    pub auth: Auth,
}

impl Rig {
    /// Keys fetched, nothing refreshed in the background.
    pub async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// The same with other settings.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let issuer = Issuer::new();
        let server = KeyServer::start(issuer.jwks()).await;
        let clock = Clock::standing_at(NOW);
        let mut settings = settings(&issuer, &server);
        change(&mut settings);
        let auth = auth(settings, &clock);
        auth.fetch_keys().await.expect("the key server answers");
        Self { issuer, server, clock, auth }
    }

    /// The reason for which this token is refused.
    pub fn refusal(&self, token: &str) -> Option<Reason> {
        refusal(&self.auth, token)
    }

    /// A valid ES256 token.
    pub fn token(&self) -> String {
        self.issuer.es256(&self.issuer.claims(NOW))
    }
}

/// Settings that accept everything the issuer signs.
pub fn settings(issuer: &Issuer, server: &KeyServer) -> Settings {
    let cooldown = Duration::from_secs(30);
    Settings {
        secrets: vec![Secret::new(&issuer.secret).expect("the secret is long enough")],
        jwks: Some(JwksSettings { cooldown, ..JwksSettings::new(server.url()) }),
        issuer: Some(ISSUER.to_owned()),
        ..Settings::default()
    }
}

/// Verification by these settings.
pub fn auth(settings: Settings, clock: &Clock) -> Auth {
    let pool = DescriptorPool::decode(proto::DESCRIPTORS).expect("our descriptors decode");
    Auth::new(settings, &pool, clock.clone()).expect("the settings are good")
}

/// `Authorization: Bearer <token>`.
pub fn bearer(token: &str) -> HeaderMap {
    authorization(format!("Bearer {token}").as_bytes())
}

/// An `Authorization` header of these bytes.
pub fn authorization(value: &[u8]) -> HeaderMap {
    let value = HeaderValue::from_bytes(value).expect("HTTP allows these bytes");
    HeaderMap::from_iter([(AUTHORIZATION, value)])
}

/// The reason for which this token is refused; `None` when it is accepted.
pub fn refusal(auth: &Auth, token: &str) -> Option<Reason> {
    auth.verify(&bearer(token)).err().map(|error| error.reason())
}

/// What a token says that must be accepted.
#[track_caller]
pub fn accepted(auth: &Auth, token: &str) -> Verified {
    match auth.verify(&bearer(token)) {
        Ok(verified) => verified.expect("there was a token"),
        Err(error) => panic!("refused: {error:?}"),
    }
}
