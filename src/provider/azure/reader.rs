//! Reads what the references of ExternalSecrets name.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::ExposeSecret as _;

use super::answer::Object;
use super::diagnose::{Cause, Diagnosis, text};
use super::object::{ObjectId, ObjectKind};
use super::vault::VaultClient;
use super::{find, metadata, probe, property};
use crate::api::v1::external_secret::{Find, MetadataPolicy, RemoteRef};
use crate::provider::{
    Changes, Fetched, ProviderError, ReadBudget, ReadMark, ReadOptions, SecretMap, SecretValue, SecretsClient,
    Validation, extract,
};

/// A vault, as a store's identity.
pub(super) struct KeyVaultClient {
    /// The vault.
    pub(super) vault: Arc<VaultClient>,
    /// Whether validating the store reads a secret.
    pub(super) probe: bool,
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
        Ok(Fetched { value: value(&read, reference, &id)?, mark: read.mark.clone() })
    }

    async fn get_secret_map(
        &self,
        reference: &RemoteRef,
        options: ReadOptions,
    ) -> Result<Fetched<SecretMap>, ProviderError> {
        let id = ObjectId::parse(reference)?;
        if id.kind != ObjectKind::Secret {
            return Err(no_map(reference).into());
        }
        let read = self.vault.object(&id, options).await?;
        let map = match policy(reference) {
            MetadataPolicy::Fetch => {
                metadata::map(&read, &id.name, &reference.key, property(reference), &id.to_string())?
            }
            MetadataPolicy::None => members(&value(&read, reference, &id)?, reference, &id)?,
        };
        Ok(Fetched { value: map, mark: read.mark.clone() })
    }

    async fn find(&self, wanted: &Find, options: ReadOptions, budget: &ReadBudget) -> Result<SecretMap, ProviderError> {
        find::find(&self.vault, wanted, options, budget).await
    }

    async fn changes(&self, since: &[ReadMark]) -> Changes {
        self.vault.changes(since).await
    }

    async fn validate(&self) -> Validation {
        probe::validate(&self.vault, self.probe).await
    }
}

/// What a reference names in an object. A certificate has no properties: as in ESO they are ignored.
fn value(read: &Object, reference: &RemoteRef, id: &ObjectId) -> Result<SecretValue, Diagnosis> {
    match (policy(reference), property(reference), id.kind) {
        (MetadataPolicy::Fetch, property, _) => metadata::value(read, property, &id.to_string()),
        (MetadataPolicy::None, Some(path), ObjectKind::Secret | ObjectKind::Key) => {
            property::lookup(read.value().map_err(|reason| reason.of(id))?, path, &id.to_string())
        }
        (MetadataPolicy::None, _, _) => read.value().cloned().map_err(|reason| reason.of(id)),
    }
}

fn members(value: &SecretValue, reference: &RemoteRef, id: &ObjectId) -> Result<SecretMap, Diagnosis> {
    extract::members(value.expose_secret()).ok_or_else(|| {
        let what = match property(reference) {
            Some(path) => format!("property \"{}\" of {id}", text::stable(path)),
            None => id.to_string(),
        };
        Diagnosis::new(Cause::PropertyMissing, format!("{what} is no JSON object, which dataFrom.extract needs"))
            .hint("store a JSON object, or name the value in spec.data")
    })
}

fn no_map(reference: &RemoteRef) -> Diagnosis {
    Diagnosis::new(
        Cause::ReferenceInvalid,
        format!("dataFrom.extract cannot take \"{}\" apart: it is no secret", text::stable(&reference.key)),
    )
    .hint("name keys and certificates in spec.data")
}

fn policy(reference: &RemoteRef) -> MetadataPolicy {
    reference.metadata_policy.unwrap_or_default()
}

/// The property that a reference names; an empty one is none.
fn property(reference: &RemoteRef) -> Option<&str> {
    reference.property.as_deref().filter(|property| !property.is_empty())
}
