//! Adding and removing a finalizer.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;

use super::api_call::{ApiError, bounded};
use crate::answers::Objects;

/// Whether an object has a finalizer.
#[must_use]
pub(crate) fn is_on(meta: &ObjectMeta, finalizer: &str) -> bool {
    meta.finalizers.iter().flatten().any(|present| present == finalizer)
}

/// How often an object that others change at the same time is tried.
const TRIES: usize = 5;

/// Adds a finalizer to an object. Each try names the version that it changes, so that a finalizer that was added meanwhile is not lost.
/// An object that is gone is no failure.
///
/// # Errors
/// [`ApiError`]
pub(crate) async fn add<K: Resource>(api: &Objects<K>, meta: &ObjectMeta, finalizer: &str) -> Result<(), ApiError> {
    let mut newest = meta.clone();
    let name = meta.name.as_deref().unwrap_or_default();
    let mut tries = 0;
    loop {
        let all: Vec<_> = newest.finalizers.iter().flatten().map(String::as_str).chain([finalizer]).collect();
        let patch = Patch::Merge(json!({
            "metadata": { "uid": newest.uid, "finalizers": all, "resourceVersion": newest.resource_version },
        }));
        tries += 1;
        match bounded(api.patch_metadata(name, &PatchParams::default(), &patch)).await {
            Ok(_) => return Ok(()),
            Err(error) if error.code() == Some(404) => return Ok(()),
            Err(error) if error.code() == Some(409) && tries < TRIES => {}
            Err(error) => return Err(error),
        }
        // The watch may show it only after a while: its status was written just now. The rights of the chart do not include
        // to get a store, only to list them.
        let named = ListParams::default().fields(&format!("metadata.name={name}"));
        match bounded(api.list_metadata(&named)).await?.into_iter().next() {
            Some(object) if object.metadata.uid == meta.uid && !is_on(&object.metadata, finalizer) => {
                newest = object.metadata;
            }
            _ => return Ok(()),
        }
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
