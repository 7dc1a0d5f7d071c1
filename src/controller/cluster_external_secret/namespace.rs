//! The work for one namespace: compares what exists with what is wanted, and does the next write.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Preconditions, PropagationPolicy};
use kube::core::DynamicObject;

use super::compiled::Request;
use super::context::Context;
use super::state::NamespaceMemo;
use crate::api::v1::{ClusterExternalSecret, ExternalSecret};
use crate::controller::child_objects::{self, Created, Deleted};
use crate::controller::core::api_call::ApiError;
use crate::controller::core::key::ObjectKey;
use crate::controller::core::reconcile::Pass;
use crate::controller::core::requeue::{Next, spread};
use crate::controller::namespaces::is_selected;
use crate::runtime::panics::Panicked;
use crate::sync::cluster_external_secret::step::{NOT_DELETED, NOT_WRITTEN, Outcome, Propagation, TAKEN};
use crate::sync::cluster_external_secret::{Decision, Place, Situation, Step, decide};
use crate::sync::plan::Deletion;
use crate::sync::refresh::backoff;

/// How long to wait after a write conflict before deciding again: until the watch shows what the other writer wrote.
const AFTER_CONFLICT: Duration = Duration::from_secs(1);
/// Conflicts in a row after which they are reported.
const CONFLICTS: u32 = 2;
/// What is reported then.
const CHANGING: &str = "could not create or update ExternalSecret: another writer changes it at the same time";

/// The most ExternalSecrets of one namespace that a pass looks at, and as many again of those that are being deleted.
/// Anybody may make thousands that claim the same owner; the others follow when these are gone.
const CHILDREN: usize = 16;

/// The result of a write.
enum Written {
    /// There was nothing to write.
    Nothing,
    /// An ExternalSecret now is what it should be.
    Stored(Box<DynamicObject>),
    /// One was deleted, or is being deleted.
    Deleted,
    /// The namespace is gone or being deleted.
    NoNamespace,
    Conflict,
    /// The name is taken by an object that the watch does not show.
    Taken,
}

pub(super) async fn reconcile(name: &str, namespace: &str, context: &Context) -> Pass {
    let Some(object) = context.watched(name) else { return Pass::succeeded(Next::OnChange) };
    if object.metadata.deletion_timestamp.is_some() {
        // The garbage collector deletes what the ClusterExternalSecret owns.
        return Pass::succeeded(Next::OnChange);
    }
    let compiled = context.state.compiled(&object, context.version);
    let Some(request) = &compiled.request else { return Pass::succeeded(Next::OnChange) };
    let place = place(namespace, request, context);
    if place == Place::Selected && compiled.fault.is_some() {
        context.state.conclude(&object, namespace, None, |_| {});
        return Pass::succeeded(Next::OnChange);
    }
    let now = Instant::now();
    let memo = context.state.begin(&object, namespace, request.wanted.name()).unwrap_or_default();
    let seen = Seen::of(name, namespace, request, &memo, now, context);
    let children: Vec<_> = seen.children.iter().map(Arc::as_ref).collect();
    let Decision { step, outcome } = decide(Situation {
        namespace,
        place,
        wanted: &request.wanted,
        named: seen.named.as_deref(),
        children: &children,
        last: memo.last_write.as_ref(),
    });
    let result = carry_out(&step, namespace, context).await;
    match result {
        Ok(written) => concluded(&object, namespace, request, Done { written, step, outcome, seen, now }, context),
        Err(error) => failed(&object, namespace, &step, &error, context),
    }
}

/// Reports that the pass over a namespace panicked.
pub(super) fn panicked(name: &str, namespace: &str, panicked: &Panicked, context: &Context) -> Pass {
    let Some(object) = context.watched(name) else { return Pass::succeeded(Next::OnChange) };
    failure(&object, namespace, format!("{NOT_WRITTEN}: {panicked}"), false, context)
}

/// What is known of a namespace.
fn place(namespace: &str, request: &Request, context: &Context) -> Place {
    let Some(found) = context.namespaces.get(namespace) else { return Place::Gone };
    if found.metadata.deletion_timestamp.is_some() {
        return Place::Gone;
    }
    if is_selected(&found.metadata, &request.selection) { Place::Selected } else { Place::NotSelected }
}

/// The relevant ExternalSecrets in a namespace.
struct Seen {
    /// The version of the one with the wanted name, as the watch shows it.
    shown: Option<String>,
    named: Option<Arc<ExternalSecret>>,
    children: Vec<Arc<ExternalSecret>>,
}

impl Seen {
    fn of(
        name: &str,
        namespace: &str,
        request: &Request,
        memo: &NamespaceMemo,
        now: Instant,
        context: &Context,
    ) -> Self {
        let key = ObjectKey::new(namespace, request.wanted.name());
        let shown = context.watched_external_secret(&key);
        // The watch may not show yet that it is being deleted.
        let current = |mut object: Arc<ExternalSecret>| {
            if memo.is_deleted(&object, now) && object.metadata.deletion_timestamp.is_none() {
                Arc::make_mut(&mut object).metadata.deletion_timestamp = Some(Time(jiff::Timestamp::now()));
            }
            object
        };
        let keys = context.state.children(|children| children.first_in(name, namespace, CHILDREN));
        let children = keys.iter().filter_map(|key| context.watched_external_secret(key));
        Self {
            shown: version(shown.as_deref()),
            children: children.map(current).collect(),
            named: memo.newest(&key.name, shown, now).map(current),
        }
    }
}

fn version(object: Option<&ExternalSecret>) -> Option<String> {
    object.and_then(|object| object.metadata.resource_version.clone())
}

/// Does the write that was decided, on condition that nothing has changed since.
async fn carry_out(step: &Step, namespace: &str, context: &Context) -> Result<Written, ApiError> {
    let api = context.external_secrets_of(namespace);
    let written = match step {
        Step::None => Written::Nothing,
        Step::Create(object) => match child_objects::create(&api, object).await? {
            Created::Stored(object) => Written::Stored(object),
            Created::Taken => Written::Taken,
            Created::NoNamespace => Written::NoNamespace,
        },
        Step::Update(object) | Step::Release(object) => {
            child_objects::replace(&api, object).await?.map_or(Written::Conflict, Written::Stored)
        }
        Step::Delete(Deletion { name, uid, resource_version }, propagation) => {
            let version = Preconditions { uid: uid.clone(), resource_version: resource_version.clone() };
            let dependents = match propagation {
                Propagation::Background => PropagationPolicy::Background,
                Propagation::Orphan => PropagationPolicy::Orphan,
            };
            match child_objects::delete(&api, name, version, dependents).await? {
                Deleted::Done => Written::Deleted,
                Deleted::Conflict => Written::Conflict,
            }
        }
    };
    Ok(written)
}

/// A pass that carried out its decision.
struct Done {
    written: Written,
    step: Step,
    outcome: Outcome,
    seen: Seen,
    now: Instant,
}

fn concluded(
    object: &ClusterExternalSecret,
    namespace: &str,
    request: &Request,
    done: Done,
    context: &Context,
) -> Pass {
    let Done { written, step, outcome, seen, now } = done;
    let has_children = !seen.children.is_empty();
    match written {
        Written::NoNamespace => {
            context.state.leave(object, namespace);
            return Pass::succeeded(Next::OnChange);
        }
        Written::Taken => return conflict(object, namespace, TAKEN, context),
        Written::Conflict => return conflict(object, namespace, CHANGING, context),
        Written::Nothing if outcome == Outcome::Absent && !has_children => {
            context.state.leave(object, namespace);
            return Pass::succeeded(Next::OnChange);
        }
        Written::Nothing | Written::Stored(_) | Written::Deleted => {}
    }
    log(&step, namespace, object);
    let remember = |memo: &mut NamespaceMemo| {
        (memo.failures, memo.awaits_api_server) = (0, false);
        match (&written, &step) {
            (Written::Stored(stored), Step::Create(_) | Step::Update(_)) => {
                let Some(stored) = read_back(stored) else { return };
                memo.last_write = request.wanted.last_write(&stored);
                memo.wrote(seen.shown.as_deref(), stored, now);
            }
            (Written::Deleted, Step::Delete(deletion, _)) => memo.deleted(deletion.uid.as_deref(), now),
            _ => {}
        }
    };
    context.state.conclude(object, namespace, Some(outcome), remember);
    let look_again = context
        .state
        .recall(object, |memo| memo.namespaces.get(namespace).and_then(|memo| memo.look_again(Instant::now())));
    Pass::succeeded(look_again.flatten().map_or(Next::OnChange, Next::After))
}

/// The answer to a write, in the form in which the watch will show it.
fn read_back(stored: &DynamicObject) -> Option<ExternalSecret> {
    serde_json::from_value(serde_json::to_value(stored).ok()?).ok()
}

fn log(step: &Step, namespace: &str, object: &ClusterExternalSecret) {
    let done = match step {
        Step::None => return,
        Step::Create(_) => "made",
        Step::Update(_) => "changed",
        Step::Delete(..) => "deleted",
        Step::Release(_) => "released",
    };
    let name = object.metadata.name.as_deref().unwrap_or_default();
    tracing::debug!(cluster_external_secret = name, namespace, done, "an ExternalSecret was written");
}

/// Another writer was faster; the watch will show what it wrote.
fn conflict(object: &ClusterExternalSecret, namespace: &str, reason: &str, context: &Context) -> Pass {
    let failures = context.state.recall(object, |memo| memo.namespaces.get(namespace).map(|memo| memo.failures));
    if failures.flatten().unwrap_or_default() >= CONFLICTS {
        return failure(object, namespace, reason.to_owned(), false, context);
    }
    context.state.conclude(object, namespace, None, |memo| memo.failures = memo.failures.saturating_add(1));
    Pass::succeeded(Next::After(spread(AFTER_CONFLICT)))
}

fn failed(object: &ClusterExternalSecret, namespace: &str, step: &Step, error: &ApiError, context: &Context) -> Pass {
    let lead = if matches!(step, Step::Delete(..)) { NOT_DELETED } else { NOT_WRITTEN };
    failure(object, namespace, format!("{lead}: {}", error.reason()), error.is_outage(), context)
}

/// Reports a failure in a namespace, and when to retry.
fn failure(
    object: &ClusterExternalSecret,
    namespace: &str,
    reason: String,
    is_outage: bool,
    context: &Context,
) -> Pass {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    tracing::debug!(cluster_external_secret = name, namespace, reason, "a namespace has failed");
    let mut failures = 1;
    context.state.conclude(object, namespace, Some(Outcome::Failed(reason)), |memo| {
        memo.failures = memo.failures.saturating_add(1);
        memo.awaits_api_server = is_outage;
        failures = memo.failures;
    });
    Pass::failed(Next::After(spread(backoff(failures))))
}
