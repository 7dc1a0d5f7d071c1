//! What the controller works with.

use std::sync::Arc;

use kube::Client;
use kube::api::ApiResource;
use kube::core::DynamicObject;
use kube::runtime::reflector::{ObjectRef, Store};

use super::state::State;
use crate::answers::Objects;
use crate::api::ServedVersion;
use crate::api::v1::{ClusterExternalSecret, ExternalSecret};
use crate::controller::core::events::Recorder;
use crate::controller::core::kept_fields::KeptFields;
use crate::controller::core::key::ObjectKey;
use crate::controller::namespaces::Namespaces;
use crate::runtime::metrics::Metrics;

/// What the controller works with.
pub(crate) struct Context {
    pub(crate) client: Client,
    /// The version in which the cluster serves our resources.
    pub(crate) version: ServedVersion,
    pub(crate) events: Recorder,
    pub(crate) metrics: Metrics,
    /// The watched ClusterExternalSecrets.
    pub(crate) objects: Store<ClusterExternalSecret>,
    /// The watched ExternalSecrets.
    pub(crate) external_secrets: Store<ExternalSecret>,
    /// The watched namespaces.
    pub(crate) namespaces: Namespaces,
    /// The status fields that the API server stores.
    pub(crate) kept_fields: KeptFields,
    /// What is remembered.
    pub(crate) state: Arc<State>,
}

impl Context {
    /// A ClusterExternalSecret from the watch.
    #[must_use]
    pub(crate) fn watched(&self, name: &str) -> Option<Arc<ClusterExternalSecret>> {
        self.objects.get(&ObjectRef::new_with(name, self.version))
    }

    /// An ExternalSecret from the watch.
    #[must_use]
    pub(crate) fn watched_external_secret(&self, key: &ObjectKey) -> Option<Arc<ExternalSecret>> {
        self.external_secrets.get(&ObjectRef::new_with(&key.name, self.version).within(&key.namespace))
    }

    /// ClusterExternalSecrets at the API server.
    #[must_use]
    pub(crate) fn api(&self) -> Objects<ClusterExternalSecret> {
        Objects::all(self.client.clone(), &self.version)
    }

    /// The ExternalSecrets of a namespace at the API server, untyped, so that fields unknown to this program are kept.
    #[must_use]
    pub(crate) fn external_secrets_of(&self, namespace: &str) -> Objects<DynamicObject> {
        let resource = ApiResource::erase::<ExternalSecret>(&self.version);
        Objects::namespaced(self.client.clone(), namespace, &resource)
    }
}
