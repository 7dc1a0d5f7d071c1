//! Adding and removing a finalizer.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::api_call::{ApiError, bounded};
use crate::answers::Objects;

/// Whether an object has a finalizer.
#[must_use]
pub(crate) fn is_on(meta: &ObjectMeta, finalizer: &str) -> bool {
    meta.finalizers.iter().flatten().any(|present| present == finalizer)
}

/// Adds a finalizer to an object, at the version of `meta`, so that one that was added meanwhile is not lost. An object that is gone, or
/// has changed, is no failure: it is looked at again.
///
/// # Errors
/// [`ApiError`]
pub(crate) async fn add<K: Resource>(api: &Objects<K>, meta: &ObjectMeta, finalizer: &str) -> Result<(), ApiError> {
    let all: Vec<_> = meta.finalizers.iter().flatten().map(String::as_str).chain([finalizer]).collect();
    let patch = Patch::Merge(json!({
        "metadata": { "uid": meta.uid, "finalizers": all, "resourceVersion": meta.resource_version },
    }));
    let name = meta.name.as_deref().unwrap_or_default();
    match bounded(api.patch_metadata(name, &PatchParams::default(), &patch)).await {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes a finalizer. The patch names the UID and the resourceVersion of `meta`, so a finalizer that was added
/// meanwhile is not lost. If the object is already gone, that is a success.
///
/// # Errors
/// [`ApiError`]
pub(crate) async fn remove<K: Resource>(api: &Objects<K>, meta: &ObjectMeta, finalizer: &str) -> Result<(), ApiError> {
    let remaining: Vec<_> = meta.finalizers.iter().flatten().filter(|present| *present != finalizer).collect();
    let patch = Patch::Merge(json!({
        "metadata": { "uid": meta.uid, "finalizers": remaining, "resourceVersion": meta.resource_version },
    }));
    let name = meta.name.as_deref().unwrap_or_default();
    match bounded(api.patch_metadata(name, &PatchParams::default(), &patch)).await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some(404) => Ok(()),
        Err(error) => Err(error),
    }
}
