//! What stores are to those who read them, and those who read them to stores.

use std::sync::Arc;

use super::key::StoreKey;
use crate::api::v1::SecretStore;

/// The stores, as those who read them see them.
pub(crate) trait Stores: Send + Sync {
    /// A store, as it is watched.
    fn watched(&self, key: &StoreKey) -> Option<Arc<SecretStore>>;

    /// Asks for a validation of a store: there is reason to doubt that it is still Ready.
    fn question(&self, key: &StoreKey);
}

/// The objects of a kind that reads stores, as stores see them.
pub(crate) trait StoreReaders: Send + Sync {
    /// Whether any of them reads a store, and so waits for it while it is not Ready.
    fn read(&self, store: &StoreKey) -> bool;

    /// Asks for a reconcile of all that read a store: whether it can be used may have changed.
    fn wake(&self, store: &StoreKey);
}
