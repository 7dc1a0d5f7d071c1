//! From what happened to what is said of it: the only place that writes status, events and metrics of
//! an ExternalSecret, and the only table from an error to them.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::conditions::{self, Statement};
use super::context::{ApiError, Context, bounded};
use super::events::{Notice, Severity, Source};
use super::external_secret::{Error, Subject, Synced};
use super::requeue::{Next, spread, until};
use super::target_kinds::KindError;
use crate::api::v1::condition::READY;
use crate::api::v1::external_secret::{Binding, ExternalSecretStatus};
use crate::api::v1::{ConditionStatus, ExternalSecret};
use crate::provider::Class;
use crate::provider::error::Retry;
use crate::sync::plan::Refusal;
use crate::sync::refresh::{self, Inputs, TargetState, TemplatesState};
use crate::sync::{hash, target};

/// How long to wait before a status is written again that could not be.
const STATUS_RETRY: Duration = Duration::from_secs(1);

/// How long to wait at least where the provider tells when it has recovered.
const FALLBACK: Duration = Duration::from_mins(1);

/// What is said of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The reason of the condition `Ready`.
    pub reason: &'static str,
    /// The leading words of its message; those of ESO.
    pub lead: &'static str,
    /// The reason of the event.
    pub event: &'static str,
    /// One word for logs and metrics.
    pub cause: &'static str,
    /// Whether it is tried again without a change of the manifest.
    pub retry: Retry,
}

/// The table: what is said of each failure.
#[must_use]
pub fn report_of(error: &Error) -> Report {
    const INVALID_TARGET: &str = "invalid generic target";
    const GET_TARGET: &str = "could not get target resource";
    const DATA: &str = "could not get secret data from provider";
    const UPDATE: &str = "could not update secret";
    const DELETE: &str = "could not delete secret";
    const OWNERSHIP: &str = "failed to take ownership of target secret";
    const OWNED: &str = "target is owned by another ExternalSecret";
    const IMMUTABLE: &str = "could not update secret, target is immutable";
    let (lead, cause, retry) = match error {
        Error::InvalidSpec(_) => ("the ExternalSecret is invalid", "InvalidSpec", Retry::OnChange),
        Error::Rejected(_) => ("the ExternalSecret is invalid", "Rejected", Retry::OnChange),
        Error::Unsupported(_) => ("the ExternalSecret cannot be synced", "Unsupported", Retry::OnChange),
        Error::StoreNotNamed { .. } => (DATA, "StoreNotNamed", Retry::OnChange),
        Error::StoreNotFound(_) => (DATA, "StoreNotFound", Retry::Backoff),
        Error::StoreNotValidated(_) => (DATA, "StoreNotValidated", Retry::Backoff),
        Error::StoreNotReady { .. } => (DATA, "StoreNotReady", Retry::Backoff),
        Error::NamespaceExcluded { .. } => (DATA, "NamespaceExcluded", Retry::Backoff),
        Error::Store { error, .. } | Error::Provider { error, .. } => (DATA, error.cause, error.class.retry()),
        Error::Unreadable { .. } => (DATA, "ApiServer", Retry::Backoff),
        Error::Data(_) => (DATA, "Data", Retry::Backoff),
        Error::Template(_) => (UPDATE, "Template", Retry::Backoff),
        Error::Stale(_) => ("could not delete orphaned secrets", "ApiServer", Retry::Backoff),
        Error::Refused(Refusal::OwnedByExternalSecret { .. }) => (OWNED, "OwnedByExternalSecret", Retry::Backoff),
        Error::Refused(Refusal::OwnedByOther { .. }) => (OWNERSHIP, "OwnedByOther", Retry::Backoff),
        Error::Refused(Refusal::OfTheSystem { .. }) => (OWNERSHIP, "OfTheSystem", Retry::Backoff),
        Error::Refused(Refusal::Immutable { .. }) => (IMMUTABLE, "Immutable", Retry::Backoff),
        Error::Refused(Refusal::OtherType { .. }) => (UPDATE, "OtherType", Retry::Backoff),
        Error::Refused(Refusal::DeletionByPolicy { .. }) => (DELETE, "DeletionByPolicy", Retry::OnChange),
        Error::Refused(Refusal::NotOwned { .. }) => (DELETE, "NotOwned", Retry::Backoff),
        Error::Refused(Refusal::InvalidKey { .. }) => (UPDATE, "InvalidKey", Retry::OnChange),
        Error::Refused(Refusal::NotText { .. }) => (UPDATE, "NotText", Retry::Backoff),
        Error::Refused(Refusal::NoPlace { .. }) => (UPDATE, "NoPlace", Retry::Backoff),
        Error::GenericTargetsOff => (INVALID_TARGET, "GenericTargetsOff", Retry::OnChange),
        Error::Kind(KindError::ClusterScoped(_)) => (INVALID_TARGET, "ClusterScoped", Retry::Backoff),
        Error::Kind(KindError::NotStored(_)) => (INVALID_TARGET, "NotStored", Retry::Backoff),
        Error::Kind(KindError::NotServed(_)) => (GET_TARGET, "NotServed", Retry::Backoff),
        Error::Kind(KindError::Api { .. }) | Error::Object { verb: "read", .. } => {
            (GET_TARGET, "ApiServer", Retry::Backoff)
        }
        Error::Finalizer(_) | Error::Object { verb: "delete", .. } => (DELETE, "ApiServer", Retry::Backoff),
        Error::Object { .. } | Error::Api { .. } | Error::TemplateSource { .. } => {
            (UPDATE, "ApiServer", Retry::Backoff)
        }
        Error::Contended { .. } => (UPDATE, "Contended", Retry::Backoff),
    };
    Report { reason: "SecretSyncedError", lead, event: "UpdateFailed", cause, retry }
}

/// What is said of the failure of an ExternalSecret.
#[must_use]
pub fn report_for(error: &Error, object: &ExternalSecret) -> Report {
    let report = report_of(error);
    if is_generic(object) { report.of_object(error) } else { report }
}

impl Report {
    /// The message of the condition `Ready`, which is False.
    #[must_use]
    pub fn message(&self, error: &Error) -> String {
        format!("{}: {error}", self.lead)
    }

    /// The same of a target that is not a Secret, in ESO's words.
    fn of_object(self, error: &Error) -> Self {
        let lead = match error {
            Error::Refused(Refusal::DeletionByPolicy { .. } | Refusal::NotOwned { .. })
            | Error::Object { verb: "delete", .. } => "could not delete resource",
            Error::Template(_) | Error::TemplateSource { .. } | Error::Refused(_) => {
                "could not apply template to manifest"
            }
            _ => self.lead,
        };
        let is_of_target = !matches!(
            error,
            Error::GenericTargetsOff | Error::Kind(KindError::ClusterScoped(_) | KindError::NotStored(_))
        );
        Self { lead, reason: if is_of_target { "ResourceSyncedError" } else { self.reason }, ..self }
    }
}

/// Says that a sync succeeded.
pub async fn succeeded(subject: Subject<'_>, synced: &Synced, context: &Context) -> Next {
    let Ok(spec) = subject.object.spec.get() else { return Next::OnChange };
    let meta = &subject.object.metadata;
    let mut status = subject.status.cloned().unwrap_or_default();
    status.refresh_time = Some(Time(conditions::seconds(subject.now)));
    status.synced_resource_version = Some(hash::synced_resource_version(meta));
    // Whoever follows a binding looks for a Secret.
    let names_secret = synced.leaves_target && !is_generic(subject.object);
    status.binding = names_secret.then(|| Binding { name: target::target_name(meta, spec).to_owned() });
    let ready = Statement {
        type_: READY,
        status: ConditionStatus::True,
        reason: synced.statement.reason.to_owned(),
        message: synced.statement.message.to_owned(),
    };
    conditions::set(&mut status.conditions, ready, meta.generation, subject.now);

    if let Some((reason, message)) = &synced.statement.event {
        notify(subject, context, Severity::Normal, reason, message.clone().into_owned());
    }
    tracing::debug!(external_secret = %subject.key, reason = synced.statement.reason, "synced");
    let now = u64::try_from(subject.now.as_second()).unwrap_or_default();
    context.metrics.external_secrets().succeeded(&subject.key.namespace, &subject.key.name, now);
    if write_status(subject, &status, context).await.is_err() {
        return Next::After(STATUS_RETRY);
    }
    let templates = TemplatesState::Same;
    let inputs = Inputs { meta, spec, status: Some(&status), target: TargetState::Intact, templates, now: subject.now };
    until(refresh::due(inputs), subject.now)
}

/// Says what the provider does not have, where that has changed the Secret.
pub fn missing(subject: Subject<'_>, notes: Vec<String>, context: &Context) {
    for note in notes {
        notify(subject, context, Severity::Normal, "MissingProviderSecret", note);
    }
}

/// Says that a sync failed, and when to try again.
pub async fn failed(subject: Subject<'_>, error: &Error, failures: u32, context: &Context) -> Next {
    let report = report_for(error, subject.object);
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

    let is_news = before.as_ref().map(|condition| &condition.message)
        != conditions::find(&status.conditions, READY).map(|condition| &condition.message);
    if is_news {
        notify(subject, context, Severity::Warning, report.event, message);
        tracing::warn!(external_secret = %subject.key, cause = report.cause, %error, "could not be synced");
    } else {
        tracing::debug!(external_secret = %subject.key, cause = report.cause, failures, "still cannot be synced");
    }
    context.metrics.external_secrets().failed(&subject.key.namespace, &subject.key.name);
    question_store(error, context);
    let written = write_status(subject, &status, context).await;
    match (report.retry, written) {
        (Retry::OnChange, Ok(())) => Next::OnChange,
        (Retry::OnChange, Err(_)) => Next::After(spread(STATUS_RETRY)),
        (Retry::Backoff, _) => Next::After(spread(backoff(error, failures))),
    }
}

/// Whether the target is not a Secret.
fn is_generic(object: &ExternalSecret) -> bool {
    object.spec.get().is_ok_and(|spec| spec.target.as_ref().is_some_and(|target| target.manifest.is_some()))
}

/// An identity that gets no token is the store's affair: it is validated again, and if it is no longer
/// Ready one probe stands for all who wait for it.
fn question_store(error: &Error, context: &Context) {
    if let Error::Provider { store, error, .. } | Error::Store { store, error } = error
        && error.class == Class::Unauthenticated
    {
        context.state.wake_store(store);
    }
}

fn backoff(error: &Error, failures: u32) -> Duration {
    let (Error::Provider { error, .. } | Error::Store { error, .. }) = error else {
        return refresh::backoff(failures);
    };
    let least = match (&error.recovery, error.class) {
        // A right may be given for this one object alone, which nothing but a read of it shows.
        (None, _) | (Some(_), Class::Denied) => error.retry_after.unwrap_or_default(),
        (Some(_), _) => FALLBACK,
    };
    refresh::backoff(failures).max(least)
}

fn notify(subject: Subject<'_>, context: &Context, severity: Severity, reason: &'static str, note: String) {
    let object: ObjectReference = subject.object.object_ref(&context.state.version);
    context.events.publish(Notice { source: Source::ExternalSecrets, severity, reason, note, object });
}

/// Writes the status if it differs from the last, and remembers it until the watch shows it.
async fn write_status(subject: Subject<'_>, status: &ExternalSecretStatus, context: &Context) -> Result<(), ApiError> {
    if subject.status == Some(status) {
        return Ok(());
    }
    let api = context.external_secrets(&subject.key.namespace);
    let patch = Patch::Merge(json!({ "status": status }));
    let result: Result<ExternalSecret, ApiError> =
        bounded(api.patch_status(&subject.key.name, &PatchParams::default(), &patch)).await;
    match result {
        Ok(_) => {
            remember(subject, status, context);
            Ok(())
        }
        // It was deleted meanwhile.
        Err(error) if error.code() == Some(404) => Ok(()),
        Err(error) => {
            tracing::debug!(external_secret = %subject.key, %error, "the status could not be written");
            Err(error)
        }
    }
}

/// Keeps a status until the watch shows it; it may do so already.
fn remember(subject: Subject<'_>, status: &ExternalSecretStatus, context: &Context) {
    let base = &subject.object.metadata.resource_version;
    let mut memos = context.state.memos();
    let shown = context.watched_external_secret(subject.key);
    if shown.is_some_and(|shown| shown.metadata.resource_version == *base) {
        let ahead = (base.clone().unwrap_or_default(), status.clone());
        memos.entry(subject.key.clone()).or_default().ahead = Some(ahead);
    }
}
