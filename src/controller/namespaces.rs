//! The watched namespaces, with their labels.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;

use super::core::watch::{self, Change, strip_metadata};
use super::core::watching::{Watching, nothing};
use crate::answers::MetadataOf;
use crate::api::Selection;

const NAME: &str = "namespaces";

/// The watched namespaces, with their labels. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Namespaces(Store<MetadataOf<Namespace>>);

impl Namespaces {
    /// Starts the watch. `on_change` is called with each change.
    #[must_use]
    pub(crate) fn watch(
        watching: &Watching,
        on_change: impl FnMut(Change<'_, MetadataOf<Namespace>>) + Send + 'static,
    ) -> Self {
        let strip = |namespace: &mut MetadataOf<Namespace>| {
            strip_metadata(&mut namespace.metadata);
            namespace.metadata.annotations = None;
        };
        let mut config = watcher::Config::default();
        if let Some(namespace) = &watching.namespace {
            config = config.fields(&format!("metadata.name={namespace}"));
        }
        Self(watch::objects(watching.of_cluster(NAME, &(), config), (), strip, on_change))
    }

    /// No namespaces, for when nothing needs them: the controller may lack the right to watch them.
    #[must_use]
    pub(crate) fn unwatched() -> Self {
        Self(nothing(()))
    }

    /// Waits for the first list.
    pub(crate) async fn wait_until_ready(&self) {
        let _ = self.0.wait_until_ready().await;
    }

    /// A namespace, if it exists.
    #[must_use]
    pub(crate) fn get(&self, name: &str) -> Option<Arc<MetadataOf<Namespace>>> {
        self.0.get(&ObjectRef::new(name))
    }

    /// All of them.
    #[must_use]
    pub(crate) fn all(&self) -> Vec<Arc<MetadataOf<Namespace>>> {
        self.0.state()
    }

    /// The names of those that are selected and not being deleted.
    #[must_use]
    pub(crate) fn selected(&self, selection: &Selection) -> BTreeSet<String> {
        let all = self.all();
        let remaining =
            all.iter().map(|namespace| &namespace.metadata).filter(|meta| meta.deletion_timestamp.is_none());
        remaining.filter(|meta| is_selected(meta, selection)).filter_map(|meta| meta.name.clone()).collect()
    }

    /// A namespace's labels; `None` if it does not exist.
    #[must_use]
    pub(crate) fn labels(&self, name: &str) -> Option<BTreeMap<String, String>> {
        self.get(name).map(|namespace| namespace.metadata.labels.clone().unwrap_or_default())
    }
}

/// Whether the namespace with this metadata is selected.
#[must_use]
pub(crate) fn is_selected(meta: &ObjectMeta, selection: &Selection) -> bool {
    let none = BTreeMap::new();
    let name = meta.name.as_deref().unwrap_or_default();
    selection.selects(name, meta.labels.as_ref().unwrap_or(&none))
}
