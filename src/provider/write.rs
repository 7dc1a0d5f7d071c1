//! How values are written: the other half of a provider.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;

use super::ProviderError;
use crate::push::{Found, ObjectName, Payload, Property, Wanted};

/// What is found of an object, and what of it a write must keep.
#[derive(Clone, Debug)]
pub struct Look {
    /// What is found.
    pub found: Found,
    /// What a write keeps.
    pub kept: Kept,
}

impl Look {
    /// An object of which there is nothing to keep.
    #[must_use]
    pub fn nothing(found: Found) -> Self {
        Self { found, kept: Kept::default() }
    }
}

/// What a write keeps of the object that is there.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The version that was looked at.
    pub version: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The note on what its value is.
    pub content_type: Option<String>,
}

/// Writes to one vault with one identity. Nothing here decides: [`crate::push::decide`] does.
#[async_trait]
pub trait Writer: Send + Sync {
    /// The vault, for people and to tell it from others: equal for all stores that lead to it.
    fn vault(&self) -> &str;

    /// The object that a remote key names.
    ///
    /// # Errors
    /// No object can have that name.
    fn object(&self, remote_key: &str) -> Result<ObjectName, ProviderError>;

    /// A payload in the form that the object takes, with what `metadata` of the entry says of it.
    ///
    /// # Errors
    /// The object cannot take it, or the metadata cannot be read. Never quotes a value.
    fn prepare(
        &self,
        object: &ObjectName,
        payload: &Payload,
        metadata: Option<&Value>,
    ) -> Result<Wanted, ProviderError>;

    /// The same object, of which `former` metadata said something that it does not say any more.
    fn without(&self, wanted: Wanted, former: &Value) -> Wanted {
        let _ = former;
        wanted
    }

    /// Looks at an object, and compares it with what is wanted of it; `None` where it is to go. One request where it is there.
    ///
    /// # Errors
    /// Whatever keeps it from being known.
    async fn look(&self, object: &ObjectName, wanted: Option<&Wanted>) -> Result<Look, ProviderError>;

    /// Looks for an object among those that are deleted and recoverable.
    ///
    /// # Errors
    /// Whatever keeps it from being known.
    async fn look_deleted(&self, object: &ObjectName) -> Result<Found, ProviderError>;

    /// Makes an object, or a new version of one. Returns the version, where the provider says it.
    ///
    /// # Errors
    /// It is not certain that nothing was written: look again before the next try. Never what the provider says of the request in its
    /// own words, which may repeat the value.
    async fn write(&self, object: &ObjectName, wanted: &Wanted, kept: &Kept) -> Result<Option<String>, ProviderError>;

    /// Changes properties of the version that was looked at.
    ///
    /// # Errors
    /// As [`Writer::write`].
    async fn write_properties(
        &self,
        object: &ObjectName,
        wanted: &Wanted,
        kept: &Kept,
        differing: &[Property],
    ) -> Result<(), ProviderError>;

    /// Asks for the recovery of a deleted object, which takes some seconds.
    ///
    /// # Errors
    /// As [`Writer::write`].
    async fn recover(&self, object: &ObjectName) -> Result<(), ProviderError>;

    /// Deletes an object, which can be recovered.
    ///
    /// # Errors
    /// As [`Writer::write`].
    async fn delete(&self, object: &ObjectName) -> Result<(), ProviderError>;
}
