//! What the API server calls the kind of a target that is no Secret (`target.manifest`), and why such a kind cannot be written.

use kube::Client;
use kube::api::ApiResource;
use kube::core::DynamicObject;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio_util::sync::DropGuard;

use crate::answers::{MetadataOf, Objects};
use crate::api::v1::external_secret::ManifestReference;
use crate::controller::core::api_call::{ApiError, bounded};
use crate::controller::core::key::{ObjectKey, ObjectVersion};

/// What must be possible with a kind.
const VERBS: [&str; 6] = ["get", "list", "watch", "create", "update", "delete"];

/// A kind of objects that are written.
#[derive(Debug)]
pub(crate) struct TargetKind {
    /// What manifests call it.
    pub(crate) manifest: ManifestReference,
    /// What the API server calls it.
    pub(crate) resource: ApiResource,
    watch: Option<KindWatch>,
}

/// A watch of a kind.
#[derive(Debug)]
struct KindWatch {
    /// The versions of those objects that are managed.
    watched: Store<MetadataOf<DynamicObject>>,
    /// Ends it.
    _watch: DropGuard,
}

impl TargetKind {
    /// One that is watched, until the guard goes.
    #[must_use]
    pub(crate) const fn watched(
        manifest: ManifestReference,
        resource: ApiResource,
        watched: Store<MetadataOf<DynamicObject>>,
        watch: DropGuard,
    ) -> Self {
        Self { manifest, resource, watch: Some(KindWatch { watched, _watch: watch }) }
    }

    /// One that is only looked at.
    ///
    /// # Errors
    /// [`KindError`]
    pub(crate) async fn unwatched(client: &Client, manifest: &ManifestReference) -> Result<Self, KindError> {
        let resource = discover(client, manifest).await?;
        Ok(Self { manifest: manifest.clone(), resource, watch: None })
    }

    /// Objects of a namespace, at the API server.
    #[must_use]
    pub(crate) fn api(&self, client: &Client, namespace: &str) -> Objects<DynamicObject> {
        Objects::namespaced(client.clone(), namespace, &self.resource)
    }

    /// The version of an object that the watch shows, where there is a watch.
    #[must_use]
    pub(crate) fn version_of(&self, key: &ObjectKey) -> Option<ObjectVersion> {
        let reference = ObjectRef::new_with(&key.name, self.resource.clone()).within(&key.namespace);
        let object = self.watch.as_ref()?.watched.get(&reference)?;
        Some(ObjectVersion::of(&object.metadata))
    }
}

/// Why objects of a kind cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KindError {
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

/// Asks the API server what it calls a kind.
///
/// # Errors
/// [`KindError`]
pub(crate) async fn discover(client: &Client, manifest: &ManifestReference) -> Result<ApiResource, KindError> {
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
