//! What the checks look at.

use jiff::Timestamp;
use kube::Client;

use crate::controller::store_access::key::StoreKey;

/// What is checked.
pub(super) struct Patient<'a> {
    pub(super) client: &'a Client,
    /// The namespace to look in; all namespaces if `None`.
    pub(super) namespace: Option<&'a str>,
    /// The only store to check; all stores if `None`.
    pub(super) store: Option<&'a StoreKey>,
    pub(super) class: &'a str,
    pub(super) now: Timestamp,
}
