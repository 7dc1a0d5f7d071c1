//! The watches of PushSecrets and of their sources.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Resource;
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;

use super::state::State;
use super::versions::{Listed, SourceKind};
use crate::answers::MetadataOf;
use crate::api::v1alpha1::{API_VERSION, PushSecret};
use crate::controller::core::discovery::until_served;
use crate::controller::core::key::{ObjectKey, ObjectVersion};
use crate::controller::core::watch::{self, Change, News, Watched};
use crate::controller::core::watching::Watching;
use crate::controller::store_access::key::StoreKey;
use crate::runtime::metrics::Metrics;

/// Watches PushSecrets, once the cluster serves them. `on_hold` gets each store that gets its first holder or loses its last one, `others`
/// each change.
pub(crate) fn push_secrets(
    watching: &Watching,
    state: &Arc<State>,
    metrics: Metrics,
    on_hold: impl Fn(&StoreKey) + Send + 'static,
    others: impl Fn(&PushSecret) + Send + 'static,
) -> Store<PushSecret> {
    let state = Arc::clone(state);
    let on_change = move |change: Change<'_, PushSecret>| {
        let held = match change {
            Change::Applied(object) => state.applied(object),
            Change::Deleted(object) => {
                let key = ObjectKey::of(&object.metadata);
                metrics.push_secrets().deleted(&key.namespace, &key.name);
                state.deleted(&key)
            }
        };
        for store in &held {
            on_hold(store);
        }
        let (Change::Applied(object) | Change::Deleted(object)) = change;
        others(object);
    };
    let strip = |object: &mut PushSecret| {
        // Needed to determine which of two is older.
        let created = object.metadata.creation_timestamp.take();
        watch::strip_metadata(&mut object.metadata);
        object.metadata.creation_timestamp = created;
    };
    let served = until_served(watching.client.clone(), API_VERSION, vec![PushSecret::PLURAL]);
    let watching = watching.clone();
    watch::objects_once(served, move || watching.ours(PushSecret::PLURAL, &()), (), strip, on_change)
}

/// Watches the metadata of Secrets and ConfigMaps, once there is a PushSecret. Keeps none of it.
pub(crate) fn sources(watching: &Watching, state: &Arc<State>) {
    versions_of::<Secret>(SourceKind::Secret, "secrets that are pushed", watching, state);
    versions_of::<ConfigMap>(SourceKind::ConfigMap, "configmaps with templates of pushes", watching, state);
}

fn versions_of<K>(kind: SourceKind, name: &'static str, watching: &Watching, state: &Arc<State>)
where
    MetadataOf<K>: Watched + Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    let (wanted, state) = (state.is_used.clone(), Arc::clone(state));
    let mut listed = Listed::none(kind);
    let on_news = move |news: News<'_, MetadataOf<K>>| match news {
        News::Listing => listed = Listed::none(kind),
        News::Listed(object) => {
            let meta = object.meta();
            listed.insert(meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
            state.source_changed(kind, meta, Some(&ObjectVersion::of(meta)));
        }
        News::ListedAll => state.sources_listed(&std::mem::replace(&mut listed, Listed::none(kind))),
        News::Applied(object) => {
            state.source_changed(kind, object.meta(), Some(&ObjectVersion::of(object.meta())));
        }
        News::Deleted(object) => state.source_changed(kind, object.meta(), None),
    };
    let watching = watching.clone();
    watch::versions(move || watching.namespaced(name, watcher::Config::default()), wanted, on_news);
}
