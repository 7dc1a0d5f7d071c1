//! The parts of a push that need no request: the object that a remote key names, its desired form, and how to read an answer.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::answer::Object;
use super::super::diagnose::Diagnosis;
use super::super::object::{ObjectId, ObjectKind};
use super::metadata::Metadata;
use super::{MANAGED_BY, MANAGER, OWNER, certificate, compare, key, value};
use crate::api::v1::external_secret::RemoteRef;
use crate::provider::ProviderError;
use crate::provider::write::{Kept, Look, ObjectForm};
use crate::push::{Found, ObjectName, Ownership, Payload, Wanted};

/// The form of objects in Key Vault.
pub(in crate::provider::azure) struct KeyVaultForm {
    /// The value of the tag that names this cluster, if the operator asks for that tag.
    pub(in crate::provider::azure) owner: Option<String>,
}

impl ObjectForm for KeyVaultForm {
    /// Key Vault ignores the case of names.
    fn object(&self, remote_key: &str) -> Result<ObjectName, ProviderError> {
        let reference = RemoteRef { key: remote_key.to_owned(), ..RemoteRef::default() };
        let ObjectId { kind, name, .. } = ObjectId::parse(&reference)?;
        let prefix = match kind {
            ObjectKind::Secret => "secret",
            ObjectKind::Key => "key",
            ObjectKind::Certificate => "cert",
        };
        let same = ObjectName::new(format!("{prefix}/{}", name.to_ascii_lowercase()));
        Ok(same.written(format!("{prefix}/{name}")))
    }

    fn prepare(
        &self,
        object: &ObjectName,
        payload: &Payload,
        metadata: Option<&Value>,
    ) -> Result<Wanted, ProviderError> {
        let kind = id(object)?.kind;
        let value = match kind {
            ObjectKind::Secret => value::of(payload),
            ObjectKind::Key => key::of(payload),
            ObjectKind::Certificate => certificate::of(payload),
        };
        let value = value.map_err(|reason| reason.of(object))?;
        let Metadata { expires, content_type, mut tags } = Metadata::read(metadata)?;
        tags.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
        if let Some(owner) = &self.owner {
            tags.insert(OWNER.to_owned(), owner.clone());
        }
        // As in ESO, keys and certificates take neither.
        let is_secret = kind == ObjectKind::Secret;
        Ok(Wanted {
            value,
            content_type: content_type.filter(|_| is_secret),
            expires: expires.filter(|_| is_secret),
            tags,
            dropped_tags: BTreeMap::new(),
        })
    }

    /// Removes the tags that `former` metadata set and the present one does not.
    fn without(&self, mut wanted: Wanted, former: &Value) -> Wanted {
        // Metadata that cannot be read was never written.
        let former = Metadata::read(Some(former)).unwrap_or_default().tags;
        wanted.dropped_tags.extend(former.into_iter().filter(|(name, _)| !wanted.tags.contains_key(name)));
        wanted
    }
}

impl KeyVaultForm {
    /// Who owns an object.
    pub(super) fn ownership(&self, object: &Object) -> Ownership {
        compare::ownership(object, self.owner.as_deref())
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// The answer is incomplete.
    pub(super) fn look(&self, kind: ObjectKind, object: &Object, wanted: Option<&Wanted>) -> Result<Look, Diagnosis> {
        let ownership = self.ownership(object);
        // Keys and certificates can be read while they are disabled.
        let found = if object.attributes.enabled == Some(false) {
            Found::Disabled { ownership }
        } else {
            Found::Present { ownership, content: compare::content(kind, object, wanted)? }
        };
        let kept = Kept {
            version: object.written.version.clone(),
            tags: object.tags.clone(),
            content_type: object.written.content_type.clone(),
        };
        Ok(Look { found, kept })
    }
}

/// The object with a name that [`ObjectForm::object`] returned.
pub(super) fn id(object: &ObjectName) -> Result<ObjectId, Diagnosis> {
    ObjectId::parse(&RemoteRef { key: object.as_written().to_owned(), ..RemoteRef::default() })
}
