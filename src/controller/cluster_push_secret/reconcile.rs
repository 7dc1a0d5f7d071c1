//! One pass over one ClusterPushSecret.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use kube::api::{Preconditions, PropagationPolicy};
use kube::core::DynamicObject;

use super::child::Wanted;
use super::context::Context;
use super::provisioned::Provisioned;
use super::{KIND, report};
use crate::api::Selection;
use crate::api::v1::ConditionStatus;
use crate::api::v1::condition::READY;
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};
use crate::controller::child_objects::{self, Created, refresh_time};
use crate::controller::core::api_call::{ApiError, bounded};
use crate::controller::core::conditions;
use crate::controller::core::key::ObjectKey;
use crate::controller::core::kind::Kind;
use crate::controller::core::reconcile::{Pass, Reconcile};
use crate::controller::core::requeue::{Next, spread};
use crate::controller::core::work_queue::Requests;
use crate::runtime::panics::Panicked;
use crate::sync::refresh::backoff;
use crate::validate;

/// How many PushSecrets are written concurrently.
const AT_ONCE: usize = 8;
/// How many PushSecrets that are not wanted a pass changes or deletes in one namespace: anybody may make thousands that
/// claim the same owner, and others must not wait for that.
const STRAYS: usize = 8;

#[async_trait]
impl Reconcile for Context {
    type Key = ObjectKey;

    fn kind(&self) -> Kind {
        KIND
    }

    fn requests(&self) -> &Arc<Requests<ObjectKey>> {
        &self.state.requests
    }

    fn is_there(&self, key: &ObjectKey) -> bool {
        self.watched(&key.name).is_some()
    }

    async fn reconcile(&self, key: &ObjectKey) -> Pass {
        let Some(object) = self.watched(&key.name) else { return Pass::succeeded(Next::OnChange) };
        if object.metadata.deletion_timestamp.is_some() {
            // The garbage collector deletes what it owns.
            return Pass::succeeded(Next::OnChange);
        }
        let began = Instant::now();
        if let Some(pause) = self.state.pause(&object, began) {
            return Pass::succeeded(Next::After(pause));
        }
        // The parsed form is dropped with the clone when the pass ends.
        let object = ClusterPushSecret::clone(&object);
        let found = provision(&object, self).await;
        report::concluded(&object, &found, began, self).await;
        self.state.passed(&object, Instant::now());
        next(&object, &found, self)
    }

    async fn panicked(&self, key: &ObjectKey, panicked: Panicked) -> Pass {
        tracing::error!(cluster_push_secret = key.name, %panicked, "could not be reconciled");
        Pass::panicked()
    }

    fn api_server_is_back(&self) {
        self.state.wake_who_await_api_server();
    }
}

fn next(object: &ClusterPushSecret, found: &Provisioned, context: &Context) -> Pass {
    if !found.failed.is_empty() {
        let failures = context.state.remember(object, |memo| {
            memo.failures = memo.failures.saturating_add(1);
            memo.awaits_api_server = found.is_outage;
            memo.failures
        });
        return Pass::failed(Next::After(spread(backoff(failures.unwrap_or(1)))));
    }
    context.state.remember(object, |memo| (memo.failures, memo.awaits_api_server) = (0, false));
    let refresh = refresh_time(object.spec.get().ok().and_then(|spec| spec.refresh_time.as_deref()));
    Pass::succeeded(refresh.map_or(Next::OnChange, |refresh| Next::After(spread(refresh))))
}

/// Creates, changes and deletes the PushSecrets of an object.
async fn provision(object: &ClusterPushSecret, context: &Context) -> Provisioned {
    let fault = |why: String| Provisioned { fault: Some(why), ..Provisioned::default() };
    let spec = match object.spec.get() {
        Ok(spec) => spec,
        Err(field) => return fault(field.to_string()),
    };
    let selection = match Selection::of_labels("spec.namespaceSelectors", &spec.namespace_selectors) {
        Ok(selection) => selection,
        Err(bad) => return fault(bad.to_string()),
    };
    let problems = validate::cluster_push_secret::check(spec);
    if !problems.is_empty() {
        return fault(validate::sentences(&problems));
    }
    let wanted = Wanted::of(object, spec);
    let selected = context.namespaces.selected(&selection);
    let children: Vec<Arc<PushSecret>> =
        context.push_secrets.state().into_iter().filter(|child| wanted.owns(&child.metadata)).collect();
    let mut found = Provisioned { name: Some(wanted.name.clone()), ..Provisioned::default() };
    let namespaces: Vec<_> = selected.iter().collect();
    let mut making = stream::iter(0..namespaces.len())
        .map(|index| {
            let (namespace, wanted) = (namespaces[index], &wanted);
            async move { (namespace, make(namespace, wanted, object, context).await) }
        })
        .buffered(AT_ONCE);
    while let Some((namespace, made)) = making.next().await {
        note(namespace, made, &mut found);
    }
    drop(making);
    let strays = strays(&children, &wanted, &selected);
    let mut tidying = stream::iter(0..strays.len())
        .map(|index| {
            let (child, wanted, selected) = (strays[index], &wanted, &selected);
            async move { (child, tidy(child, wanted, selected, context).await) }
        })
        .buffered(AT_ONCE);
    while let Some((child, tidied)) = tidying.next().await {
        let Err(untidy) = tidied else { continue };
        found.is_outage |= untidy.error().is_outage();
        if let Untidy::NotDeleted(error) = untidy {
            let namespace = child.metadata.namespace.clone().unwrap_or_default();
            found.namespaces.remove(&namespace);
            found.failed.insert(namespace, format!("failed to delete push secret: {}", error.reason()));
        }
    }
    drop(tidying);
    found.not_ready = not_ready(&wanted, &found, context);
    found
}

/// The PushSecrets that are not wanted, or not under their name; at most [`STRAYS`] of each namespace. The change or
/// deletion of one brings the next pass, and with it the next ones.
fn strays<'a>(children: &'a [Arc<PushSecret>], wanted: &Wanted, selected: &BTreeSet<String>) -> Vec<&'a PushSecret> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut strays = Vec::new();
    for child in children {
        let meta = &child.metadata;
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let is_wanted = selected.contains(namespace) && meta.name.as_deref() == Some(&wanted.name);
        if is_wanted || meta.deletion_timestamp.is_some() {
            continue;
        }
        let count = counts.entry(namespace).or_default();
        *count += 1;
        if *count <= STRAYS {
            strays.push(child.as_ref());
        }
    }
    strays
}

/// What could not be done with a PushSecret that is not wanted.
enum Untidy {
    NotChanged(ApiError),
    NotDeleted(ApiError),
}

impl Untidy {
    const fn error(&self) -> &ApiError {
        match self {
            Self::NotChanged(error) | Self::NotDeleted(error) => error,
        }
    }
}

/// Deletes a PushSecret that is not wanted, unless it must stay for now.
async fn tidy(
    child: &PushSecret,
    wanted: &Wanted,
    selected: &BTreeSet<String>,
    context: &Context,
) -> Result<(), Untidy> {
    if must_stay(&ObjectKey::of(&child.metadata), child, wanted, selected, context) {
        // It gets the same spec as the new one, so that the two push the same.
        return change(child, wanted, context).await.map(drop).map_err(Untidy::NotChanged);
    }
    delete(child, context).await.map_err(Untidy::NotDeleted)
}

fn note(namespace: &str, made: Result<(), Failure>, found: &mut Provisioned) {
    match made {
        Ok(()) => drop(found.namespaces.insert(namespace.to_owned())),
        Err(Failure::Taken) => {
            found.failed.insert(namespace.to_owned(), "push secret already exists in namespace".to_owned());
        }
        Err(Failure::Gone) => {}
        Err(Failure::Api(error)) => {
            found.is_outage |= error.is_outage();
            let reason = format!("could not create or update push secret: {}", error.reason());
            found.failed.insert(namespace.to_owned(), reason);
        }
    }
}

/// Why the PushSecret of a namespace is missing or outdated.
enum Failure {
    /// A PushSecret of somebody else has the name.
    Taken,
    /// The namespace is being deleted, or no longer exists.
    Gone,
    Api(ApiError),
}

fn child_of(namespace: &str, name: &str, context: &Context) -> Option<Arc<PushSecret>> {
    context.push_secrets.get(&kube::runtime::reflector::ObjectRef::new_with(name, ()).within(namespace))
}

async fn make(namespace: &str, wanted: &Wanted, parent: &ClusterPushSecret, context: &Context) -> Result<(), Failure> {
    let remember = |stored: &DynamicObject| {
        let last = wanted.last_write(&stored.metadata);
        context.state.remember(parent, |memo| memo.written.insert(namespace.to_owned(), last));
    };
    let api = context.push_secrets_of(namespace);
    let Some(child) = child_of(namespace, &wanted.name, context) else {
        return match child_objects::create(&api, &wanted.object(namespace)).await.map_err(Failure::Api)? {
            Created::Stored(made) => {
                remember(&made);
                Ok(())
            }
            Created::Taken => match bounded(api.get_metadata_opt(&wanted.name)).await.map_err(Failure::Api)? {
                Some(there) if wanted.owns(&there.metadata) => Ok(()),
                _ => Err(Failure::Taken),
            },
            Created::NoNamespace => Err(Failure::Gone),
        };
    };
    if !wanted.owns(&child.metadata) {
        return Err(Failure::Taken);
    }
    let last = context.state.remember(parent, |memo| memo.written.get(namespace).copied()).flatten();
    if last.is_some_and(|last| wanted.is_repeated_by(&child, last)) {
        return Ok(());
    }
    if let Some(stored) = change(&child, wanted, context).await.map_err(Failure::Api)? {
        remember(&stored);
    }
    Ok(())
}

/// Gives a PushSecret its desired state, unless it has it or is being deleted. Returns what was stored after a write.
async fn change(
    child: &PushSecret,
    wanted: &Wanted,
    context: &Context,
) -> Result<Option<Box<DynamicObject>>, ApiError> {
    let meta = &child.metadata;
    if wanted.is_met_by(child) || meta.deletion_timestamp.is_some() {
        return Ok(None);
    }
    let key = ObjectKey::of(meta);
    let api = context.push_secrets_of(&key.namespace);
    let Some(mut there) = bounded(api.get_opt(&key.name)).await? else { return Ok(None) };
    if there.metadata.uid != meta.uid {
        return Ok(None);
    }
    wanted.change(&mut there);
    child_objects::replace(&api, &there).await
}

/// Whether a PushSecret with a former name stays for now: until the one with the new name is Ready, so that its deletion deletes nothing
/// that the new one pushes.
fn must_stay(
    key: &ObjectKey,
    child: &PushSecret,
    wanted: &Wanted,
    selected: &BTreeSet<String>,
    context: &Context,
) -> bool {
    if child.metadata.name.as_deref() == Some(&wanted.name) || !selected.contains(&key.namespace) {
        return false;
    }
    !child_of(&key.namespace, &wanted.name, context).is_some_and(|new| is_ready(&new))
}

fn is_ready(child: &PushSecret) -> bool {
    let conditions = child.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    conditions::find(conditions, READY).is_some_and(|ready| ready.status == ConditionStatus::True)
}

async fn delete(child: &PushSecret, context: &Context) -> Result<(), ApiError> {
    let meta = &child.metadata;
    let version = Preconditions { uid: meta.uid.clone(), resource_version: None };
    let key = ObjectKey::of(meta);
    let api = context.push_secrets_of(&key.namespace);
    // In a conflict, another object has the name by now.
    child_objects::delete(&api, &key.name, version, PropagationPolicy::Background).await.map(drop)
}

fn not_ready(wanted: &Wanted, found: &Provisioned, context: &Context) -> Vec<String> {
    let is_not =
        |namespace: &&String| !child_of(namespace, &wanted.name, context).is_some_and(|child| is_ready(&child));
    found.namespaces.iter().filter(is_not).cloned().collect()
}
