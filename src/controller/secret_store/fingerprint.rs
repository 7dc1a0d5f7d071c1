//! The parts of a store whose change matters.

use crate::api::v1::condition::READY;
use crate::api::v1::{SecretStore, StoreKind};
use crate::controller::core::conditions;
use crate::controller::core::key::ObjectKey;
use crate::controller::store_access::key::StoreKey;

/// The service account that a store names, if its namespace is known.
pub(super) fn service_account(object: &SecretStore, key: &StoreKey) -> Option<ObjectKey> {
    let spec = object.spec.get().ok()?;
    let reference = spec.provider.azurekv.as_ref()?.service_account_ref.as_ref()?;
    let namespace = match key.kind {
        StoreKind::SecretStore => key.object.namespace.as_str(),
        StoreKind::ClusterSecretStore => reference.namespace.as_deref()?,
    };
    Some(ObjectKey::new(namespace, &reference.name))
}

/// A hash of the parts whose change requires another validation.
pub(super) fn fingerprint(object: &SecretStore) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let meta = &object.metadata;
    let mut hasher = DefaultHasher::new();
    (&meta.uid, meta.generation, &meta.annotations, meta.deletion_timestamp.is_some()).hash(&mut hasher);
    hasher.finish()
}

/// A hash of the parts whose change should wake the objects that wait for the store.
pub(super) fn usability(object: &SecretStore) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let ready = conditions::find(conditions, READY);
    let mut hasher = DefaultHasher::new();
    (&object.metadata.uid, object.metadata.generation, ready.map(|ready| (ready.status, &ready.message)))
        .hash(&mut hasher);
    hasher.finish()
}
