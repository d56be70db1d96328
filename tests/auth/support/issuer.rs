//! Signs anything: well-formed tokens and every kind of broken one.

use aws_lc_rs::{
    encoding::AsDer as _,
    hmac, rand,
    rand::SystemRandom,
    rsa::{self, KeySize, PublicKeyComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub const ISSUER: &str = "https://project.example/auth/v1";
pub const USER: &str = "0f0e0d0c-0b0a-4908-8706-050403020100";
pub const SESSION: &str = "11111111-2222-4333-8444-555555555555";

/// One key of each kind.
pub struct Issuer {
    pub secret: Vec<u8>,
    pub ec: EcdsaKeyPair,
    pub ed: Ed25519KeyPair,
    pub rsa: rsa::KeyPair,
}

impl Issuer {
    pub fn new() -> Self {
        Self {
            secret: random_secret(),
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            ed: Ed25519KeyPair::generate().unwrap(),
            rsa: rsa::KeyPair::generate(KeySize::Rsa2048).unwrap(),
        }
    }

    /// The claims of a Supabase access token that is valid at `now`.
    pub fn claims(&self, now: u32) -> Value {
        json!({
            "iss": ISSUER,
            "sub": USER,
            "aud": "authenticated",
            "exp": now + 3600,
            "iat": now,
            "email": "someone@example.com",
            "phone": "",
            "app_metadata": {"provider": "email", "providers": ["email"]},
            "user_metadata": {"full_name": "Some One"},
            "role": "authenticated",
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": now}],
            "session_id": SESSION,
            "is_anonymous": false,
        })
    }

    pub fn hs256(&self, claims: &Value) -> String {
        self.sign(&json!({"alg": "HS256", "typ": "JWT"}), claims)
    }

    pub fn es256(&self, claims: &Value) -> String {
        self.sign(&json!({"alg": "ES256", "typ": "JWT", "kid": "ec"}), claims)
    }

    pub fn rs256(&self, claims: &Value) -> String {
        self.sign(&json!({"alg": "RS256", "typ": "JWT", "kid": "rsa"}), claims)
    }

    pub fn eddsa(&self, claims: &Value) -> String {
        self.sign(&json!({"alg": "EdDSA", "typ": "JWT", "kid": "ed"}), claims)
    }

    /// A token of this header and these claims, signed by the key that `alg` names.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// A token of any two texts, signed by the key that the first one's `alg` names.
    pub fn sign_text(&self, header: &str, payload: &str) -> String {
        let parsed: Value = serde_json::from_str(header).unwrap_or_default();
        let algorithm = parsed["alg"].as_str().unwrap_or("HS256").to_owned();
        self.sign_bytes(&algorithm, header.as_bytes(), payload.as_bytes())
    }

    pub fn sign_bytes(&self, algorithm: &str, header: &[u8], payload: &[u8]) -> String {
        let input = format!("{}.{}", encode(header), encode(payload));
        let signature = self.signature(algorithm, input.as_bytes());
        format!("{input}.{}", encode(&signature))
    }

    pub fn signature(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match algorithm {
            "ES256" => self.ec.sign(&random, message).unwrap().as_ref().to_vec(),
            "EdDSA" => self.ed.sign(message).as_ref().to_vec(),
            "RS256" => {
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            _ => hs256_signature(&self.secret, message),
        }
    }

    pub fn ec_jwk(&self) -> Value {
        let point = self.ec.public_key().as_ref();
        json!({
            "kty": "EC", "crv": "P-256", "kid": "ec", "alg": "ES256", "use": "sig",
            "key_ops": ["verify"], "x": encode(&point[1..33]), "y": encode(&point[33..]),
        })
    }

    pub fn ed_jwk(&self) -> Value {
        let point = self.ed.public_key().as_ref();
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encode(point)})
    }

    pub fn rsa_jwk(&self) -> Value {
        rsa_jwk(&self.rsa)
    }

    /// The published set: one key of each asymmetric kind.
    pub fn jwks(&self) -> Value {
        json!({"keys": [self.ec_jwk(), self.ed_jwk(), self.rsa_jwk()]})
    }

    /// The RSA public key as DER, for the attack that uses it as an HMAC secret.
    pub fn rsa_public_der(&self) -> Vec<u8> {
        self.rsa.public_key().as_der().unwrap().as_ref().to_vec()
    }
}

pub fn rsa_jwk(key: &rsa::KeyPair) -> Value {
    let public = PublicKeyComponents::<Vec<u8>>::from(key.public_key());
    json!({"kty": "RSA", "kid": "rsa", "n": encode(&public.n), "e": encode(&public.e)})
}

/// A secret as Supabase makes them: text.
pub fn random_secret() -> Vec<u8> {
    let mut secret = [0; 48];
    rand::fill(&mut secret).unwrap();
    encode(&secret).into_bytes()
}

pub fn hs256_signature(secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
}

/// Base64url without padding.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// `claims` with one member set to another value.
pub fn with(claims: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims.clone();
    claims[name] = value.into();
    claims
}

/// `claims` without one member.
pub fn without(claims: &Value, name: &str) -> Value {
    let mut claims = claims.clone();
    claims.as_object_mut().unwrap().remove(name);
    claims
}
