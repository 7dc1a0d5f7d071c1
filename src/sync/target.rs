//! The Secret that an ExternalSecret asks for.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use secrecy::ExposeSecret;

use super::managed_fields::{self, ManagedFields};
use super::minting::annotation::annotation;
use super::rendered::Rendered;
use super::{SecretData, hash};
use crate::api::v1::ExternalSecret;
use crate::api::v1::external_secret::{CreationPolicy, DeletionPolicy, ExternalSecretSpec, ManifestReference};
use crate::api::{ANNOTATION_DATA_HASH, GROUP, LABEL_MANAGED, LABEL_MANAGED_VALUE, LABEL_OWNER, ServedVersion};

/// Annotations of an ExternalSecret that concern itself and not the Secret. ESO copies them all; its copies stay until
/// the Secret is written for another reason.
const NOT_COPIED: [&str; 5] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "force-sync",
    "external-secrets.io/force-sync",
    // Argo CD uses these to identify an object. On the Secret they would claim that it is the ExternalSecret.
    "argocd.argoproj.io/tracking-id",
    "argocd.argoproj.io/installation-id",
];

/// An ExternalSecret, with everything that its target depends on.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// Its metadata.
    pub meta: &'a ObjectMeta,
    /// Its spec.
    pub spec: &'a ExternalSecretSpec,
    /// The version in which it is served, for the owner reference.
    pub version: ServedVersion,
    /// What its target records about values that generators made: see [`minting`](super::minting).
    pub record: Option<&'a str>,
}

impl<'a> Owner<'a> {
    /// An owner without a record of generators.
    #[must_use]
    pub const fn new(meta: &'a ObjectMeta, spec: &'a ExternalSecretSpec, version: ServedVersion) -> Self {
        Self { meta, spec, version, record: None }
    }

    /// The same with a record of what generators made.
    #[must_use]
    pub const fn with_record(self, record: Option<&'a str>) -> Self {
        Self { record, ..self }
    }

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

    /// The kind of its target; `None` for a Secret.
    #[must_use]
    pub fn manifest(&self) -> Option<&'a ManifestReference> {
        self.spec.target.as_ref().and_then(|target| target.manifest.as_ref())
    }

    /// The kind and the name of its target.
    #[must_use]
    pub fn target(&self) -> TargetName {
        let kind = self.manifest().map_or("Secret", |manifest| &manifest.kind);
        TargetName { kind: kind.into(), name: self.target_name().into() }
    }

    /// Who creates and owns its target.
    #[must_use]
    pub fn creation_policy(&self) -> CreationPolicy {
        self.spec.target.as_ref().map(|target| target.creation_policy).unwrap_or_default()
    }

    /// What happens to its target when the values are gone.
    #[must_use]
    pub fn deletion_policy(&self) -> DeletionPolicy {
        self.spec.target.as_ref().map(|target| target.deletion_policy).unwrap_or_default()
    }

    /// Whether others may write to its target, too.
    #[must_use]
    pub fn merges(&self) -> bool {
        matches!(self.creation_policy(), CreationPolicy::Merge | CreationPolicy::CreateOrMerge)
    }

    /// Whether its target is immutable.
    fn makes_immutable(&self) -> bool {
        self.spec.target.as_ref().is_some_and(|target| target.immutable == Some(true))
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

/// The kind and name of a target, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetName {
    /// The kind.
    pub kind: Box<str>,
    /// The name.
    pub name: Box<str>,
}

impl std::fmt::Display for TargetName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.kind, self.name)
    }
}

/// The name of an ExternalSecret's target: the one in the spec, or else its own.
#[must_use]
pub fn target_name<'a>(meta: &'a ObjectMeta, spec: &'a ExternalSecretSpec) -> &'a str {
    spec.target
        .as_ref()
        .and_then(|target| target.name.as_deref())
        .filter(|name| !name.is_empty())
        .or(meta.name.as_deref())
        .unwrap_or_default()
}

/// Whether an owner reference names an ExternalSecret of any version.
#[must_use]
pub fn is_external_secret(reference: &OwnerReference) -> bool {
    reference.kind == ExternalSecret::KIND
        && reference.api_version.split_once('/').is_some_and(|(group, _)| group == GROUP)
}

/// Whether `owner` is the controller of an object. Compares the name, as ESO does.
#[must_use]
pub fn is_controlled_by(meta: &ObjectMeta, owner: Owner<'_>) -> bool {
    meta.owner_references.iter().flatten().any(|reference| is_controller(reference, owner))
}

fn is_controller(reference: &OwnerReference, owner: Owner<'_>) -> bool {
    reference.controller == Some(true) && is_external_secret(reference) && reference.name == owner.name()
}

/// What a target should contain.
#[derive(Clone, Copy)]
pub enum Content<'a> {
    /// The values that were read.
    Values(&'a SecretData),
    /// What a template made of them.
    Rendered(&'a Rendered),
}

impl<'a> Content<'a> {
    /// The data.
    #[must_use]
    pub const fn data(self) -> &'a SecretData {
        match self {
            Self::Values(data) => data,
            Self::Rendered(rendered) => &rendered.data,
        }
    }
}

/// The Secret that `owner` asks for, starting from the existing one. What others wrote to its metadata stays, and so
/// does, with a creationPolicy that merges, what they wrote to its data. What this controller wrote earlier and is no
/// longer wanted is removed.
#[must_use]
pub fn desired(owner: Owner<'_>, content: Content<'_>, existing: Option<&Secret>) -> Secret {
    let mut secret = existing.cloned().unwrap_or_else(|| Secret { metadata: new_metadata(owner), ..Secret::default() });
    // As in ESO, an existing immutable Secret is not filled again.
    if existing.is_none() || !owner.makes_immutable() {
        let ours = managed_fields::of(&secret.metadata, &hash::field_manager(owner.name()));
        set_data(&mut secret, owner, content, &ours);
        set_metadata(&mut secret.metadata, owner, content, &ours);
        if let Content::Rendered(Rendered { type_: Some(type_), .. }) = content {
            secret.type_ = Some(type_.clone());
        }
    }
    if owner.makes_immutable() {
        secret.immutable = Some(true);
    }
    own(&mut secret.metadata, owner);
    finish(&mut secret);
    secret
}

/// The existing Secret with its values, changing only the metadata about its owner and its record. Keys that are not
/// among `written` are removed if the whole target belongs to `owner`.
#[must_use]
pub fn left(owner: Owner<'_>, existing: &Secret, written: Option<&BTreeSet<String>>) -> Secret {
    let mut secret = existing.clone();
    if let (Some(written), false, Some(data)) = (written, owner.merges(), &mut secret.data) {
        for (_, value) in data.iter_mut().filter(|(key, _)| !written.contains(*key)) {
            zeroize::Zeroize::zeroize(&mut value.0);
        }
        data.retain(|key, _| written.contains(key));
    }
    note(&mut secret.metadata, owner);
    if owner.makes_immutable() {
        secret.immutable = Some(true);
    }
    own(&mut secret.metadata, owner);
    finish(&mut secret);
    secret
}

/// Records on a target what generators made for it.
pub(super) fn note(meta: &mut ObjectMeta, owner: Owner<'_>) {
    if let Some(record) = owner.record {
        meta.annotations.get_or_insert_default().insert(annotation(owner.namespace(), owner.name()), record.to_owned());
    }
}

/// Adds the label that the watch selects, and the hash of the data.
fn finish(secret: &mut Secret) {
    let labels = secret.metadata.labels.get_or_insert_default();
    labels.insert(LABEL_MANAGED.to_owned(), LABEL_MANAGED_VALUE.to_owned());
    let data = secret.data.iter().flatten().map(|(key, value)| (key.as_str(), value.0.as_slice()));
    let data_hash = hash::data_hash(data);
    secret.metadata.annotations.get_or_insert_default().insert(ANNOTATION_DATA_HASH.to_owned(), data_hash);
    // If none are given, the API server keeps the existing ones with their times, which are not read here.
    secret.metadata.managed_fields = None;
}

/// The metadata of a target that does not exist yet.
pub(super) fn new_metadata(owner: Owner<'_>) -> ObjectMeta {
    ObjectMeta {
        name: Some(owner.target_name().to_owned()),
        namespace: Some(owner.namespace().to_owned()),
        ..ObjectMeta::default()
    }
}

fn set_data(secret: &mut Secret, owner: Owner<'_>, content: Content<'_>, ours: &ManagedFields) {
    let merges = owner.merges();
    let data = secret.data.get_or_insert_default();
    for (key, value) in &mut *data {
        if !merges || ours.data.contains(key) {
            zeroize::Zeroize::zeroize(&mut value.0);
        }
    }
    data.retain(|key, _| merges && !ours.data.contains(key));
    data.extend(content.data().iter().map(|(key, value)| (key.clone(), bytes(value))));
}

/// Sets the labels, annotations and finalizers; `ours` are those that were written before.
pub(super) fn set_metadata(meta: &mut ObjectMeta, owner: Owner<'_>, content: Content<'_>, ours: &ManagedFields) {
    let labels = meta.labels.get_or_insert_default();
    labels.retain(|key, _| !ours.labels.contains(key));
    let annotations = meta.annotations.get_or_insert_default();
    annotations.retain(|key, _| !ours.annotations.contains(key));
    match content {
        Content::Values(_) => {
            labels.extend(owner.meta.labels.clone().unwrap_or_default());
            annotations.extend(copied_annotations(owner.meta));
        }
        Content::Rendered(rendered) => {
            labels.extend(rendered.labels.clone());
            annotations.extend(rendered.annotations.clone());
            // The API server rejects new ones on an object that is being deleted.
            if meta.deletion_timestamp.is_none() {
                add_finalizers(meta, &rendered.finalizers);
            }
        }
    }
    note(meta, owner);
}

fn add_finalizers(meta: &mut ObjectMeta, finalizers: &[String]) {
    for finalizer in finalizers {
        let present = meta.finalizers.get_or_insert_default();
        if !present.contains(finalizer) {
            present.push(finalizer.clone());
        }
    }
}

fn copied_annotations(meta: &ObjectMeta) -> BTreeMap<String, String> {
    let mut annotations = meta.annotations.clone().unwrap_or_default();
    annotations.retain(|key, _| !NOT_COPIED.contains(&key.as_str()));
    annotations
}

fn bytes(value: &secrecy::SecretSlice<u8>) -> ByteString {
    ByteString(value.expose_secret().to_vec())
}

/// With `creationPolicy: Owner`, adds `owner` to the owner references, replacing an earlier one, and the label by which
/// a Secret of an earlier name is found. Otherwise removes both.
pub(super) fn own(meta: &mut ObjectMeta, owner: Owner<'_>) {
    let labels = meta.labels.get_or_insert_default();
    if owner.creation_policy() != CreationPolicy::Owner {
        labels.remove(LABEL_OWNER);
        if let Some(owners) = &mut meta.owner_references {
            owners.retain(|reference| !is_controller(reference, owner));
        }
        return;
    }
    labels.insert(LABEL_OWNER.to_owned(), hash::owner_label(owner.namespace(), owner.name()));
    let reference = owner.reference();
    let owners = meta.owner_references.get_or_insert_default();
    let same = |owner: &&mut OwnerReference| is_external_secret(owner) && owner.name == reference.name;
    match owners.iter_mut().find(same) {
        Some(owner) => *owner = reference,
        None => owners.push(reference),
    }
}

/// Whether `existing` need not be written to become `desired`. Annotations that only ESO copies do not require a write.
#[must_use]
pub fn is_as_desired(existing: &Secret, desired: &Secret) -> bool {
    has_metadata_as(&existing.metadata, &desired.metadata)
        && existing.data.iter().flatten().eq(desired.data.iter().flatten())
        && existing.type_ == desired.type_
        && existing.immutable == desired.immutable
}

/// Whether `before` has the labels, annotations, owners and finalizers of `after`.
pub(super) fn has_metadata_as(before: &ObjectMeta, after: &ObjectMeta) -> bool {
    let wanted = after.annotations.clone().unwrap_or_default();
    let mut annotations = before.annotations.clone().unwrap_or_default();
    annotations.retain(|key, _| wanted.contains_key(key) || !NOT_COPIED.contains(&key.as_str()));
    annotations == wanted
        && before.labels.clone().unwrap_or_default() == after.labels.clone().unwrap_or_default()
        && before.owner_references.as_deref().unwrap_or_default()
            == after.owner_references.as_deref().unwrap_or_default()
        && before.finalizers == after.finalizers
}

/// Wipes the values of a Secret before its memory is freed.
pub fn wipe(secret: &mut Secret) {
    for value in secret.data.iter_mut().flat_map(BTreeMap::values_mut) {
        zeroize::Zeroize::zeroize(&mut value.0);
    }
}
