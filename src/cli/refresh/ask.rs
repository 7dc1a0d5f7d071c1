//! Requests a refresh.

use futures::{Stream, StreamExt as _, stream};
use jiff::Timestamp;
use kube::Client;
use kube::api::Patch;
use serde_json::{Value, json};

use super::batch::Batch;
use super::kinds::Refreshable;
use super::outcome::{Outcome, Outcomes};
use crate::api::ANNOTATION_REFRESH;
use crate::cli::person::patch_params;
use crate::controller::core::api_call::{ApiError, bounded};
use crate::controller::core::key::ObjectKey;

/// How many requests are sent concurrently.
const CONCURRENCY: usize = 16;

/// A text that no other refresh has: the time in nanoseconds.
pub(super) fn token(now: Timestamp) -> String {
    format!("{now:.9}")
}

fn patch(token: &str) -> Patch<Value> {
    Patch::Merge(json!({"metadata": {"annotations": {ANNOTATION_REFRESH: token}}}))
}

/// Requests the refresh of each object, and returns which requests the API server accepted.
pub(super) fn each<'a, K: Refreshable>(
    client: &'a Client,
    batch: &'a Batch<K>,
    token: &'a str,
) -> impl Stream<Item = (ObjectKey, Result<(), ApiError>)> + 'a {
    let one = async move |key: &'a ObjectKey| {
        let api = batch.api(client, &key.namespace);
        let asked = bounded(api.patch_metadata(&key.name, &patch_params(), &patch(token))).await;
        (key.clone(), asked.map(drop))
    };
    stream::iter(batch.objects.keys()).map(one).buffer_unordered(CONCURRENCY)
}

/// Requests the refresh of each object without waiting for results.
pub(super) async fn all<K: Refreshable>(client: &Client, batch: &Batch<K>, token: &str) -> Outcomes {
    let asked: Vec<_> = each(client, batch, token).collect().await;
    let said = |asked: Result<(), ApiError>| match asked {
        Ok(()) => Outcome::asked(),
        Err(error) => Outcome::failed(refused(&error)),
    };
    asked.into_iter().map(|(key, asked)| (batch.named(&key), said(asked))).collect()
}

/// Why the annotation could not be written.
pub(super) fn refused(error: &ApiError) -> String {
    match error.code() {
        Some(404) => "it no longer exists".to_owned(),
        Some(403) => format!("the right to patch it is missing: {}", error.reason()),
        _ => format!("it could not be asked for: {}", error.reason()),
    }
}
