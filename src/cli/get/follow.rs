//! Follows the objects that are asked for.

use std::collections::BTreeMap;

use futures::stream::{BoxStream, select_all};
use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use kube::core::DynamicResourceScope;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::asked::{Asked, Which};
use super::kinds;
use super::read::Scope;
use super::row::Row;
use crate::answers::{Seen, reason};
use crate::api::v1::SecretStore;
use crate::cli::person::kind::Kind;
use crate::cli::person::names::Named;
use crate::controller::core::key::ObjectKey;

/// What happened to an object.
pub(super) enum Event {
    /// It exists, or has changed.
    Changed(Box<Row>),
    Deleted(Named),
    /// The watch of this kind ended, and is opened again.
    Reopened(Kind, watcher::Error),
}

impl Event {
    /// The error if nothing can be watched without another right.
    pub(super) const fn forbidden(&self) -> Option<&kube::core::Status> {
        match self {
            Self::Reopened(
                _,
                watcher::Error::InitialListFailed(kube::Error::Api(status))
                | watcher::Error::WatchStartFailed(kube::Error::Api(status))
                | watcher::Error::WatchFailed(kube::Error::Api(status)),
            ) if status.code == 403 => Some(status),
            _ => None,
        }
    }
}

/// Why a watch ended, in words.
pub(super) fn why(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => reason(error),
        watcher::Error::WatchError(status) => status.message.clone(),
        watcher::Error::NoResourceVersion => "the answer has no resourceVersion".to_owned(),
    }
}

/// The objects that are asked for, now and after each change. Never ends.
pub(super) fn events(scope: &Scope<'_>, asked: &Asked) -> impl Stream<Item = Event> {
    let all = asked.0.iter().map(|(kind, which)| of_kind(scope, *kind, which));
    let mut shown = BTreeMap::new();
    select_all(all).filter(move |event| std::future::ready(is_news(event, &mut shown)))
}

/// Whether an object has another version than when it was last shown: a watch that is reopened shows all again.
fn is_news(event: &Event, shown: &mut BTreeMap<Named, Option<String>>) -> bool {
    match event {
        Event::Changed(row) => {
            let before = shown.insert(row.named.clone(), row.version.clone());
            row.version.is_none() || before != Some(row.version.clone())
        }
        Event::Deleted(named) => shown.remove(named).is_some(),
        Event::Reopened(..) => true,
    }
}

fn of_kind(scope: &Scope<'_>, kind: Kind, which: &Which) -> BoxStream<'static, Event> {
    let version = scope.cluster.version;
    match kind {
        Kind::ExternalSecret => watched(scope, kind, &version, which, kinds::external_secret),
        Kind::ClusterExternalSecret => watched(scope, kind, &version, which, kinds::cluster_external_secret),
        Kind::PushSecret => watched(scope, kind, &(), which, kinds::push_secret),
        Kind::ClusterPushSecret => watched(scope, kind, &(), which, kinds::cluster_push_secret),
        Kind::Store(of) => {
            let row = move |store: &SecretStore, now| kinds::store(of, store, now);
            watched(scope, kind, &scope.cluster.store_type(of), which, row)
        }
    }
}

fn watched<K>(
    scope: &Scope<'_>,
    kind: Kind,
    dyntype: &K::DynamicType,
    which: &Which,
    row: impl Fn(&K, Timestamp) -> Row + Send + 'static,
) -> BoxStream<'static, Event>
where
    K: Resource<Scope = DynamicResourceScope, DynamicType: Clone>
        + DeserializeOwned
        + Clone
        + std::fmt::Debug
        + Send
        + 'static,
{
    let client = scope.cluster.client.clone();
    let api: Api<Seen<K>> = match scope.namespace.filter(|_| !kind.is_of_cluster()) {
        Some(namespace) => Api::namespaced_with(client, namespace, dyntype),
        None => Api::all_with(client, dyntype),
    };
    let mut config =
        watcher::Config { label_selector: scope.selector.map(str::to_owned), ..watcher::Config::default() };
    if let Which::Named(keys) = which
        && let [only] = keys.as_slice()
    {
        config = config.fields(&format!("metadata.name={}", only.name));
    }
    let which = which.clone();
    let event = move |event: watcher::Result<watcher::Event<Seen<K>>>| match event {
        Ok(watcher::Event::Apply(Seen::Object(object)) | watcher::Event::InitApply(Seen::Object(object))) => which
            .includes(&ObjectKey::of(object.meta()))
            .then(|| Event::Changed(Box::new(row(&object, Timestamp::now())))),
        Ok(watcher::Event::Delete(object)) => {
            let key = ObjectKey::of(object.meta());
            which.includes(&key).then_some(Event::Deleted(Named { kind, key }))
        }
        Ok(_) => None,
        Err(error) => Some(Event::Reopened(kind, error)),
    };
    watcher(api, config).default_backoff().filter_map(move |seen| std::future::ready(event(seen))).boxed()
}
