//! An ExternalSecret on its way through a reconcile.

use std::time::Instant;

use jiff::Timestamp;

use crate::api::v1::ExternalSecret;
use crate::api::v1::external_secret::ExternalSecretStatus;
use crate::controller::core::key::ObjectKey;
use crate::runtime::metrics::Object;

/// An ExternalSecret on its way through a reconcile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// Its namespace and name.
    pub(crate) key: &'a ObjectKey,
    /// The object.
    pub(crate) object: &'a ExternalSecret,
    /// Its newest status, which the watch may not show yet.
    pub(crate) status: Option<&'a ExternalSecretStatus>,
    /// When the reconcile began; becomes `status.refreshTime`.
    pub(crate) now: Timestamp,
    /// The same, to tell how long it has taken.
    pub(crate) began: Instant,
}

impl<'a> Subject<'a> {
    /// An ExternalSecret whose reconcile begins now.
    #[must_use]
    pub(crate) fn new(
        key: &'a ObjectKey,
        object: &'a ExternalSecret,
        status: Option<&'a ExternalSecretStatus>,
    ) -> Self {
        Self { key, object, status, now: Timestamp::now(), began: Instant::now() }
    }

    /// The UID of the object: another of its name has another.
    #[must_use]
    pub(crate) fn uid(self) -> Option<&'a str> {
        self.object.metadata.uid.as_deref()
    }

    /// As metrics know it.
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
