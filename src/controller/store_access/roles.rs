//! How stores and the objects that read them see each other.

use std::sync::Arc;

use super::key::StoreKey;
use crate::api::v1::{SecretStore, StoreKind};
use crate::controller::core::key::ObjectKey;

/// The stores, as seen by the objects that read them.
pub(crate) trait Stores: Send + Sync {
    /// A store from the watch.
    fn watched(&self, key: &StoreKey) -> Option<Arc<SecretStore>>;

    /// The stores of a kind: of one namespace, or of the cluster.
    fn all(&self, kind: StoreKind, namespace: &str) -> Vec<Arc<SecretStore>>;

    /// Queues a validation of a store: there is reason to doubt that it is still Ready.
    fn question(&self, key: &StoreKey);
}

/// The objects of a kind that reads stores, as seen by the stores.
pub(crate) trait StoreReaders: Send + Sync {
    /// Whether any of them reads a store, and so waits for it while it is not Ready.
    fn read(&self, store: &StoreKey) -> bool;

    /// Queues all objects that read a store: it may have become usable or unusable.
    fn wake(&self, store: &StoreKey);

    /// Who needs a store to stay: it must be there to delete what they wrote to it.
    fn holders(&self, store: &StoreKey) -> Vec<ObjectKey> {
        let _ = store;
        Vec::new()
    }
}
