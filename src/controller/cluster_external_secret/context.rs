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
    /// The API server.
    pub(crate) client: Client,
    /// The version of our resources that the cluster serves.
    pub(crate) version: ServedVersion,
    /// Where events go.
    pub(crate) events: Recorder,
    /// Where metrics go.
    pub(crate) metrics: Metrics,
    /// ClusterExternalSecrets, as they are watched.
    pub(crate) objects: Store<ClusterExternalSecret>,
    /// ExternalSecrets, as they are watched.
    pub(crate) external_secrets: Store<ExternalSecret>,
    /// The namespaces, as they are watched.
    pub(crate) namespaces: Namespaces,
    /// What is kept of a status.
    pub(crate) kept_fields: KeptFields,
    /// What is remembered.
    pub(crate) state: Arc<State>,
}

impl Context {
    /// A ClusterExternalSecret, as it is watched.
    #[must_use]
    pub(crate) fn watched(&self, name: &str) -> Option<Arc<ClusterExternalSecret>> {
        self.objects.get(&ObjectRef::new_with(name, self.version))
    }

    /// An ExternalSecret, as it is watched.
    #[must_use]
    pub(crate) fn watched_external_secret(&self, key: &ObjectKey) -> Option<Arc<ExternalSecret>> {
        self.external_secrets.get(&ObjectRef::new_with(&key.name, self.version).within(&key.namespace))
    }

    /// ClusterExternalSecrets, at the API server.
    #[must_use]
    pub(crate) fn api(&self) -> Objects<ClusterExternalSecret> {
        Objects::all(self.client.clone(), &self.version)
    }

    /// The ExternalSecrets of a namespace, at the API server. They are written as they stand, with fields that this program does not
    /// know.
    #[must_use]
    pub(crate) fn external_secrets_of(&self, namespace: &str) -> Objects<DynamicObject> {
        let resource = ApiResource::erase::<ExternalSecret>(&self.version);
        Objects::namespaced(self.client.clone(), namespace, &resource)
    }
}
