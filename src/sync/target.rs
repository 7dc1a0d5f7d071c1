//! The Secret that an ExternalSecret asks for.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use secrecy::ExposeSecret;

use super::{SecretData, hash, managed_fields};
use crate::api::v1::ExternalSecret;
use crate::api::v1::external_secret::ExternalSecretSpec;
use crate::api::{ANNOTATION_DATA_HASH, GROUP, LABEL_MANAGED, LABEL_MANAGED_VALUE, LABEL_OWNER, ServedVersion};

/// Annotations of an ExternalSecret that say something about it and nothing about the Secret. ESO
/// copies them all; those that it copied stay until the Secret is written for another reason.
const NOT_COPIED: [&str; 3] =
    ["kubectl.kubernetes.io/last-applied-configuration", "force-sync", "external-secrets.io/force-sync"];

/// An ExternalSecret with what a target depends on besides its spec.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// Its metadata.
    pub meta: &'a ObjectMeta,
    /// Its spec.
    pub spec: &'a ExternalSecretSpec,
    /// The version in which it is served, for the owner reference.
    pub version: ServedVersion,
}

impl<'a> Owner<'a> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.meta.name.as_deref().unwrap_or_default()
    }

    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &'a str {
        self.meta.namespace.as_deref().unwrap_or_default()
    }

    /// The name of its target.
    #[must_use]
    pub fn target_name(&self) -> &'a str {
        target_name(self.meta, self.spec)
    }

    /// The owner reference that ties a Secret to it.
    #[must_use]
    pub fn reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: self.version.api_version().to_owned(),
            kind: ExternalSecret::KIND.to_owned(),
            name: self.name().to_owned(),
            uid: self.meta.uid.clone().unwrap_or_default(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }
}

/// The name of an ExternalSecret's target: its own if the spec gives none.
#[must_use]
pub fn target_name<'a>(meta: &'a ObjectMeta, spec: &'a ExternalSecretSpec) -> &'a str {
    spec.target
        .as_ref()
        .and_then(|target| target.name.as_deref())
        .filter(|name| !name.is_empty())
        .or(meta.name.as_deref())
        .unwrap_or_default()
}

/// Whether an owner reference names an ExternalSecret, of any version.
#[must_use]
pub fn is_external_secret(reference: &OwnerReference) -> bool {
    reference.kind == ExternalSecret::KIND
        && reference.api_version.split_once('/').is_some_and(|(group, _)| group == GROUP)
}

/// The Secret that `owner` asks for, starting from the one that is there. What others wrote to its
/// metadata stays; what we wrote earlier and no longer want goes.
#[must_use]
pub fn desired(owner: Owner<'_>, data: &SecretData, existing: Option<&Secret>) -> Secret {
    let mut secret = existing.cloned().unwrap_or_else(|| Secret {
        metadata: ObjectMeta {
            name: Some(owner.target_name().to_owned()),
            namespace: Some(owner.namespace().to_owned()),
            ..ObjectMeta::default()
        },
        ..Secret::default()
    });
    let ours = managed_fields::metadata_of(&secret.metadata, &hash::field_manager(owner.name()));

    let labels = secret.metadata.labels.get_or_insert_default();
    labels.retain(|key, _| !ours.labels.contains(key));
    labels.extend(owner.meta.labels.clone().unwrap_or_default());
    labels.insert(LABEL_OWNER.to_owned(), hash::owner_label(owner.namespace(), owner.name()));
    labels.insert(LABEL_MANAGED.to_owned(), LABEL_MANAGED_VALUE.to_owned());

    let annotations = secret.metadata.annotations.get_or_insert_default();
    annotations.retain(|key, _| !ours.annotations.contains(key));
    annotations.extend(copied_annotations(owner.meta));

    secret.data = Some(data.iter().map(|(key, value)| (key.clone(), bytes(value))).collect());
    let data_hash = hash::data_hash(data.iter().map(|(key, value)| (key.as_str(), value.expose_secret())));
    annotations.insert(ANNOTATION_DATA_HASH.to_owned(), data_hash);

    own(&mut secret.metadata, owner.reference());
    secret
}

fn copied_annotations(meta: &ObjectMeta) -> BTreeMap<String, String> {
    let mut annotations = meta.annotations.clone().unwrap_or_default();
    annotations.retain(|key, _| !NOT_COPIED.contains(&key.as_str()));
    annotations
}

fn bytes(value: &secrecy::SecretSlice<u8>) -> ByteString {
    ByteString(value.expose_secret().to_vec())
}

/// Puts `reference` among the owners, in the place of an earlier one of the same object.
fn own(meta: &mut ObjectMeta, reference: OwnerReference) {
    let owners = meta.owner_references.get_or_insert_default();
    let same = |owner: &&mut OwnerReference| is_external_secret(owner) && owner.name == reference.name;
    match owners.iter_mut().find(same) {
        Some(owner) => *owner = reference,
        None => owners.push(reference),
    }
}

/// Whether `existing` needs no write to become `desired`. Annotations that ESO copied and we do not
/// are no reason for a write.
#[must_use]
pub fn is_as_desired(existing: &Secret, desired: &Secret) -> bool {
    let without_copies = |meta: &ObjectMeta| {
        let mut annotations = meta.annotations.clone().unwrap_or_default();
        annotations.retain(|key, _| !NOT_COPIED.contains(&key.as_str()));
        annotations
    };
    let (before, after) = (&existing.metadata, &desired.metadata);
    before.labels.clone().unwrap_or_default() == after.labels.clone().unwrap_or_default()
        && without_copies(before) == without_copies(after)
        && before.owner_references == after.owner_references
        && existing.data.clone().unwrap_or_default() == desired.data.clone().unwrap_or_default()
        && existing.type_ == desired.type_
        && existing.immutable == desired.immutable
}

/// Overwrites the values of a Secret before its memory is given back.
pub fn wipe(secret: &mut Secret) {
    for value in secret.data.iter_mut().flat_map(BTreeMap::values_mut) {
        zeroize::Zeroize::zeroize(&mut value.0);
    }
}
