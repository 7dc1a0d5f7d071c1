//! Discovers the kind of a target other than Secret (`target.manifest`), and why such a kind cannot be written.

use kube::Client;
use kube::api::ApiResource;
use kube::core::DynamicObject;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio_util::sync::DropGuard;

use crate::answers::{MetadataOf, Objects};
use crate::api::v1::external_secret::ManifestReference;
use crate::controller::core::api_call::{ApiError, bounded};
use crate::controller::core::key::{ObjectKey, ObjectVersion};

/// The verbs that a kind must support.
const VERBS: [&str; 6] = ["get", "list", "watch", "create", "update", "delete"];

/// A kind of target other than Secret.
#[derive(Debug)]
pub(crate) struct TargetKind {
    /// The kind as the spec names it.
    pub(crate) manifest: ManifestReference,
    /// The kind as the API server names it.
    pub(crate) resource: ApiResource,
    watch: Option<KindWatch>,
}

/// A watch of a kind.
#[derive(Debug)]
struct KindWatch {
    /// The versions of the managed objects.
    watched: Store<MetadataOf<DynamicObject>>,
    /// Ends the watch when dropped.
    _watch: DropGuard,
}

impl TargetKind {
    /// A kind that is watched until the guard is dropped.
    #[must_use]
    pub(crate) const fn watched(
        manifest: ManifestReference,
        resource: ApiResource,
        watched: Store<MetadataOf<DynamicObject>>,
        watch: DropGuard,
    ) -> Self {
        Self { manifest, resource, watch: Some(KindWatch { watched, _watch: watch }) }
    }

    /// A kind that is read without a watch.
    ///
    /// # Errors
    /// [`KindError`]
    pub(crate) async fn unwatched(client: &Client, manifest: &ManifestReference) -> Result<Self, KindError> {
        let resource = discover(client, manifest).await?;
        Ok(Self { manifest: manifest.clone(), resource, watch: None })
    }

    /// The objects of a namespace, at the API server.
    #[must_use]
    pub(crate) fn api(&self, client: &Client, namespace: &str) -> Objects<DynamicObject> {
        Objects::namespaced(client.clone(), namespace, &self.resource)
    }

    /// The version of an object that the watch shows, if there is a watch.
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
    /// The cluster does not serve it.
    #[error(
        "the cluster serves no {kind} in {api_version}; install its CustomResourceDefinition, or correct spec.target.manifest",
        kind = .0.kind, api_version = .0.api_version
    )]
    NotServed(ManifestReference),
    /// It is cluster-scoped.
    #[error(
        "spec.target.manifest: objects of the kind {kind} belong to no namespace, and an ExternalSecret writes only in its own; name a kind of namespaced objects",
        kind = .0.kind
    )]
    ClusterScoped(ManifestReference),
    /// It lacks a verb.
    #[error(
        "spec.target.manifest: objects of the kind {kind} cannot be read, written, watched and deleted; name another kind",
        kind = .0.kind
    )]
    NotStored(ManifestReference),
    /// Too many kinds are in use already.
    #[error(
        "spec.target.manifest: objects of the kind {kind} are not written: {whose} write {most} kinds besides Secrets already, which is the most; use one of those, or write a Secret",
        kind = .manifest.kind
    )]
    TooMany {
        manifest: ManifestReference,
        /// Whose kinds are counted.
        whose: String,
        /// The limit.
        most: usize,
    },
    /// Its objects cannot be listed, and so cannot be watched.
    #[error("the API server could not list objects of the kind {kind}: {reason}", kind = .manifest.kind)]
    NotListed {
        manifest: ManifestReference,
        /// The reason, and what to do.
        reason: String,
        /// Whether the API server is unreachable or overloaded.
        is_outage: bool,
    },
    /// The API server could not be asked.
    #[error("the API server could not be asked about the kind {kind} in {api_version}: {}", .error.reason(), kind = .manifest.kind, api_version = .manifest.api_version)]
    Api { manifest: ManifestReference, error: ApiError },
}

/// Asks the API server about a kind.
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
    // A name with a slash is a subresource, such as the status.
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
