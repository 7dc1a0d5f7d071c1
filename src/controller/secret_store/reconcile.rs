//! One validation of one store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use kube::Resource;

use super::context::Context;
use super::finding::{Error, Finding, StoreState};
use super::state::StoreMemo;
use crate::api::FINALIZER_STORE;
use crate::api::v1::condition::{READY, STALLED};
use crate::api::v1::secret_store::{SecretStoreStatus, StoreType};
use crate::api::v1::{ConditionStatus, SecretStore, SecretStoreSpec, StoreKind};
use crate::controller::core::api_call::ApiError;
use crate::controller::core::conditions::{self, Statement};
use crate::controller::core::events::{Notice, Severity};
use crate::controller::core::key::ObjectKey;
use crate::controller::core::kind::Kind;
use crate::controller::core::reconcile::{Pass, Reconcile};
use crate::controller::core::repeated_writes::Before;
use crate::controller::core::requeue::{Next, spread};
use crate::controller::core::work_queue::Requests;
use crate::controller::core::{finalizer, status};
use crate::controller::store_access::clients;
use crate::controller::store_access::key::StoreKey;
use crate::controller::store_access::roles::Stores as _;
use crate::provider::error::Retry;
use crate::provider::{Caller, Validation};
use crate::runtime::metrics::{Object, StoreSubsystem};
use crate::runtime::panics::Panicked;
use crate::sync::refresh;
use crate::validate;

/// How often the event `Valid` is repeated. Events live for an hour.
const VALID_EVENT_INTERVAL: Duration = Duration::from_mins(30);
/// The longest wait between validations of a store that is not valid and for which ExternalSecrets wait.
const LONGEST_WHILE_AWAITED: Duration = Duration::from_secs(3);
/// How often a store that is being deleted looks whether PushSecrets still need it. The last that does also wakes it.
const LOOK_AGAIN_WHILE_HELD: Duration = Duration::from_secs(30);
/// What Key Vault and the fake provider support, in ESO's words.
const CAPABILITIES: &str = "ReadWrite";

/// The controller of one kind of stores.
pub(crate) struct StoreController {
    pub(crate) of: StoreKind,
    /// Shared by both kinds.
    pub(crate) context: Arc<Context>,
}

impl StoreController {
    fn watched(&self, key: &ObjectKey) -> Option<(StoreKey, Arc<SecretStore>)> {
        let key = StoreKey { kind: self.of, object: key.clone() };
        let object = self.context.watched.watched(&key)?;
        Some((key, object))
    }

    /// The store with its newest status, which the watch may not show yet.
    fn newest(&self, key: &ObjectKey) -> Option<(StoreKey, Arc<SecretStore>)> {
        let key = StoreKey { kind: self.of, object: key.clone() };
        // Before the watch is read: it may show the status in between, which is then forgotten here.
        let ahead = self.context.state.memos().named(&key).map(|memo| memo.ahead().clone()).unwrap_or_default();
        let mut object = self.context.watched.watched(&key)?;
        if let Some(status) = ahead.on(object.metadata.resource_version.as_deref()) {
            Arc::make_mut(&mut object).status = Some(status.clone());
        }
        Some((key, object))
    }
}

#[async_trait]
impl Reconcile for StoreController {
    type Key = ObjectKey;

    fn kind(&self) -> Kind {
        super::kind(self.of)
    }

    fn requests(&self) -> &Arc<Requests<ObjectKey>> {
        self.context.state.requests(self.of)
    }

    fn is_there(&self, key: &ObjectKey) -> bool {
        self.watched(key).is_some()
    }

    /// Validates one store and reports the result in its status. Failures are reported on the object and retried.
    async fn reconcile(&self, key: &ObjectKey) -> Pass {
        let context = &self.context;
        let Some((key, object)) = self.newest(key) else { return Pass::succeeded(Next::OnChange) };
        if !clients::is_ours(&object, &context.options.controller_class) {
            return Pass::succeeded(Next::OnChange);
        }
        if object.metadata.deletion_timestamp.is_some() {
            return Pass::succeeded(release(&object, &key, context).await);
        }
        let began = Began { at: Instant::now(), now: Timestamp::now() };
        let is_settled = hold(&object, &key, context).await;
        let validation = validate(&object, &key, context).await;
        let pass = concluded(&object, &key, &validation, began, context).await;
        if is_settled { pass } else { Pass { next: pass.next.no_later_than(spread(Duration::from_secs(1))), ..pass } }
    }

    async fn panicked(&self, key: &ObjectKey, panicked: Panicked) -> Pass {
        let Some((key, object)) = self.newest(key) else { return Pass::succeeded(Next::OnChange) };
        let began = Began { at: Instant::now(), now: Timestamp::now() };
        concluded(&object, &key, &Err(Error::Panicked(panicked)), began, &self.context).await
    }
}

/// When a validation began.
#[derive(Clone, Copy)]
struct Began {
    at: Instant,
    now: Timestamp,
}

/// Reports the result of a validation.
async fn concluded(
    object: &SecretStore,
    key: &StoreKey,
    validation: &Result<Validation, Error>,
    began: Began,
    context: &Context,
) -> Pass {
    if !is_shown(object, key, context) {
        // Another store of the same name was queued when it appeared.
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

/// Whether the watch still shows this store, neither deleted nor recreated.
fn is_shown(object: &SecretStore, key: &StoreKey, context: &Context) -> bool {
    context.watched.watched(key).is_some_and(|shown| shown.metadata.uid == object.metadata.uid)
}

fn measure(object: &SecretStore, key: &StoreKey, finding: &Finding, took: Duration, context: &Context) {
    let measured =
        Object { namespace: &key.object.namespace, name: &key.object.name, labels: object.metadata.labels.as_ref() };
    let ready = finding.report().status == ConditionStatus::True;
    context.metrics.stores().validated(subsystem(key.kind), measured, ready, took);
    context.metrics.store_validated(key.kind.name(), finding.report().reason, finding.cause);
    // Forget again what was deleted during the pass: the watch does not report that a second time.
    if context.watched.watched(key).is_none() {
        context.metrics.stores().deleted(subsystem(key.kind), &key.object.namespace, &key.object.name);
    }
}

/// The metrics of a kind.
pub(super) const fn subsystem(kind: StoreKind) -> StoreSubsystem {
    match kind {
        StoreKind::SecretStore => StoreSubsystem::SecretStore,
        StoreKind::ClusterSecretStore => StoreSubsystem::ClusterSecretStore,
    }
}

async fn validate(object: &SecretStore, key: &StoreKey, context: &Context) -> Result<Validation, Error> {
    let spec = object.spec.get().map_err(|field| Error::Invalid(field.to_string()))?;
    check(spec)?;
    let provider = context.providers.of(spec).map_err(Error::Client)?;
    let view = clients::view(key, spec);
    let client = provider.client(view, Caller::StoreValidation).await.map_err(Error::Client)?;
    Ok(client.validate().await)
}

/// Checks that hold for any store. The provider checks its own part.
fn check(spec: &SecretStoreSpec) -> Result<(), Error> {
    let problems = validate::secret_store::general(spec);
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(validate::sentences(&problems))) }
}

/// Brings the status up to date.
async fn write_status(
    object: &SecretStore,
    key: &StoreKey,
    finding: &Finding,
    now: Timestamp,
    context: &Context,
) -> Result<(), ApiError> {
    let mut status: SecretStoreStatus = object.status.clone().unwrap_or_default();
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
    match finding.stalled() {
        Some(stalled) => conditions::set(&mut status.conditions, stalled, generation, now),
        None => status.conditions.retain(|condition| condition.type_ != STALLED),
    }
    status.observed_generation = generation;
    status.last_handled_refresh = status::handled_refresh(&object.metadata);
    if finding.state == StoreState::Valid {
        status.capabilities = Some(CAPABILITIES.to_owned());
    }
    store_status(object, key, &status, context).await
}

/// Writes a status if it differs from the last one, and remembers it until the watch shows it.
async fn store_status(
    object: &SecretStore,
    key: &StoreKey,
    status: &SecretStoreStatus,
    context: &Context,
) -> Result<(), ApiError> {
    let before = object.status.as_ref();
    if !context.kept_fields.differs(before, status) {
        return Ok(());
    }
    let (api, uid) = (context.stores(key), object.metadata.uid.as_deref());
    let patch = status::patch(before, status, &[]);
    let write = status::write(&api, &key.object.name, uid, &patch, &context.kept_fields);
    let before = Before {
        conditions: before.map(|before| before.conditions.as_slice()).unwrap_or_default(),
        observed: before.and_then(|before| before.observed_generation),
        generation: object.metadata.generation,
    };
    match context.repeated_writes.status(&key.object.namespace, before, write).await {
        Ok(status::Written::Stored) => {
            let base = object.metadata.resource_version.as_deref();
            if let Some(memo) = context.state.memos().get_mut(key, uid) {
                // The watch may show it already.
                let shown = context.watched.watched(key);
                if shown.is_some_and(|shown| shown.metadata.resource_version.as_deref() == base) {
                    memo.status_written(base, status);
                }
            }
            Ok(())
        }
        Ok(status::Written::Gone) => Ok(()),
        Err(error) => {
            tracing::debug!(store = %key, %error, "the status could not be written");
            Err(error)
        }
    }
}

/// Publishes an event if the store's state has changed, and `Valid` from time to time.
fn publish(object: &SecretStore, key: &StoreKey, finding: &Finding, now: Timestamp, context: &Context) {
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let before = conditions::find(conditions, READY);
    let is_news = before.is_none_or(|before| {
        before.reason.as_deref() != Some(finding.report().reason) || before.message.as_deref() != Some(&finding.message)
    });
    let is_due = finding.state == StoreState::Valid && is_valid_event_due(object, key, now, context);
    if !is_news && !is_due {
        return;
    }
    let severity = if finding.state == StoreState::Valid { Severity::Normal } else { Severity::Warning };
    let dyntype = StoreType { kind: key.kind, version: context.version };
    let reference = object.object_ref(&dyntype);
    let may_be_logged = context.events.publish(Notice {
        component: super::kind(key.kind).component,
        severity,
        reason: finding.report().reason,
        note: finding.message.clone(),
        object: reference,
    });
    if is_news && may_be_logged && finding.state == StoreState::Valid {
        tracing::info!(store = %key, "store validated");
    } else if is_news && may_be_logged {
        tracing::warn!(store = %key, reason = finding.report().reason, cause = finding.cause, problem = finding.message, "store is not valid");
    }
    if finding.state == StoreState::Valid
        && let Some(memo) = context.state.memos().get_mut(key, object.metadata.uid.as_deref())
    {
        memo.valid_event_published(now);
    }
}

fn is_valid_event_due(object: &SecretStore, key: &StoreKey, now: Timestamp, context: &Context) -> bool {
    let memos = context.state.memos();
    let last = memos.get(key, object.metadata.uid.as_deref()).and_then(StoreMemo::valid_event);
    last.is_none_or(|last| now.duration_since(last).unsigned_abs() >= VALID_EVENT_INTERVAL)
}

/// When to validate again: at the interval, or sooner, with backoff, while the store is not valid. If ExternalSecrets
/// wait for it and it may recover, one validation every few seconds spares all of them a retry.
fn next_validation(object: &SecretStore, key: &StoreKey, finding: &Finding, context: &Context) -> Duration {
    let named = object.spec.get().ok().and_then(|spec| validate::secret_store::interval(spec).ok().flatten());
    let interval = named.unwrap_or(context.options.store_requeue_interval);
    let mut memos = context.state.memos();
    let Some(memo) = memos.get_mut(key, object.metadata.uid.as_deref()) else { return spread(interval) };
    if finding.state == StoreState::Valid {
        memo.valid();
        return spread(interval);
    }
    let failures = memo.not_valid();
    let is_awaited = finding.retry == Retry::Backoff && context.is_read(key);
    let longest = if is_awaited { LONGEST_WHILE_AWAITED } else { Duration::MAX };
    spread(refresh::backoff(failures).min(longest)).min(interval)
}

/// Lets a store that is being deleted go, unless PushSecrets need it to delete what they have written.
async fn release(object: &SecretStore, key: &StoreKey, context: &Context) -> Next {
    if !finalizer::is_on(&object.metadata, FINALIZER_STORE) {
        return Next::OnChange;
    }
    let holders = context.holders(object, key);
    if let Some(first) = holders.first() {
        say_held(object, key, first, holders.len(), context).await;
        return Next::After(spread(LOOK_AGAIN_WHILE_HELD));
    }
    match finalizer::remove(&context.stores(key), &object.metadata, FINALIZER_STORE).await {
        Ok(()) => Next::OnChange,
        Err(error) => {
            tracing::warn!(store = %key, %error, "the finalizer could not be removed");
            Next::After(spread(Duration::from_secs(1)))
        }
    }
}

/// Says in the condition who holds a store that is being deleted, and how to let it go.
async fn say_held(object: &SecretStore, key: &StoreKey, first: &ObjectKey, number: usize, context: &Context) {
    let others = if number > 1 { format!(" and {} more", number - 1) } else { String::new() };
    let message = format!(
        "the store is being deleted and is kept for PushSecret {first}{others}, which must delete what it has written: delete the PushSecret first, or set its spec.deletionPolicy to None to leave the objects"
    );
    let mut status = object.status.clone().unwrap_or_default();
    let held = Statement { type_: "Held", status: ConditionStatus::True, reason: "PushSecrets".to_owned(), message };
    conditions::set(&mut status.conditions, held, object.metadata.generation, Timestamp::now());
    // It looks again anyway.
    let _ = store_status(object, key, &status, context).await;
}

/// Puts ESO's finalizer on a store while PushSecrets need it, and removes it after that. Returns whether it is as it must be.
async fn hold(object: &SecretStore, key: &StoreKey, context: &Context) -> bool {
    let is_held = !context.holders(object, key).is_empty();
    let result = match (is_held, finalizer::is_on(&object.metadata, FINALIZER_STORE)) {
        (true, false) => finalizer::add(&context.stores(key), &object.metadata, FINALIZER_STORE).await,
        (false, true) => finalizer::remove(&context.stores(key), &object.metadata, FINALIZER_STORE).await,
        _ => return true,
    };
    if let Err(error) = &result {
        tracing::warn!(store = %key, %error, "the finalizer could not be changed");
    }
    result.is_ok()
}
