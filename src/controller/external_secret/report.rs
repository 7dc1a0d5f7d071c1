//! From a result to the report on it. Nothing else writes the status, events and metrics of an ExternalSecret.
//! [`super::failure`] has the table of errors.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;

use super::KIND;
use super::context::Context;
use super::error::Error;
use super::failure::Report;
use super::memo::Memo;
use super::outcome::Synced;
use super::subject::Subject;
use super::templates;
use crate::api::v1::ConditionStatus;
use crate::api::v1::condition::READY;
use crate::api::v1::external_secret::{Binding, ExternalSecretStatus};
use crate::controller::core::api_call::ApiError;
use crate::controller::core::conditions::{self, Statement};
use crate::controller::core::events::{Notice, Severity};
use crate::controller::core::repeated_writes::Before;
use crate::controller::core::requeue::{Next, spread};
use crate::controller::core::status;
use crate::controller::generators::error::Error as GeneratorError;
use crate::controller::store_access::error::Error as StoreError;
use crate::provider::Class;
use crate::provider::error::Retry;
use crate::sync::hash;
use crate::sync::one_line::truncated;
use crate::sync::refresh::{self, Due, Inputs, TargetState, TemplatesState};
use crate::sync::target::{self, Owner};

/// How long to wait before retrying to write a status.
const STATUS_RETRY: Duration = Duration::from_secs(1);

/// The shortest wait if the provider reports its own recovery.
const FALLBACK: Duration = Duration::from_mins(1);

/// The longest wait while the API server is unreachable or overloaded. Its recovery wakes what waits for it, but may go
/// unnoticed: it may have answered other requests all the time.
const LONGEST_OUTAGE_RETRY: Duration = Duration::from_secs(30);

/// The longest error in the log. Anybody may write a manifest with many faults.
const LONGEST_LOGGED: usize = 2048;

/// Reports that a sync succeeded.
pub(crate) async fn succeeded(subject: Subject<'_>, synced: &Synced, context: &Context) -> Next {
    let Ok(spec) = subject.object.spec.get() else { return Next::OnChange };
    let meta = &subject.object.metadata;
    let mut status = subject.status.cloned().unwrap_or_default();
    status.refresh_time = Some(Time(conditions::seconds(subject.now)));
    status.synced_resource_version = Some(hash::synced_resource_version(meta));
    let owner = Owner::new(meta, spec, context.version);
    let rendered_from = |memo: &Memo| templates::versions_hash(owner, memo.rendered_from());
    status.synced_templates = context.recall(subject, rendered_from).flatten();
    // Programs that follow the Service Binding look for a Secret.
    let names_secret = synced.leaves_target && !subject.writes_another_kind();
    status.binding = names_secret.then(|| Binding { name: target::target_name(meta, spec).to_owned() });
    let ready = Statement {
        type_: READY,
        status: ConditionStatus::True,
        reason: synced.statement.reason.to_owned(),
        message: synced.message(),
    };
    conditions::set(&mut status.conditions, ready, meta.generation, subject.now);
    status.cause = None;
    observed(&mut status, subject);

    if let Some((reason, message)) = &synced.statement.event {
        notify(subject, context, Severity::Normal, reason, message.clone().into_owned());
    }
    let duration = subject.began.elapsed();
    tracing::debug!(external_secret = %subject.key, reason = synced.statement.reason, ?duration, "synced");
    let templates = TemplatesState::Same;
    let inputs = Inputs {
        meta,
        spec,
        status: Some(&status),
        target: TargetState::Intact,
        templates,
        token: synced.token,
        now: subject.now,
    };
    let due = refresh::due(inputs);
    let now = seconds(subject.now);
    context.metrics.external_secrets().succeeded(subject.measured(), now, due_at(due));
    if write_status(subject, &status, context).await.is_err() {
        return Next::After(STATUS_RETRY);
    }
    until(due, subject.now)
}

/// Marks a status as the result of a refresh of the object as this pass saw it.
fn observed(status: &mut ExternalSecretStatus, subject: Subject<'_>) {
    let meta = &subject.object.metadata;
    status.observed_generation = meta.generation;
    status.last_handled_refresh = status::handled_refresh(meta);
}

/// Sets the metrics from the status when nothing has to be done: another process may have written it. The status gets
/// the current generation even if the change has no effect, as under `refreshPolicy: CreatedOnce`.
pub(crate) async fn unchanged(subject: Subject<'_>, due: Due, context: &Context) -> Next {
    let Some(status) = subject.status else { return until(due, subject.now) };
    let ready = match conditions::find(&status.conditions, READY).map(|ready| ready.status) {
        Some(ConditionStatus::True) => Some(true),
        Some(ConditionStatus::False) => Some(false),
        Some(ConditionStatus::Unknown) | None => None,
    };
    let last = status.refresh_time.as_ref().map(|time| seconds(time.0)).unwrap_or_default();
    context.metrics.external_secrets().up_to_date(subject.measured(), ready, last, due_at(due));
    let generation = subject.object.metadata.generation;
    let mut status = status.clone();
    status.observed_generation = generation;
    for condition in &mut status.conditions {
        condition.observed_generation = generation;
    }
    match write_status(subject, &status, context).await {
        Ok(()) => until(due, subject.now),
        Err(_) => Next::After(spread(STATUS_RETRY)),
    }
}

fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_second()).unwrap_or_default()
}

/// When the next refresh is due, in seconds since 1970.
fn due_at(due: Due) -> Option<u64> {
    match due {
        Due::At(time) => Some(seconds(time)),
        Due::Now(_) | Due::OnChange => None,
    }
}

/// Reports what the provider does not have, if that changed the target.
pub(crate) fn missing(subject: Subject<'_>, note: Option<String>, context: &Context) {
    if let Some(note) = note {
        notify(subject, context, Severity::Normal, "MissingProviderSecret", note);
    }
}

/// Reports the generators whose values were generated again because somebody had changed them in the target.
pub(crate) fn minted_again(subject: Subject<'_>, lost: &[String], context: &Context) {
    if !lost.is_empty() {
        let note = format!(
            "the values of {} were regenerated, because somebody had changed or removed them in the target",
            lost.join(", ")
        );
        notify(subject, context, Severity::Warning, "Regenerated", note);
    }
}

/// Reports that a sync failed. Returns when to retry.
pub(crate) async fn failed(subject: Subject<'_>, error: &Error, failures: u32, context: &Context) -> Next {
    let report = Report::of(error, subject.object);
    let message = report.message(error);
    let mut status = subject.status.cloned().unwrap_or_default();
    let before = conditions::find(&status.conditions, READY).cloned();
    let ready = Statement {
        type_: READY,
        status: ConditionStatus::False,
        reason: report.reason.to_owned(),
        message: message.clone(),
    };
    conditions::set(&mut status.conditions, ready, subject.object.metadata.generation, subject.now);
    status.cause = Some(report.cause.to_owned());
    observed(&mut status, subject);

    let is_news = before.as_ref().map(|condition| &condition.message)
        != conditions::find(&status.conditions, READY).map(|condition| &condition.message);
    if is_news && notify(subject, context, Severity::Warning, report.event, message) {
        let (duration, text) = (subject.began.elapsed(), error.to_string());
        let error = truncated(&text, LONGEST_LOGGED);
        tracing::warn!(external_secret = %subject.key, cause = report.cause, error, ?duration, "could not be synced");
    } else {
        tracing::debug!(external_secret = %subject.key, cause = report.cause, failures, "still cannot be synced");
    }
    context.metrics.external_secrets().failed(subject.measured(), seconds(subject.now));
    context.metrics.sync_failed(report.cause);
    question_store(error, context);
    let written = write_status(subject, &status, context).await;
    match (report.retry, written) {
        (Retry::OnChange, Ok(())) => Next::OnChange,
        (Retry::OnChange, Err(_)) => Next::After(spread(STATUS_RETRY)),
        (Retry::Backoff, _) => Next::After(spread(backoff(error, failures))),
    }
}

/// If an identity gets no token, the store has to be validated again. If it is no longer Ready, a single probe spares
/// every ExternalSecret that waits for it.
fn question_store(error: &Error, context: &Context) {
    if let Error::Provider { store, error, .. } | Error::Store(StoreError::Client { store, error }) = error
        && error.class == Class::Unauthenticated
    {
        context.watched.stores.question(store);
    }
}

fn backoff(error: &Error, failures: u32) -> Duration {
    if error.is_outage_of_api_server() {
        return refresh::backoff(failures).min(LONGEST_OUTAGE_RETRY);
    }
    let error = match error {
        Error::Provider { error, .. } | Error::Store(StoreError::Client { error, .. }) => error,
        Error::Generator { error, .. } => match &**error {
            GeneratorError::Provider(error) => error,
            _ => return refresh::backoff(failures),
        },
        _ => return refresh::backoff(failures),
    };
    let least = match (&error.recovery, error.class) {
        // A right may have been granted for this one object, which only a read of it can show.
        (None, _) | (Some(_), Class::Denied) => error.retry_after.unwrap_or_default(),
        (Some(_), _) => FALLBACK,
    };
    refresh::backoff(failures).max(least)
}

/// Publishes an event. Returns whether the news may be logged.
fn notify(subject: Subject<'_>, context: &Context, severity: Severity, reason: &'static str, note: String) -> bool {
    let object: ObjectReference = subject.object.object_ref(&context.version);
    context.events.publish(Notice { component: KIND.component, severity, reason, note, object })
}

/// What a pass may take away that the one before has just written: the watch may show a version in between.
const OPTIONAL: [&str; 2] = ["binding", "cause"];

/// Writes the status if it differs from the last one, and remembers it until the watch shows it.
async fn write_status(subject: Subject<'_>, status: &ExternalSecretStatus, context: &Context) -> Result<(), ApiError> {
    if !context.kept_fields.differs(subject.status, status) {
        return Ok(());
    }
    let api = context.external_secrets(&subject.key.namespace);
    let patch = status::patch(subject.status, status, &OPTIONAL);
    let write = status::write(&api, &subject.key.name, subject.uid(), &patch, &context.kept_fields);
    let before = Before {
        conditions: subject.status.map(|before| before.conditions.as_slice()).unwrap_or_default(),
        observed: subject.status.and_then(|before| before.observed_generation),
        generation: subject.object.metadata.generation,
    };
    match context.repeated_writes.status(&subject.key.namespace, before, write).await {
        Ok(status::Written::Stored) => {
            remember(subject, status, context);
            Ok(())
        }
        // A recreated object is handled when it is reconciled.
        Ok(status::Written::Gone) => Ok(()),
        Err(error) => {
            tracing::debug!(external_secret = %subject.key, %error, "the status could not be written");
            Err(error)
        }
    }
}

/// Keeps a status until the watch shows it, which it may do already.
fn remember(subject: Subject<'_>, status: &ExternalSecretStatus, context: &Context) {
    let base = &subject.object.metadata.resource_version;
    context.remember(subject, |memo| {
        let shown = context.watched(subject.key);
        if shown.is_some_and(|shown| shown.metadata.resource_version == *base) {
            memo.status_written(base.as_deref(), status);
        }
    });
}

/// Comes back when a refresh is due.
#[must_use]
pub(crate) fn until(due: Due, now: Timestamp) -> Next {
    match due {
        Due::Now(_) => Next::After(Duration::ZERO),
        Due::At(time) => Next::After(time.duration_since(now).unsigned_abs()),
        Due::OnChange => Next::OnChange,
    }
}
