//! Reads what ExternalSecrets refer to.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::ExposeSecret as _;

use super::answer::Object;
use super::diagnose::{Cause, Diagnosis, text};
use super::object::{ObjectId, ObjectKind};
use super::vault::VaultClient;
use super::{find, metadata, probe, property};
use crate::api::v1::external_secret::{Find, MetadataPolicy, RemoteRef};
use crate::budget::Budget;
use crate::provider::extract;
use crate::provider::{
    Changes, Fetched, ProviderError, ReadBudget, ReadMark, ReadOptions, SecretMap, SecretValue, SecretsClient,
    Validation,
};

/// A vault, read with a store's identity.
pub(super) struct KeyVaultClient {
    /// The vault.
    pub(super) vault: Arc<VaultClient>,
    /// Whether the validation of the store reads a secret.
    pub(super) probe: bool,
    /// What the reading ExternalSecret may compute.
    pub(super) budget: Arc<Budget>,
}

#[async_trait]
impl SecretsClient for KeyVaultClient {
    async fn get_secret(
        &self,
        reference: &RemoteRef,
        options: ReadOptions,
    ) -> Result<Fetched<SecretValue>, ProviderError> {
        let id = ObjectId::parse(reference)?;
        let read = self.vault.object(&id, options).await?;
        let value = value(&read, reference, id.kind, &id.to_string(), &self.budget)?;
        Ok(Fetched { value, mark: read.mark, expires: read.attributes.expires })
    }

    async fn get_secret_map(
        &self,
        reference: &RemoteRef,
        options: ReadOptions,
    ) -> Result<Fetched<SecretMap>, ProviderError> {
        let id = secret_to_take_apart(reference)?;
        let read = self.vault.object(&id, options).await?;
        let map = map(&read, reference, &id.name, &id.to_string(), &self.budget)?;
        Ok(Fetched { value: map, mark: read.mark, expires: read.attributes.expires })
    }

    async fn find(
        &self,
        wanted: &Find,
        options: ReadOptions,
        reads: &ReadBudget,
    ) -> Result<Fetched<SecretMap>, ProviderError> {
        find::find(&self.vault, wanted, options, reads, &self.budget).await
    }

    async fn changes(&self, since: &[ReadMark]) -> Changes {
        self.vault.changes(since).await
    }

    async fn validate(&self) -> Validation {
        probe::validate(&self.vault, self.probe).await
    }
}

/// The part of an object that a reference names; `object` describes the object in messages. As in ESO, the property is
/// ignored for a certificate.
pub(super) fn value(
    read: &Object,
    reference: &RemoteRef,
    kind: ObjectKind,
    object: &str,
    budget: &Budget,
) -> Result<SecretValue, Diagnosis> {
    match (policy(reference), property(reference), kind) {
        (MetadataPolicy::Fetch, property, _) => metadata::value(read, property, object, budget),
        (MetadataPolicy::None, Some(path), ObjectKind::Secret | ObjectKind::Key) => {
            property::lookup(read.value().map_err(|reason| reason.of(object))?, path, object, budget)
        }
        (MetadataPolicy::None, _, _) => read.value().cloned().map_err(|reason| reason.of(object)),
    }
}

/// What `dataFrom.extract` returns for the secret `name`, described as `object` in messages.
pub(super) fn map(
    read: &Object,
    reference: &RemoteRef,
    name: &str,
    object: &str,
    budget: &Budget,
) -> Result<SecretMap, Diagnosis> {
    match policy(reference) {
        MetadataPolicy::Fetch => metadata::map(read, name, &reference.key, property(reference), object, budget),
        MetadataPolicy::None => {
            let value = value(read, reference, ObjectKind::Secret, object, budget)?;
            extract::members(value.expose_secret(), budget).map_err(|problem| {
                let what = match property(reference) {
                    Some(path) => format!("property \"{}\" of {object}", text::stable(path)),
                    None => object.to_owned(),
                };
                Diagnosis::new(Cause::PropertyMissing, format!("{what} {problem}")).hint(problem.hint())
            })
        }
    }
}

/// The secret that `dataFrom.extract` names.
///
/// # Errors
/// If no object can have that name, or it is not a secret.
pub(super) fn secret_to_take_apart(reference: &RemoteRef) -> Result<ObjectId, Diagnosis> {
    let id = ObjectId::parse(reference)?;
    if id.kind == ObjectKind::Secret {
        return Ok(id);
    }
    let message =
        format!("dataFrom.extract cannot take \"{}\" apart: it is not a secret", text::stable(&reference.key));
    Err(Diagnosis::new(Cause::ReferenceInvalid, message).hint("name keys and certificates in spec.data"))
}

/// Whether a reference asks for tags and times instead of the value.
pub(super) fn policy(reference: &RemoteRef) -> MetadataPolicy {
    reference.metadata_policy.unwrap_or_default()
}

/// The property that a reference names. An empty one counts as absent.
pub(super) fn property(reference: &RemoteRef) -> Option<&str> {
    reference.property.as_deref().filter(|property| !property.is_empty())
}
