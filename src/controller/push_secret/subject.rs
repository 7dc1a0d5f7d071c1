//! The PushSecret of a pass.

use std::time::Instant;

use jiff::Timestamp;

use crate::api::v1alpha1::{PushSecret, PushSecretStatus};
use crate::controller::core::key::ObjectKey;
use crate::runtime::metrics::Object;

/// The PushSecret of a pass.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) key: &'a ObjectKey,
    pub(super) object: &'a PushSecret,
    /// Its newest status, which the watch may not show yet.
    pub(super) status: &'a PushSecretStatus,
    /// When the pass began; becomes `status.refreshTime`.
    pub(super) now: Timestamp,
    pub(super) began: Instant,
}

impl<'a> Subject<'a> {
    /// The UID, which tells it from another PushSecret of the same name.
    pub(super) fn uid(self) -> Option<&'a str> {
        self.object.metadata.uid.as_deref()
    }

    /// When it was created: of two PushSecrets, the older one writes an object.
    pub(super) fn since(self) -> Timestamp {
        self.object.metadata.creation_timestamp.as_ref().map(|time| time.0).unwrap_or_default()
    }

    /// Whether the spec is the one that was last synced.
    pub(super) fn has_synced_spec(self) -> bool {
        let synced = self.status.synced_resource_version.as_deref().and_then(|version| version.split_once('-'));
        let generation = self.object.metadata.generation.unwrap_or_default().to_string();
        synced.is_some_and(|(synced, _)| synced == generation)
    }

    /// Its labels in metrics.
    pub(super) fn measured(self) -> Object<'a> {
        let labels = self.object.metadata.labels.as_ref();
        Object { namespace: &self.key.namespace, name: &self.key.name, labels }
    }

    /// Whether it adopts an object with this remote key that is not tagged as managed.
    pub(super) fn adopts(self, remote_key: &str) -> bool {
        let annotations = self.object.metadata.annotations.as_ref();
        let listed = annotations.and_then(|annotations| annotations.get(crate::api::ANNOTATION_ADOPT));
        listed.is_some_and(|listed| listed.split(',').any(|key| key.trim() == remote_key))
    }
}
