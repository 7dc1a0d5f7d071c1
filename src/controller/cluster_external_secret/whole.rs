//! The work for a whole ClusterExternalSecret: which namespaces it selects, and one report on all of them.

use std::time::{Duration, Instant};

use kube::Resource as _;

use super::compiled::Compiled;
use super::context::Context;
use super::report;
use super::state::Memo;
use crate::api::v1::ClusterExternalSecret;
use crate::api::{FINALIZER_CLUSTER_EXTERNAL_SECRET, FINALIZER_NAMESPACE_PREFIX};
use crate::controller::core::events::{Notice, Severity};
use crate::controller::core::finalizer;
use crate::controller::core::reconcile::Pass;
use crate::controller::core::requeue::{Next, spread};

pub(super) async fn reconcile(name: &str, context: &Context) -> Pass {
    let Some(object) = context.watched(name) else { return Pass::succeeded(Next::OnChange) };
    if object.metadata.deletion_timestamp.is_some() {
        return release(&object, context).await;
    }
    let began = Instant::now();
    let compiled = context.state.compiled(&object, context.version);
    if is_round_due(&object, &compiled, began, context) {
        let selected = compiled.request.as_ref().map(|request| context.namespaces.selected(&request.selection));
        context.state.begin_round(&object, &compiled, selected.unwrap_or_default());
        warn_of_finalizers(&object, context);
    }
    let due = context.state.recall(&object, Memo::status_due).flatten();
    if due.is_some_and(|due| due <= began) {
        report::write(&object, &compiled, began, context).await;
    }
    let next = context.state.recall(&object, |memo| memo.status_due().into_iter().chain(memo.round_due).min());
    let now = Instant::now();
    Pass::succeeded(next.flatten().map_or(Next::OnChange, |next| Next::After(next.saturating_duration_since(now))))
}

/// Whether to compare all namespaces: the object has changed, or the last time was long ago.
fn is_round_due(object: &ClusterExternalSecret, compiled: &Compiled, now: Instant, context: &Context) -> bool {
    let last = context.state.recall(object, |memo| (memo.round, memo.round_due));
    last.is_some_and(|(round, due)| round != Some(compiled.fingerprint) || due.is_some_and(|due| due <= now))
}

/// Warns once per object about namespaces with the finalizer that ESO puts there, which can never be deleted.
fn warn_of_finalizers(object: &ClusterExternalSecret, context: &Context) {
    let has_warned = context.state.recall(object, |memo| memo.has_warned);
    if has_warned != Some(false) {
        return;
    }
    let wanted = format!("{FINALIZER_NAMESPACE_PREFIX}{}", object.metadata.name.as_deref().unwrap_or_default());
    let all = context.namespaces.all();
    let held = all.iter().filter(|namespace| finalizer::is_on(&namespace.metadata, &wanted));
    let mut names: Vec<_> = held.filter_map(|namespace| namespace.metadata.name.as_deref()).collect();
    names.sort_unstable();
    let Some(first) = names.first() else { return };
    context.state.remember(object, |memo| memo.has_warned = true);
    let note = format!(
        "{} namespaces, {first:?} among them, have the finalizer {wanted} of the External Secrets Operator and cannot be deleted: \
         remove it with `external-secrets migrate finalizers`",
        names.len()
    );
    tracing::warn!(cluster_external_secret = object.metadata.name, note);
    context.events.publish(Notice {
        component: super::KIND.component,
        severity: Severity::Warning,
        reason: "NamespacesHeld",
        note,
        object: object.object_ref(&context.version),
    });
}

/// Removes ESO's finalizer from an object that is being deleted. The garbage collector deletes what the object owns, or
/// orphans it if the deletion asks for that.
async fn release(object: &ClusterExternalSecret, context: &Context) -> Pass {
    if !finalizer::is_on(&object.metadata, FINALIZER_CLUSTER_EXTERNAL_SECRET) {
        return Pass::succeeded(Next::OnChange);
    }
    match finalizer::remove(&context.api(), &object.metadata, FINALIZER_CLUSTER_EXTERNAL_SECRET).await {
        Ok(()) => Pass::succeeded(Next::OnChange),
        Err(error) => {
            tracing::warn!(cluster_external_secret = object.metadata.name, %error, "the finalizer could not be removed");
            Pass::failed(Next::After(spread(Duration::from_secs(1))))
        }
    }
}
