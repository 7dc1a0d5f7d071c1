//! Reports on a ClusterPushSecret: its status, an event when `Ready` changes, and metrics.

use std::time::Instant;

use jiff::Timestamp;
use kube::Resource as _;
use serde_json::{Value, json};

use super::KIND;
use super::context::Context;
use super::provisioned::Provisioned;
use crate::api::v1::ConditionStatus;
use crate::api::v1::condition::{READY, STALLED};
use crate::api::v1alpha1::cluster_push_secret::FailedNamespace;
use crate::api::v1alpha1::{ClusterPushSecret, ClusterPushSecretStatus};
use crate::controller::core::conditions::{self, Statement};
use crate::controller::core::events::{Notice, Severity};
use crate::controller::core::status;
use crate::runtime::metrics::Object;
use crate::sync::failed_namespaces::{self, MOST_LISTED, first};

/// The condition that says whether the PushSecrets have pushed.
const PUSH_SECRETS_READY: &str = "PushSecretsReady";
/// ESO's words.
const FAILED: &str = "one or more namespaces failed";

/// Writes the status if it differs from the stored one.
pub(super) async fn concluded(object: &ClusterPushSecret, found: &Provisioned, began: Instant, context: &Context) {
    let meta = &object.metadata;
    let name = meta.name.as_deref().unwrap_or_default();
    let version = meta.resource_version.as_deref();
    let ahead = context.state.remember(object, |memo| memo.status.on(version).cloned()).flatten();
    let before = ahead.or_else(|| object.status.clone()).unwrap_or_default();
    let after = said(object, found, &before);
    let is_ready = ready(&after) == Some(ConditionStatus::True);
    let measured = Object { namespace: "", name, labels: meta.labels.as_ref() };
    context.metrics.cluster_push_secrets().reconciled(measured, Some(is_ready), began.elapsed());
    // Forget again what was deleted during the pass: the watch does not report that a second time.
    if context.watched(name).is_none() {
        context.metrics.cluster_push_secrets().deleted("", name);
    }
    if !context.kept_fields.differs(Some(&before), &after) {
        return;
    }
    match status::write(&context.api(), name, meta.uid.as_deref(), &patch(&after), &context.kept_fields).await {
        Ok(status::Written::Stored) => {
            let shown = context.watched(name);
            if shown.is_some_and(|shown| shown.metadata.resource_version.as_deref() == version) {
                context.state.remember(object, |memo| memo.status.wrote(version, &after));
            }
            if ready(&before) != ready(&after) {
                publish(object, &after, context);
            }
        }
        Ok(status::Written::Gone) => {}
        Err(error) => tracing::debug!(cluster_push_secret = name, %error, "the status could not be written"),
    }
}

fn ready(status: &ClusterPushSecretStatus) -> Option<ConditionStatus> {
    conditions::find(&status.conditions, READY).map(|ready| ready.status)
}

fn said(object: &ClusterPushSecret, found: &Provisioned, before: &ClusterPushSecretStatus) -> ClusterPushSecretStatus {
    let mut status = before.clone();
    let (now, generation) = (Timestamp::now(), object.metadata.generation);
    let (reason, message) = match (&found.fault, found.failed.is_empty()) {
        (Some(fault), _) => ("InvalidSpec", format!("{FAILED}: {fault}")),
        (None, true) => ("Provisioned", String::new()),
        (None, false) => {
            let all = found.failed.len() + found.namespaces.len();
            let named =
                found.failed.iter().map(|(namespace, why)| format!("{namespace} ({})", failed_namespaces::reason(why)));
            ("NamespacesFailed", format!("{FAILED}: {} of {all}: {}", found.failed.len(), first(named)))
        }
    };
    let ready = if message.is_empty() { ConditionStatus::True } else { ConditionStatus::False };
    let ready = Statement { type_: READY, status: ready, reason: reason.to_owned(), message };
    if found.fault.is_none() {
        status.push_secret_name.clone_from(&found.name);
        status.provisioned_namespaces = found.namespaces.iter().cloned().collect();
        let failed = found.failed.iter().take(MOST_LISTED);
        status.failed_namespaces = failed
            .map(|(namespace, why)| FailedNamespace {
                namespace: namespace.clone(),
                reason: Some(failed_namespaces::reason(why)),
            })
            .collect();
        let (is_ready, reason, message) = if found.not_ready.is_empty() {
            (ConditionStatus::True, "AllReady", String::new())
        } else {
            let named = first(found.not_ready.iter().cloned());
            let message = format!(
                "not all PushSecrets are ready: {} of {}: {named}",
                found.not_ready.len(),
                found.namespaces.len()
            );
            (ConditionStatus::False, "NotReady", message)
        };
        let statement = Statement { type_: PUSH_SECRETS_READY, status: is_ready, reason: reason.to_owned(), message };
        conditions::set(&mut status.conditions, statement, generation, now);
    }
    match &found.fault {
        Some(_) => {
            let stalled = Statement { type_: STALLED, status: ConditionStatus::True, ..ready.clone() };
            conditions::set(&mut status.conditions, stalled, generation, now);
        }
        None => status.conditions.retain(|condition| condition.type_ != STALLED),
    }
    conditions::set(&mut status.conditions, ready, generation, now);
    status.observed_generation = generation;
    status.last_handled_refresh = status::handled_refresh(&object.metadata);
    status
}

/// The merge patch. It names empty fields, too, because the API server would otherwise keep their former values.
fn patch(status: &ClusterPushSecretStatus) -> Value {
    json!({
        "pushSecretName": status.push_secret_name,
        "failedNamespaces": status.failed_namespaces,
        "provisionedNamespaces": status.provisioned_namespaces,
        "conditions": status.conditions,
        "observedGeneration": status.observed_generation,
        "lastHandledRefresh": status.last_handled_refresh,
    })
}

fn publish(object: &ClusterPushSecret, status: &ClusterPushSecretStatus, context: &Context) {
    let Some(ready) = conditions::find(&status.conditions, READY) else { return };
    let message = ready.message.clone().filter(|message| !message.is_empty());
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let (severity, reason) = match ready.status {
        ConditionStatus::True => (Severity::Normal, "Provisioned"),
        _ => (Severity::Warning, "Errored"),
    };
    let note = message.unwrap_or_else(|| "each of its namespaces has its PushSecret".to_owned());
    let may_be_logged = context.events.publish(Notice {
        component: KIND.component,
        severity,
        reason,
        note: note.clone(),
        object: object.object_ref(&()),
    });
    if may_be_logged {
        tracing::info!(cluster_push_secret = name, note, "Ready changed");
    }
}
