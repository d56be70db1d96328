//! A JSON Web Key Set (RFC 7517, section 5): lenient in reading, strict in choosing.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    auth::{
        header::{Algorithm, Header},
        refusal::Refusal,
    },
    error::Reason,
};

use super::jwk::Key;

/// The usable keys of one answer.
#[derive(Debug, PartialEq)]
pub struct KeySet {
    keys: Vec<Key>,
    left_out: Vec<&'static str>,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// The answer is not a JSON Web Key Set at all.
#[derive(Debug, thiserror::Error)]
#[error("the answer is not a JSON object with a list `keys`")]
pub struct NotAKeySet;

impl KeySet {
    /// Reads a set. A key that cannot be used is logged and left out: it must not cost the others.
    ///
    /// # Errors
    /// [`NotAKeySet`] when there is no list of keys. An empty list is a set.
    pub fn parse(body: &[u8]) -> Result<Self, NotAKeySet> {
        let document: Document<'_> = serde_json::from_slice(body).map_err(|_| NotAKeySet)?;
        let (mut keys, mut left_out) = (Vec::new(), Vec::new());
        for (index, text) in document.keys.into_iter().enumerate() {
            match Key::read(text.get()) {
                Ok(key) => keys.push(key),
                Err(cause) => {
                    tracing::warn!(index, cause, "a key of the set is left out");
                    left_out.push(cause);
                }
            }
        }
        Ok(Self { keys, left_out })
    }

    /// How many keys can be used.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether none can.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys that can be used: `kid`, where they have one, and algorithm.
    pub fn usable(&self) -> impl Iterator<Item = (Option<&str>, &'static str)> {
        self.keys.iter().map(|key| (key.kid.as_deref(), key.algorithm.as_str()))
    }

    /// Why keys were left out, a phrase for each.
    pub fn left_out(&self) -> &[&'static str] {
        &self.left_out
    }

    /// Chooses by `kid` and algorithm, without a `kid` by algorithm alone; exactly one must fit.
    pub(super) fn choose(&self, header: &Header<'_>) -> Result<&Key, Refusal> {
        let named = |key: &&Key| header.kid.is_none() || key.kid.as_deref() == header.kid;
        let mut fitting =
            self.keys.iter().filter(named).filter(|key| key.algorithm == header.algorithm);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(unknown("several keys fit kid and alg")),
            (None, _) if header.kid.is_some() && self.keys.iter().any(|key| named(&key)) => {
                // RFC 8725, section 3.1: a key is used with the algorithm that it was made for.
                Err(Refusal::new(Reason::TokenAlgorithm, "alg is not the algorithm of this kid"))
            }
            (None, _) => Err(unknown("no key fits kid and alg")),
        }
    }
}

impl Algorithm {
    /// Whether keys of this kind come from the project's published set.
    pub(in crate::auth) const fn is_published(self) -> bool {
        !matches!(self, Self::Hs256)
    }
}

fn unknown(cause: &'static str) -> Refusal {
    Refusal::new(Reason::TokenKeyUnknown, cause)
}
