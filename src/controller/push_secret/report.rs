//! Reports the outcome of a pass. Only this module writes conditions, events and metrics of a PushSecret.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::Resource as _;
use serde_json::Value;

use super::KIND;
use super::context::Context;
use super::error::Error;
use super::failure::Failure;
use super::pieces::Piece;
use super::progress::Progress;
use super::state::Memo;
use super::subject::Subject;

use crate::api::v1::ConditionStatus;
use crate::api::v1::condition::{READY, STALLED};
use crate::api::v1alpha1::PushSecretStatus;
use crate::api::v1alpha1::push_secret::SyncedPushSecrets;
use crate::controller::core::conditions::{self, Statement};
use crate::controller::core::events::{Notice, Severity};
use crate::controller::core::reconcile::Pass;
use crate::controller::core::repeated_writes::Before;
use crate::controller::core::requeue::{Next, spread};
use crate::controller::core::status;
use crate::provider::error::Retry;
use crate::push::Action;
use crate::sync::hash;
use crate::sync::one_line::truncated;
use crate::sync::push::due::due;
use crate::sync::push::interval::interval;
use crate::sync::push::record;
use crate::sync::refresh::{Due, backoff};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// ESO's reasons.
const SYNCED: &str = "Synced";
const ERRORED: &str = "Errored";
const SOURCE_DELETED: &str = "SourceDeleted";
/// How long to wait after a status could not be written.
const STATUS_RETRY: Duration = Duration::from_secs(1);
/// How soon to check an object again that is being deleted or recovered.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// After this many checks they become rarer, and the longest time between two.
const LOOKS: u32 = 5;
const LONGEST_LOOK_AGAIN: Duration = Duration::from_mins(1);
/// The longest wait while the API server is unavailable or overloaded.
const LONGEST_OUTAGE_RETRY: Duration = Duration::from_secs(30);
/// The shortest wait if the provider reports its recovery.
const FALLBACK: Duration = Duration::from_mins(1);
/// The longest message of a condition: the limit of an event's note.
const LONGEST_MESSAGE: usize = 1024;
/// Added to a wait, so that it is surely over.
const MOMENT: Duration = Duration::from_millis(100);
/// How many objects an event names.
const NAMED: usize = 10;

/// The outcome of a pass that did not fail.
pub(super) enum Outcome {
    /// It belongs to another controller.
    NotOurs,
    /// It is being deleted, and there is nothing left to do.
    Deleted,
    /// It was written a moment ago, and waits this long.
    Waiting(Duration),
    /// Nothing is due.
    Unchanged {
        /// When the next push is due.
        due: Due,
        /// The rest of the grace period of recorded objects that are not desired.
        patience: Option<Duration>,
    },
    /// Nothing was written yet: some of the values to keep are missing.
    ValuesMissing,
    /// There is nothing to push; what was pushed is deleted if that lasts this long.
    Leaving {
        /// What is missing.
        why: String,
        /// How long.
        wait: Duration,
    },
    /// There is nothing to push, and what was pushed is deleted.
    SourceDeleted {
        /// What the status says was written: what another controller still has to delete.
        records: SyncedPushSecrets,
        /// The objects that this pass deleted.
        deleted: Vec<String>,
    },
    /// Everything is in its desired state.
    Synced {
        /// The objects for the status.
        records: SyncedPushSecrets,
        /// The objects that this pass wrote.
        written: Vec<(String, Action)>,
        /// The objects that this pass deleted.
        deleted: Vec<String>,
        /// The objects that were left because somebody else owns them.
        left: Vec<String>,
        /// Whether an object was left unchanged because it exists.
        has_skipped: bool,
        /// When to check the objects again that are not desired at the moment.
        again: Option<Duration>,
    },
}

/// Reports the outcome of a pass. Returns when the next is due.
pub(super) async fn concluded(
    subject: Subject<'_>,
    progress: Progress,
    result: Result<Outcome, Error>,
    context: &Context,
) -> Pass {
    if !context.shows(subject) {
        // A new object of the same name has its own request.
        return Pass::succeeded(Next::OnChange);
    }
    let pass = reported(subject, progress, result, context).await;
    // Forget again what was deleted meanwhile: the watch does not report that a second time.
    if context.watched(subject.key).is_none() {
        context.metrics.push_secrets().deleted(&subject.key.namespace, &subject.key.name);
    }
    pass
}

async fn reported(subject: Subject<'_>, progress: Progress, result: Result<Outcome, Error>, context: &Context) -> Pass {
    context.state.wake_after(result.as_ref().err().and_then(Error::recovery), subject.key);
    let took = subject.began.elapsed();
    let ready = |status: ConditionStatus| Some(status == ConditionStatus::True);
    match result {
        Ok(Outcome::NotOurs) => {
            context.state.remember(subject, Memo::not_ours);
            Pass::succeeded(Next::OnChange)
        }
        Ok(Outcome::Deleted | Outcome::ValuesMissing) | Err(Error::Gone) => Pass::succeeded(Next::OnChange),
        Ok(Outcome::Waiting(pause)) => Pass::succeeded(Next::After(pause)),
        Ok(Outcome::Unchanged { due, patience }) => {
            let shown = conditions::find(&subject.status.conditions, READY).map(|ready| ready.status);
            context.metrics.push_secrets().reconciled(subject.measured(), shown.and_then(ready), took);
            context.state.remember(subject, |memo| memo.settled(progress.changes));
            let next = until(due, subject);
            Pass::succeeded(patience.map_or(next, |wait| next.no_later_than(wait + MOMENT)))
        }
        Ok(Outcome::Leaving { why, wait }) => {
            let message = format!(
                "could not get source secret: {why}; what was pushed is deleted if that is still so after {} s",
                context.options.push_grace.as_secs()
            );
            let said = Said::failed(ERRORED, message, Failure::Source.report().cause);
            let _ = say(&said, Severity::Warning, progress.written.clone(), &progress, subject, context).await;
            context.metrics.push_secrets().reconciled(subject.measured(), Some(false), took);
            Pass::succeeded(Next::After(wait + MOMENT))
        }
        Ok(Outcome::SourceDeleted { records, deleted }) => {
            noted(&deleted, "deleted", subject, context);
            let message = "source secret deleted; provider secrets cleaned up".to_owned();
            let said = Said::failed(SOURCE_DELETED, message, Failure::Source.report().cause);
            let mut status = progress.written.clone();
            status.synced_vaults.retain(|store, _| records.contains_key(store));
            status.synced_push_secrets = records;
            let written = say(&said, Severity::Normal, status, &progress, subject, context).await;
            context.metrics.push_secrets().reconciled(subject.measured(), Some(false), took);
            context.state.remember(subject, |memo| memo.succeeded(progress.changes, None));
            Pass::succeeded(if written { Next::OnChange } else { Next::After(STATUS_RETRY) })
        }
        Ok(Outcome::Synced { records, written: objects, deleted, left: others, has_skipped, again }) => {
            written(&objects, subject, context);
            noted(&deleted, "deleted", subject, context);
            left(&others, subject, context);
            let mark = progress.mark.clone();
            // A restart loses track of objects in their grace period, so all objects are compared then.
            let sources = mark.filter(|_| again.is_none()).map(|mark| mark.versions);
            let next = synced(records, sources, has_skipped, &progress, subject, context).await;
            context.metrics.push_secrets().reconciled(subject.measured(), Some(true), took);
            let next = again.map_or(next, |again| next.no_later_than(again + MOMENT));
            Pass::succeeded(next)
        }
        Err(error) => {
            let next = failed(&error, &progress, subject, context).await;
            context.metrics.push_secrets().reconciled(subject.measured(), Some(false), took);
            Pass::failed(next)
        }
    }
}

/// The condition `Ready`.
struct Said {
    status: ConditionStatus,
    reason: &'static str,
    message: String,
    /// The cause of a failure, in one word.
    cause: Option<&'static str>,
    /// Whether only a change of the PushSecret can help.
    is_stalled: bool,
}

impl Said {
    fn failed(reason: &'static str, message: String, cause: &'static str) -> Self {
        Self { status: ConditionStatus::False, reason, message, cause: Some(cause), is_stalled: false }
    }
}

async fn synced(
    records: SyncedPushSecrets,
    sources: Option<String>,
    has_skipped: bool,
    progress: &Progress,
    subject: Subject<'_>,
    context: &Context,
) -> Next {
    let meta = &subject.object.metadata;
    let mut status = progress.written.clone();
    status.synced_vaults.retain(|store, _| records.contains_key(store));
    status.synced_push_secrets = records;
    status.recovering.clear();
    status.generated.clone_from(&progress.generated);
    status.refresh_time = Some(Time(conditions::seconds(subject.now)));
    status.synced_resource_version = Some(hash::synced_resource_version(meta));
    status.synced_sources = sources;
    let skipped = if has_skipped { ". Existing secrets in providers unchanged." } else { "" };
    let message = format!("PushSecret synced successfully{skipped}");
    let said = Said { status: ConditionStatus::True, reason: SYNCED, message, cause: None, is_stalled: false };
    let Ok(spec) = subject.object.spec.get() else { return Next::OnChange };
    let next = due(meta, spec, Some(&status), subject.now);
    if !say(&said, Severity::Normal, status, progress, subject, context).await {
        return Next::After(STATUS_RETRY);
    }
    let inputs = progress.mark.as_ref().map(|mark| mark.content);
    context.state.remember(subject, |memo| memo.succeeded(progress.changes, inputs));
    until(next, subject)
}

async fn failed(error: &Error, progress: &Progress, subject: Subject<'_>, context: &Context) -> Next {
    let report = Failure::of(error).report();
    let cause = super::failure::cause(error);
    let said = Said { is_stalled: report.retry == Retry::OnChange, ..Said::failed(ERRORED, error.to_string(), cause) };
    let is_waiting = error.is_waiting();
    let severity = if is_waiting { Severity::Normal } else { Severity::Warning };
    let mut status = progress.written.clone();
    for (store, keys) in context.state.recovering(subject) {
        status.recovering.entry(store).or_default().extend(keys);
    }
    let written = say(&said, severity, status, progress, subject, context).await;
    context.metrics.push_failed(cause);
    let failures = context.state.remember(subject, |memo| memo.failed(error.is_outage_of_api_server())).unwrap_or(1);
    tracing::debug!(push_secret = %subject.key, cause, failures, "could not be pushed");
    if is_waiting {
        let longer = backoff(failures.saturating_sub(LOOKS)).min(LONGEST_LOOK_AGAIN);
        return Next::After(spread(if failures > LOOKS { longer.max(LOOK_AGAIN) } else { LOOK_AGAIN }));
    }
    match (report.retry, written) {
        (Retry::OnChange, true) => Next::OnChange,
        (Retry::OnChange, false) => Next::After(spread(STATUS_RETRY)),
        // Others may still change what was written.
        (Retry::Backoff, true) if error.waits_for_a_change() => {
            let interval = subject.object.spec.get().ok().and_then(interval);
            interval.map_or(Next::OnChange, |interval| Next::After(spread(interval)))
        }
        (Retry::Backoff, _) => Next::After(spread(pause(error, failures))),
    }
}

fn pause(error: &Error, failures: u32) -> Duration {
    if error.is_outage_of_api_server() {
        return backoff(failures).min(LONGEST_OUTAGE_RETRY);
    }
    let asked = error.provider_errors().filter_map(|error| error.retry_after).max().unwrap_or_default();
    let least = if error.recovery().is_some() { FALLBACK } else { asked };
    backoff(failures).max(least)
}

/// Sets the condition, publishes an event if it is news, and writes the status. Returns whether it was stored.
async fn say(
    said: &Said,
    severity: Severity,
    mut status: PushSecretStatus,
    progress: &Progress,
    subject: Subject<'_>,
    context: &Context,
) -> bool {
    let before = conditions::find(&status.conditions, READY).cloned();
    let statement = Statement {
        type_: READY,
        status: said.status,
        reason: said.reason.to_owned(),
        message: truncated(&said.message, LONGEST_MESSAGE).to_owned(),
    };
    let meta = &subject.object.metadata;
    match said.cause.filter(|_| said.is_stalled) {
        Some(cause) => {
            let stalled = Statement { type_: STALLED, reason: cause.to_owned(), ..statement.clone() };
            let stalled = Statement { status: ConditionStatus::True, ..stalled };
            conditions::set(&mut status.conditions, stalled, meta.generation, subject.now);
        }
        None => status.conditions.retain(|condition| condition.type_ != STALLED),
    }
    conditions::set(&mut status.conditions, statement, meta.generation, subject.now);
    status.observed_generation = meta.generation;
    status.last_handled_refresh = status::handled_refresh(meta);
    status.cause = said.cause.map(str::to_owned);
    let after = conditions::find(&status.conditions, READY);
    let is_news = before.as_ref().map(|ready| (ready.status, &ready.reason, &ready.message))
        != after.map(|ready| (ready.status, &ready.reason, &ready.message));
    if is_news {
        let message = after.and_then(|ready| ready.message.clone()).unwrap_or_default();
        match (said.status, notify(severity, said.reason, message.clone(), subject, context)) {
            (_, false) => {}
            (ConditionStatus::True, true) => tracing::info!(push_secret = %subject.key, "pushed"),
            (_, true) => tracing::warn!(push_secret = %subject.key, problem = message, "is not pushed"),
        }
    }
    write(&status, progress, subject, context).await
}

async fn write(status: &PushSecretStatus, progress: &Progress, subject: Subject<'_>, context: &Context) -> bool {
    if !context.kept_fields.differs(Some(&progress.written), status) {
        return true;
    }
    let mut patch = record::patch(&progress.written, status);
    if status.cause.is_none() {
        // The pass before may have written it just now: the watch may show a version in between.
        patch["cause"] = Value::Null;
    }
    let api = context.push_secrets(&subject.key.namespace);
    let write = status::write(&api, &subject.key.name, subject.uid(), &patch, &context.kept_fields);
    let before = Before {
        conditions: &progress.written.conditions,
        observed: progress.written.observed_generation,
        generation: subject.object.metadata.generation,
    };
    match context.repeated_writes.status(&subject.key.namespace, before, write).await {
        Ok(status::Written::Stored) => {
            remember(subject, status, context);
            true
        }
        Ok(status::Written::Gone) => true,
        Err(error) => {
            tracing::debug!(push_secret = %subject.key, %error, "the status could not be written");
            false
        }
    }
}

/// Keeps a status until the watch shows it, unless it already does.
pub(super) fn remember(subject: Subject<'_>, status: &PushSecretStatus, context: &Context) {
    let base = &subject.object.metadata.resource_version;
    let shown = context.watched(subject.key);
    if shown.is_some_and(|shown| shown.metadata.resource_version == *base) {
        context.state.remember(subject, |memo| memo.status_written(base.as_deref(), status));
    }
}

/// Whether the condition says that what was pushed was deleted with the Secret.
pub(super) fn was_source_deleted(status: &PushSecretStatus) -> bool {
    let ready = conditions::find(&status.conditions, READY);
    ready.is_some_and(|ready| ready.reason.as_deref() == Some(SOURCE_DELETED))
}

fn until(due: Due, subject: Subject<'_>) -> Next {
    match due {
        Due::Now(_) => Next::After(Duration::ZERO),
        Due::At(time) => Next::After(time.duration_since(subject.now).unsigned_abs()),
        Due::OnChange => Next::OnChange,
    }
}

/// Publishes which objects were written, and how.
pub(super) fn written(objects: &[(String, Action)], subject: Subject<'_>, context: &Context) {
    for (label, verb) in
        [("created", "created"), ("version", "gave a new version to"), ("properties", "changed the properties of")]
    {
        let keys: Vec<_> =
            objects.iter().filter(|(_, action)| action.label() == label).map(|(key, _)| key.clone()).collect();
        noted(&keys, verb, subject, context);
    }
}

fn noted(keys: &[String], verb: &str, subject: Subject<'_>, context: &Context) {
    if keys.is_empty() {
        return;
    }
    notify(Severity::Normal, "Pushed", format!("{verb} {}", listed(keys)), subject, context);
}

/// Publishes which objects were left because they are not managed here.
pub(super) fn left(keys: &[String], subject: Subject<'_>, context: &Context) {
    left_since(keys, "not managed by external-secrets", subject, context);
}

/// Publishes which objects were left, and why.
pub(super) fn left_since(keys: &[String], why: &str, subject: Subject<'_>, context: &Context) {
    if !keys.is_empty() {
        let note = format!("left {} at the provider: {why}", listed(keys));
        notify(Severity::Warning, "ObjectsLeft", note, subject, context);
    }
}

/// Publishes what was left in vaults that the stores no longer lead to.
pub(super) fn out_of_reach(left: &BTreeMap<String, Vec<String>>, subject: Subject<'_>, context: &Context) {
    for (vault, keys) in left.iter().filter(|(_, keys)| !keys.is_empty()) {
        let note = format!(
            "left {} in the vault {vault}, to which the store does not lead any more; delete there what is not needed",
            listed(keys)
        );
        notify(Severity::Warning, "ObjectsLeft", note, subject, context);
    }
}

/// Publishes which entries are ignored, if they differ from the last time.
pub(super) fn superseded(pieces: &[Piece], subject: Subject<'_>, context: &Context) {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let notes: Vec<_> = pieces.iter().filter_map(|piece| piece.of.superseded.clone()).collect();
    let mut hasher = DefaultHasher::new();
    notes.hash(&mut hasher);
    let is_news = context.state.remember(subject, |memo| memo.superseded(hasher.finish())).unwrap_or_default();
    if is_news && !notes.is_empty() {
        let note = format!("what comes later is for the same object, so that this does not count: {}", listed(&notes));
        notify(Severity::Warning, "EntriesSuperseded", note, subject, context);
    }
}

fn listed(keys: &[String]) -> String {
    let named = keys.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if keys.len() > NAMED { format!("{named} and {} more", keys.len() - NAMED) } else { named }
}

/// Publishes an event. Returns whether the news may be logged.
fn notify(severity: Severity, reason: &'static str, note: String, subject: Subject<'_>, context: &Context) -> bool {
    let object = subject.object.object_ref(&());
    context.events.publish(Notice { component: KIND.component, severity, reason, note, object })
}
