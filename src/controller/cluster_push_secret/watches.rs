//! The watch of ClusterPushSecrets.

use std::sync::Arc;

use kube::runtime::reflector::Store;
use kube::runtime::watcher;

use super::state::State;
use crate::api::v1alpha1::{API_VERSION, ClusterPushSecret, PushSecret};
use crate::controller::core::discovery::until_served;
use crate::controller::core::watch::{self, Change, strip_metadata};
use crate::controller::core::watching::Watching;
use crate::runtime::metrics::Metrics;

/// Watches ClusterPushSecrets, once the cluster serves them and PushSecrets.
pub(crate) fn cluster_push_secrets(
    watching: &Watching,
    state: &Arc<State>,
    metrics: Metrics,
) -> Store<ClusterPushSecret> {
    let kinds = vec![PushSecret::PLURAL, ClusterPushSecret::PLURAL];
    let served = until_served(watching.client.clone(), API_VERSION, kinds);
    let state = Arc::clone(state);
    let on_change = move |change: Change<'_, ClusterPushSecret>| match change {
        Change::Applied(object) => state.applied(object),
        Change::Deleted(object) => {
            let name = object.metadata.name.as_deref().unwrap_or_default();
            state.deleted(name);
            metrics.cluster_push_secrets().deleted("", name);
        }
    };
    let watching = watching.clone();
    let watch = move || watching.of_cluster(ClusterPushSecret::PLURAL, &(), watcher::Config::default());
    watch::objects_once(served, watch, (), |object| strip_metadata(&mut object.metadata), on_change)
}
