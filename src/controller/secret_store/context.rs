//! What the controllers of stores work with.

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
use crate::controller::options::Options;
use crate::controller::store_access::key::StoreKey;
use crate::controller::store_access::roles::StoreReaders;
use crate::provider::Providers;
use crate::runtime::metrics::Metrics;

/// What the controllers of stores work with.
pub(crate) struct Context {
    /// The API server.
    pub(crate) client: Client,
    /// The version of our resources that the cluster serves.
    pub(crate) version: ServedVersion,
    /// The operator's settings.
    pub(crate) options: Arc<Options>,
    /// What stores are tried with.
    pub(crate) providers: Providers,
    /// Where events go.
    pub(crate) events: Recorder,
    /// Where metrics go.
    pub(crate) metrics: Metrics,
    /// The stores, as they are watched.
    pub(crate) watched: Arc<WatchedStores>,
    /// Who reads stores.
    pub(crate) readers: Vec<Arc<dyn StoreReaders>>,
    /// What is kept of a status.
    pub(crate) kept_fields: KeptFields,
    /// What is remembered.
    pub(crate) state: Arc<State>,
}

impl Context {
    /// Stores of the kind and namespace of `key`, at the API server.
    #[must_use]
    pub(crate) fn stores(&self, key: &StoreKey) -> Objects<SecretStore> {
        let dyntype = StoreType { kind: key.kind, version: self.version };
        match key.kind {
            StoreKind::SecretStore => Objects::namespaced(self.client.clone(), &key.object.namespace, &dyntype),
            StoreKind::ClusterSecretStore => Objects::all(self.client.clone(), &dyntype),
        }
    }

    /// Whether anybody reads a store, and so waits for it while it is not Ready.
    #[must_use]
    pub(crate) fn is_read(&self, key: &StoreKey) -> bool {
        self.readers.iter().any(|readers| readers.read(key))
    }
}
