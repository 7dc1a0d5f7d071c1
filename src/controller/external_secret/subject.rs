//! An ExternalSecret on its way through a reconcile.

use jiff::Timestamp;

use crate::api::v1::ExternalSecret;
use crate::api::v1::external_secret::ExternalSecretStatus;
use crate::controller::key::ObjectKey;

/// An ExternalSecret on its way through a reconcile.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its namespace and name.
    pub key: &'a ObjectKey,
    /// The object.
    pub object: &'a ExternalSecret,
    /// Its newest status, which the watch may not show yet.
    pub status: Option<&'a ExternalSecretStatus>,
    /// When the reconcile began; becomes `status.refreshTime`.
    pub now: Timestamp,
}
