//! The generators of the cluster. A kind is watched from its first use on: most clusters use none, and may not even
//! have the CRD.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kube::api::ListParams;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use tokio::sync::OnceCell;

use super::error::Error;
use super::key::GeneratorKey;
use crate::answers::Objects;
use crate::api::generators::{API_VERSION, Generator, GeneratorKind};
use crate::controller::core::api_call::{ApiError, bounded};
use crate::controller::core::key::ObjectKey;
use crate::controller::core::watch::{self, Change, strip_metadata};
use crate::controller::core::watching::Watching;

/// How long the first list of a kind may take.
const FIRST_LIST: Duration = Duration::from_secs(30);

/// Called with each generator that is new, changed or deleted.
type OnChange = dyn Fn(&GeneratorKey) + Send + Sync;

/// The generators of the cluster.
pub(crate) struct WatchedGenerators {
    watching: Watching,
    on_change: Arc<OnChange>,
    kinds: HashMap<GeneratorKind, OnceCell<Store<Generator>>>,
}

impl WatchedGenerators {
    /// Watches nothing yet.
    #[must_use]
    pub(crate) fn new(watching: Watching, on_change: impl Fn(&GeneratorKey) + Send + Sync + 'static) -> Self {
        let kinds = GeneratorKind::ALL.into_iter().map(|kind| (kind, OnceCell::new())).collect();
        Self { watching, on_change: Arc::new(on_change), kinds }
    }

    /// Returns a generator. The first call for a kind checks with the API server that it is served, and starts the
    /// watch.
    ///
    /// # Errors
    /// [`Error`], if the kind is not served or cannot be listed.
    pub(crate) async fn get(&self, key: &GeneratorKey) -> Result<Option<Arc<Generator>>, Error> {
        let Some(cell) = self.kinds.get(&key.kind) else { return Err(Error::NotServed(key.kind)) };
        let store = cell.get_or_try_init(|| self.watch(key.kind)).await?;
        let mut reference = ObjectRef::new_with(&key.object.name, key.kind);
        if !key.object.namespace.is_empty() {
            reference = reference.within(&key.object.namespace);
        }
        Ok(store.get(&reference))
    }

    async fn watch(&self, kind: GeneratorKind) -> Result<Store<Generator>, Error> {
        if kind.is_of_cluster() && self.watching.namespace.is_some() {
            return Err(Error::OfCluster);
        }
        let unreadable = |error| Error::Unreadable { kind, error };
        let served = match bounded(self.watching.client.list_api_group_resources(API_VERSION)).await {
            Ok(list) => list.resources.iter().any(|resource| resource.name == kind.plural()),
            Err(error) if error.code() == Some(404) => false,
            Err(error) => return Err(unreadable(error)),
        };
        if !served {
            return Err(Error::NotServed(kind));
        }
        // A watch that can never begin would retry forever.
        bounded(self.objects(kind).list_metadata(&ListParams::default().limit(1))).await.map_err(unreadable)?;
        let on_change = Arc::clone(&self.on_change);
        let on_change = move |change: Change<'_, Generator>| {
            let (Change::Applied(object) | Change::Deleted(object)) = change;
            on_change(&GeneratorKey { kind, object: ObjectKey::of(&object.metadata) });
        };
        let watch = if kind.is_of_cluster() {
            self.watching.of_cluster(kind.plural(), &kind, watcher::Config::default())
        } else {
            self.watching.ours(kind.plural(), &kind)
        };
        let store = watch::objects(watch, kind, |object| strip_metadata(&mut object.metadata), on_change);
        // Nothing else waits on this store: concurrent callers wait for this call.
        let listed = tokio::time::timeout(FIRST_LIST, store.wait_until_ready()).await;
        if listed.is_err() {
            return Err(unreadable(ApiError::Timeout));
        }
        Ok(store)
    }

    fn objects(&self, kind: GeneratorKind) -> Objects<Generator> {
        let client = self.watching.client.clone();
        Objects::within(client, self.watching.namespace.as_deref(), &kind)
    }
}
