//! The watch of ClusterExternalSecrets, and how changes of namespaces and ExternalSecrets affect them.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;

use super::state::State;
use crate::answers::MetadataOf;
use crate::api::ServedVersion;
use crate::api::v1::{ClusterExternalSecret, ExternalSecret};
use crate::controller::core::key::ObjectKey;
use crate::controller::core::watch::{self, Change, strip_metadata};
use crate::controller::core::watching::Watching;
use crate::runtime::metrics::Metrics;

/// Watches ClusterExternalSecrets.
pub(crate) fn cluster_external_secrets(
    watching: &Watching,
    version: ServedVersion,
    state: &Arc<State>,
    metrics: Metrics,
) -> Store<ClusterExternalSecret> {
    let state = Arc::clone(state);
    let on_change = move |change: Change<'_, ClusterExternalSecret>| match change {
        Change::Applied(object) => state.applied(object),
        Change::Deleted(object) => {
            let name = object.metadata.name.as_deref().unwrap_or_default();
            state.deleted(name);
            metrics.cluster_external_secrets().deleted(name);
        }
    };
    let watch = watching.of_cluster(ClusterExternalSecret::PLURAL, &version, watcher::Config::default());
    watch::objects(watch, version, |object| strip_metadata(&mut object.metadata), on_change)
}

/// Handles a change of a namespace.
pub(crate) fn on_namespace(state: &Arc<State>) -> impl FnMut(Change<'_, MetadataOf<Namespace>>) + Send + 'static {
    let state = Arc::clone(state);
    move |change| {
        let (Change::Applied(namespace) | Change::Deleted(namespace)) = change;
        let meta = &namespace.metadata;
        state.namespace_changed(meta.name.as_deref().unwrap_or_default(), meta.labels.as_ref());
    }
}

/// Handles a change of an ExternalSecret.
pub(crate) fn on_external_secret(state: &Arc<State>) -> impl FnMut(Change<'_, ExternalSecret>) + Send + 'static {
    let state = Arc::clone(state);
    move |change| match change {
        Change::Applied(object) => state.external_secret_applied(object),
        Change::Deleted(object) => state.external_secret_deleted(&ObjectKey::of(&object.metadata)),
    }
}
