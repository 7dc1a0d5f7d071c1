//! What watches are opened with.

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

/// What watches are opened with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Watching {
    /// The API server.
    pub(crate) client: Client,
    /// Told of each watch.
    pub(crate) api_health: ApiHealth,
    /// The only namespace to work in; all if not given.
    pub(crate) namespace: Option<String>,
    /// Where objects that cannot be read are counted.
    pub(crate) metrics: ApiServerMetrics,
    /// What ends the process where a watch fails.
    pub(crate) vital: Vital,
}

impl Watching {
    /// Objects of a kind of Kubernetes' own that belong to namespaces, of those that are worked in.
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

    /// Objects of one of our kinds that belong to namespaces, of those that are worked in.
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

    /// Objects of a kind that belongs to the cluster.
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

    /// A client for the watch of this name, without which the process is not ready.
    fn client(&self, watch: &str) -> Client {
        self.api_health.watching(watch, &self.client)
    }
}

/// What is known where nothing is watched.
#[must_use]
pub(crate) fn nothing<K: Resource + Clone + 'static>(dyntype: K::DynamicType) -> Store<K>
where
    K::DynamicType: Clone + Eq + Hash,
{
    let mut none = Writer::new(dyntype);
    none.apply_watcher_event(&watcher::Event::InitDone);
    none.as_reader()
}
