//! Requests a refresh.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use kube::api::Patch;
use serde_json::{Value, json};

use super::outcome::{Outcome, name_of};
use crate::api::ANNOTATION_REFRESH;
use crate::api::v1::ExternalSecret;
use crate::cli::person::{Cluster, names, patch_params};
use crate::controller::core::api_call::{ApiError, bounded};
use crate::controller::store_access::key::StoreKey;

/// How many requests are sent concurrently.
const CONCURRENCY: usize = 16;

/// A text that no other refresh has: the time in nanoseconds.
pub(super) fn token(now: Timestamp) -> String {
    format!("{now:.9}")
}

fn patch(token: &str) -> Patch<Value> {
    Patch::Merge(json!({"metadata": {"annotations": {ANNOTATION_REFRESH: token}}}))
}

/// Requests the refresh of one ExternalSecret.
pub(super) async fn one(cluster: &Cluster, object: &ExternalSecret, token: &str) -> Result<(), ApiError> {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let name = object.metadata.name.as_deref().unwrap_or_default();
    bounded(cluster.api_of(Some(namespace)).patch_metadata(name, &patch_params(), &patch(token))).await.map(drop)
}

/// Requests the validation of a store.
pub(super) async fn store(cluster: &Cluster, key: &StoreKey, token: &str) -> Result<(), ApiError> {
    let api = cluster.stores_of(key.kind, Some(&key.object.namespace));
    bounded(api.patch_metadata(&key.object.name, &patch_params(), &patch(token))).await.map(drop)
}

/// Requests all, 16 at a time, without waiting for results.
pub(super) async fn all(
    cluster: &Cluster,
    objects: &[ExternalSecret],
    stores: &[StoreKey],
    token: &str,
    outcomes: &mut BTreeMap<String, Outcome>,
) {
    let asked = stream::iter(objects).map(async |object| (name_of(object), one(cluster, object, token).await));
    let asked: Vec<_> = asked.buffer_unordered(CONCURRENCY).collect().await;
    for (name, result) in asked {
        outcomes.insert(name, said(result));
    }
    for key in stores {
        outcomes.insert(names::short(key), said(store(cluster, key, token).await));
    }
}

fn said(result: Result<(), ApiError>) -> Outcome {
    match result {
        Ok(()) => Outcome::asked(),
        Err(error) => Outcome::failed(refused(&error)),
    }
}

/// Why the annotation could not be written.
pub(super) fn refused(error: &ApiError) -> String {
    match error.code() {
        Some(404) => "it no longer exists".to_owned(),
        Some(403) => format!("the right to patch it is missing: {}", error.reason()),
        _ => format!("it could not be asked for: {}", error.reason()),
    }
}
