//! What a ClusterExternalSecret asks for, worked out once for each change of it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::spec::fault;
use crate::api::v1::cluster_external_secret::DEFAULT_REFRESH_TIME;
use crate::api::v1::{ClusterExternalSecret, ClusterExternalSecretSpec};
use crate::api::{ANNOTATION_FORCE_SYNC, GoDuration, Selection, ServedVersion};
use crate::sync::cluster_external_secret::Wanted;
use crate::sync::cluster_external_secret::status::Fault;

/// What is more often than this costs time and finds nothing: all changes are seen at once.
const SHORTEST_REFRESH: Duration = Duration::from_secs(10);

/// What a ClusterExternalSecret asks for.
#[derive(Debug)]
pub(super) struct Compiled {
    /// Of which change of the object.
    pub(super) fingerprint: u64,
    /// What ExternalSecrets must be, and where; none where that is not known.
    pub(super) request: Option<Request>,
    /// Why ExternalSecrets are not made: they stay as they are.
    pub(super) fault: Option<Fault>,
    /// How often all namespaces are compared again.
    pub(super) refresh: Option<Duration>,
}

/// What ExternalSecrets must be, and where.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) selection: Selection,
    pub(super) wanted: Wanted,
}

impl Compiled {
    pub(super) fn of(object: &ClusterExternalSecret, version: ServedVersion) -> Self {
        let fingerprint = fingerprint(object);
        // A clone, so that what is parsed is not kept with the object that is watched.
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
        Self { fingerprint, request, fault: fault(spec), refresh: refresh(spec) }
    }
}

/// A duration that is none counts as if none were given.
fn refresh(spec: &ClusterExternalSecretSpec) -> Option<Duration> {
    let given = spec.refresh_time.as_deref().and_then(|text| text.parse::<GoDuration>().ok());
    given.unwrap_or(DEFAULT_REFRESH_TIME).positive().map(|time| time.max(SHORTEST_REFRESH))
}

/// What of a ClusterExternalSecret decides whether its namespaces must be looked at again. Its status does not.
pub(super) fn fingerprint(object: &ClusterExternalSecret) -> u64 {
    let meta = &object.metadata;
    let force_sync = meta.annotations.as_ref().and_then(|annotations| annotations.get(ANNOTATION_FORCE_SYNC));
    let mut hasher = DefaultHasher::new();
    (&meta.uid, meta.generation, force_sync, meta.deletion_timestamp.is_some(), &meta.finalizers).hash(&mut hasher);
    hasher.finish()
}
