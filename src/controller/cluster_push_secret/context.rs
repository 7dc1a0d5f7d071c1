//! What the controller works with.

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

/// What the controller works with.
pub(crate) struct Context {
    /// The API server.
    pub(crate) client: Client,
    /// Where events go.
    pub(crate) events: Recorder,
    /// Where metrics go.
    pub(crate) metrics: Metrics,
    /// ClusterPushSecrets, as they are watched.
    pub(crate) objects: Store<ClusterPushSecret>,
    /// What the API server keeps of a status.
    pub(crate) kept_fields: KeptFields,
    /// PushSecrets, as they are watched.
    pub(crate) push_secrets: Store<PushSecret>,
    /// The namespaces, as they are watched.
    pub(crate) namespaces: Namespaces,
    /// What is remembered.
    pub(crate) state: Arc<State>,
}

impl Context {
    /// A ClusterPushSecret, as it is watched.
    pub(super) fn watched(&self, name: &str) -> Option<Arc<ClusterPushSecret>> {
        self.objects.get(&ObjectRef::new_with(name, ()))
    }

    /// ClusterPushSecrets, at the API server.
    pub(super) fn api(&self) -> Objects<ClusterPushSecret> {
        Objects::all(self.client.clone(), &())
    }

    /// The PushSecrets of a namespace, at the API server. They are written as they stand, with fields that this program does not know.
    pub(super) fn push_secrets_of(&self, namespace: &str) -> Objects<DynamicObject> {
        Objects::namespaced(self.client.clone(), namespace, &ApiResource::erase::<PushSecret>(&()))
    }
}
