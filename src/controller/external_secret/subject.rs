//! An ExternalSecret during a pass.

use std::time::Instant;

use jiff::Timestamp;

use crate::api::v1::ExternalSecret;
use crate::api::v1::external_secret::ExternalSecretStatus;
use crate::controller::core::key::ObjectKey;
use crate::runtime::metrics::Object;

/// An ExternalSecret during a pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) key: &'a ObjectKey,
    pub(crate) object: &'a ExternalSecret,
    /// Its newest status, which the watch may not show yet.
    pub(crate) status: Option<&'a ExternalSecretStatus>,
    /// When the pass began; becomes `status.refreshTime`.
    pub(crate) now: Timestamp,
    /// The same, to measure how long it takes.
    pub(crate) began: Instant,
}

impl<'a> Subject<'a> {
    /// An ExternalSecret whose pass begins now.
    #[must_use]
    pub(crate) fn new(
        key: &'a ObjectKey,
        object: &'a ExternalSecret,
        status: Option<&'a ExternalSecretStatus>,
    ) -> Self {
        Self { key, object, status, now: Timestamp::now(), began: Instant::now() }
    }

    /// The object's UID, which another object of the same name does not share.
    #[must_use]
    pub(crate) fn uid(self) -> Option<&'a str> {
        self.object.metadata.uid.as_deref()
    }

    /// The object as metrics know it.
    #[must_use]
    pub(crate) fn measured(self) -> Object<'a> {
        let labels = self.object.metadata.labels.as_ref();
        Object { namespace: &self.key.namespace, name: &self.key.name, labels }
    }

    /// Whether its target is not a Secret.
    #[must_use]
    pub(crate) fn writes_another_kind(self) -> bool {
        writes_another_kind(self.object)
    }
}

/// Whether the target of an ExternalSecret is not a Secret.
#[must_use]
pub(crate) fn writes_another_kind(object: &ExternalSecret) -> bool {
    object.spec.get().is_ok_and(|spec| spec.target.as_ref().is_some_and(|target| target.manifest.is_some()))
}
