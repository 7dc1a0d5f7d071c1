//! Watches. Each keeps a store of stripped objects and reports changes. Objects that cannot be read are skipped.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store, store::Writer};
use kube::runtime::watcher;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::key::ObjectKey;
use super::requeue::spread;
use crate::answers::{Seen, reason};
use crate::runtime::log_allowance;
use crate::runtime::metrics::ApiServerMetrics;
use crate::runtime::vital::Vital;

/// The longest pause before a watch is reopened, if the API server may be back at any moment.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// The longest pause if the API server is there and refuses, or sends answers that cannot be read.
const LONGEST_PAUSE_REFUSED: Duration = Duration::from_secs(30);
/// Unreadable objects of one watch that the log may name; further ones are only counted.
const NAMED: usize = 10_000;

/// Most objects per page of a list. A page is held as text beside what is parsed from it, and an object may be a megabyte:
/// with kube's default of 500, lists took as much memory as everything that is kept.
const PAGE: u32 = 100;

/// A change that a watch reports.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change<'a, K> {
    /// The object is new or has changed. After the watch was interrupted, it may also be unchanged.
    Applied(&'a K),
    /// The object was deleted.
    Deleted(&'a K),
}

/// What a watch that keeps nothing reports.
#[derive(Clone, Copy, Debug)]
pub(crate) enum News<'a, K> {
    /// All objects follow, each as [`News::Listed`]: at the start, and after the watch was interrupted.
    Listing,
    Listed(&'a K),
    /// There are no others. What was deleted while the watch was interrupted is not reported otherwise.
    ListedAll,
    /// The object is new or has changed.
    Applied(&'a K),
    /// The object was deleted.
    Deleted(&'a K),
}

/// What a watch requires of a type.
pub(crate) trait Watched:
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

/// What to watch, and the watch's name in metrics and logs.
pub(crate) struct Watch<K> {
    pub(crate) name: String,
    pub(crate) api: Api<Seen<K>>,
    /// Selects objects.
    pub(crate) config: watcher::Config,
    /// Counts objects that cannot be read.
    pub(crate) metrics: ApiServerMetrics,
    /// Ends the process if the watch fails.
    pub(crate) vital: Vital,
}

/// Starts a watch of whole objects or of their metadata, which runs until the process ends. The store is updated before
/// `on_change` is called.
pub(crate) fn objects<K: Watched>(
    watch: Watch<K>,
    dyntype: K::DynamicType,
    strip: fn(&mut K),
    on_change: impl FnMut(Change<'_, K>) + Send + 'static,
) -> Store<K> {
    objects_until(watch, dyntype, strip, on_change, CancellationToken::new())
}

/// The same, until `stop` is canceled.
pub(crate) fn objects_until<K: Watched>(
    watch: Watch<K>,
    dyntype: K::DynamicType,
    strip: fn(&mut K),
    on_change: impl FnMut(Change<'_, K>) + Send + 'static,
    stop: CancellationToken,
) -> Store<K> {
    let writer = Writer::new(dyntype.clone());
    let store = writer.as_reader();
    let (vital, name) = (watch.vital.clone(), task_of(&watch.name));
    let following = fill(watch, writer, dyntype, strip, on_change);
    vital.spawn(name, stop.run_until_cancelled_owned(following).map(drop));
    store
}

/// The same, once `served` is over: for a kind whose CRD may be installed later. `watch` is called at that time; until then the store is
/// empty and not ready.
pub(crate) fn objects_once<K: Watched>(
    served: impl Future<Output = ()> + Send + 'static,
    watch: impl FnOnce() -> Watch<K> + Send + 'static,
    dyntype: K::DynamicType,
    strip: fn(&mut K),
    on_change: impl FnMut(Change<'_, K>) + Send + 'static,
) -> Store<K> {
    let writer = Writer::new(dyntype.clone());
    let store = writer.as_reader();
    tokio::spawn(async move {
        served.await;
        let watch = watch();
        let (vital, name) = (watch.vital.clone(), task_of(&watch.name));
        vital.spawn(name, fill(watch, writer, dyntype, strip, on_change));
    });
    store
}

/// Follows a watch and keeps a store equal to it.
async fn fill<K: Watched>(
    watch: Watch<K>,
    mut writer: Writer<K>,
    dyntype: K::DynamicType,
    strip: fn(&mut K),
    mut on_change: impl FnMut(Change<'_, K>) + Send + 'static,
) {
    let known = writer.as_reader();
    let following = follow(watch, move |event| {
        let event = match event {
            Event::Readable(event) => event.modify(strip),
            // An object that can no longer be read counts as deleted, as it will in the next list.
            Event::Unreadable(key) => {
                let mut reference = ObjectRef::new_with(&key.name, dyntype.clone());
                if !key.namespace.is_empty() {
                    reference = reference.within(&key.namespace);
                }
                let Some(before) = known.get(&reference) else { return };
                watcher::Event::Delete(Arc::unwrap_or_clone(before))
            }
        };
        store_and_tell(&event, &mut writer, &known, &mut on_change);
    });
    following.await;
}

/// The name of a watch's task.
fn task_of(watch: &str) -> String {
    format!("watch of {watch}")
}

fn store_and_tell<K: Watched>(
    event: &watcher::Event<K>,
    writer: &mut Writer<K>,
    known: &Store<K>,
    on_change: &mut impl FnMut(Change<'_, K>),
) {
    match event {
        watcher::Event::Apply(object) => {
            writer.apply_watcher_event(event);
            on_change(Change::Applied(object));
        }
        watcher::Event::Delete(object) => {
            writer.apply_watcher_event(event);
            on_change(Change::Deleted(object));
        }
        // Listed objects become visible together, when the list is complete.
        watcher::Event::Init | watcher::Event::InitApply(_) => writer.apply_watcher_event(event),
        watcher::Event::InitDone => {
            let before = by_key(known);
            writer.apply_watcher_event(event);
            announce(before, known, on_change);
        }
    }
}

/// Starts a watch that keeps nothing when `wanted` is canceled: for kinds of which few objects are of interest. `watch`
/// is called at that time.
pub(crate) fn versions<K: Watched>(
    watch: impl FnOnce() -> Watch<K> + Send + 'static,
    wanted: CancellationToken,
    mut on_news: impl FnMut(News<'_, K>) + Send + 'static,
) {
    tokio::spawn(async move {
        wanted.cancelled().await;
        let watch = watch();
        let (vital, name) = (watch.vital.clone(), task_of(&watch.name));
        let following = follow(watch, move |event| match event {
            Event::Readable(watcher::Event::Init) => on_news(News::Listing),
            Event::Readable(watcher::Event::InitApply(object)) => on_news(News::Listed(&object)),
            Event::Readable(watcher::Event::InitDone) => on_news(News::ListedAll),
            Event::Readable(watcher::Event::Apply(object)) => on_news(News::Applied(&object)),
            Event::Readable(watcher::Event::Delete(object)) => on_news(News::Deleted(&object)),
            Event::Unreadable(_) => {}
        });
        vital.spawn(name, following);
    });
}

/// An event of a watch.
enum Event<K> {
    Readable(watcher::Event<K>),
    /// An object, existing or new, that cannot be read.
    Unreadable(ObjectKey),
}

/// Follows a watch forever.
async fn follow<K: Watched>(watch: Watch<K>, mut on_event: impl FnMut(Event<K>) + Send) {
    let Watch { name, api, config, metrics, vital: _ } = watch;
    let page = config.page_size.map_or(PAGE, |page| page.min(PAGE));
    let mut stream = std::pin::pin!(watcher(api, config.page_size(page)));
    let mut passed_over = PassedOver { watch: name.clone(), metrics, named: HashSet::new() };
    let mut failures: u32 = 0;
    while let Some(event) = stream.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                failures = failures.saturating_add(1);
                report(&name, &error, failures);
                tokio::time::sleep(pause(&error, failures)).await;
                continue;
            }
        };
        // A list starts before it is requested.
        if matches!(event, watcher::Event::Apply(_) | watcher::Event::Delete(_) | watcher::Event::InitDone) {
            failures = 0;
        }
        if let Some(event) = passed_over.sift(event) {
            on_event(event);
        }
    }
}

/// Keeps unreadable objects out of a watch.
struct PassedOver {
    watch: String,
    metrics: ApiServerMetrics,
    /// Those that the log names already.
    named: HashSet<ObjectKey>,
}

impl PassedOver {
    fn sift<K: Watched>(&mut self, event: watcher::Event<Seen<K>>) -> Option<Event<K>> {
        use watcher::Event as Of;
        let event = match event {
            Of::Init => Of::Init,
            Of::InitDone => Of::InitDone,
            Of::InitApply(Seen::Object(object)) => Of::InitApply(object),
            Of::Apply(Seen::Object(object)) => Of::Apply(object),
            Of::Delete(Seen::Object(object)) => Of::Delete(object),
            Of::InitApply(Seen::Unreadable(meta)) => {
                self.note(&meta);
                return None;
            }
            Of::Apply(Seen::Unreadable(meta)) => return Some(Event::Unreadable(self.note(&meta))),
            Of::Delete(Seen::Unreadable(meta)) => {
                let key = ObjectKey::of(&meta);
                self.named.remove(&key);
                return Some(Event::Unreadable(key));
            }
        };
        Some(Event::Readable(event))
    }

    /// Counts an object, and logs its name the first time.
    fn note(&mut self, meta: &ObjectMeta) -> ObjectKey {
        self.metrics.passed_over(&self.watch);
        let key = ObjectKey::of(meta);
        let is_new = self.named.len() < NAMED && self.named.insert(key.clone());
        if is_new && log_allowance::take(&key.namespace) {
            tracing::warn!(watch = self.watch, object = %key, "an object cannot be read and is skipped; check its metadata");
        }
        key
    }
}

/// Reports what a new list contains, and what it no longer does.
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

/// How long to wait before reopening the watch: 0.1 s, doubled with each failure up to the longest pause, or as long as
/// the API server asks.
fn pause(error: &watcher::Error, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(12);
    let longest = if is_outage(error) { LONGEST_PAUSE } else { LONGEST_PAUSE_REFUSED };
    let asked_for = retry_after(error).min(LONGEST_PAUSE_REFUSED);
    spread((Duration::from_millis(100) * (1 << doublings)).min(longest).max(asked_for))
}

fn client_error(error: &watcher::Error) -> Option<&kube::Error> {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => Some(error),
        watcher::Error::WatchError(_) | watcher::Error::NoResourceVersion => None,
    }
}

/// The API server's status for a failure, if it sent one.
fn status(error: &watcher::Error) -> Option<&kube::core::Status> {
    match (error, client_error(error)) {
        (watcher::Error::WatchError(status), _) | (_, Some(kube::Error::Api(status))) => Some(&**status),
        _ => None,
    }
}

/// Whether the API server is unreachable or overloaded. A watch that is too old (410) is followed by a list at once.
fn is_outage(error: &watcher::Error) -> bool {
    match (status(error), client_error(error)) {
        (Some(status), _) => matches!(status.code, 410 | 429 | 500..),
        (None, Some(kube::Error::SerdeError(_) | kube::Error::FromUtf8(_))) => false,
        (None, error) => error.is_some(),
    }
}

fn retry_after(error: &watcher::Error) -> Duration {
    let seconds = status(error).and_then(|status| status.details.as_ref()).map(|details| details.retry_after_seconds);
    Duration::from_secs(seconds.unwrap_or_default().into())
}

/// Logs the first failure in a row, and then every tenth.
fn report(watch: &str, error: &watcher::Error, failures: u32) {
    if failures % 10 == 1 {
        let error = client_error(error).map_or_else(|| error.to_string(), reason);
        tracing::warn!(watch, error, failures, "a watch was interrupted and is reopened");
    }
}

/// Removes the metadata that no reconcile uses, which is most of an object's size.
pub(crate) fn strip_metadata(meta: &mut ObjectMeta) {
    meta.self_link = None;
    meta.generate_name = None;
    meta.creation_timestamp = None;
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn pauses(error: &watcher::Error) -> Vec<Duration> {
        (1..=100).map(|failures| pause(error, failures)).collect()
    }

    #[test]
    fn a_watch_that_keeps_failing_is_reopened_less_and_less_often() {
        let of = |code| kube::Error::Api(Status::failure("no", "No").with_code(code).boxed());
        for (error, longest) in [
            (watcher::Error::InitialListFailed(of(503)), LONGEST_PAUSE),
            (watcher::Error::InitialListFailed(of(429)), LONGEST_PAUSE),
            (watcher::Error::WatchStartFailed(of(403)), LONGEST_PAUSE_REFUSED),
            (watcher::Error::NoResourceVersion, LONGEST_PAUSE_REFUSED),
        ] {
            let pauses = pauses(&error);
            assert!(pauses[0] < Duration::from_millis(200) && pauses[99] >= longest, "{error}");
            let in_a_minute = pauses.iter().scan(Duration::ZERO, |at, pause| {
                *at += *pause;
                (*at < Duration::from_mins(1)).then_some(())
            });
            assert!(in_a_minute.count() < 26, "{error}");
        }
    }

    #[test]
    fn a_watch_waits_as_long_as_the_api_server_asks_but_not_for_ever() {
        let busy = |seconds| {
            let mut status = Status::failure("busy", "TooManyRequests").with_code(429);
            let details = serde_json::json!({ "retryAfterSeconds": seconds });
            status.details = Some(serde_json::from_value(details).unwrap());
            watcher::Error::InitialListFailed(kube::Error::Api(status.boxed()))
        };
        assert!(pause(&busy(7), 1) >= Duration::from_secs(7));
        assert!(pause(&busy(u32::MAX), 1) <= LONGEST_PAUSE_REFUSED.mul_f64(1.2));
    }
}
