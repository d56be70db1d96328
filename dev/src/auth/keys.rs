//! The issuer's ES256 keys: made, published, rotated, signed with.

use std::fs;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, Result, anyhow, bail};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::postgres::write_private;

/// What Supabase calls the state of a signing key. All but a revoked one are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyState {
    /// Published before it is used, so that verifiers know it in time.
    Standby,
    /// Signs. There is exactly one.
    InUse,
    /// Signs no more; what it signed is still good.
    PreviouslyUsed,
    /// No longer published: what it signed is refused.
    Revoked,
}

#[derive(Clone, Serialize, Deserialize)]
struct SigningKey {
    kid: String,
    state: KeyState,
    /// PKCS #8 in Base64.
    private: String,
}

/// The keys of one issuer. Clones share them.
#[derive(Clone)]
pub struct Keys(Arc<RwLock<Vec<SigningKey>>>);

impl Keys {
    /// Makes one key, in use.
    pub fn generate() -> Result<Self> {
        Ok(Self(Arc::new(RwLock::new(vec![SigningKey::generate(KeyState::InUse)?]))))
    }

    /// Reads the keys from a file, made with one key where it is missing, readable by us alone.
    pub fn load_or_create(path: &Path) -> Result<Self> {
        if path.exists() {
            let keys = serde_json::from_str(&fs::read_to_string(path)?)
                .with_context(|| format!("{} is damaged: make clean", path.display()))?;
            return Ok(Self(Arc::new(RwLock::new(keys))));
        }
        let keys = Self::generate()?;
        write_private(path, &serde_json::to_string_pretty(&keys.all())?)?;
        Ok(keys)
    }

    /// The `kid` of the key in use.
    pub fn current(&self) -> Result<String> {
        Ok(self.in_use()?.kid)
    }

    /// Adds a key that is published but not used yet, and tells its `kid`.
    pub fn add_standby(&self) -> Result<String> {
        let key = SigningKey::generate(KeyState::Standby)?;
        let kid = key.kid.clone();
        self.change(|keys| keys.push(key));
        Ok(kid)
    }

    /// Takes the standby key into use (one is made where there is none), and tells its `kid`.
    pub fn rotate(&self) -> Result<String> {
        let standby = self.all().into_iter().find(|key| key.state == KeyState::Standby);
        let kid = standby.map_or_else(|| self.add_standby(), |key| Ok(key.kid))?;
        self.change(|keys| {
            for key in keys {
                if key.state == KeyState::InUse {
                    key.state = KeyState::PreviouslyUsed;
                }
                if key.kid == kid {
                    key.state = KeyState::InUse;
                }
            }
        });
        Ok(kid)
    }

    /// Takes a key out of the published set.
    pub fn revoke(&self, kid: &str) {
        self.change(|keys| {
            for key in keys.iter_mut().filter(|key| key.kid == kid) {
                key.state = KeyState::Revoked;
            }
        });
    }

    /// The published set, as `/.well-known/jwks.json` serves it.
    pub fn jwks(&self) -> Result<Value> {
        let published = self.all().into_iter().filter(|key| key.state != KeyState::Revoked);
        Ok(json!({ "keys": published.map(|key| key.public()).collect::<Result<Vec<_>>>()? }))
    }

    /// A token with these claims, signed by the key in use.
    pub fn sign(&self, claims: &Value) -> Result<String> {
        let key = self.in_use()?;
        key.sign_claims(claims)
    }

    /// A token signed by any of the keys, whatever its state.
    pub fn sign_by(&self, kid: &str, claims: &Value) -> Result<String> {
        let key = self.all().into_iter().find(|key| key.kid == kid);
        key.with_context(|| format!("no key {kid}"))?.sign_claims(claims)
    }

    /// A token of any header and payload, JSON or not, with a true signature of the key in use.
    pub fn sign_parts(&self, header: &str, payload: &str) -> Result<String> {
        self.in_use()?.sign(header, payload)
    }

    /// The claims of a token that a published key signed. Looks at nothing else.
    pub(super) fn verify(&self, token: &str) -> Result<Value> {
        let (message, signature) = token.rsplit_once('.').context("not three parts")?;
        let (header, payload) = message.split_once('.').context("not three parts")?;
        let header: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(header)?)?;
        let keys = self.all();
        let key = keys.iter().find(|key| header["kid"] == *key.kid).context("unknown kid")?;
        if key.state == KeyState::Revoked || header["alg"] != "ES256" {
            bail!("revoked key or other algorithm");
        }
        let pair = key.pair()?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key())
            .verify(message.as_bytes(), &BASE64_URL_SAFE_NO_PAD.decode(signature)?)
            .map_err(|_| anyhow!("wrong signature"))?;
        Ok(serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload)?)?)
    }

    fn all(&self) -> Vec<SigningKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn in_use(&self) -> Result<SigningKey> {
        self.all().into_iter().find(|key| key.state == KeyState::InUse).context("no key in use")
    }

    fn change(&self, change: impl FnOnce(&mut Vec<SigningKey>)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.all().iter().map(|key| (&key.kid, key.state))).finish()
    }
}

impl SigningKey {
    fn generate(state: KeyState) -> Result<Self> {
        let random = SystemRandom::new();
        let private = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .context("cannot make a key")?;
        let private = BASE64_STANDARD.encode(private);
        Ok(Self { kid: Uuid::new_v4().to_string(), state, private })
    }

    fn pair(&self) -> Result<EcdsaKeyPair> {
        let private = BASE64_STANDARD.decode(&self.private)?;
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &private)
            .map_err(|error| anyhow!("key {}: {error}", self.kid))
    }

    /// The key as RFC 7517 and RFC 7518, section 6.2, write it.
    fn public(&self) -> Result<Value> {
        let pair = self.pair()?;
        // An uncompressed point: 4, then x and y of 32 bytes each.
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        Ok(json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "key_ops": ["verify"],
            "kid": self.kid, "ext": true,
            "x": BASE64_URL_SAFE_NO_PAD.encode(x), "y": BASE64_URL_SAFE_NO_PAD.encode(y),
        }))
    }

    fn sign_claims(&self, claims: &Value) -> Result<String> {
        let header = json!({ "alg": "ES256", "kid": self.kid, "typ": "JWT" });
        self.sign(&header.to_string(), &claims.to_string())
    }

    /// The compact form of RFC 7515, section 3.1.
    fn sign(&self, header: &str, payload: &str) -> Result<String> {
        let [header, payload] = [header, payload].map(|it| BASE64_URL_SAFE_NO_PAD.encode(it));
        let message = format!("{header}.{payload}");
        let signature = self.pair()?.sign(&SystemRandom::new(), message.as_bytes())?;
        Ok(format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}
