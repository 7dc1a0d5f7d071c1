//! The kinds of targets that are no Secrets (`target.manifest`). The API server is asked about a kind when the first
//! ExternalSecret uses it; from then on its objects are watched, until the last such ExternalSecret is gone.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::api::{ApiResource, ListParams};
use kube::core::DynamicObject;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::answers::{MetadataOf, Objects, Seen};
use crate::api::v1::external_secret::ManifestReference;
use crate::api::{LABEL_MANAGED, LABEL_MANAGED_VALUE};
use crate::controller::core::key::ObjectKey;
use crate::controller::core::watch::{self, Change, Watch, strip_metadata};
use crate::controller::external_secret::context::{ApiError, Context, bounded};
use crate::controller::external_secret::state::State;
use crate::controller::external_secret::watches::target_changed;
use crate::controller::external_secret::{ObjectVersion, refused};

/// What must be possible with a kind.
const VERBS: [&str; 6] = ["get", "list", "watch", "create", "update", "delete"];
/// The most kinds that the ExternalSecrets of one namespace may write besides Secrets. Each is watched in the whole cluster.
const MOST_OF_NAMESPACE: usize = 10;
/// The most kinds that are watched.
const MOST: usize = 100;

/// The kinds in use.
#[derive(Debug, Default)]
pub struct TargetKinds(Mutex<HashMap<ManifestReference, Used>>);

/// A kind, and who uses it.
#[derive(Debug)]
struct Used {
    kind: Arc<TargetKind>,
    namespaces: BTreeSet<String>,
}

/// A kind of objects that are written.
#[derive(Debug)]
pub struct TargetKind {
    /// What manifests call it.
    pub manifest: ManifestReference,
    /// What the API server calls it.
    pub resource: ApiResource,
    /// The versions of those objects that are managed.
    watched: Store<MetadataOf<DynamicObject>>,
    /// Ends the watch.
    _watch: DropGuard,
}

/// Why objects of a kind cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum KindError {
    /// The cluster does not know it.
    #[error(
        "the cluster serves no {kind} in {api_version}; install its CustomResourceDefinition, or correct spec.target.manifest",
        kind = .0.kind, api_version = .0.api_version
    )]
    NotServed(ManifestReference),
    /// Its objects are of the cluster.
    #[error(
        "spec.target.manifest: objects of the kind {kind} belong to no namespace, and an ExternalSecret writes only in its own; name a kind of namespaced objects",
        kind = .0.kind
    )]
    ClusterScoped(ManifestReference),
    /// It cannot be read and written.
    #[error(
        "spec.target.manifest: objects of the kind {kind} cannot be read, written, watched and deleted; name another kind",
        kind = .0.kind
    )]
    NotStored(ManifestReference),
    /// It would be one kind too many.
    #[error(
        "spec.target.manifest: objects of the kind {kind} are not written: {whose} write {most} kinds besides Secrets already, which is the most; use one of those, or write a Secret",
        kind = .manifest.kind
    )]
    TooMany {
        /// The kind.
        manifest: ManifestReference,
        /// Whose kinds are counted.
        whose: String,
        /// How many there may be.
        most: usize,
    },
    /// Its objects cannot be listed, and so not be watched.
    #[error("the API server could not list objects of the kind {kind}: {reason}", kind = .manifest.kind)]
    NotListed {
        /// The kind.
        manifest: ManifestReference,
        /// Why not, and what to do.
        reason: String,
        /// Whether the API server is away or overloaded.
        is_outage: bool,
    },
    /// The API server cannot be asked.
    #[error("the API server could not be asked about the kind {kind} in {api_version}: {}", .error.reason(), kind = .manifest.kind, api_version = .manifest.api_version)]
    Api {
        /// The kind.
        manifest: ManifestReference,
        /// Why not.
        error: ApiError,
    },
}

impl TargetKinds {
    fn lock(&self) -> MutexGuard<'_, HashMap<ManifestReference, Used>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a kind: the API server no longer serves it as it did.
    pub fn forget(&self, manifest: &ManifestReference) {
        self.lock().remove(manifest);
    }

    /// Ends the watches of kinds that no namespace uses any more.
    pub fn keep(&self, is_used: impl Fn(&ManifestReference, &str) -> bool) {
        self.lock().retain(|manifest, used| {
            used.namespaces.retain(|namespace| is_used(manifest, namespace));
            !used.namespaces.is_empty()
        });
    }

    /// The kind, if it is in use already, and from now on in this namespace, too.
    fn used(&self, manifest: &ManifestReference, namespace: &str) -> Result<Option<Arc<TargetKind>>, KindError> {
        let mut kinds = self.lock();
        room(&kinds, manifest, namespace)?;
        let Some(used) = kinds.get_mut(manifest) else { return Ok(None) };
        used.namespaces.insert(namespace.to_owned());
        Ok(Some(Arc::clone(&used.kind)))
    }
}

/// Whether there is room for one more kind in a namespace, and in all.
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

impl TargetKind {
    /// Objects of a namespace, at the API server.
    #[must_use]
    pub fn api(&self, client: &Client, namespace: &str) -> Objects<DynamicObject> {
        Objects::namespaced(client.clone(), namespace, &self.resource)
    }

    /// The version of an object that the watch shows.
    #[must_use]
    pub fn watched(&self, key: &ObjectKey) -> Option<ObjectVersion> {
        let reference = ObjectRef::new_with(&key.name, self.resource.clone()).within(&key.namespace);
        self.watched.get(&reference).map(|object| ObjectVersion::of(&object.metadata))
    }
}

impl Context {
    /// A kind of objects that are written in a namespace. The first call for a kind asks the API server and starts the watch.
    ///
    /// # Errors
    /// [`KindError`]
    pub async fn target_kind(
        &self,
        manifest: &ManifestReference,
        namespace: &str,
    ) -> Result<Arc<TargetKind>, KindError> {
        if let Some(kind) = self.state.target_kinds.used(manifest, namespace)? {
            return Ok(kind);
        }
        let resource = discover(&self.client, manifest).await?;
        self.try_to_list(manifest, &resource).await?;
        let mut kinds = self.state.target_kinds.lock();
        // Others may have come meanwhile.
        room(&kinds, manifest, namespace)?;
        let used = kinds.entry(manifest.clone()).or_insert_with(|| Used {
            kind: Arc::new(self.watch_kind(manifest, resource)),
            namespaces: BTreeSet::new(),
        });
        used.namespaces.insert(namespace.to_owned());
        Ok(Arc::clone(&used.kind))
    }

    /// A watch that can never begin would be tried for ever.
    async fn try_to_list(&self, manifest: &ManifestReference, resource: &ApiResource) -> Result<(), KindError> {
        let client = self.client.clone();
        let api: Objects<DynamicObject> = match &self.options.namespace {
            Some(namespace) => Objects::namespaced(client, namespace, resource),
            None => Objects::all(client, resource),
        };
        let listed = bounded(api.list_metadata(&ListParams::default().labels(&managed()).limit(1))).await;
        listed.map(drop).map_err(|error| KindError::NotListed {
            manifest: manifest.clone(),
            reason: refused::reason(&error, resource),
            is_outage: error.is_outage(),
        })
    }

    fn watch_kind(&self, manifest: &ManifestReference, resource: ApiResource) -> TargetKind {
        let client = self.api_health.listening(&resource.plural, &self.client);
        let api: Api<Seen<MetadataOf<DynamicObject>>> = match &self.options.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        };
        let config = watcher::Config::default().labels(&managed());
        let metrics = self.metrics.api_server().clone();
        let watch = Watch { name: resource.plural.clone(), api, config, metrics };
        let strip = |object: &mut MetadataOf<DynamicObject>| {
            strip_metadata(&mut object.metadata);
            // What is needed of the object is read from itself.
            object.metadata.labels = None;
            object.metadata.annotations = None;
            object.metadata.owner_references = None;
        };
        let stop = CancellationToken::new();
        let watched = watch::objects_until(watch, resource.clone(), strip, self.on_change(manifest), stop.clone());
        tracing::info!(kind = manifest.kind, api_version = manifest.api_version, "objects of this kind are watched");
        TargetKind { manifest: manifest.clone(), resource, watched, _watch: stop.drop_guard() }
    }

    fn on_change(
        &self,
        manifest: &ManifestReference,
    ) -> impl FnMut(Change<'_, MetadataOf<DynamicObject>>) + Send + 'static + use<> {
        let (state, manifest): (Arc<State>, _) = (Arc::clone(&self.state), manifest.clone());
        move |change| {
            let (object, version) = match change {
                Change::Applied(object) => (object, Some(ObjectVersion::of(&object.metadata))),
                Change::Deleted(object) => (object, None),
            };
            target_changed(Some(&manifest), &object.metadata, version.as_ref(), &state);
        }
    }
}

/// What selects the objects that are written.
fn managed() -> String {
    format!("{LABEL_MANAGED}={LABEL_MANAGED_VALUE}")
}

/// Asks the API server what it calls a kind.
///
/// # Errors
/// [`KindError`]
pub async fn discover(client: &Client, manifest: &ManifestReference) -> Result<ApiResource, KindError> {
    let ManifestReference { api_version, kind } = manifest;
    let list = async {
        if api_version.contains('/') {
            client.list_api_group_resources(api_version).await
        } else {
            client.list_core_api_resources(api_version).await
        }
    };
    let resources = match bounded(list).await {
        Ok(list) => list.resources,
        Err(error) if error.code() == Some(404) => Vec::new(),
        Err(error) => return Err(KindError::Api { manifest: manifest.clone(), error }),
    };
    // Those with a slash are parts of objects, such as their status.
    let found = resources.into_iter().find(|resource| resource.kind == *kind && !resource.name.contains('/'));
    let resource = found.ok_or_else(|| KindError::NotServed(manifest.clone()))?;
    if !resource.namespaced {
        return Err(KindError::ClusterScoped(manifest.clone()));
    }
    if !VERBS.iter().all(|verb| resource.verbs.iter().any(|allowed| allowed == verb)) {
        return Err(KindError::NotStored(manifest.clone()));
    }
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    Ok(ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: api_version.clone(),
        kind: kind.clone(),
        plural: resource.name,
    })
}
