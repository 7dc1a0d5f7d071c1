//! What a ClusterExternalSecret asks for, computed once per change.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::spec::fault;
use crate::api::v1::ClusterExternalSecret;
use crate::api::{ANNOTATION_FORCE_SYNC, ANNOTATION_REFRESH, Selection, ServedVersion};
use crate::controller::child_objects::refresh_time;
use crate::sync::cluster_external_secret::Wanted;
use crate::sync::cluster_external_secret::status::Fault;

/// What a ClusterExternalSecret asks for.
#[derive(Debug)]
pub(super) struct Compiled {
    /// The fingerprint of the object that this was computed from.
    pub(super) fingerprint: u64,
    /// What the ExternalSecrets must be, and where; `None` if that is unknown.
    pub(super) request: Option<Request>,
    /// Why no ExternalSecrets are written. Existing ones stay as they are.
    pub(super) fault: Option<Fault>,
    /// How often all namespaces are compared again.
    pub(super) refresh: Option<Duration>,
}

/// What the ExternalSecrets must be, and where.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) selection: Selection,
    pub(super) wanted: Wanted,
}

impl Compiled {
    pub(super) fn of(object: &ClusterExternalSecret, version: ServedVersion) -> Self {
        let fingerprint = fingerprint(object);
        // A clone, so that the parsed spec is not kept with the watched object.
        let spec = object.spec.clone();
        let spec = match spec.get() {
            Ok(spec) => spec,
            Err(field) => {
                let fault = Some(Fault::Field(field.to_string()));
                return Self { fingerprint, request: None, fault, refresh: None };
            }
        };
        let request = Selection::of(spec).ok();
        let request =
            request.map(|selection| Request { selection, wanted: Wanted::of(&object.metadata, spec, version) });
        Self { fingerprint, request, fault: fault(spec), refresh: refresh_time(spec.refresh_time.as_deref()) }
    }
}

/// A hash of the parts of a ClusterExternalSecret whose change affects its namespaces. Its status is not one of them.
pub(super) fn fingerprint(object: &ClusterExternalSecret) -> u64 {
    let meta = &object.metadata;
    // The first is handed on; the second asks for another comparison of all namespaces.
    let requests = [ANNOTATION_FORCE_SYNC, ANNOTATION_REFRESH]
        .map(|name| meta.annotations.as_ref().and_then(|annotations| annotations.get(name)));
    let mut hasher = DefaultHasher::new();
    (&meta.uid, meta.generation, requests, meta.deletion_timestamp.is_some(), &meta.finalizers).hash(&mut hasher);
    hasher.finish()
}
