//! The watched stores.

use std::sync::Arc;

use kube::runtime::reflector::{ObjectRef, Store};

use super::state::State;
use crate::api::ServedVersion;
use crate::api::v1::secret_store::StoreType;
use crate::api::v1::{SecretStore, StoreKind};
use crate::controller::store_access::key::StoreKey;
use crate::controller::store_access::roles::Stores;

/// The watched stores.
pub(crate) struct WatchedStores {
    /// The version in which the cluster serves our resources.
    pub(crate) version: ServedVersion,
    pub(crate) secret_stores: Store<SecretStore>,
    pub(crate) cluster_secret_stores: Store<SecretStore>,
    /// Where validations are requested.
    pub(crate) state: Arc<State>,
}

impl WatchedStores {
    /// Waits for the first lists.
    pub(crate) async fn wait_until_ready(&self) {
        let _ = self.secret_stores.wait_until_ready().await;
        let _ = self.cluster_secret_stores.wait_until_ready().await;
    }
}

impl Stores for WatchedStores {
    fn watched(&self, key: &StoreKey) -> Option<Arc<SecretStore>> {
        let dyntype = StoreType { kind: key.kind, version: self.version };
        let reference = ObjectRef::new_with(&key.object.name, dyntype);
        match key.kind {
            StoreKind::SecretStore => self.secret_stores.get(&reference.within(&key.object.namespace)),
            StoreKind::ClusterSecretStore => self.cluster_secret_stores.get(&reference),
        }
    }

    fn all(&self, kind: StoreKind, namespace: &str) -> Vec<Arc<SecretStore>> {
        match kind {
            StoreKind::SecretStore => {
                let mut stores = self.secret_stores.state();
                stores.retain(|store| store.metadata.namespace.as_deref() == Some(namespace));
                stores
            }
            StoreKind::ClusterSecretStore => self.cluster_secret_stores.state(),
        }
    }

    fn question(&self, key: &StoreKey) {
        self.state.wake(key);
    }
}
