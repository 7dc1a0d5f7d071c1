//! What to do with the target.

mod object;
mod refusal;
mod secret_type;

use std::borrow::Cow;
use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;

use super::last_write::LastWrite;
use super::object::TargetObject;
use super::refresh::TargetState;
use super::rendered::Rendered;
use super::target::{self, Content, Owner, TargetName};
use super::{SecretData, hash};
use crate::api::v1::external_secret::{CreationPolicy, DeletionPolicy, ManifestReference};
use crate::api::{ANNOTATION_DATA_HASH, LABEL_MANAGED, LABEL_MANAGED_VALUE, LABEL_OWNER};

pub use object::{build_object, leave_object};
pub use refusal::Refusal;

/// What to do with the target. `Debug` prints no values.
pub enum Plan {
    /// It does not exist: create it.
    Create(Box<TargetSecret>),
    /// It exists and differs: replace the version that was read.
    Update(Box<TargetSecret>),
    /// It is not a Secret and does not exist: create it.
    CreateObject(Box<TargetObject>),
    /// It is not a Secret, exists and differs: replace the version that was read.
    UpdateObject(Box<TargetObject>),
    /// Its values are gone: delete it (`deletionPolicy: Delete`).
    Delete(Deletion),
    /// Its values are gone, and so is it.
    Deleted,
    /// It is up to date.
    Unchanged,
    /// Its values are gone: keep it (`deletionPolicy: Retain`).
    Retained,
    /// It does not exist, and somebody else must create it (`creationPolicy: Merge`).
    Missing,
    /// It is not written (`creationPolicy: None`).
    NotWritten,
}

/// What to report about an executed plan, in ESO's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The reason of the condition `Ready`, which is True.
    pub reason: &'static str,
    /// Its message.
    pub message: &'static str,
    /// The reason and message of the event, if something was written.
    pub event: Option<(&'static str, Cow<'static, str>)>,
}

/// What to report about an executed plan of one kind, for a Secret and for another object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// The reason of the condition `Ready`.
    pub reason: (&'static str, &'static str),
    /// Its message.
    pub message: (&'static str, &'static str),
    /// The reason and message of the event for a Secret, if something was written. For another object, the message is
    /// the reason with its kind and name.
    pub event: Option<(&'static str, &'static str)>,
}

const SYNCED: Said =
    Said { reason: ("SecretSynced", "ResourceSynced"), message: ("secret synced", "secret synced"), event: None };
const CREATED: Said = Said { event: Some(("Created", "secret created")), ..SYNCED };
const UPDATED: Said = Said { event: Some(("Updated", "secret updated")), ..SYNCED };
const RETAINED: Said = Said {
    message: ("secret retained due to DeletionPolicy=Retain", "secret retained due to DeletionPolicy=Retain"),
    ..SYNCED
};
const DELETED: Said = Said {
    reason: ("SecretDeleted", "ResourceDeleted"),
    message: ("secret deleted due to DeletionPolicy=Delete", "secret deleted due to DeletionPolicy=Delete"),
    event: None,
};
const DELETED_NOW: Said = Said { event: Some(("Deleted", DELETED.message.0)), ..DELETED };
const MISSING: Said = Said {
    reason: ("SecretMissing", "ResourceMissing"),
    message: (
        "secret will not be created due to CreationPolicy=Merge",
        "resource will not be created due to CreationPolicy=Merge",
    ),
    event: None,
};

/// Everything that can be reported about an executed plan.
pub const SUCCESSES: [Said; 7] = [CREATED, UPDATED, SYNCED, RETAINED, DELETED_NOW, DELETED, MISSING];

impl Plan {
    const fn said(&self) -> Said {
        match self {
            Self::Create(_) | Self::CreateObject(_) => CREATED,
            Self::Update(_) | Self::UpdateObject(_) => UPDATED,
            Self::Unchanged | Self::NotWritten => SYNCED,
            Self::Retained => RETAINED,
            Self::Delete(_) => DELETED_NOW,
            Self::Deleted => DELETED,
            Self::Missing => MISSING,
        }
    }

    /// What to report after it was executed for `owner`.
    #[must_use]
    pub fn statement(&self, owner: Owner<'_>) -> Statement {
        let said = self.said();
        if owner.manifest().is_none() {
            let event = said.event.map(|(reason, message)| (reason, Cow::Borrowed(message)));
            return Statement { reason: said.reason.0, message: said.message.0, event };
        }
        let TargetName { kind, name } = owner.target();
        let event = said.event.map(|(reason, _)| (reason, format!("{reason} {kind} {name}").into()));
        Statement { reason: said.reason.1, message: said.message.1, event }
    }

    /// Whether the target exists with the values after the plan was executed. If so, Secrets of earlier target names
    /// may be deleted ([`stale`]), and `status.binding` names the target.
    #[must_use]
    pub const fn leaves_target(&self) -> bool {
        match self {
            Self::Create(_) | Self::Update(_) | Self::CreateObject(_) | Self::UpdateObject(_) | Self::Unchanged => true,
            Self::Delete(_) | Self::Deleted | Self::Retained | Self::Missing | Self::NotWritten => false,
        }
    }
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Create(_) => "Create",
            Self::Update(_) => "Update",
            Self::CreateObject(_) => "CreateObject",
            Self::UpdateObject(_) => "UpdateObject",
            Self::Delete(_) => "Delete",
            Self::Deleted => "Deleted",
            Self::Unchanged => "Unchanged",
            Self::Retained => "Retained",
            Self::Missing => "Missing",
            Self::NotWritten => "NotWritten",
        })
    }
}

/// An object to delete, as it was when that was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: Option<String>,
    /// Its resourceVersion: if it has changed since, the object is reconciled again.
    pub resource_version: Option<String>,
}

impl Deletion {
    /// The object with this metadata.
    #[must_use]
    pub fn of(meta: &ObjectMeta) -> Self {
        Self {
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone(),
            resource_version: meta.resource_version.clone(),
        }
    }
}

/// A Secret to write. Its values are wiped when dropped.
pub struct TargetSecret(Secret);

impl TargetSecret {
    /// Takes ownership of a Secret that was read.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// The object.
    #[must_use]
    pub fn object(&self) -> &Secret {
        &self.0
    }
}

impl Drop for TargetSecret {
    fn drop(&mut self) {
        target::wipe(&mut self.0);
    }
}

/// What decides whether an existing object may be written or deleted.
#[derive(Clone, Copy, Debug)]
pub struct Present<'a> {
    /// Its metadata.
    pub metadata: &'a ObjectMeta,
    /// Its type, if it is a Secret.
    pub type_: Option<&'a str>,
}

impl<'a> From<&'a Secret> for Present<'a> {
    fn from(secret: &'a Secret) -> Self {
        Self { metadata: &secret.metadata, type_: secret.type_.as_deref() }
    }
}

impl<'a> From<&'a DynamicObject> for Present<'a> {
    fn from(object: &'a DynamicObject) -> Self {
        Self { metadata: &object.metadata, type_: None }
    }
}

/// The plan, if it does not depend on the Secret's new content, so that no template needs to be rendered. `values` is
/// everything that was read. If it is empty, the provider confirmed that nothing exists, because every other failure
/// returned an error earlier.
///
/// # Errors
/// [`Refusal`], if the existing object may not be deleted.
pub fn without_content(
    owner: Owner<'_>,
    values: &SecretData,
    existing: Option<Present<'_>>,
) -> Result<Option<Plan>, Refusal> {
    if values.is_empty() {
        match owner.deletion_policy() {
            DeletionPolicy::Delete => return deletion(owner, existing).map(Some),
            DeletionPolicy::Retain => return Ok(Some(Plan::Retained)),
            DeletionPolicy::Merge => {}
        }
    }
    Ok(match (owner.creation_policy(), existing) {
        (CreationPolicy::None, _) => Some(Plan::NotWritten),
        (CreationPolicy::Merge, None) => Some(Plan::Missing),
        _ => None,
    })
}

fn deletion(owner: Owner<'_>, existing: Option<Present<'_>>) -> Result<Plan, Refusal> {
    let target = owner.target();
    if owner.creation_policy() != CreationPolicy::Owner {
        return Err(Refusal::DeletionByPolicy { target });
    }
    let Some(existing) = existing else { return Ok(Plan::Deleted) };
    may_own(owner, existing)?;
    // Unlike in ESO, a target that was never adopted is kept.
    if !target::is_controlled_by(existing.metadata, owner) {
        return Err(Refusal::NotOwned { target });
    }
    Ok(Plan::Delete(Deletion::of(existing.metadata)))
}

/// Decides what to do so that the target of `owner` holds `values`, or what a template made of them, according to its
/// policies.
///
/// # Errors
/// [`Refusal`], if the existing Secret may not be written or deleted.
pub fn build(
    owner: Owner<'_>,
    values: &SecretData,
    rendered: Option<&Rendered>,
    existing: Option<&Secret>,
) -> Result<Plan, Refusal> {
    if let Some(plan) = without_content(owner, values, existing.map(Present::from))? {
        return Ok(plan);
    }
    let content = rendered.map_or(Content::Values(values), Content::Rendered);
    if let Some(key) = content.data().keys().find(|key| !is_valid_key(key)) {
        return Err(Refusal::InvalidKey { kind: "Secret".to_owned(), key: key.clone() });
    }
    let Some(existing) = existing else {
        let desired = TargetSecret(target::desired(owner, content, None));
        may_be(owner, &desired.0)?;
        return Ok(Plan::Create(Box::new(desired)));
    };
    may_own(owner, existing.into())?;
    let desired = TargetSecret(target::desired(owner, content, Some(existing)));
    if target::is_as_desired(existing, &desired.0) {
        return Ok(Plan::Unchanged);
    }
    may_replace(owner, existing, &desired.0)?;
    may_be(owner, &desired.0)?;
    Ok(Plan::Update(Box::new(desired)))
}

/// Decides what to do with a target whose values stay as they are: see [`minting`](super::minting).
///
/// # Errors
/// [`Refusal`], if the Secret may not be written.
pub fn leave(owner: Owner<'_>, existing: &Secret, written: Option<&BTreeSet<String>>) -> Result<Plan, Refusal> {
    may_own(owner, existing.into())?;
    let desired = TargetSecret(target::left(owner, existing, written));
    if target::is_as_desired(existing, &desired.0) {
        return Ok(Plan::Unchanged);
    }
    may_replace(owner, existing, &desired.0)?;
    Ok(Plan::Update(Box::new(desired)))
}

/// Types of Secrets that the cluster itself fills or trusts. Anybody who may write one, or change the annotation that
/// names its service account, would gain rights in the cluster.
const SYSTEM_TYPES: [&str; 2] = ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"];

/// Whether `owner` may write to `existing`. Like ESO, it compares the name, not the UID: a recreated ExternalSecret
/// takes over its target. Without `creationPolicy: Owner`, a controller of another kind is not an obstacle.
fn may_own(owner: Owner<'_>, existing: Present<'_>) -> Result<(), Refusal> {
    if let Some(type_) = existing.type_.filter(|type_| SYSTEM_TYPES.contains(type_)) {
        return Err(Refusal::OfTheSystem { target: owner.target(), type_: type_.to_owned() });
    }
    let controller = existing.metadata.owner_references.iter().flatten().find(|o| o.controller == Some(true));
    match controller {
        Some(other) if target::is_external_secret(other) && other.name == owner.name() => Ok(()),
        Some(other) if target::is_external_secret(other) => {
            Err(Refusal::OwnedByExternalSecret { target: owner.target(), owner: other.name.clone() })
        }
        Some(other) if owner.creation_policy() == CreationPolicy::Owner => {
            Err(Refusal::OwnedByOther { target: owner.target(), kind: other.kind.clone(), owner: other.name.clone() })
        }
        None | Some(_) => Ok(()),
    }
}

/// Whether the API server would accept `desired`, regardless of what exists.
fn may_be(owner: Owner<'_>, desired: &Secret) -> Result<(), Refusal> {
    secret_type::check(desired).map_err(|problem| match problem {
        secret_type::Problem::Type(needed) => {
            Refusal::Incomplete { target: owner.target(), type_: desired.type_.clone().unwrap_or_default(), needed }
        }
        secret_type::Problem::Size(size) => Refusal::TooLarge { target: owner.target(), size },
    })
}

/// Whether the API server would accept `desired` as an update of `existing`.
fn may_replace(owner: Owner<'_>, existing: &Secret, desired: &Secret) -> Result<(), Refusal> {
    let new_type = existing.type_ != desired.type_;
    let new_data =
        existing.data.as_ref().filter(|data| !data.is_empty()) != desired.data.as_ref().filter(|data| !data.is_empty());
    match (existing.immutable, &existing.type_, &desired.type_) {
        (Some(true), ..) if new_data || new_type => Err(Refusal::Immutable { target: owner.target() }),
        (_, Some(existing), Some(wanted)) if new_type => {
            Err(Refusal::OtherType { target: owner.target(), existing: existing.clone(), wanted: wanted.clone() })
        }
        _ => Ok(()),
    }
}

/// Secrets of earlier target names, to be deleted when the target exists ([`Plan::leaves_target`]): those of
/// `candidates` that carry the label of `owner` and that it controls.
#[must_use]
pub fn stale<'a>(owner: Owner<'_>, candidates: impl IntoIterator<Item = &'a ObjectMeta>) -> Vec<Deletion> {
    stale_of(owner, None, candidates)
}

/// The same for objects of the kind that `manifest` names.
#[must_use]
pub fn stale_objects<'a>(
    owner: Owner<'_>,
    manifest: &ManifestReference,
    candidates: impl IntoIterator<Item = &'a ObjectMeta>,
) -> Vec<Deletion> {
    stale_of(owner, Some(manifest), candidates)
}

fn stale_of<'a>(
    owner: Owner<'_>,
    kind: Option<&ManifestReference>,
    candidates: impl IntoIterator<Item = &'a ObjectMeta>,
) -> Vec<Deletion> {
    if owner.creation_policy() != CreationPolicy::Owner {
        return Vec::new();
    }
    let label = hash::owner_label(owner.namespace(), owner.name());
    let is_stale = |meta: &&ObjectMeta| {
        let labeled = meta.labels.as_ref().and_then(|labels| labels.get(LABEL_OWNER)) == Some(&label);
        let is_target = owner.manifest() == kind && meta.name.as_deref() == Some(owner.target_name());
        labeled
            && meta.namespace.as_deref() == Some(owner.namespace())
            && !is_target
            && target::is_controlled_by(meta, owner)
    };
    candidates.into_iter().filter(is_stale).map(Deletion::of).collect()
}

/// Whether the target still is what was last written, as far as its policy requires. An orphan is left alone until the
/// next refresh. A target that is not written, or that does not exist to be merged into, needs no correction.
#[must_use]
pub fn target_state(policy: CreationPolicy, existing: Option<&Secret>) -> TargetState {
    state(policy, existing.map(is_intact))
}

/// The same for a target that is not a Secret.
#[must_use]
pub fn object_state(policy: CreationPolicy, existing: Option<&DynamicObject>, last: Option<&LastWrite>) -> TargetState {
    state(policy, existing.map(|object| super::object::is_intact(object, last)))
}

fn state(policy: CreationPolicy, is_intact: Option<bool>) -> TargetState {
    match (policy, is_intact) {
        (CreationPolicy::Orphan | CreationPolicy::None, _) | (CreationPolicy::Merge, None) | (_, Some(true)) => {
            TargetState::Intact
        }
        _ => TargetState::Changed,
    }
}

/// Whether a Secret still has the content that was last written, according to its hash.
#[must_use]
pub fn is_intact(secret: &Secret) -> bool {
    let data = secret.data.iter().flatten().map(|(key, value)| (key.as_str(), value.0.as_slice()));
    let label = secret.metadata.labels.as_ref().and_then(|labels| labels.get(LABEL_MANAGED));
    let hash = secret.metadata.annotations.as_ref().and_then(|annotations| annotations.get(ANNOTATION_DATA_HASH));
    label.is_some_and(|value| value == LABEL_MANAGED_VALUE)
        && hash.is_some_and(|hash| hash::is_of_older_eso(hash) || *hash == hash::data_hash(data))
}

/// Kubernetes' rule for keys of Secrets and ConfigMaps.
fn is_valid_key(key: &str) -> bool {
    (1..=253).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && key != "."
        && !key.starts_with("..")
}

#[cfg(test)]
mod tests;
