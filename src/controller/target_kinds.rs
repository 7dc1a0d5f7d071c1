//! The kinds of targets that are no Secrets (`target.manifest`). The API server is asked about a kind when the first
//! ExternalSecret uses it; from then on its objects are watched, until the last such ExternalSecret is gone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::api::ApiResource;
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::context::{ApiError, Context, bounded};
use super::external_secret::ObjectVersion;
use super::key::ObjectKey;
use super::state::State;
use super::watch::{self, Change, strip_metadata};
use super::watches::target_changed;
use crate::api::v1::external_secret::ManifestReference;
use crate::api::{LABEL_MANAGED, LABEL_MANAGED_VALUE};

/// What must be possible with a kind.
const VERBS: [&str; 6] = ["get", "list", "watch", "create", "update", "delete"];

/// The kinds in use.
#[derive(Debug, Default)]
pub struct TargetKinds(Mutex<HashMap<ManifestReference, Arc<TargetKind>>>);

/// A kind of objects that are written.
#[derive(Debug)]
pub struct TargetKind {
    /// What manifests call it.
    pub manifest: ManifestReference,
    /// What the API server calls it.
    pub resource: ApiResource,
    /// The versions of those objects that are managed.
    watched: Store<PartialObjectMeta<DynamicObject>>,
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
    /// The API server cannot be asked.
    #[error("the API server could not be asked about the kind {kind} in {api_version}: {error}", kind = .manifest.kind, api_version = .manifest.api_version)]
    Api {
        /// The kind.
        manifest: ManifestReference,
        /// Why not.
        error: ApiError,
    },
}

impl TargetKinds {
    fn lock(&self) -> MutexGuard<'_, HashMap<ManifestReference, Arc<TargetKind>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a kind: the API server no longer serves it as it did.
    pub fn forget(&self, manifest: &ManifestReference) {
        self.lock().remove(manifest);
    }

    /// Ends the watches of kinds that nobody uses.
    pub fn keep(&self, is_used: impl Fn(&ManifestReference) -> bool) {
        self.lock().retain(|manifest, _| is_used(manifest));
    }
}

impl TargetKind {
    /// Objects of a namespace, at the API server.
    #[must_use]
    pub fn api(&self, client: &Client, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(client.clone(), namespace, &self.resource)
    }

    /// The version of an object that the watch shows.
    #[must_use]
    pub fn watched(&self, key: &ObjectKey) -> Option<ObjectVersion> {
        let reference = ObjectRef::new_with(&key.name, self.resource.clone()).within(&key.namespace);
        self.watched.get(&reference).map(|object| ObjectVersion::of(&object.metadata))
    }
}

impl Context {
    /// A kind of objects that are written. The first call for a kind asks the API server and starts the watch.
    ///
    /// # Errors
    /// [`KindError`]
    pub async fn target_kind(&self, manifest: &ManifestReference) -> Result<Arc<TargetKind>, KindError> {
        if let Some(kind) = self.state.target_kinds.lock().get(manifest) {
            return Ok(Arc::clone(kind));
        }
        let resource = discover(&self.client, manifest).await?;
        let mut kinds = self.state.target_kinds.lock();
        let kind = kinds.entry(manifest.clone()).or_insert_with(|| Arc::new(self.watch_kind(manifest, resource)));
        Ok(Arc::clone(kind))
    }

    fn watch_kind(&self, manifest: &ManifestReference, resource: ApiResource) -> TargetKind {
        let client = self.api_health.listening(&resource.plural, &self.client);
        let api: Api<PartialObjectMeta<DynamicObject>> = match &self.options.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        };
        let config = watcher::Config::default().labels(&format!("{LABEL_MANAGED}={LABEL_MANAGED_VALUE}"));
        let strip = |object: &mut PartialObjectMeta<DynamicObject>| {
            strip_metadata(&mut object.metadata);
            object.types = None;
            // What is needed of the object is read from itself.
            object.metadata.labels = None;
            object.metadata.annotations = None;
            object.metadata.owner_references = None;
        };
        let stop = CancellationToken::new();
        let watched =
            watch::objects_until(api, config, resource.clone(), strip, self.on_change(manifest), stop.clone());
        tracing::info!(kind = manifest.kind, api_version = manifest.api_version, "objects of this kind are watched");
        TargetKind { manifest: manifest.clone(), resource, watched, _watch: stop.drop_guard() }
    }

    fn on_change(
        &self,
        manifest: &ManifestReference,
    ) -> impl FnMut(Change<'_, PartialObjectMeta<DynamicObject>>) + Send + 'static + use<> {
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
