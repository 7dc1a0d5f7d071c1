//! What a watch needs to open.

use std::hash::Hash;

use kube::core::{DynamicResourceScope, NamespaceResourceScope};
use kube::runtime::reflector::{Store, store::Writer};
use kube::runtime::watcher;
use kube::{Api, Client, Resource};

use super::watch::Watch;
use crate::answers::Seen;
use crate::runtime::api_health::ApiHealth;
use crate::runtime::metrics::ApiServerMetrics;
use crate::runtime::vital::Vital;

/// What a watch needs to open. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Watching {
    pub(crate) client: Client,
    /// Monitors each watch.
    pub(crate) api_health: ApiHealth,
    /// The only namespace to work in; all namespaces if absent.
    pub(crate) namespace: Option<String>,
    /// Counts objects that cannot be read.
    pub(crate) metrics: ApiServerMetrics,
    /// Ends the process if a watch fails.
    pub(crate) vital: Vital,
}

impl Watching {
    /// Watches a namespaced kind of Kubernetes itself, in the namespaces to work in.
    #[must_use]
    pub(crate) fn namespaced<K>(&self, name: &str, config: watcher::Config) -> Watch<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        let client = self.client(name);
        let api = match &self.namespace {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        };
        self.watch(name, api, config)
    }

    /// Watches one of our namespaced kinds, in the namespaces to work in.
    #[must_use]
    pub(crate) fn ours<K>(&self, name: &str, dyntype: &K::DynamicType) -> Watch<K>
    where
        K: Resource<Scope = DynamicResourceScope>,
    {
        let client = self.client(name);
        let api = match &self.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, dyntype),
            None => Api::all_with(client, dyntype),
        };
        self.watch(name, api, watcher::Config::default())
    }

    /// Watches a cluster-scoped kind.
    #[must_use]
    pub(crate) fn of_cluster<K: Resource>(
        &self,
        name: &str,
        dyntype: &K::DynamicType,
        config: watcher::Config,
    ) -> Watch<K> {
        self.watch(name, Api::all_with(self.client(name), dyntype), config)
    }

    fn watch<K>(&self, name: &str, api: Api<Seen<K>>, config: watcher::Config) -> Watch<K> {
        Watch { name: name.to_owned(), api, config, metrics: self.metrics.clone(), vital: self.vital.clone() }
    }

    /// A client for the watch with this name. The process is not ready until that watch is.
    fn client(&self, watch: &str) -> Client {
        self.api_health.watching(watch, &self.client)
    }
}

/// An empty store, for a kind that is not watched.
#[must_use]
pub(crate) fn nothing<K: Resource + Clone + 'static>(dyntype: K::DynamicType) -> Store<K>
where
    K::DynamicType: Clone + Eq + Hash,
{
    let mut none = Writer::new(dyntype);
    none.apply_watcher_event(&watcher::Event::InitDone);
    none.as_reader()
}
