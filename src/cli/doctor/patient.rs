//! What the checks look at.

use jiff::Timestamp;
use kube::Client;

use crate::controller::store_access::key::StoreKey;

/// What is looked at.
pub(super) struct Patient<'a> {
    pub(super) client: &'a Client,
    /// Where namespaced objects are looked for; all namespaces if none.
    pub(super) namespace: Option<&'a str>,
    /// The store that alone is of interest.
    pub(super) store: Option<&'a StoreKey>,
    pub(super) class: &'a str,
    pub(super) now: Timestamp,
}
