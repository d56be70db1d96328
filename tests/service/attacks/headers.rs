//! Defects of the `Authorization` header itself, and what is none.

use serde_json::{Value, json};
use user_service::error::Reason::{self, *};

use super::Target;
use crate::auth_support::issuer::{Issuer, with};

/// `TOKEN_MAX_BYTES`, as it comes.
const MAX_BYTES: usize = 16 * 1024;

/// What is wrong with the headers, their values, and the reason for which they are refused.
pub fn rows(target: &Target) -> Vec<(&'static str, Vec<String>, Option<Reason>)> {
    let token = &target.token;
    let good = format!("Bearer {token}");
    let one = |value: &str| vec![value.to_owned()];
    let of_bytes =
        |bytes| one(&format!("Bearer {}", of_length(&target.issuer, &target.claims, bytes)));
    let two = |one: &str, other: &str| vec![one.to_owned(), other.to_owned()];
    let refused = [
        ("no header", vec![], TokenMissing),
        ("two headers, both good", two(&good, &good), AuthorizationMalformed),
        ("two headers, one of another scheme", two("Basic eDp4", &good), AuthorizationMalformed),
        ("two headers, the first one empty", two("", &good), AuthorizationMalformed),
        ("two headers, the second one empty", two(&good, ""), AuthorizationMalformed),
        ("nothing in it", one(""), AuthorizationMalformed),
        ("the token alone", one(token), AuthorizationMalformed),
        ("the scheme alone", one("Bearer"), AuthorizationMalformed),
        ("the scheme and a space", one("Bearer "), AuthorizationMalformed),
        ("no space", one(&format!("Bearer{token}")), AuthorizationMalformed),
        ("another scheme", one(&format!("Basic {token}")), AuthorizationMalformed),
        ("a longer scheme", one(&format!("BearerX {token}")), AuthorizationMalformed),
        ("two spaces", one(&format!("Bearer  {token}")), AuthorizationMalformed),
        ("a tab", one(&format!("Bearer\t{token}")), AuthorizationMalformed),
        ("two tokens", one(&format!("Bearer {token} {token}")), AuthorizationMalformed),
        ("a list", one(&format!("{good},{good}")), AuthorizationMalformed),
        ("a list with a space", one(&format!("{good}, {good}")), AuthorizationMalformed),
        ("a list of tokens", one(&format!("{good},{token}")), AuthorizationMalformed),
        ("the scheme twice", one(&format!("Bearer {good}")), AuthorizationMalformed),
        ("quotes", one(&format!("Bearer \"{token}\"")), TokenMalformed),
        ("undefined", one("Bearer undefined"), TokenPlaceholder),
        ("null", one("Bearer null"), TokenPlaceholder),
        ("another placeholder", one("Bearer [object Object]"), AuthorizationMalformed),
        ("a publishable key", one("Bearer sb_publishable_0123456789abcdef"), TokenIsApiKey),
        ("a secret key", one("bearer sb_secret_0123456789abcdef"), TokenIsApiKey),
        ("bytes beyond ASCII", one("Bearer é.é.é"), TokenMalformed),
        ("one byte too much", of_bytes(MAX_BYTES + 1), TokenTooLarge),
        (
            "one byte too much, of no token",
            one(&format!("Bearer {}", "a".repeat(MAX_BYTES + 1))),
            TokenTooLarge,
        ),
    ];
    let accepted = [
        ("as large as allowed", of_bytes(MAX_BYTES)),
        ("the scheme in lower case", one(&format!("bearer {token}"))),
        ("the scheme in upper case", one(&format!("BEARER {token}"))),
        ("the scheme in mixed case", one(&format!("bEaReR {token}"))),
    ];
    let refused = refused.map(|(defect, values, reason)| (defect, values, Some(reason)));
    refused.into_iter().chain(accepted.map(|(what, values)| (what, values, None))).collect()
}

/// A valid token of exactly so many bytes.
fn of_length(issuer: &Issuer, claims: &Value, bytes: usize) -> String {
    // Three bytes become four characters: the header's filling reaches what the payload's cannot.
    let filled = |header: usize, payload: usize| {
        let claims = with(claims, "user_metadata", json!({"filling": "x".repeat(payload)}));
        issuer.sign(&json!({"alg": "HS256", "filling": "x".repeat(header)}), &claims)
    };
    let empty = filled(0, 0).len();
    let missing = (bytes - empty) / 4 * 3;
    let mut tokens = (0..4).flat_map(|header| (missing - 8..=missing).map(move |it| (header, it)));
    let fits = |&(header, payload): &(usize, usize)| filled(header, payload).len() == bytes;
    let (header, payload) = tokens.find(fits).expect("one of them has the length");
    filled(header, payload)
}
