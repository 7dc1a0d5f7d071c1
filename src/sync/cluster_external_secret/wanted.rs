//! What the ExternalSecret of each namespace must be.

use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::core::{DynamicObject, TypeMeta};
use serde_json::{Value, json};

use crate::api::crd::{self, fill_defaults};
use crate::api::v1::{ClusterExternalSecret, ClusterExternalSecretSpec, ExternalSecret};
use crate::api::{
    ANNOTATION_FORCE_SYNC, ChildMetadata, FINALIZER_EXTERNAL_SECRET, ServedVersion, WrittenMetadata, is_ours,
};
use crate::sync::hash;
use crate::sync::last_write::LastWrite;

/// What the ExternalSecret of each namespace must be.
#[derive(Clone, Debug)]
pub struct Wanted {
    name: String,
    spec: Value,
    /// The spec with our CRD's defaults.
    full_spec: Value,
    metadata: ChildMetadata,
    owner: OwnerReference,
    version: ServedVersion,
}

/// What was last written for a namespace, and what the API server made of it: the CRD of another version may set other
/// defaults, or drop fields that it does not know, and an admission webhook may add labels, which count as written by
/// whoever wrote the object.
#[derive(Clone, Debug)]
pub struct LastChild {
    spec: LastWrite,
    metadata: LastWrite,
}

impl Wanted {
    /// What the ClusterExternalSecret with this metadata and `spec` asks for.
    #[must_use]
    pub fn of(meta: &ObjectMeta, spec: &ClusterExternalSecretSpec, version: ServedVersion) -> Self {
        let mut metadata = spec.external_secret_metadata.clone().unwrap_or_default();
        let annotations = &mut metadata.annotations;
        let asked = meta.annotations.as_ref().and_then(|annotations| annotations.get(ANNOTATION_FORCE_SYNC));
        match asked {
            Some(value) => annotations.insert(ANNOTATION_FORCE_SYNC.to_owned(), value.clone()),
            None => annotations.remove(ANNOTATION_FORCE_SYNC),
        };
        let name = meta.name.clone().unwrap_or_default();
        Self {
            name: child_name(meta, spec).to_owned(),
            full_spec: with_defaults(spec.external_secret_spec.clone()),
            spec: spec.external_secret_spec.clone(),
            metadata,
            owner: OwnerReference {
                api_version: version.api_version().to_owned(),
                kind: ClusterExternalSecret::KIND.to_owned(),
                name,
                uid: meta.uid.clone().unwrap_or_default(),
                controller: Some(true),
                block_owner_deletion: Some(true),
            },
            version,
        }
    }

    /// What to remember of a write of this and of the API server's answer; `None` if the answer has no spec.
    #[must_use]
    pub fn last_write(&self, stored: &ExternalSecret) -> Option<LastChild> {
        Some(LastChild {
            spec: LastWrite::new(hash::fingerprint(&self.spec), hash::fingerprint(&spec_of(stored)?)),
            metadata: LastWrite::new(hash::fingerprint(&self.metadata), self.metadata_of(stored)?),
        })
    }

    /// A hash of those labels and annotations of an ExternalSecret that are wanted or were written for the
    /// ClusterExternalSecret.
    fn metadata_of(&self, existing: &ExternalSecret) -> Option<String> {
        let written = existing.written.as_deref()?;
        Some(hash::fingerprint(&self.metadata.found_in(&existing.metadata, written)))
    }

    /// The name of the ExternalSecret.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the ClusterExternalSecret.
    #[must_use]
    pub fn owner_name(&self) -> &str {
        &self.owner.name
    }

    /// Whether an ExternalSecret is correct. Labels and annotations of others are ignored.
    #[must_use]
    pub fn is_met_by(&self, existing: &ExternalSecret, last: Option<&LastChild>) -> bool {
        existing.metadata.owner_references.iter().flatten().any(|owner| self.is_owner(owner))
            && self.has_metadata(existing, last)
            && self.has_spec(existing, last)
    }

    fn has_metadata(&self, existing: &ExternalSecret, last: Option<&LastChild>) -> bool {
        let Some(written) = existing.written.as_deref() else { return false };
        let is_repeated = |last: &LastChild| {
            let existing = self.metadata_of(existing);
            existing.is_some_and(|existing| last.metadata.is_repeated_by(&hash::fingerprint(&self.metadata), &existing))
        };
        self.metadata.is_met_by(&existing.metadata, written) || last.is_some_and(is_repeated)
    }

    fn is_owner(&self, owner: &OwnerReference) -> bool {
        is_ours(&owner.api_version)
            && (owner.kind.as_str(), owner.name.as_str(), owner.uid.as_str())
                == (ClusterExternalSecret::KIND, self.owner.name.as_str(), self.owner.uid.as_str())
            && owner.controller == Some(true)
            && owner.block_owner_deletion == Some(true)
    }

    fn has_spec(&self, existing: &ExternalSecret, last: Option<&LastChild>) -> bool {
        let Some(spec) = spec_of(existing) else { return false };
        spec == self.spec
            || last
                .is_some_and(|last| last.spec.is_repeated_by(&hash::fingerprint(&self.spec), &hash::fingerprint(&spec)))
            || with_defaults(spec) == self.full_spec
    }

    /// The ExternalSecret to create in a namespace.
    #[must_use]
    pub fn created(&self, namespace: &str) -> DynamicObject {
        let mut metadata = ObjectMeta {
            name: Some(self.name.clone()),
            namespace: Some(namespace.to_owned()),
            owner_references: Some(vec![self.owner.clone()]),
            ..ObjectMeta::default()
        };
        self.metadata.apply(&mut metadata, &WrittenMetadata::default());
        self.object(metadata, &self.spec)
    }

    /// The new form of an ExternalSecret that the ClusterExternalSecret controls. Metadata of others stays. Labels and
    /// annotations that were written for the ClusterExternalSecret before and are no longer wanted are removed.
    #[must_use]
    pub fn updated(&self, existing: &ExternalSecret) -> DynamicObject {
        let meta = &existing.metadata;
        let others = meta.owner_references.iter().flatten().filter(|owner| owner.controller != Some(true)).cloned();
        let owners = std::iter::once(self.owner.clone()).chain(others).collect();
        let mut metadata = ObjectMeta { owner_references: Some(owners), ..meta.clone() };
        self.metadata.apply(&mut metadata, existing.written.as_deref().unwrap_or(&WrittenMetadata::default()));
        self.object(metadata, &self.spec)
    }

    /// An ExternalSecret without ESO's finalizer, which would delete its target; `None` if it has none.
    #[must_use]
    pub fn released(&self, existing: &ExternalSecret) -> Option<DynamicObject> {
        let finalizers = existing.metadata.finalizers.as_deref().unwrap_or_default();
        let is_held = finalizers.iter().any(|finalizer| finalizer == FINALIZER_EXTERNAL_SECRET);
        let (true, Some(spec)) = (is_held, spec_of(existing)) else { return None };
        let remaining = finalizers.iter().filter(|finalizer| *finalizer != FINALIZER_EXTERNAL_SECRET);
        let metadata = ObjectMeta { finalizers: Some(remaining.cloned().collect()), ..existing.metadata.clone() };
        Some(self.object(metadata, &spec))
    }

    fn object(&self, metadata: ObjectMeta, spec: &Value) -> DynamicObject {
        let types =
            TypeMeta { api_version: self.version.api_version().to_owned(), kind: ExternalSecret::KIND.to_owned() };
        DynamicObject { types: Some(types), metadata, data: json!({ "spec": spec }) }
    }

    /// Whether an ExternalSecret with the wanted name would write the same target.
    #[must_use]
    pub fn has_target_of(&self, other: &ExternalSecret) -> bool {
        let name = other.metadata.name.as_deref().unwrap_or_default();
        // An unknown target might be the same.
        spec_of(other).is_none_or(|spec| target(&spec, name) == target(&self.spec, &self.name))
    }
}

/// The name of a ClusterExternalSecret's ExternalSecrets: the one in the spec, or else its own.
#[must_use]
pub(super) fn child_name<'a>(meta: &'a ObjectMeta, spec: &'a ClusterExternalSecretSpec) -> &'a str {
    let given = spec.external_secret_name.as_deref().filter(|name| !name.is_empty());
    given.or(meta.name.as_deref()).unwrap_or_default()
}

/// The spec of an ExternalSecret, including fields that this program does not know.
fn spec_of(object: &ExternalSecret) -> Option<Value> {
    serde_json::from_str(object.spec.text()?).ok()
}

/// The kind and name of a spec's target.
fn target<'a>(spec: &'a Value, name: &'a str) -> (&'a Value, &'a str) {
    let given = spec["target"]["name"].as_str().filter(|name| !name.is_empty());
    (&spec["target"]["manifest"], given.unwrap_or(name))
}

/// The spec of an ExternalSecret as the API server stores it with our CRD.
fn with_defaults(mut spec: Value) -> Value {
    static SCHEMA: LazyLock<Option<JSONSchemaProps>> =
        LazyLock::new(|| crd::external_secret_schema().properties.and_then(|mut fields| fields.remove("spec")));
    if let Some(schema) = &*SCHEMA {
        fill_defaults(&mut spec, schema);
    }
    spec
}
