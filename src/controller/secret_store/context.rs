//! What the controllers of stores work with.

use std::sync::Arc;

use jiff::Timestamp;
use kube::Client;

use super::state::State;
use super::watched::WatchedStores;
use crate::answers::Objects;
use crate::api::ServedVersion;
use crate::api::v1::secret_store::StoreType;
use crate::api::v1::{SecretStore, StoreKind};
use crate::controller::core::events::Recorder;
use crate::controller::options::Options;
use crate::controller::store_access::key::StoreKey;
use crate::controller::store_access::roles::StoreReaders;
use crate::provider::Providers;
use crate::runtime::metrics::Metrics;

/// What the controllers of stores work with.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// The version of our resources that the cluster serves.
    pub version: ServedVersion,
    /// The operator's settings.
    pub options: Arc<Options>,
    /// What stores are tried with.
    pub providers: Providers,
    /// Where events go.
    pub events: Recorder,
    /// Where metrics go.
    pub metrics: Metrics,
    /// The stores, as they are watched.
    pub watched: Arc<WatchedStores>,
    /// Who reads stores.
    pub readers: Vec<Arc<dyn StoreReaders>>,
    /// What is remembered.
    pub state: Arc<State>,
}

impl Context {
    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Stores of the kind and namespace of `key`, at the API server.
    #[must_use]
    pub fn stores(&self, key: &StoreKey) -> Objects<SecretStore> {
        let dyntype = StoreType { kind: key.kind, version: self.version };
        match key.kind {
            StoreKind::SecretStore => Objects::namespaced(self.client.clone(), &key.object.namespace, &dyntype),
            StoreKind::ClusterSecretStore => Objects::all(self.client.clone(), &dyntype),
        }
    }

    /// Whether anybody reads a store, and so waits for it while it is not Ready.
    #[must_use]
    pub fn is_read(&self, key: &StoreKey) -> bool {
        self.readers.iter().any(|readers| readers.read(key))
    }
}
