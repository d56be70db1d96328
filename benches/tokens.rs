//! What the verification of a token costs, each figure beside its limit:
//! `name ratio limit pass|FAIL`. Fails when a limit is missed.

#[path = "../tests/auth/support/mod.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod auth_support;
mod figure;
mod pyjwt;

use std::{
    fs,
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use auth_support::{
    auth, bearer,
    issuer::{ISSUER, Issuer, with},
    key_server::KeyServer,
    settings,
};
use http::HeaderMap;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use pyjwt::Pyjwt;
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;
use user_service::auth::{Auth, Clock, Settings};

/// Distinct tokens in a round: enough that none is in a processor's cache by chance.
const TOKENS: usize = 1_000;
/// How often they are verified, each time with an empty cache.
const ROUNDS: usize = 20;
/// Tokens timed at a time, short enough to fit between two interruptions. The fastest time counts:
/// the others met somebody else's work.
const AT_A_TIME: usize = 20;
/// The bound on the cache in the last figure.
const CACHE_BYTES: usize = 8 << 20;

fn main() -> ExitCode {
    let bench = Bench::new();
    // First, in a process that has not used and freed memory yet.
    let memory = bench.memory_of_a_million_to_bound();
    let hs256 = bench.tokens(Issuer::hs256);
    let es256 = bench.tokens(Issuer::es256);

    let [bare_hs256, pyjwt_hs256, first_hs256] =
        bench.others_and_first(&hs256, Algorithm::HS256, bench.hs256_key());
    let [bare_es256, pyjwt_es256, first_es256] =
        bench.others_and_first(&es256, Algorithm::ES256, bench.es256_key());
    let (first_again, repeated_es256) = bench.first_and_repeated(&es256);
    for (name, first, bare, pyjwt) in [
        ("HS256", first_hs256, bare_hs256, pyjwt_hs256),
        ("ES256", first_es256, bare_es256, pyjwt_es256),
    ] {
        println!("# for an {name} token: {first:?}, bare decode {bare:?}, PyJWT {pyjwt:?}");
    }
    println!("# for an ES256 token again: {repeated_es256:?}");
    let figures = [
        ("first_hs256_to_bare_decode", first_hs256.div_duration_f64(bare_hs256), 1.5),
        ("first_es256_to_bare_decode", first_es256.div_duration_f64(bare_es256), 1.5),
        ("first_hs256_to_pyjwt_decode", first_hs256.div_duration_f64(pyjwt_hs256), 1.0),
        ("first_es256_to_pyjwt_decode", first_es256.div_duration_f64(pyjwt_es256), 1.0),
        ("repeated_es256_to_first", repeated_es256.div_duration_f64(first_again), 0.1),
        ("invalid_hs256_to_first_valid", bench.invalid_to_first_valid(&hs256), 1.0),
        ("invalid_es256_to_first_valid", bench.invalid_to_first_valid(&es256), 1.0),
        ("memory_of_1000000_tokens_to_bound", memory, 1.0),
    ];
    let mut all_pass = true;
    for (name, ratio, limit) in figures {
        all_pass &= figure::print(name, vec![ratio], ..=limit);
    }
    if all_pass { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Bench {
    runtime: Runtime,
    issuer: Issuer,
    server: KeyServer,
    now: u32,
}

/// A token and the header that carries it.
type Token = (String, HeaderMap);

impl Bench {
    fn new() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let issuer = Issuer::new();
        let server = runtime.block_on(KeyServer::start(issuer.jwks()));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
        let now = u32::try_from(now.as_secs()).expect("before 2106");
        Self { runtime, issuer, server, now }
    }

    fn tokens(&self, sign: impl Fn(&Issuer, &Value) -> String) -> Vec<Token> {
        let claims = self.issuer.claims(self.now);
        let token = |number| sign(&self.issuer, &with(&claims, "number", number));
        (0..TOKENS).map(token).map(|token| (token.clone(), bearer(&token))).collect()
    }

    /// The secret, for `jsonwebtoken` and as PyJWT gets it.
    fn hs256_key(&self) -> (DecodingKey, Value) {
        let secret = std::str::from_utf8(&self.issuer.secret).expect("text");
        (DecodingKey::from_secret(secret.as_bytes()), json!({"secret": secret}))
    }

    /// The public key, for `jsonwebtoken` and as PyJWT gets it.
    fn es256_key(&self) -> (DecodingKey, Value) {
        let jwk = self.issuer.ec_jwk();
        let key = serde_json::from_value(jwk.clone()).expect("a JWK");
        (DecodingKey::from_jwk(&key).expect("a key"), json!({"jwk": jwk}))
    }

    /// What bare `jsonwebtoken` takes for a token, what PyJWT takes, and what a first verification
    /// takes.
    fn others_and_first(
        &self,
        tokens: &[Token],
        algorithm: Algorithm,
        (key, mut given): (DecodingKey, Value),
    ) -> [Duration; 3] {
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&["authenticated"]);
        given["algorithm"] = json!(algorithm);
        given["issuer"] = json!(ISSUER);
        given["tokens"] = tokens.iter().map(|(token, _)| token.as_str()).collect();
        given["at_a_time"] = json!(AT_A_TIME);
        let mut pyjwt = Pyjwt::start(&given);
        let mut least = [Duration::MAX; 3];
        for _ in 0..ROUNDS {
            let (bare, first) = self.round(tokens, |auth, tokens| {
                let bare = time(tokens, |(token, _)| {
                    decode::<Map<String, Value>>(token, &key, &validation).is_ok()
                });
                (bare, time(tokens, |(_, header)| auth.verify(header).is_ok()))
            });
            least = [least[0].min(bare), least[1].min(pyjwt.decode()), least[2].min(first)];
        }
        least
    }

    fn first_and_repeated(&self, tokens: &[Token]) -> (Duration, Duration) {
        let verify =
            |auth: &Auth, tokens: &[Token]| time(tokens, |(_, header)| auth.verify(header).is_ok());
        self.fastest(tokens, |auth, tokens| (verify(auth, tokens), verify(auth, tokens)))
    }

    fn invalid_to_first_valid(&self, tokens: &[Token]) -> f64 {
        let (valid, invalid) = self.fastest(tokens, |auth, tokens| {
            let forged: Vec<Token> = tokens.iter().map(|(token, _)| forge(token)).collect();
            (
                time(tokens, |(_, header)| auth.verify(header).is_ok()),
                time(&forged, |(_, header)| auth.verify(header).is_err()),
            )
        });
        invalid.div_duration_f64(valid)
    }

    /// The least of each of two times in all rounds.
    fn fastest(
        &self,
        tokens: &[Token],
        times: impl Fn(&Auth, &[Token]) -> (Duration, Duration),
    ) -> (Duration, Duration) {
        let rounds = (0..ROUNDS).map(|_| self.round(tokens, &times));
        rounds.reduce(least).expect("a round")
    }

    /// The least of each of two times, taken in turn so that both meet the same weather.
    fn round(
        &self,
        tokens: &[Token],
        times: impl Fn(&Auth, &[Token]) -> (Duration, Duration),
    ) -> (Duration, Duration) {
        let auth = self.auth(settings(&self.issuer, &self.server));
        let taken = tokens.chunks_exact(AT_A_TIME).map(|tokens| times(&auth, tokens));
        taken.reduce(least).expect("a few tokens")
    }

    /// Verification with an empty cache, its keys fetched.
    fn auth(&self, settings: Settings) -> Auth {
        let auth = auth(settings, &Clock::system());
        self.runtime.block_on(auth.fetch_keys()).expect("keys");
        auth
    }

    /// How far a million tokens make the process grow, beside the cache's bound.
    fn memory_of_a_million_to_bound(&self) -> f64 {
        let bounded = Settings { cache_bytes: CACHE_BYTES, ..settings(&self.issuer, &self.server) };
        let auth = self.auth(bounded);
        let claims = self.issuer.claims(self.now).to_string();
        let verify = |number: u32| {
            let claims = claims.replacen('{', &format!("{{\"number\":{number},"), 1);
            let token = self.issuer.sign_text(r#"{"alg":"HS256"}"#, &claims);
            assert!(auth.verify(&bearer(&token)).is_ok());
        };
        (0..100).for_each(verify);
        let before = resident_bytes();
        (100..1_000_000).for_each(verify);
        resident_bytes().saturating_sub(before) as f64 / CACHE_BYTES as f64
    }
}

/// The time for one token; each must answer `true`.
fn time(tokens: &[Token], check: impl Fn(&Token) -> bool) -> Duration {
    let begun = Instant::now();
    assert!(tokens.iter().all(|token| black_box(check(token))));
    begun.elapsed() / u32::try_from(tokens.len()).expect("few tokens")
}

fn least(some: (Duration, Duration), others: (Duration, Duration)) -> (Duration, Duration) {
    (some.0.min(others.0), some.1.min(others.1))
}

/// The same token with another signature of the same length.
fn forge(token: &str) -> Token {
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let token = format!("{signed}.{first}{}", &signature[1..]);
    (token.clone(), bearer(&token))
}

/// The memory that this process has in use (Linux).
fn resident_bytes() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or_default();
    pages * 4096
}
