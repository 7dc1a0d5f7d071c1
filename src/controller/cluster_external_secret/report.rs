//! Reports on a ClusterExternalSecret: its status, an event if Ready changes, metrics.

use std::time::Instant;

use kube::Resource as _;

use super::compiled::Compiled;
use super::context::Context;
use crate::api::v1::condition::READY;
use crate::api::v1::{ClusterExternalSecret, ClusterExternalSecretStatus, Condition, ConditionStatus};
use crate::controller::core::events::{Notice, Severity};
use crate::controller::core::key::ObjectKey;
use crate::controller::core::status::{self as stored, Written};
use crate::runtime::metrics::{Namespaces, Object};
use crate::sync::cluster_external_secret::status::{self, Facts};
use crate::sync::cluster_external_secret::step::Outcome;

/// Writes the status if it differs from the current one.
pub(super) async fn write(object: &ClusterExternalSecret, compiled: &Compiled, began: Instant, context: &Context) {
    let meta = &object.metadata;
    let name = meta.name.as_deref().unwrap_or_default();
    let version = meta.resource_version.as_deref();
    let known = context.state.remember(object, |memo| {
        memo.collecting.taken();
        let before = memo.status.on(version).cloned().or_else(|| object.status.clone()).unwrap_or_default();
        (before, memo.outcomes.clone(), !memo.pending.is_empty())
    });
    let Some((before, outcomes, is_pending)) = known else { return };
    // Only those with the wanted name count: anybody may claim in an owner reference that an ExternalSecret is one of these.
    let child = compiled.request.as_ref().map(|request| request.wanted.name());
    let provisioned = outcomes.iter().filter(|(_, outcome)| **outcome == Outcome::Provisioned);
    let (not_ready, children) = context.state.children(|children| {
        let (mut not_ready, mut count) = (Vec::new(), 0);
        for (namespace, child) in provisioned.filter_map(|(namespace, _)| Some((namespace, child?))) {
            let Some(child) = children.get(name, &ObjectKey::new(namespace, child)) else { continue };
            count += 1;
            if child.is_ready != Some(true) {
                not_ready.push(namespace.clone());
            }
        }
        (not_ready, count)
    });
    let wanted = status::status(
        &Facts {
            generation: meta.generation,
            refresh: stored::handled_refresh(meta),
            name: child,
            outcomes: &outcomes,
            fault: compiled.fault.as_ref(),
            is_pending,
            not_ready: &not_ready,
            children,
            now: jiff::Timestamp::now(),
        },
        &before,
    );
    measure(object, &wanted, &outcomes, began, context);
    let is_of_older_generation =
        before.observed_generation != wanted.observed_generation && context.kept_fields.keeps(".observedGeneration");
    let answers_refresh =
        before.last_handled_refresh != wanted.last_handled_refresh && context.kept_fields.keeps(".lastHandledRefresh");
    if !status::differs(&before, &wanted) && !is_of_older_generation && !answers_refresh {
        return;
    }
    let (api, patch) = (context.api(), status::patch(&wanted));
    let written = stored::write(&api, name, meta.uid.as_deref(), &patch, &context.kept_fields).await;
    let now = Instant::now();
    match written {
        Ok(Written::Stored) => {
            let shown = context.watched(name);
            context.state.remember(object, |memo| {
                memo.collecting.wrote(now);
                // The watch may show it already.
                if shown.is_some_and(|shown| shown.metadata.resource_version.as_deref() == version) {
                    memo.status.wrote(version, &wanted);
                }
            });
            publish(object, ready(&before), ready(&wanted), context);
        }
        Ok(Written::Gone) => {}
        Err(error) => {
            tracing::debug!(cluster_external_secret = name, %error, "the status could not be written");
            context.state.remember(object, |memo| memo.collecting.failed(now));
        }
    }
}

fn ready(status: &ClusterExternalSecretStatus) -> Option<&Condition> {
    status.conditions.iter().find(|condition| condition.type_ == READY)
}

/// Publishes an event if Ready has changed.
fn publish(object: &ClusterExternalSecret, before: Option<&Condition>, after: Option<&Condition>, context: &Context) {
    let Some(after) = after else { return };
    if before.is_some_and(|before| before.status == after.status) {
        return;
    }
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let is_ready = after.status == ConditionStatus::True;
    let all = [status::Statement::Provisioned, status::Statement::NamespacesFailed, status::Statement::InvalidSpec];
    let said = all.iter().map(|statement| statement.said()).find(|said| Some(said.reason) == after.reason.as_deref());
    let Some(said) = said else { return };
    let note = match &after.message {
        Some(message) => message.clone(),
        None => "each of its namespaces has its ExternalSecret".to_owned(),
    };
    let may_be_logged = context.events.publish(Notice {
        component: super::KIND.component,
        severity: if is_ready { Severity::Normal } else { Severity::Warning },
        reason: said.reason,
        note: note.clone(),
        object: object.object_ref(&context.version),
    });
    match (may_be_logged, is_ready) {
        (false, _) => {}
        (true, true) => tracing::info!(cluster_external_secret = name, "each namespace has its ExternalSecret"),
        (true, false) => {
            tracing::warn!(
                cluster_external_secret = name,
                problem = note,
                "not every namespace has its ExternalSecret"
            );
        }
    }
}

fn measure(
    object: &ClusterExternalSecret,
    status: &ClusterExternalSecretStatus,
    outcomes: &std::collections::BTreeMap<String, Outcome>,
    began: Instant,
    context: &Context,
) {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let count = |wanted: fn(&Outcome) -> bool| outcomes.values().filter(|outcome| wanted(outcome)).count();
    let namespaces = Namespaces {
        provisioned: count(|outcome| *outcome == Outcome::Provisioned),
        failed: count(|outcome| matches!(outcome, Outcome::Failed(_))),
    };
    let is_ready = ready(status).and_then(|ready| match ready.status {
        ConditionStatus::True => Some(true),
        ConditionStatus::False => Some(false),
        ConditionStatus::Unknown => None,
    });
    let measured = Object { namespace: "", name, labels: object.metadata.labels.as_ref() };
    context.metrics.cluster_external_secrets().reconciled(measured, is_ready, namespaces, began.elapsed());
    // Forget again what was deleted during the pass: the watch does not report that a second time.
    if context.watched(name).is_none() {
        context.metrics.cluster_external_secrets().deleted(name);
    }
}
