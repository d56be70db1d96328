//! Reads the fields of a message, each by its name.

use std::{borrow::Cow, collections::HashSet};

use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage as _, Value};
use serde::de::Error;

use super::{read::Read, slot::Slot, walk::Walk};

/// A message on its way.
pub(super) struct Fields {
    pub(super) message: DynamicMessage,
    /// The numbers of the fields that were given, `null` included.
    given: HashSet<u32>,
}

impl Fields {
    pub(super) fn of(descriptor: &MessageDescriptor) -> Self {
        Self { message: DynamicMessage::new(descriptor.clone()), given: HashSet::new() }
    }

    /// Reads the field with this name. `next` gives its value to what reads it.
    pub(super) fn read<'de, E: Error>(
        &mut self,
        walk: &mut Walk<'de>,
        name: Cow<'de, str>,
        next: impl FnOnce(Read<'_, '_, 'de>) -> Result<Option<Value>, E>,
    ) -> Result<(), E> {
        let descriptor = self.message.descriptor();
        let field = descriptor
            .get_field_by_name(&name)
            .or_else(|| descriptor.get_field_by_json_name(&name));
        let Some(field) = field else { return self.read_extension(walk, name, next) };

        walk.step_to(name);
        if !self.given.insert(field.number()) {
            return Err(walk.refuse("given more than once"));
        }
        let read = Read { slot: &Slot::from(&field), or_unset: true, walk: &mut *walk };
        if let Some(value) = next(read)? {
            let oneof = field.containing_oneof();
            if oneof.is_some_and(|oneof| oneof.fields().any(|it| self.message.has_field(&it))) {
                return Err(walk.refuse("another field of the same oneof is given, too"));
            }
            self.message.set_field(&field, value);
        }
        walk.step_back();
        Ok(())
    }

    /// The same for an extension, which is named in brackets.
    fn read_extension<'de, E: Error>(
        &mut self,
        walk: &mut Walk<'de>,
        name: Cow<'de, str>,
        next: impl FnOnce(Read<'_, '_, 'de>) -> Result<Option<Value>, E>,
    ) -> Result<(), E> {
        let extension = self.message.descriptor().get_extension_by_json_name(&name);
        walk.step_to(name);
        let extension = extension.ok_or_else(|| walk.refuse("no such field"))?;
        if !self.given.insert(extension.number()) {
            return Err(walk.refuse("given more than once"));
        }
        let read = Read { slot: &Slot::from(&extension), or_unset: true, walk: &mut *walk };
        if let Some(value) = next(read)? {
            self.message.set_extension(&extension, value);
        }
        walk.step_back();
        Ok(())
    }
}
