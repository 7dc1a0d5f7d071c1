//! A target that is not a Secret (`target.manifest`): the object that an ExternalSecret asks for.
//!
//! Without a template, as in ESO, values go into `data` of a ConfigMap and into `spec.data` of any other object.
//! Templates write to the paths that they name. What others wrote stays: with a creationPolicy that merges, everything
//! that was not written here before; otherwise the top-level fields that neither the templates nor an earlier write
//! touch.

mod edit;
mod owned;
mod wipe;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{DynamicObject, TypeMeta};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use super::last_write::LastWrite;
use super::target::{self, Content, Owner};
use super::{hash, managed_fields};
use crate::api::v1::external_secret::ManifestReference;
use crate::api::{ANNOTATION_DATA_HASH, FieldPath, LABEL_MANAGED, LABEL_MANAGED_VALUE};

pub use edit::{Edit, EditError, EditMode, Filling, Obstacle};
pub use wipe::wipe;

/// ESO's field manager when it writes generic targets, which does not name the ExternalSecret.
const ESO_FIELD_MANAGER: &str = "external-secrets";

/// An object to write, or that was read. Its content is wiped when dropped, because it may contain values.
pub struct TargetObject(DynamicObject);

impl TargetObject {
    /// Takes ownership of an object.
    #[must_use]
    pub const fn new(object: DynamicObject) -> Self {
        Self(object)
    }

    /// The object. Its `data` holds all fields except `apiVersion`, `kind` and `metadata`.
    #[must_use]
    pub const fn object(&self) -> &DynamicObject {
        &self.0
    }
}

impl Drop for TargetObject {
    fn drop(&mut self) {
        wipe(&mut self.0.data);
    }
}

/// What to remember of a write and of the API server's answer.
#[must_use]
pub fn last_write(wanted: &TargetObject, stored: &TargetObject) -> LastWrite {
    LastWrite::new(fingerprint(&wanted.0), fingerprint(&stored.0))
}

/// A hash of all fields except status and metadata.
fn fingerprint(object: &DynamicObject) -> String {
    let fields = object.data.as_object().into_iter().flatten().filter(|(key, _)| *key != "status");
    hash::fingerprint(&fields.collect::<BTreeMap<_, _>>())
}

/// Whether an object still has the content that was last written, according to its hash or the last write.
#[must_use]
pub fn is_intact(object: &DynamicObject, last: Option<&LastWrite>) -> bool {
    let annotations = object.metadata.annotations.as_ref();
    let hash = annotations.and_then(|annotations| annotations.get(ANNOTATION_DATA_HASH));
    let is_as_stored = || last.is_some_and(|last| last.is_stored_as(&fingerprint(object)));
    is_managed(&object.metadata) && hash.is_some_and(|hash| *hash == content_hash(object) || is_as_stored())
}

/// Whether an object is what `owner` wrote, as far as its managed fields show. That is asked where the hash does not
/// fit because the API server set defaults or pruned fields, and where what it stored is not remembered.
#[must_use]
pub fn is_whole(object: &DynamicObject, owner: Owner<'_>) -> bool {
    // Nothing is set or pruned in a ConfigMap, so its hash always fits.
    let may_differ = owner.manifest().is_some_and(|manifest| manifest.kind != "ConfigMap");
    may_differ
        && is_managed(&object.metadata)
        && owned::is_whole(&object.metadata, &[&hash::field_manager(owner.name()), ESO_FIELD_MANAGER], owner.merges())
}

/// What to remember of an object that is as it was last written.
#[must_use]
pub fn found(object: &DynamicObject) -> LastWrite {
    let stored = fingerprint(object);
    LastWrite::new(stored.clone(), stored)
}

fn is_managed(meta: &ObjectMeta) -> bool {
    meta.labels.as_ref().and_then(|labels| labels.get(LABEL_MANAGED)).is_some_and(|value| value == LABEL_MANAGED_VALUE)
}

/// ESO's hash: of `spec`, or else of `data`. Here an object with neither has one, too.
fn content_hash(object: &DynamicObject) -> String {
    let field = |name: &str| object.data.get(name).filter(|value| !value.is_null());
    match field("spec").or_else(|| field("data")) {
        Some(content) => hash::content_hash(content),
        None => fingerprint(object),
    }
}

/// Whether this ExternalSecret wrote an object that has no owner, and may delete it. ESO's writes are recognized only
/// by ESO's label, since ESO does not record the writer.
#[must_use]
pub fn is_written_by(meta: &ObjectMeta, owner: Owner<'_>) -> bool {
    let ours = hash::field_manager(owner.name());
    let mut managers = meta.managed_fields.iter().flatten().filter_map(|entry| entry.manager.as_deref());
    is_managed(meta) && managers.any(|manager| manager == ours || manager == ESO_FIELD_MANAGER)
}

/// Why an object cannot be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A value is not text.
    NotText { key: String },
    /// A template writes to a path that does not exist and cannot be created.
    Obstacle(Obstacle),
    /// Templates write so far beyond the ends of lists that too many elements would be created.
    Filling { path: String },
}

impl From<EditError> for Fault {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Obstacle(obstacle) => Self::Obstacle(obstacle),
            EditError::Filling { path } => Self::Filling { path },
        }
    }
}

/// The object that `owner` asks for, starting from the existing one.
pub(super) fn desired(
    owner: Owner<'_>,
    manifest: &ManifestReference,
    content: Content<'_>,
    existing: Option<&DynamicObject>,
) -> Result<TargetObject, Fault> {
    let mut object = TargetObject(existing.cloned().unwrap_or_else(|| DynamicObject {
        types: None,
        metadata: target::new_metadata(owner),
        data: Value::Object(Map::new()),
    }));
    let DynamicObject { types, metadata, data } = &mut object.0;
    *types = Some(TypeMeta { api_version: manifest.api_version.clone(), kind: manifest.kind.clone() });
    let manager = hash::field_manager(owner.name());
    let ours = managed_fields::of(metadata, &manager);
    let home = home(manifest);
    if owner.merges() {
        owned::remove(data, metadata, &manager);
    } else {
        clear(data, owned::top_level(metadata, &manager).iter().map(String::as_str).chain([home]));
    }
    let mut filling = Filling::default();
    write_values(data, home, content, &mut filling)?;
    if let Content::Rendered(rendered) = content {
        rendered.edits.iter().try_for_each(|edit| edit.apply(data, &mut filling))?;
    }
    target::set_metadata(metadata, owner, content, &ours);
    finish(&mut object.0, owner);
    Ok(object)
}

/// The existing object with its content, changing only the metadata about its owner, its record and the hash. What the
/// API server stored is what the hash is of from now on.
pub(super) fn left(owner: Owner<'_>, existing: &DynamicObject) -> TargetObject {
    let mut object = TargetObject(existing.clone());
    target::note(&mut object.0.metadata, owner);
    finish(&mut object.0, owner);
    object
}

fn finish(object: &mut DynamicObject, owner: Owner<'_>) {
    target::own(&mut object.metadata, owner);
    object.metadata.labels.get_or_insert_default().insert(LABEL_MANAGED.to_owned(), LABEL_MANAGED_VALUE.to_owned());
    let hash = content_hash(object);
    object.metadata.annotations.get_or_insert_default().insert(ANNOTATION_DATA_HASH.to_owned(), hash);
    // If none are given, the API server keeps the existing ones with their times, which are not read here.
    object.metadata.managed_fields = None;
}

/// The top-level field that holds the content in this kind.
fn home(manifest: &ManifestReference) -> &'static str {
    if manifest.kind == "ConfigMap" { "data" } else { "spec" }
}

fn clear<'a>(data: &mut Value, fields: impl Iterator<Item = &'a str>) {
    let Some(object) = data.as_object_mut() else { return };
    for field in fields {
        if let Some(mut gone) = object.remove(field) {
            wipe(&mut gone);
        }
    }
}

/// Writes the values that go into the object unchanged.
fn write_values(data: &mut Value, home: &str, content: Content<'_>, filling: &mut Filling) -> Result<(), Fault> {
    let values = content.data();
    let into = if home == "data" { vec![home] } else { vec![home, "data"] };
    // As in ESO, the field exists even if it is empty.
    let place = match content {
        Content::Rendered(_) if values.is_empty() => &into[..1],
        _ => &into[..],
    };
    let path = FieldPath::of_keys(place.iter().copied());
    Edit::new(path, EditMode::Merge, Value::Object(Map::new())).apply(data, filling)?;
    for (key, value) in values {
        let text = std::str::from_utf8(value.expose_secret()).map_err(|_| Fault::NotText { key: key.clone() })?;
        let path = FieldPath::of_keys(into.iter().copied().chain([key.as_str()]));
        Edit::new(path, EditMode::Replace, text.into()).apply(data, filling)?;
    }
    Ok(())
}

/// Whether `existing` need not be written to become `desired`, because it is equal or is the result of writing exactly
/// this.
pub(super) fn is_as_desired(existing: &DynamicObject, desired: &DynamicObject, last: Option<&LastWrite>) -> bool {
    let is_repeated = || last.is_some_and(|last| last.is_repeated_by(&fingerprint(desired), &fingerprint(existing)));
    target::has_metadata_as(&existing.metadata, &desired.metadata) && (existing.data == desired.data || is_repeated())
}
