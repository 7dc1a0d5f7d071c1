//! The kinds of targets other than Secret (`target.manifest`). The API server is asked about a kind when the first
//! ExternalSecret uses it. From then on its objects are watched, until the last such ExternalSecret is gone.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{ApiResource, ListParams};
use kube::core::DynamicObject;
use kube::runtime::watcher;
use tokio_util::sync::CancellationToken;

use super::index::Index;
use super::kind_discovery::{KindError, TargetKind, discover};
use super::refused;
use crate::answers::{MetadataOf, Objects, Seen};
use crate::api::v1::external_secret::ManifestReference;
use crate::api::{LABEL_MANAGED, LABEL_MANAGED_VALUE};
use crate::controller::core::api_call::bounded;
use crate::controller::core::key::ObjectVersion;
use crate::controller::core::watch::{self, Change, Watch, strip_metadata};
use crate::controller::core::watching::Watching;
use crate::runtime::log_allowance;

/// The most kinds other than Secret that the ExternalSecrets of one namespace may write. Each is watched in the whole
/// cluster.
const MOST_OF_NAMESPACE: usize = 10;
/// The most kinds in total.
const MOST: usize = 100;

/// Called with each object that changed, and its kind. The version is `None` if it was deleted.
type OnChange = dyn Fn(&ManifestReference, &ObjectMeta, Option<&ObjectVersion>) + Send + Sync;

/// The kinds in use.
pub(crate) struct TargetKinds {
    watching: Watching,
    on_change: Arc<OnChange>,
    used: Mutex<HashMap<ManifestReference, Used>>,
}

/// A kind, and the namespaces that use it.
#[derive(Debug)]
struct Used {
    kind: Arc<TargetKind>,
    namespaces: BTreeSet<String>,
}

impl TargetKinds {
    /// No kinds yet. `on_change` is called with each changed object of a kind in use.
    #[must_use]
    pub(crate) fn new(
        watching: Watching,
        on_change: impl Fn(&ManifestReference, &ObjectMeta, Option<&ObjectVersion>) + Send + Sync + 'static,
    ) -> Self {
        Self { watching, on_change: Arc::new(on_change), used: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ManifestReference, Used>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a kind that the API server no longer serves as it did.
    pub(crate) fn forget(&self, manifest: &ManifestReference) {
        self.lock().remove(manifest);
    }

    /// Ends the watches of kinds that no ExternalSecret writes.
    pub(crate) fn release(&self, index: &Index) {
        self.lock().retain(|manifest, used| {
            used.namespaces.retain(|namespace| index.is_written_in(manifest, namespace));
            !used.namespaces.is_empty()
        });
    }

    /// A kind that is written in a namespace. The first call for a kind asks the API server and starts the watch.
    ///
    /// # Errors
    /// [`KindError`]
    pub(crate) async fn get(
        &self,
        manifest: &ManifestReference,
        namespace: &str,
    ) -> Result<Arc<TargetKind>, KindError> {
        if let Some(kind) = self.used_already(manifest, namespace)? {
            return Ok(kind);
        }
        let resource = discover(&self.watching.client, manifest).await?;
        self.try_to_list(manifest, &resource).await?;
        let mut kinds = self.lock();
        // Other callers may have added kinds meanwhile.
        room(&kinds, manifest, namespace)?;
        let used = kinds.entry(manifest.clone()).or_insert_with(|| {
            if log_allowance::take(namespace) {
                let ManifestReference { kind, api_version } = manifest;
                tracing::info!(kind, api_version, "objects of this kind are watched");
            }
            Used { kind: Arc::new(self.watch_kind(manifest, resource)), namespaces: BTreeSet::new() }
        });
        used.namespaces.insert(namespace.to_owned());
        Ok(Arc::clone(&used.kind))
    }

    /// Checks that the watch can list, because one that never can would retry forever.
    async fn try_to_list(&self, manifest: &ManifestReference, resource: &ApiResource) -> Result<(), KindError> {
        let client = self.watching.client.clone();
        let api: Objects<DynamicObject> = Objects::within(client, self.watching.namespace.as_deref(), resource);
        let listed = bounded(api.list_metadata(&ListParams::default().labels(&managed()).limit(1))).await;
        listed.map(drop).map_err(|error| KindError::NotListed {
            manifest: manifest.clone(),
            reason: refused::reason(&error, resource),
            is_outage: error.is_outage(),
        })
    }

    fn watch_kind(&self, manifest: &ManifestReference, resource: ApiResource) -> TargetKind {
        let client = self.watching.api_health.listening(&resource.plural, &self.watching.client);
        let api: Api<Seen<MetadataOf<DynamicObject>>> = match &self.watching.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        };
        let config = watcher::Config::default().labels(&managed());
        let (metrics, vital) = (self.watching.metrics.clone(), self.watching.vital.clone());
        let watch = Watch { name: resource.plural.clone(), api, config, metrics, vital };
        let strip = |object: &mut MetadataOf<DynamicObject>| {
            strip_metadata(&mut object.metadata);
            // Everything else that is needed is read from the object itself.
            object.metadata.labels = None;
            object.metadata.annotations = None;
            object.metadata.owner_references = None;
        };
        let stop = CancellationToken::new();
        let watched = watch::objects_until(watch, resource.clone(), strip, self.on_change(manifest), stop.clone());
        TargetKind::watched(manifest.clone(), resource, watched, stop.drop_guard())
    }

    fn on_change(
        &self,
        manifest: &ManifestReference,
    ) -> impl FnMut(Change<'_, MetadataOf<DynamicObject>>) + Send + 'static + use<> {
        let (told, manifest) = (Arc::clone(&self.on_change), manifest.clone());
        move |change| match change {
            Change::Applied(object) => {
                told(&manifest, &object.metadata, Some(&ObjectVersion::of(&object.metadata)));
            }
            Change::Deleted(object) => told(&manifest, &object.metadata, None),
        }
    }

    /// The kind, if it is in use already. From now on it counts for this namespace, too.
    fn used_already(
        &self,
        manifest: &ManifestReference,
        namespace: &str,
    ) -> Result<Option<Arc<TargetKind>>, KindError> {
        let mut kinds = self.lock();
        room(&kinds, manifest, namespace)?;
        let Some(used) = kinds.get_mut(manifest) else { return Ok(None) };
        used.namespaces.insert(namespace.to_owned());
        Ok(Some(Arc::clone(&used.kind)))
    }
}

/// Whether one more kind is allowed, in a namespace and in total.
fn room(
    kinds: &HashMap<ManifestReference, Used>,
    manifest: &ManifestReference,
    namespace: &str,
) -> Result<(), KindError> {
    let used = kinds.get(manifest);
    if used.is_some_and(|used| used.namespaces.contains(namespace)) {
        return Ok(());
    }
    let too_many = |whose: String, most| Err(KindError::TooMany { manifest: manifest.clone(), whose, most });
    if kinds.values().filter(|used| used.namespaces.contains(namespace)).count() >= MOST_OF_NAMESPACE {
        return too_many(format!("the ExternalSecrets of namespace {namespace:?}"), MOST_OF_NAMESPACE);
    }
    if used.is_none() && kinds.len() >= MOST {
        return too_many("all ExternalSecrets together".to_owned(), MOST);
    }
    Ok(())
}

/// The label selector of the objects that are written.
fn managed() -> String {
    format!("{LABEL_MANAGED}={LABEL_MANAGED_VALUE}")
}
