//! Watches: each keeps a store of stripped objects, and says what changed.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::reflector::{Store, store::Writer};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::key::ObjectKey;

/// The longest pause between two tries to open a watch.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// What a watch saw.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a, K> {
    /// The object is there, new or changed; after a break of the watch also unchanged.
    Applied(&'a K),
    /// The object is gone.
    Deleted(&'a K),
}

/// What a watch needs of a type.
pub trait Watched:
    Resource<DynamicType: Clone + Debug + Eq + Hash + Unpin + Send + Sync>
    + Clone
    + DeserializeOwned
    + Debug
    + Send
    + Sync
    + 'static
{
}
impl<K> Watched for K where
    K: Resource<DynamicType: Clone + Debug + Eq + Hash + Unpin + Send + Sync>
        + Clone
        + DeserializeOwned
        + Debug
        + Send
        + Sync
        + 'static
{
}

/// Starts a watch, of whole objects or of `PartialObjectMeta`. The store is updated before `on_change` hears of a change; the
/// watch goes on until the process ends.
pub fn objects<K: Watched>(
    api: Api<K>,
    config: watcher::Config,
    dyntype: K::DynamicType,
    strip: fn(&mut K),
    on_change: impl FnMut(Change<'_, K>) + Send + 'static,
) -> Store<K> {
    objects_until(api, config, dyntype, strip, on_change, CancellationToken::new())
}

/// The same until `stop`.
pub fn objects_until<K: Watched>(
    api: Api<K>,
    config: watcher::Config,
    dyntype: K::DynamicType,
    strip: fn(&mut K),
    on_change: impl FnMut(Change<'_, K>) + Send + 'static,
    stop: CancellationToken,
) -> Store<K> {
    let writer = Writer::new(dyntype);
    let store = writer.as_reader();
    let stream = watcher(api, config).modify(strip);
    tokio::spawn(stop.run_until_cancelled_owned(follow(stream, writer, on_change)));
    store
}

/// Starts a watch that keeps nothing, when `wanted` is cancelled: for objects of which few are of interest. `api` is called
/// then.
pub fn versions<K: Watched>(
    api: impl FnOnce() -> Api<K> + Send + 'static,
    wanted: CancellationToken,
    mut on_change: impl FnMut(Change<'_, K>) + Send + 'static,
) {
    tokio::spawn(async move {
        wanted.cancelled().await;
        let mut stream = std::pin::pin!(watcher(api(), watcher::Config::default()));
        let mut failures: u32 = 0;
        while let Some(event) = stream.next().await {
            match event {
                Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                    on_change(Change::Applied(&object));
                }
                Ok(watcher::Event::Delete(object)) => on_change(Change::Deleted(&object)),
                Ok(watcher::Event::Init | watcher::Event::InitDone) => {}
                Err(error) => {
                    failures += 1;
                    report(&error, failures);
                    tokio::time::sleep(pause(failures)).await;
                    continue;
                }
            }
            failures = 0;
        }
    });
}

async fn follow<K: Watched>(
    stream: impl futures::Stream<Item = watcher::Result<watcher::Event<K>>> + Send,
    mut writer: Writer<K>,
    mut on_change: impl FnMut(Change<'_, K>) + Send,
) {
    let store = writer.as_reader();
    let mut stream = std::pin::pin!(stream);
    let mut failures: u32 = 0;
    while let Some(event) = stream.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                failures += 1;
                report(&error, failures);
                tokio::time::sleep(pause(failures)).await;
                continue;
            }
        };
        failures = 0;
        match &event {
            watcher::Event::Apply(object) => {
                writer.apply_watcher_event(&event);
                on_change(Change::Applied(object));
            }
            watcher::Event::Delete(object) => {
                writer.apply_watcher_event(&event);
                on_change(Change::Deleted(object));
            }
            // The listed objects become visible together, when the list is complete.
            watcher::Event::Init | watcher::Event::InitApply(_) => writer.apply_watcher_event(&event),
            watcher::Event::InitDone => {
                let before = by_key(&store);
                writer.apply_watcher_event(&event);
                announce(before, &store, &mut on_change);
            }
        }
    }
}

/// Says what a new list has, and what it no longer has.
fn announce<K: Watched>(
    mut before: HashMap<ObjectKey, Arc<K>>,
    store: &Store<K>,
    on_change: &mut impl FnMut(Change<'_, K>),
) {
    for (key, object) in by_key(store) {
        before.remove(&key);
        on_change(Change::Applied(&object));
    }
    for object in before.values() {
        on_change(Change::Deleted(object));
    }
}

fn by_key<K: Watched>(store: &Store<K>) -> HashMap<ObjectKey, Arc<K>> {
    store.state().into_iter().map(|object| (ObjectKey::of(object.meta()), object)).collect()
}

/// How long to wait before the watch is opened again: 0.1 s, doubled up to [`LONGEST_PAUSE`].
fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(8);
    (Duration::from_millis(100) * (1 << doublings)).min(LONGEST_PAUSE)
}

/// Logs the first failure of a row, and then every tenth.
fn report(error: &watcher::Error, failures: u32) {
    if failures % 10 == 1 {
        tracing::warn!(%error, failures, "a watch was interrupted and is opened again");
    }
}

/// Removes what no reconcile looks at, which is most of an object's size.
pub fn strip_metadata(meta: &mut ObjectMeta) {
    meta.managed_fields = None;
    meta.self_link = None;
    meta.generate_name = None;
    meta.creation_timestamp = None;
}
