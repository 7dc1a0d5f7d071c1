//! Follows the objects that are asked for.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, BoxStream, select_all};
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
    select_all(asked.0.iter().map(|(kind, which)| of_kind(scope, *kind, which)))
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
    let mut following = Following { kind, which: which.clone(), row, shown: BTreeMap::new(), listed: BTreeSet::new() };
    watcher(api, config).default_backoff().flat_map(move |event| stream::iter(following.take(event))).boxed()
}

/// What has been shown of the objects of a kind.
struct Following<R> {
    kind: Kind,
    which: Which,
    row: R,
    /// Those that exist, each with its version.
    shown: BTreeMap<ObjectKey, Option<String>>,
    /// Those of a list that is not complete yet.
    listed: BTreeSet<ObjectKey>,
}

impl<R> Following<R> {
    /// What is to be shown of an event of the watch. A watch that is reopened lists all objects again: news are those that
    /// have changed, and those that are no longer there.
    fn take<K>(&mut self, event: watcher::Result<watcher::Event<Seen<K>>>) -> Vec<Event>
    where
        K: Resource,
        R: Fn(&K, Timestamp) -> Row,
    {
        match event {
            Ok(watcher::Event::Init) => {
                self.listed.clear();
                Vec::new()
            }
            Ok(watcher::Event::InitApply(object)) => {
                self.listed.insert(ObjectKey::of(object.meta()));
                self.changed(object)
            }
            Ok(watcher::Event::Apply(object)) => self.changed(object),
            Ok(watcher::Event::InitDone) => {
                let listed = std::mem::take(&mut self.listed);
                let gone: Vec<_> = self.shown.keys().filter(|key| !listed.contains(key)).cloned().collect();
                gone.iter().filter_map(|key| self.deleted(key)).collect()
            }
            Ok(watcher::Event::Delete(object)) => self.deleted(&ObjectKey::of(object.meta())).into_iter().collect(),
            Err(error) => vec![Event::Reopened(self.kind, error)],
        }
    }

    fn changed<K>(&mut self, object: Seen<K>) -> Vec<Event>
    where
        K: Resource,
        R: Fn(&K, Timestamp) -> Row,
    {
        let Seen::Object(object) = object else { return Vec::new() };
        let key = ObjectKey::of(object.meta());
        if !self.which.includes(&key) {
            return Vec::new();
        }
        let version = object.meta().resource_version.clone();
        let before = self.shown.insert(key, version.clone());
        if version.is_some() && before == Some(version) {
            return Vec::new();
        }
        vec![Event::Changed(Box::new((self.row)(&object, Timestamp::now())))]
    }

    fn deleted(&mut self, key: &ObjectKey) -> Option<Event> {
        self.shown.remove(key)?;
        Some(Event::Deleted(Named { kind: self.kind, key: key.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::v1::ExternalSecret;

    fn seen(name: &str, version: &str) -> Seen<ExternalSecret> {
        let metadata = json!({"namespace": "shop", "name": name, "resourceVersion": version});
        serde_json::from_value(json!({ "metadata": metadata })).unwrap()
    }

    #[test]
    fn what_changed_or_was_deleted_while_the_watch_was_interrupted_is_shown_when_it_is_reopened() {
        let mut following = Following {
            kind: Kind::ExternalSecret,
            which: Which::All,
            row: kinds::external_secret,
            shown: BTreeMap::new(),
            listed: BTreeSet::new(),
        };
        let mut take = |event| {
            let events = following.take(Ok(event)).into_iter().map(|event| match event {
                Event::Changed(row) => format!("changed {}", row.named.label()),
                Event::Deleted(named) => format!("deleted {}", named.label()),
                Event::Reopened(kind, _) => format!("reopened {}", kind.plural()),
            });
            events.collect::<Vec<_>>().join(", ")
        };
        assert_eq!(take(watcher::Event::Init), "");
        assert_eq!(take(watcher::Event::InitApply(seen("db", "1"))), "changed shop/db");
        assert_eq!(take(watcher::Event::InitApply(seen("mail", "2"))), "changed shop/mail");
        assert_eq!(take(watcher::Event::InitDone), "");
        assert_eq!(take(watcher::Event::Apply(seen("key", "3"))), "changed shop/key");
        assert_eq!(take(watcher::Event::Delete(seen("key", "4"))), "deleted shop/key");

        assert_eq!(take(watcher::Event::Init), "");
        assert_eq!(take(watcher::Event::InitApply(seen("db", "1"))), "");
        assert_eq!(take(watcher::Event::InitApply(seen("new", "6"))), "changed shop/new");
        assert_eq!(take(watcher::Event::InitDone), "deleted shop/mail");
    }
}
