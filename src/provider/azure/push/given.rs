//! Objects from a file instead of a vault, as a push would find them. Nothing is written.

use std::sync::Arc;

use async_trait::async_trait;

use super::super::answer::Object;
use super::super::object::ObjectId;
use super::form::{KeyVaultForm, id};
use super::{MANAGED_BY, MANAGER};
use crate::provider::write::{Kept, Look, ObjectForm};
use crate::provider::{Class, ProviderError, Writer};
use crate::push::{Found, ObjectName, Property, Wanted};

/// Looks up an object in the file.
pub(in crate::provider::azure) trait GivenLookup: Send + Sync {
    /// An object, as far as the file describes it.
    fn object(&self, id: &ObjectId) -> Option<Object>;
}

/// Objects from a file instead of a vault.
pub(in crate::provider::azure) struct GivenWriter {
    vault: String,
    objects: Arc<dyn GivenLookup>,
    form: KeyVaultForm,
}

impl GivenWriter {
    /// A vault of this name with these objects.
    pub(in crate::provider::azure) fn new(vault: String, objects: Arc<dyn GivenLookup>) -> Self {
        Self { vault, objects, form: KeyVaultForm { owner: None } }
    }
}

fn not_writable() -> ProviderError {
    let message = "values that are given in a file cannot be written to";
    ProviderError::new(Class::Unsupported, "NotWritable", message).with_hint("leave out --values")
}

#[async_trait]
impl Writer for GivenWriter {
    fn vault(&self) -> &str {
        &self.vault
    }

    fn form(&self) -> &dyn ObjectForm {
        &self.form
    }

    async fn look(&self, object: &ObjectName, wanted: Option<&Wanted>) -> Result<Look, ProviderError> {
        let id = id(object)?;
        let Some(mut found) = self.objects.object(&id) else { return Ok(Look::nothing(Found::Absent)) };
        // An object without an owner in the file counts as ours. The file has no content types.
        if found.tags.is_empty() {
            found.tags = [(MANAGED_BY.to_owned(), MANAGER.to_owned())].into();
        }
        let wanted = wanted.map(|wanted| Wanted { content_type: None, ..wanted.clone() });
        Ok(self.form.look(id.kind, &found, wanted.as_ref())?)
    }

    async fn look_deleted(&self, _: &ObjectName) -> Result<Found, ProviderError> {
        Ok(Found::Absent)
    }

    async fn write(&self, _: &ObjectName, _: &Wanted, _: &Kept) -> Result<Option<String>, ProviderError> {
        Err(not_writable())
    }

    async fn write_properties(
        &self,
        _: &ObjectName,
        _: &Wanted,
        _: &Kept,
        _: &[Property],
    ) -> Result<(), ProviderError> {
        Err(not_writable())
    }

    async fn recover(&self, _: &ObjectName) -> Result<(), ProviderError> {
        Err(not_writable())
    }

    async fn delete(&self, _: &ObjectName) -> Result<(), ProviderError> {
        Err(not_writable())
    }
}
