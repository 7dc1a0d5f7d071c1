//! Writes to a vault with a store's identity.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::super::diagnose::{Cause, Diagnosis};
use super::super::gate::Traffic;
use super::super::object::{ObjectId, ObjectKind};
use super::super::vault::{VaultClient, Write};
use super::form::{KeyVaultForm, id};
use super::metadata::MOST_TAGS;
use super::{MANAGED_BY, MANAGER, OWNER, body};
use crate::provider::metrics::ApiCall;
use crate::provider::write::{Kept, Look, ObjectForm};
use crate::provider::{Class, Freshness, Priority, ProviderError, ReadOptions, Writer};
use crate::push::{Found, ObjectName, Ownership, Property, Wanted};

/// Writes to a vault with a store's identity.
pub(in crate::provider::azure) struct KeyVaultWriter {
    /// The vault.
    pub(in crate::provider::azure) vault: Arc<VaultClient>,
    /// What its objects look like.
    pub(in crate::provider::azure) form: KeyVaultForm,
}

/// A push must see the present state, so no kept answer will do.
const NOW: ReadOptions = ReadOptions { freshness: Freshness::Forced, priority: Priority::Refresh };

impl KeyVaultWriter {
    /// Who owns a disabled secret. It cannot be read, but its versions can be listed.
    async fn ownership_of_disabled(&self, id: &ObjectId) -> Result<Ownership, Diagnosis> {
        let write = Write {
            traffic: Traffic::Secrets,
            priority: Priority::CleanUp,
            call: ApiCall::GetSecretVersions,
            object: id,
        };
        let page =
            self.vault.write(&write, |errand| async move { self.vault.sdk().versions(id, &errand).await }).await?;
        let versions: Versions = serde_json::from_slice(&page).map_err(|_| super::super::answer::not_understood())?;
        Ok(versions.ownership(self.form.owner.as_deref()))
    }

    async fn look_at(&self, id: &ObjectId, wanted: Option<&Wanted>) -> Result<Look, Diagnosis> {
        match self.vault.object(id, NOW).await {
            Ok(object) => self.form.look(id.kind, &object, wanted),
            Err(reason) => match reason.cause.class() {
                Class::Absent => Ok(Look::nothing(Found::Absent)),
                Class::Busy => Ok(Look::nothing(Found::Busy)),
                // Only a deletion depends on the owner.
                Class::Disabled if wanted.is_some() => {
                    Ok(Look::nothing(Found::Disabled { ownership: Ownership::Foreign }))
                }
                Class::Disabled => {
                    let ownership = self.ownership_of_disabled(id).await?;
                    Ok(Look::nothing(Found::Disabled { ownership }))
                }
                _ => Err(reason),
            },
        }
    }
}

/// A page of the versions of a secret, with the fields that are used.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Versions {
    value: Option<Vec<VersionItem>>,
    next_link: Option<String>,
}

#[derive(Deserialize)]
struct VersionItem {
    #[serde(default)]
    attributes: VersionAttributes,
    tags: Option<BTreeMap<String, Option<String>>>,
    managed: Option<bool>,
}

#[derive(Default, Deserialize)]
struct VersionAttributes {
    #[serde(default)]
    created: i64,
}

impl Versions {
    /// Who owns the newest version. Pages are not ordered by time, and times are in whole seconds; if that leaves a doubt,
    /// somebody else owns it.
    fn ownership(self, owner: Option<&str>) -> Ownership {
        let versions = self.value.unwrap_or_default();
        if versions.iter().any(|version| version.managed == Some(true)) {
            return Ownership::PartOfCertificate;
        }
        let newest = versions.iter().map(|version| version.attributes.created).max();
        let mut candidates = versions.iter().filter(|version| Some(version.attributes.created) == newest).peekable();
        let is_whole = self.next_link.is_none_or(|link| link.is_empty()) && candidates.peek().is_some();
        let is_ours = |version: &VersionItem| {
            let tag = |name| version.tags.as_ref().and_then(|tags| tags.get(name)).and_then(Option::as_deref);
            tag(MANAGED_BY) == Some(MANAGER) && owner.is_none_or(|own| tag(OWNER).is_none_or(|owner| owner == own))
        };
        if is_whole && candidates.all(is_ours) { Ownership::Ours } else { Ownership::Foreign }
    }
}

/// Checks the number of tags, including the existing ones, which stay.
fn check_number_of_tags(wanted: &Wanted, kept: &Kept) -> Result<(), Diagnosis> {
    let others = body::kept_tags(wanted, kept).filter(|(name, _)| !wanted.tags.contains_key(*name)).count();
    let all = wanted.tags.len() + others;
    if all <= MOST_TAGS {
        return Ok(());
    }
    let message =
        format!("it would have {all} tags, of which {others} were set by others, and {MOST_TAGS} is the most");
    Err(Diagnosis::new(Cause::ReferenceInvalid, message).hint("remove tags in metadata.spec.tags, or at the object"))
}

const fn call(kind: ObjectKind, of_secret: ApiCall, of_key: ApiCall, of_certificate: ApiCall) -> ApiCall {
    match kind {
        ObjectKind::Secret => of_secret,
        ObjectKind::Key => of_key,
        ObjectKind::Certificate => of_certificate,
    }
}

#[async_trait]
impl Writer for KeyVaultWriter {
    fn vault(&self) -> &str {
        self.vault.host()
    }

    fn form(&self) -> &dyn ObjectForm {
        &self.form
    }

    async fn look(&self, object: &ObjectName, wanted: Option<&Wanted>) -> Result<Look, ProviderError> {
        Ok(self.look_at(&id(object)?, wanted).await?)
    }

    async fn look_deleted(&self, object: &ObjectName) -> Result<Found, ProviderError> {
        let id = id(object)?;
        let (traffic, priority) = (id.kind.into(), Priority::Refresh);
        let call = call(id.kind, ApiCall::GetDeletedSecret, ApiCall::GetDeletedKey, ApiCall::GetDeletedCertificate);
        let write = Write { traffic, priority, call, object: &id };
        let id = &id;
        let found =
            self.vault.write(&write, |errand| async move { self.vault.sdk().get_deleted(id, &errand).await }).await;
        match found {
            Ok(object) => Ok(Found::SoftDeleted { ownership: self.form.ownership(&object) }),
            // The name is taken, but the object cannot be read yet.
            Err(reason) if matches!(reason.cause.class(), Class::Absent | Class::Busy) => Ok(Found::Busy),
            Err(reason) => Err(reason.into()),
        }
    }

    async fn write(&self, object: &ObjectName, wanted: &Wanted, kept: &Kept) -> Result<Option<String>, ProviderError> {
        check_number_of_tags(wanted, kept)?;
        let id = &id(object)?;
        let body = body::new_version(id.kind, wanted, kept)?;
        let call = call(id.kind, ApiCall::SetSecret, ApiCall::ImportKey, ApiCall::ImportCertificate);
        let write = Write { traffic: Traffic::Writes, priority: Priority::Refresh, call, object: id };
        let send = |errand| {
            let body = body.clone();
            async move { self.vault.sdk().new_version(id, wanted.value.expose_secret(), body, &errand).await }
        };
        Ok(self.vault.write(&write, send).await?)
    }

    async fn write_properties(
        &self,
        object: &ObjectName,
        wanted: &Wanted,
        kept: &Kept,
        _: &[Property],
    ) -> Result<(), ProviderError> {
        check_number_of_tags(wanted, kept)?;
        let Some(version) = kept.version.clone() else {
            // Without a version, the request would change one that nobody has compared.
            return Err(super::super::answer::not_understood().of(object).into());
        };
        let id = &ObjectId { version: Some(version), ..id(object)? };
        let body = body::properties(wanted, kept)?;
        let call = call(id.kind, ApiCall::UpdateSecret, ApiCall::UpdateKey, ApiCall::UpdateCertificate);
        let write = Write { traffic: id.kind.into(), priority: Priority::Refresh, call, object: id };
        let send = |errand| {
            let body = body.clone();
            async move { self.vault.sdk().update(id, body, &errand).await }
        };
        Ok(self.vault.write(&write, send).await?)
    }

    async fn recover(&self, object: &ObjectName) -> Result<(), ProviderError> {
        let id = &id(object)?;
        let call = call(
            id.kind,
            ApiCall::RecoverDeletedSecret,
            ApiCall::RecoverDeletedKey,
            ApiCall::RecoverDeletedCertificate,
        );
        let write = Write { traffic: id.kind.into(), priority: Priority::Refresh, call, object: id };
        Ok(self.vault.write(&write, |errand| async move { self.vault.sdk().recover(id, &errand).await }).await?)
    }

    async fn delete(&self, object: &ObjectName) -> Result<(), ProviderError> {
        let id = &id(object)?;
        let call = call(id.kind, ApiCall::DeleteSecret, ApiCall::DeleteKey, ApiCall::DeleteCertificate);
        let write = Write { traffic: id.kind.into(), priority: Priority::CleanUp, call, object: id };
        let deleted =
            self.vault.write(&write, |errand| async move { self.vault.sdk().delete(id, &errand).await }).await;
        match deleted {
            Err(reason) if reason.cause.class() == Class::Absent => Ok(()),
            other => Ok(other?),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn ownership(page: &Value) -> Ownership {
        serde_json::from_value::<Versions>(page.clone()).unwrap().ownership(None)
    }

    fn version(created: i64, tags: &Value) -> Value {
        json!({"attributes": {"created": created}, "tags": tags})
    }

    #[test]
    fn a_disabled_secret_is_ours_only_if_that_is_beyond_doubt() {
        let (ours, theirs) = (json!({"managed-by": "external-secrets"}), json!({"owner": "somebody"}));
        let page = |versions: &[Value]| ownership(&json!({ "value": versions, "nextLink": null }));
        assert_eq!(page(&[version(1, &theirs), version(2, &ours)]), Ownership::Ours);
        assert_eq!(page(&[version(2, &theirs), version(1, &ours)]), Ownership::Foreign);
        assert_eq!(page(&[version(2, &theirs), version(2, &ours)]), Ownership::Foreign, "of the same second");
        assert_eq!(page(&[version(1, &Value::Null)]), Ownership::Foreign);
        assert_eq!(page(&[]), Ownership::Foreign);
        let more = json!({"value": [version(2, &ours)], "nextLink": "https://v.example/next"});
        assert_eq!(ownership(&more), Ownership::Foreign, "the newest may be on another page");
        let mut managed = version(2, &ours);
        managed["managed"] = true.into();
        assert_eq!(page(&[managed]), Ownership::PartOfCertificate);
    }
}
