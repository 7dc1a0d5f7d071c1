//! The Secrets that ExternalSecrets write, and whether a refresh has changed them.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::Client;

use super::batch::Batch;
use super::kinds::Refreshable;
use crate::answers::Objects;
use crate::api::ANNOTATION_DATA_HASH;
use crate::controller::core::api_call::bounded;
use crate::controller::core::key::ObjectKey;

/// How many are read concurrently.
const CONCURRENCY: usize = 16;

/// The Secrets before a refresh: a hash of the data of each, or that it does not exist. Nothing is known of a Secret
/// whose metadata cannot be read.
pub(super) struct Before(BTreeMap<ObjectKey, Option<String>>);

impl Before {
    /// The Secrets of these objects, by the objects' names.
    pub(super) async fn of<K: Refreshable>(client: &Client, batch: &Batch<K>) -> Self {
        let secrets = batch.objects.iter().filter_map(|(key, object)| Some((key.clone(), object.secret()?)));
        let hashes = stream::iter(secrets).map(async |(key, secret)| Some((key, hash(client, &secret).await?)));
        Self(hashes.buffer_unordered(CONCURRENCY).filter_map(async |hash| hash).collect().await)
    }

    /// Whether the Secret of an object has changed since, if that is known.
    pub(super) async fn has_changed<K: Refreshable>(
        &self,
        client: &Client,
        key: &ObjectKey,
        object: &K,
    ) -> Option<bool> {
        let before = self.0.get(key)?;
        Some(*before != hash(client, &object.secret()?).await?)
    }
}

/// The hash of a Secret's data, or that the Secret does not exist; `None` if that is unknown.
async fn hash(client: &Client, secret: &ObjectKey) -> Option<Option<String>> {
    let api: Objects<Secret> = Objects::namespaced(client.clone(), &secret.namespace, &());
    let found = bounded(api.get_metadata_opt(&secret.name)).await.ok()?;
    Some(found.and_then(|secret| secret.metadata.annotations?.remove(ANNOTATION_DATA_HASH)))
}
