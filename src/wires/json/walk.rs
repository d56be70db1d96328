//! Where the reader is, and what it found wrong.

use std::borrow::Cow;

use serde::de::Error;

use super::MAX_DEPTH;
use crate::wires::reason::{Reason, Refusal};

const NOT_JSON: Refusal = Refusal::saying(Reason::RequestMalformed, "the body is not valid JSON");
const TOO_DEEP: Refusal =
    Refusal::saying(Reason::RequestMalformed, "the body is nested too deeply");

/// A step of the way to a place in the JSON.
enum Place<'de> {
    Name(Cow<'de, str>),
    Index(usize),
}

/// The way from the outermost message to where the reader is.
#[derive(Default)]
pub(super) struct Walk<'de> {
    path: Vec<Place<'de>>,
    /// Messages that are open.
    depth: usize,
    refusal: Option<Refusal>,
}

impl<'de> Walk<'de> {
    /// Steps to what a name stands for.
    pub(super) fn step_to(&mut self, name: Cow<'de, str>) {
        self.path.push(Place::Name(name));
    }

    /// Steps to an element of a list.
    pub(super) fn step_to_index(&mut self, index: usize) {
        self.path.push(Place::Index(index));
    }

    /// Steps back. Not done on the way out of an error, whose place is still asked for.
    pub(super) fn step_back(&mut self) {
        self.path.pop();
    }

    /// Opens a message.
    pub(super) fn open<E: Error>(&mut self) -> Result<(), E> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.refusal = Some(TOO_DEEP);
            return Err(E::custom("too deep"));
        }
        Ok(())
    }

    /// Closes a message.
    pub(super) fn close(&mut self) {
        self.depth -= 1;
    }

    /// Refuses what is at this place, unless something inside it is refused already.
    pub(super) fn refuse<E: Error>(&mut self, description: impl Into<String>) -> E {
        self.note(description);
        E::custom("refused")
    }

    /// The same, for a place that has an error.
    pub(super) fn note(&mut self, description: impl Into<String>) {
        if self.refusal.is_some() || self.path.is_empty() {
            return;
        }
        let mut path = String::new();
        for place in &self.path {
            match place {
                Place::Name(name) => {
                    path += if path.is_empty() { "" } else { "." };
                    path += name;
                }
                Place::Index(index) => path += &format!("[{index}]"),
            }
        }
        self.refusal = Some(Refusal::field(&path, description));
    }

    /// What ended the reading: the refusal of a place, or of the body as a whole where none fits.
    pub(super) fn refusal(self, error: &serde_json::Error, whole: Refusal) -> Refusal {
        // Such a number is JSON, and an error of syntax to the parser all the same.
        let too_large = || error.to_string().starts_with("number out of range");
        match self.refusal {
            Some(refusal) if error.is_data() || too_large() => refusal,
            None if error.is_data() => whole,
            _ => NOT_JSON,
        }
    }
}
