//! What the store controllers work with.

use std::sync::Arc;

use kube::Client;

use super::state::State;
use super::watched::WatchedStores;
use crate::answers::Objects;
use crate::api::ServedVersion;
use crate::api::v1::secret_store::StoreType;
use crate::api::v1::{SecretStore, StoreKind};
use crate::controller::core::events::Recorder;
use crate::controller::core::kept_fields::KeptFields;
use crate::controller::core::key::ObjectKey;
use crate::controller::core::repeated_writes::RepeatedWrites;
use crate::controller::namespaces::Namespaces;
use crate::controller::options::Options;
use crate::controller::store_access::clients::admits;
use crate::controller::store_access::key::StoreKey;
use crate::controller::store_access::roles::StoreReaders;
use crate::provider::Providers;
use crate::runtime::metrics::Metrics;

/// What the store controllers work with.
pub(crate) struct Context {
    pub(crate) client: Client,
    /// The version in which the cluster serves our resources.
    pub(crate) version: ServedVersion,
    pub(crate) options: Arc<Options>,
    /// What stores are validated with.
    pub(crate) providers: Providers,
    pub(crate) events: Recorder,
    pub(crate) metrics: Metrics,
    /// The watched stores.
    pub(crate) watched: Arc<WatchedStores>,
    /// Namespaces, with their labels.
    pub(crate) namespaces: Namespaces,
    /// The kinds of objects that read stores.
    pub(crate) readers: Vec<Arc<dyn StoreReaders>>,
    /// The status fields that the API server stores.
    pub(crate) kept_fields: KeptFields,
    /// The share of the API server for statuses that are written again.
    pub(crate) repeated_writes: RepeatedWrites,
    /// What is remembered.
    pub(crate) state: Arc<State>,
}

impl Context {
    /// Stores of the kind and in the namespace of `key`, at the API server.
    #[must_use]
    pub(crate) fn stores(&self, key: &StoreKey) -> Objects<SecretStore> {
        let dyntype = StoreType { kind: key.kind, version: self.version };
        match key.kind {
            StoreKind::SecretStore => Objects::namespaced(self.client.clone(), &key.object.namespace, &dyntype),
            StoreKind::ClusterSecretStore => Objects::all(self.client.clone(), &dyntype),
        }
    }

    /// Who needs a store to stay, sorted. A namespace that the store does not admit needs nothing of it: nothing can be deleted from
    /// there through it.
    #[must_use]
    pub(crate) fn holders(&self, object: &SecretStore, key: &StoreKey) -> Vec<ObjectKey> {
        let mut holders: Vec<_> = self.readers.iter().flat_map(|readers| readers.holders(key)).collect();
        // Of a spec that cannot be read nobody knows whom it admits.
        if let Ok(spec) = object.spec.get() {
            let labels = |namespace: &str| self.namespaces.labels(namespace);
            holders.retain(|holder| admits(spec, key.kind, &holder.namespace, labels(&holder.namespace).as_ref()));
        }
        holders.sort_unstable();
        holders
    }

    /// Whether any object reads a store, and so waits for it while it is not Ready.
    #[must_use]
    pub(crate) fn is_read(&self, key: &StoreKey) -> bool {
        self.readers.iter().any(|readers| readers.read(key))
    }
}
