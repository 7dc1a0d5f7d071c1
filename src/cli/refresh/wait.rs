//! Waits until the controller has answered.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource};

use super::ask;
use super::outcome::{Outcome, name_of};
use super::progress::Progress;
use crate::answers::{Objects, Seen};
use crate::api::v1::condition::READY;
use crate::api::v1::secret_store::StoreType;
use crate::api::v1::{Condition, ConditionStatus, ExternalSecret, SecretStore, StoreKind};
use crate::api::{ANNOTATION_DATA_HASH, ANNOTATION_REFRESH};
use crate::cli::person::lease::Lease;
use crate::cli::person::overview::Overview;
use crate::cli::person::printing::note;
use crate::cli::person::{Cluster, names};
use crate::controller::core::api_call::bounded;
use crate::controller::core::conditions;
use crate::controller::core::key::ObjectKey;
use crate::controller::store_access::key::StoreKey;
use crate::sync::hash;

/// How many are requested or read concurrently.
const CONCURRENCY: usize = 16;

/// After how long without an answer to look whether a controller leads.
const PATIENCE: Duration = Duration::from_secs(5);

/// The message for one that was not answered in time.
const IN_VAIN: &str = "the controller has not answered; `external-secrets doctor` says whether one runs";

/// A target before its refresh: a hash of its data, if it existed and could be read.
type Before = BTreeMap<String, Option<String>>;

/// Requests the refresh of each, and waits until all are answered.
pub(super) async fn refreshed(
    cluster: &Cluster,
    objects: Vec<ExternalSecret>,
    token: &str,
    deadline: Instant,
    progress: &Progress,
    outcomes: &mut BTreeMap<String, Outcome>,
) {
    if objects.is_empty() {
        return;
    }
    say_which_stores_are_not_ready(cluster, &objects).await;
    let all = objects.len();
    let before = targets(cluster, &objects).await;
    let namespaces: BTreeSet<_> = objects.iter().filter_map(|object| object.metadata.namespace.clone()).collect();
    let mut events = watched(cluster, &namespaces);
    let mut waiting: BTreeMap<String, &ExternalSecret> =
        objects.iter().map(|object| (name_of(object), object)).collect();
    let mut asked = stream::iter(&objects)
        .map(async |object| (name_of(object), ask::one(cluster, object, token).await))
        .buffer_unordered(CONCURRENCY)
        .fuse();
    let (mut failed, began) = (0, progress.began);
    let mut silence = pin!(tokio::time::sleep(PATIENCE).fuse());
    while !waiting.is_empty() {
        let ended = tokio::select! {
            biased;
            Some((name, result)) = asked.next() => match result {
                Ok(()) => None,
                Err(error) => Some((name, Outcome::failed(ask::refused(&error)))),
            },
            event = events.next() => event.and_then(|event| answered(event, token, &waiting)),
            () = &mut silence => {
                say_if_nobody_leads(cluster).await;
                None
            }
            () = tokio::time::sleep_until(deadline.into()) => break,
        };
        let Some((name, outcome)) = ended else { continue };
        let Some(object) = waiting.remove(&name) else { continue };
        let mut outcome = outcome.after(began.elapsed());
        if outcome.result == super::outcome::Result::Refreshed {
            outcome.secret_changed = changed(cluster, object, before.get(&name)).await;
        }
        failed += usize::from(outcome.is_failed());
        progress.ended(&name, &outcome, all - waiting.len(), failed, all);
        outcomes.insert(name, outcome);
    }
    for name in waiting.into_keys() {
        outcomes.insert(name, Outcome::in_vain(IN_VAIN));
    }
}

type Events = BoxStream<'static, watcher::Result<watcher::Event<Seen<ExternalSecret>>>>;

/// The changes of ExternalSecrets in these namespaces from now on.
fn watched(cluster: &Cluster, namespaces: &BTreeSet<String>) -> Events {
    let mut only = namespaces.iter();
    let api: Api<Seen<ExternalSecret>> = match (only.next(), only.next()) {
        (Some(namespace), None) => Api::namespaced_with(cluster.client.clone(), namespace, &cluster.version),
        _ => Api::all_with(cluster.client.clone(), &cluster.version),
    };
    watcher(api, watcher::Config::default()).default_backoff().boxed()
}

/// Which pending refresh an event answers, and its result.
fn answered(
    event: watcher::Result<watcher::Event<Seen<ExternalSecret>>>,
    token: &str,
    waiting: &BTreeMap<String, &ExternalSecret>,
) -> Option<(String, Outcome)> {
    match event {
        Ok(watcher::Event::Apply(Seen::Object(object)) | watcher::Event::InitApply(Seen::Object(object))) => {
            let name = name_of(&object);
            let asked = waiting.get(&name)?;
            if asked.metadata.uid != object.metadata.uid {
                return Some((name, Outcome::failed("another object of the same name has replaced it")));
            }
            is_answered(&object, token).then(|| (name, outcome(&object)))
        }
        Ok(watcher::Event::Delete(object)) => {
            Some((ObjectKey::of(object.meta()).to_string(), Outcome::failed("it was deleted")))
        }
        Err(
            watcher::Error::InitialListFailed(kube::Error::Api(status))
            | watcher::Error::WatchFailed(kube::Error::Api(status)),
        ) if status.code == 403 => {
            note(&format!("external-secrets: the right to watch ExternalSecrets is missing: {}", status.message));
            None
        }
        _ => None,
    }
}

/// Whether the controller has answered this refresh or a later one.
fn is_answered(object: &ExternalSecret, token: &str) -> bool {
    let is_ours_or_later = |text: &str| {
        text == token
            || text.parse::<Timestamp>().ok().zip(token.parse().ok()).is_some_and(|(text, token)| text >= token)
    };
    let Some(status) = &object.status else { return false };
    if status.last_handled_refresh.as_deref().is_some_and(is_ours_or_later) {
        return true;
    }
    // ESO records only successful syncs, in a hash that includes the annotation.
    let annotations = object.metadata.annotations.as_ref();
    let is_asked = annotations.and_then(|all| all.get(ANNOTATION_REFRESH)).is_some_and(|text| is_ours_or_later(text));
    is_asked
        && status.synced_resource_version.as_deref() == Some(&hash::synced_resource_version(&object.metadata))
        && ready(&status.conditions) == Some(ConditionStatus::True)
}

fn ready(conditions: &[Condition]) -> Option<ConditionStatus> {
    conditions::find(conditions, READY).map(|ready| ready.status)
}

fn outcome(object: &ExternalSecret) -> Outcome {
    let overview = Overview::of(object, Timestamp::now());
    match overview.ready {
        Some(ConditionStatus::True) => Outcome::refreshed(),
        _ => Outcome::failed(overview.says()),
    }
}

/// The hashes of the targets' data. Nothing is known of a target that cannot be read.
async fn targets(cluster: &Cluster, objects: &[ExternalSecret]) -> Before {
    let hashes = stream::iter(objects).map(async |object| Some((name_of(object), target(cluster, object).await?)));
    hashes.buffer_unordered(CONCURRENCY).filter_map(|hash| async { hash }).collect().await
}

/// The hash of the target's data, or that it has none; `None` if that is unknown.
async fn target(cluster: &Cluster, object: &ExternalSecret) -> Option<Option<String>> {
    let spec = object.spec.get().ok()?;
    if spec.target.as_ref().is_some_and(|target| target.manifest.is_some()) {
        return None;
    }
    let name = crate::sync::target::target_name(&object.metadata, spec);
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let api: Objects<Secret> = Objects::namespaced(cluster.client.clone(), namespace, &());
    let secret = bounded(api.get_metadata_opt(name)).await.ok()?;
    Some(secret.and_then(|secret| secret.metadata.annotations?.remove(ANNOTATION_DATA_HASH)))
}

/// Whether the target's data has changed.
async fn changed(cluster: &Cluster, object: &ExternalSecret, before: Option<&Option<String>>) -> Option<bool> {
    let before = before?;
    Some(*before != target(cluster, object).await?)
}

/// Reports stores that are not Ready: until somebody fixes the store, its ExternalSecrets are not read.
async fn say_which_stores_are_not_ready(cluster: &Cluster, objects: &[ExternalSecret]) {
    let now = Timestamp::now();
    let keys: BTreeSet<_> = objects.iter().flat_map(|object| Overview::of(object, now).stores).collect();
    for key in keys {
        let Ok(Some(store)) = cluster.store(&key).await else { continue };
        let conditions = store.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        if ready(conditions) == Some(ConditionStatus::False) {
            note(&format!("external-secrets: {key} is not Ready, so its ExternalSecrets are not refreshed"));
        }
    }
}

/// Reports that nobody will answer, if the lease shows that.
async fn say_if_nobody_leads(cluster: &Cluster) {
    if let Ok(Some(lease)) = Lease::find(&cluster.client, Timestamp::now()).await
        && lease.leader().is_none()
    {
        note(&format!("external-secrets: {}; still waiting", lease.without_leader()));
    }
}

/// Requests the validation of stores, and waits until each is done.
pub(super) async fn validated(
    cluster: &Cluster,
    stores: &[StoreKey],
    token: &str,
    deadline: Instant,
    outcomes: &mut BTreeMap<String, Outcome>,
) {
    let validations = stream::iter(stores).map(|key| {
        let began = Instant::now();
        validation(cluster, key, token, deadline)
            .map(move |outcome| (names::short(key), outcome.after(began.elapsed())))
    });
    let ended: Vec<_> = validations.buffer_unordered(CONCURRENCY).collect().await;
    outcomes.extend(ended);
}

async fn validation(cluster: &Cluster, key: &StoreKey, token: &str, deadline: Instant) -> Outcome {
    if let Err(error) = ask::store(cluster, key, token).await {
        return Outcome::failed(ask::refused(&error));
    }
    let dyntype = StoreType { kind: key.kind, version: cluster.version };
    let api: Api<Seen<SecretStore>> = match key.kind {
        StoreKind::SecretStore => Api::namespaced_with(cluster.client.clone(), &key.object.namespace, &dyntype),
        StoreKind::ClusterSecretStore => Api::all_with(cluster.client.clone(), &dyntype),
    };
    let mut seen = watcher::watch_object(api, &key.object.name).default_backoff().boxed();
    let answered = async {
        loop {
            match seen.next().await {
                Some(Ok(Some(Seen::Object(store)))) => {
                    let Some(status) = &store.status else { continue };
                    if status.last_handled_refresh.as_deref() == Some(token) {
                        return said(&status.conditions);
                    }
                }
                Some(Ok(None)) => return Outcome::failed("it was deleted"),
                _ => {}
            }
        }
    };
    tokio::time::timeout_at(deadline.into(), answered).await.unwrap_or_else(|_| Outcome::in_vain(IN_VAIN))
}

fn said(conditions: &[Condition]) -> Outcome {
    let found = conditions::find(conditions, READY);
    match found.map(|ready| ready.status) {
        Some(ConditionStatus::True) => Outcome::refreshed(),
        _ => Outcome::failed(found.and_then(|ready| ready.message.clone()).unwrap_or_default()),
    }
}
