//! The controllers of SecretStores and ClusterSecretStores: they validate each store by really using
//! it, and say in its conditions what a person must change.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::Resource;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::api::FINALIZER_STORE;
use crate::api::v1::condition::READY;
use crate::api::v1::secret_store::{SecretStoreStatus, StoreType};
use crate::api::v1::{ConditionStatus, SecretStore, SecretStoreSpec, StoreKind};
use crate::controller::core::conditions::{self, Statement};
use crate::controller::core::events::{Notice, Severity, Source};
use crate::controller::core::key::{ObjectKey, StoreKey};
use crate::controller::core::observe::Pass;
use crate::controller::core::requeue::{Next, spread};
use crate::controller::external_secret::context::{ApiError, Context, bounded};
use crate::controller::secret_store::finding::{Error, Finding, StoreState};
use crate::controller::store_access;
use crate::provider::error::Retry;
use crate::provider::{Caller, Validation};
use crate::runtime::metrics::{Object, StoreSubsystem};
use crate::runtime::panics::Panicked;
use crate::sync::refresh;
use crate::validate;

/// How often the event `Valid` is repeated, since events live for an hour.
const VALID_EVENT_INTERVAL: Duration = Duration::from_mins(30);
/// The longest wait between validations of a store that is not valid while ExternalSecrets wait for it.
const LONGEST_WHILE_AWAITED: Duration = Duration::from_secs(3);
/// What Key Vault and the fake provider can do, in ESO's words.
const CAPABILITIES: &str = "ReadWrite";

/// What is remembered of a store between validations.
#[derive(Debug, Default)]
pub struct StoreMemo {
    /// Of the parts of the object that matter.
    pub fingerprint: u64,
    /// Validations in a row that did not find the store valid.
    pub failures: u32,
    /// When the event `Valid` was last published.
    pub valid_event: Option<Timestamp>,
    /// The service account whose token the store exchanges, where it names one.
    pub service_account: Option<ObjectKey>,
}

/// Validates one store and says so in its status. What fails is reported on the object, and tried again.
pub async fn reconcile(object: Arc<SecretStore>, kind: StoreKind, context: Arc<Context>) -> Pass {
    let key = StoreKey { kind, object: ObjectKey::of(&object.metadata) };
    if !store_access::is_ours(&object, &context.options.controller_class) {
        return Pass::succeeded(Next::OnChange);
    }
    if object.metadata.deletion_timestamp.is_some() {
        return Pass::succeeded(release(&object, &key, &context).await);
    }
    let began = Instant::now();
    let now = context.now();
    let validation = validate(&object, &key, &context).await;
    concluded(&object, &key, &validation, Began { at: began, now }, &context).await
}

/// Says of a store that its validation panicked.
pub async fn panicked(key: &StoreKey, panicked: Panicked, context: &Context) -> Pass {
    let Some(object) = context.watched_store(key) else { return Pass::succeeded(Next::OnChange) };
    let began = Began { at: Instant::now(), now: context.now() };
    concluded(&object, key, &Err(Error::Panicked(panicked)), began, context).await
}

/// When a validation began.
#[derive(Clone, Copy)]
struct Began {
    at: Instant,
    now: Timestamp,
}

/// Says what has come of a validation.
async fn concluded(
    object: &SecretStore,
    key: &StoreKey,
    validation: &Result<Validation, Error>,
    began: Began,
    context: &Context,
) -> Pass {
    if !is_shown(object, key, context) {
        // One of the same name was asked for when it appeared.
        return Pass::succeeded(Next::OnChange);
    }
    let finding = Finding::of(validation);
    let written = write_status(object, key, &finding, began.now, context).await;
    publish(object, key, &finding, began.now, context);
    measure(object, key, &finding, began.at.elapsed(), context);

    let next = match written {
        Ok(()) => next_validation(object, key, &finding, context),
        Err(_) => spread(Duration::from_secs(1)),
    };
    if finding.state == StoreState::Valid {
        Pass::succeeded(Next::After(next))
    } else {
        Pass::failed(Next::After(next))
    }
}

/// Whether a store is there as far as the watch has seen: neither deleted nor made anew.
fn is_shown(object: &SecretStore, key: &StoreKey, context: &Context) -> bool {
    context.watched_store(key).is_some_and(|shown| shown.metadata.uid == object.metadata.uid)
}

fn measure(object: &SecretStore, key: &StoreKey, finding: &Finding, took: Duration, context: &Context) {
    let measured =
        Object { namespace: &key.object.namespace, name: &key.object.name, labels: object.metadata.labels.as_ref() };
    let ready = finding.report().status == ConditionStatus::True;
    context.metrics.stores().validated(subsystem(key.kind), measured, ready, took);
    context.metrics.store_validated(key.kind.name(), finding.report().reason, finding.cause);
    // What was deleted meanwhile is forgotten once more: the watch does not say so again.
    if context.watched_store(key).is_none() {
        context.metrics.stores().deleted(subsystem(key.kind), &key.object.namespace, &key.object.name);
    }
}

/// The name under which metrics speak of a kind's controller.
#[must_use]
pub const fn controller_name(kind: StoreKind) -> &'static str {
    match kind {
        StoreKind::SecretStore => "secretstore",
        StoreKind::ClusterSecretStore => "clustersecretstore",
    }
}

/// The metrics of a kind.
#[must_use]
pub const fn subsystem(kind: StoreKind) -> StoreSubsystem {
    match kind {
        StoreKind::SecretStore => StoreSubsystem::SecretStore,
        StoreKind::ClusterSecretStore => StoreSubsystem::ClusterSecretStore,
    }
}

async fn validate(object: &SecretStore, key: &StoreKey, context: &Context) -> Result<Validation, Error> {
    let spec = object.spec.get().map_err(|field| Error::Invalid(field.to_string()))?;
    check(spec)?;
    let provider = context.providers.of(spec).map_err(Error::Client)?;
    let view = store_access::view(key, spec);
    let client = provider.client(view, Caller::StoreValidation).await.map_err(Error::Client)?;
    Ok(client.validate().await)
}

/// What can be said of any store without its provider, which checks its own part.
fn check(spec: &SecretStoreSpec) -> Result<(), Error> {
    let problems = validate::secret_store::general(spec);
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(validate::sentences(&problems))) }
}

/// Writes the status if it differs from the one that is watched.
async fn write_status(
    object: &SecretStore,
    key: &StoreKey,
    finding: &Finding,
    now: Timestamp,
    context: &Context,
) -> Result<(), ApiError> {
    let before = object.status.clone().unwrap_or_default();
    let mut status: SecretStoreStatus = before.clone();
    let generation = object.metadata.generation;
    let ready = Statement {
        type_: READY,
        status: finding.report().status,
        reason: finding.report().reason.to_owned(),
        message: finding.message.clone(),
    };
    for statement in std::iter::once(ready).chain(finding.checks.clone()) {
        conditions::set(&mut status.conditions, statement, generation, now);
    }
    if finding.state == StoreState::Valid {
        status.capabilities = Some(CAPABILITIES.to_owned());
    }
    if status == before {
        return Ok(());
    }
    // With the UID, or it might land on another object of the name.
    let patch = Patch::Merge(json!({ "metadata": { "uid": object.metadata.uid }, "status": status }));
    match bounded(context.stores(key).patch_status(&key.object.name, &PatchParams::default(), &patch)).await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some(404) => Ok(()),
        Err(error) => {
            tracing::debug!(store = %key, %error, "the status could not be written");
            Err(error)
        }
    }
}

/// Publishes an event where the store's state changed, and `Valid` from time to time.
fn publish(object: &SecretStore, key: &StoreKey, finding: &Finding, now: Timestamp, context: &Context) {
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let before = conditions::find(conditions, READY);
    let is_news = before.is_none_or(|before| {
        before.reason.as_deref() != Some(finding.report().reason) || before.message.as_deref() != Some(&finding.message)
    });
    if is_news && finding.state == StoreState::Valid {
        tracing::info!(store = %key, "store validated");
    } else if is_news {
        tracing::warn!(store = %key, reason = finding.report().reason, cause = finding.cause, problem = finding.message, "store is not valid");
    }
    let is_due = finding.state == StoreState::Valid && is_valid_event_due(object, key, now, context);
    if !is_news && !is_due {
        return;
    }
    let (source, kind) = match key.kind {
        StoreKind::SecretStore => (Source::SecretStore, StoreKind::SecretStore),
        StoreKind::ClusterSecretStore => (Source::ClusterSecretStore, StoreKind::ClusterSecretStore),
    };
    let severity = if finding.state == StoreState::Valid { Severity::Normal } else { Severity::Warning };
    let dyntype = StoreType { kind, version: context.state.version };
    let reference = object.object_ref(&dyntype);
    context.events.publish(Notice {
        source,
        severity,
        reason: finding.report().reason,
        note: finding.message.clone(),
        object: reference,
    });
    if finding.state == StoreState::Valid
        && let Some(memo) = context.state.store_memos().get_mut(key, object.metadata.uid.as_deref())
    {
        memo.valid_event = Some(now);
    }
}

fn is_valid_event_due(object: &SecretStore, key: &StoreKey, now: Timestamp, context: &Context) -> bool {
    let memos = context.state.store_memos();
    let last = memos.get(key, object.metadata.uid.as_deref()).and_then(|memo| memo.valid_event);
    last.is_none_or(|last| now.duration_since(last).unsigned_abs() >= VALID_EVENT_INTERVAL)
}

/// When to validate again: at the interval, or sooner with backoff while the store is not valid. Where ExternalSecrets
/// wait for it and it may mend itself, a validation every few seconds stands for all of them.
fn next_validation(object: &SecretStore, key: &StoreKey, finding: &Finding, context: &Context) -> Duration {
    let named = object.spec.get().ok().and_then(|spec| validate::secret_store::interval(spec).ok().flatten());
    let interval = named.unwrap_or(context.options.store_requeue_interval);
    let mut memos = context.state.store_memos();
    let Some(memo) = memos.get_mut(key, object.metadata.uid.as_deref()) else { return spread(interval) };
    if finding.state == StoreState::Valid {
        memo.failures = 0;
        return spread(interval);
    }
    memo.failures = memo.failures.saturating_add(1);
    let is_awaited = finding.retry == Retry::Backoff && context.state.index.is_read(key);
    let longest = if is_awaited { LONGEST_WHILE_AWAITED } else { Duration::MAX };
    spread(refresh::backoff(memo.failures).min(longest)).min(interval)
}

/// Removes ESO's finalizer from a store that is being deleted: nothing is pushed from here that would
/// have to be cleaned up.
async fn release(object: &SecretStore, key: &StoreKey, context: &Context) -> Next {
    let finalizers = object.metadata.finalizers.as_deref().unwrap_or_default();
    if !finalizers.iter().any(|finalizer| finalizer == FINALIZER_STORE) {
        return Next::OnChange;
    }
    let remaining: Vec<_> = finalizers.iter().filter(|finalizer| *finalizer != FINALIZER_STORE).collect();
    let version = &object.metadata.resource_version;
    let patch = Patch::Merge(json!({
        "metadata": { "uid": object.metadata.uid, "finalizers": remaining, "resourceVersion": version },
    }));
    match bounded(context.stores(key).patch_metadata(&key.object.name, &PatchParams::default(), &patch)).await {
        Ok(_) => Next::OnChange,
        Err(error) if error.code() == Some(404) => Next::OnChange,
        Err(error) => {
            tracing::warn!(store = %key, %error, "the finalizer could not be removed");
            Next::After(spread(Duration::from_secs(1)))
        }
    }
}

/// The service account that a store names, where its namespace is known.
#[must_use]
pub fn service_account(object: &SecretStore, key: &StoreKey) -> Option<ObjectKey> {
    let spec = object.spec.get().ok()?;
    let reference = spec.provider.azurekv.as_ref()?.service_account_ref.as_ref()?;
    let namespace = match key.kind {
        StoreKind::SecretStore => key.object.namespace.as_str(),
        StoreKind::ClusterSecretStore => reference.namespace.as_deref()?,
    };
    Some(ObjectKey::new(namespace, &reference.name))
}

/// What of a store decides whether it must be validated again.
#[must_use]
pub fn fingerprint(object: &SecretStore) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let meta = &object.metadata;
    let mut hasher = DefaultHasher::new();
    (&meta.uid, meta.generation, &meta.annotations, meta.deletion_timestamp.is_some()).hash(&mut hasher);
    hasher.finish()
}

/// What of a store decides whether those who wait for it should look again.
#[must_use]
pub fn usability(object: &SecretStore) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let ready = conditions::find(conditions, READY);
    let mut hasher = DefaultHasher::new();
    (&object.metadata.uid, object.metadata.generation, ready.map(|ready| (ready.status, &ready.message)))
        .hash(&mut hasher);
    hasher.finish()
}
