//! Writing to a provider.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;

use super::ProviderError;
use crate::push::{Found, ObjectName, Payload, Property, Wanted};

/// The state of an object, and what a write must keep of it.
#[derive(Clone, Debug)]
pub struct Look {
    /// The state.
    pub found: Found,
    /// What a write must keep.
    pub kept: Kept,
}

impl Look {
    /// A state without anything to keep.
    #[must_use]
    pub fn nothing(found: Found) -> Self {
        Self { found, kept: Kept::default() }
    }
}

/// What a write keeps of an existing object.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The version that was read.
    pub version: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The content type.
    pub content_type: Option<String>,
}

/// How the objects of a vault are named, and what form values take in them. Needs no request.
pub trait ObjectForm: Send + Sync {
    /// The object that a remote key names.
    ///
    /// # Errors
    /// No object can have that name.
    fn object(&self, remote_key: &str) -> Result<ObjectName, ProviderError>;

    /// A payload in the form of the object, with the `metadata` of the entry.
    ///
    /// # Errors
    /// The object does not accept it, or the metadata cannot be read. Never quotes a value.
    fn prepare(
        &self,
        object: &ObjectName,
        payload: &Payload,
        metadata: Option<&Value>,
    ) -> Result<Wanted, ProviderError>;

    /// The same desired form, which also removes what only the `former` metadata contained.
    fn without(&self, wanted: Wanted, former: &Value) -> Wanted;
}

/// Writes to one vault with one identity. [`crate::push::decide`] determines what to do.
#[async_trait]
pub trait Writer: Send + Sync {
    /// The name of the vault, which is equal for all stores that lead to it.
    fn vault(&self) -> &str;

    /// How its objects are named and what they may be.
    fn form(&self) -> &dyn ObjectForm;

    /// Reads an object, and compares it with its desired form, or with `None` if it should be deleted. One request if it exists.
    ///
    /// # Errors
    /// The state could not be determined.
    async fn look(&self, object: &ObjectName, wanted: Option<&Wanted>) -> Result<Look, ProviderError>;

    /// Looks up an object among the deleted, recoverable ones.
    ///
    /// # Errors
    /// The state could not be determined.
    async fn look_deleted(&self, object: &ObjectName) -> Result<Found, ProviderError>;

    /// Creates an object, or a new version of one. Returns the version, if the provider names it.
    ///
    /// # Errors
    /// The write may have happened all the same, so read the object before a retry. Never contains the provider's own words about the
    /// request, which may repeat the value.
    async fn write(&self, object: &ObjectName, wanted: &Wanted, kept: &Kept) -> Result<Option<String>, ProviderError>;

    /// Changes properties of the version that was read.
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

    /// Starts the recovery of a deleted object, which takes a few seconds.
    ///
    /// # Errors
    /// As [`Writer::write`].
    async fn recover(&self, object: &ObjectName) -> Result<(), ProviderError>;

    /// Deletes an object. It can be recovered.
    ///
    /// # Errors
    /// As [`Writer::write`].
    async fn delete(&self, object: &ObjectName) -> Result<(), ProviderError>;
}
