//! What the controller needs.

use std::sync::Arc;

use kube::Client;
use kube::api::ApiResource;
use kube::core::DynamicObject;
use kube::runtime::reflector::{ObjectRef, Store};

use super::state::State;
use crate::answers::Objects;
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};
use crate::controller::core::events::Recorder;
use crate::controller::core::kept_fields::KeptFields;
use crate::controller::namespaces::Namespaces;
use crate::runtime::metrics::Metrics;

/// What the controller needs.
pub(crate) struct Context {
    /// The API server.
    pub(crate) client: Client,
    /// Publishes events.
    pub(crate) events: Recorder,
    /// The metrics.
    pub(crate) metrics: Metrics,
    /// The watch cache of ClusterPushSecrets.
    pub(crate) objects: Store<ClusterPushSecret>,
    /// The fields of a status that the API server keeps.
    pub(crate) kept_fields: KeptFields,
    /// The watch cache of PushSecrets.
    pub(crate) push_secrets: Store<PushSecret>,
    /// The watch cache of namespaces.
    pub(crate) namespaces: Namespaces,
    /// The state kept between passes.
    pub(crate) state: Arc<State>,
}

impl Context {
    /// A ClusterPushSecret from the watch cache.
    pub(super) fn watched(&self, name: &str) -> Option<Arc<ClusterPushSecret>> {
        self.objects.get(&ObjectRef::new_with(name, ()))
    }

    /// The API of ClusterPushSecrets.
    pub(super) fn api(&self) -> Objects<ClusterPushSecret> {
        Objects::all(self.client.clone(), &())
    }

    /// The API of the PushSecrets of a namespace. They are dynamic objects, so that a write keeps fields that this program does not know.
    pub(super) fn push_secrets_of(&self, namespace: &str) -> Objects<DynamicObject> {
        Objects::namespaced(self.client.clone(), namespace, &ApiResource::erase::<PushSecret>(&()))
    }
}
