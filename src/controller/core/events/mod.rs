//! Events on objects, for `kubectl describe`.
//!
//! Anybody who may write an ExternalSecret can make it cause a new event each second, and each event is an object that
//! stays in etcd for an hour. Each object therefore has an allowance like that of client-go's spam filter, namespaces share the queue of
//! events fairly ([`queue`]), and repetitions are counted in the existing event ([`repeats`]). client-go, with which
//! ESO publishes, does the same.

mod notice;
mod queue;
mod repeats;

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Client;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::sync::Notify;

pub(crate) use self::notice::{Notice, Severity};
use self::queue::Queue;
use self::repeats::{Earlier, Repeats, Speaker};
use super::api_call::{ApiError, bounded};
use crate::answers::Objects;
use crate::runtime::allowances::Allowances;
use crate::runtime::log_allowance;
use crate::runtime::metrics::Metrics;
use crate::runtime::vital::Vital;
use crate::sync::one_line::{on_one_line, truncated};

/// Events written concurrently.
const CONCURRENCY: usize = 8;
/// The longest note that the API server accepts.
const LONGEST_NOTE: usize = 1_024;
/// Events that one object may publish at once.
const BURST: u16 = 25;
/// Time until one more is allowed.
const REFILL: Duration = Duration::from_mins(5);
/// How often the number of dropped events is logged.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);

/// Accepts events and writes them in the background. Like ESO's events, they have both `source.component` and
/// `reportingComponent`.
#[derive(Clone)]
pub(crate) struct Recorder(Arc<Entrance>);

/// Where events come in. Dropping the last recorder closes it.
struct Entrance(Arc<Shared>);

impl Drop for Entrance {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.arrived.notify_waiters();
    }
}

struct Shared {
    state: Mutex<State>,
    arrived: Notify,
    hasher: RandomState,
    metrics: Metrics,
}

struct State {
    queue: Queue,
    allowances: Allowances,
    repeats: Repeats,
    dropped: Dropped,
    is_closed: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            queue: Queue::default(),
            allowances: Allowances::new(BURST, REFILL),
            repeats: Repeats::default(),
            dropped: Dropped::default(),
            is_closed: false,
        }
    }
}

/// Events dropped since that was last logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Dropped {
    /// Of objects that exceeded their allowance.
    of_object: u64,
    /// Of namespaces with too many waiting events.
    of_namespace: u64,
}

impl Recorder {
    /// Starts the writer, which ends when all recorders are dropped and their events are written.
    #[must_use]
    pub(crate) fn start(client: Client, metrics: Metrics, vital: &Vital) -> (Self, tokio::task::JoinHandle<()>) {
        let shared =
            Arc::new(Shared { state: Mutex::default(), arrived: Notify::new(), hasher: RandomState::new(), metrics });
        let writing = {
            let shared = Arc::clone(&shared);
            async move {
                tokio::select! {
                    () = write_all(&shared, &client) => {}
                    () = report_drops(&shared) => {}
                }
                shared.say_what_was_dropped();
            }
        };
        (Self(Arc::new(Entrance(shared))), vital.spawn("writer of events", writing))
    }

    /// Accepts an event without waiting. Returns whether its object is still within its allowance. If not, the caller
    /// does not log the news either: anybody may write an object that fails in another way each second.
    pub(crate) fn publish(&self, notice: Notice) -> bool {
        let shared = &self.0.0;
        let note = truncated(&on_one_line(&notice.note), LONGEST_NOTE).to_owned();
        let notice = Notice { note, ..notice };
        let mut state = shared.lock();
        if !state.allowances.take(shared.speaker(&notice), Instant::now()) {
            state.dropped.of_object += 1;
            shared.metrics.event_dropped("object", 1);
            return false;
        }
        let dropped = state.queue.push(notice);
        state.dropped.of_namespace += dropped;
        drop(state);
        if dropped > 0 {
            shared.metrics.event_dropped("namespace", dropped);
        }
        shared.arrived.notify_one();
        true
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A hash of the source of an event and its object.
    fn speaker(&self, notice: &Notice) -> u64 {
        let ObjectReference { kind, namespace, name, uid, .. } = &notice.object;
        self.hasher.hash_one((notice.component, kind, namespace, name, uid))
    }

    /// The next event to write; `None` when no more can come.
    async fn next(&self) -> Option<Notice> {
        loop {
            let arrived = self.arrived.notified();
            {
                let mut state = self.lock();
                if let Some(notice) = state.queue.pop() {
                    return Some(notice);
                }
                if state.is_closed {
                    return None;
                }
            }
            arrived.await;
        }
    }

    fn say_what_was_dropped(&self) {
        let Dropped { of_object, of_namespace } = std::mem::take(&mut self.lock().dropped);
        if of_object + of_namespace > 0 {
            tracing::warn!(
                of_object,
                of_namespace,
                "events were dropped: an object published too many, or too many were waiting"
            );
        }
    }
}

async fn write_all(shared: &Shared, client: &Client) {
    let notices = futures::stream::unfold((), |()| async { shared.next().await.map(|notice| (notice, ())) });
    let writing = notices.for_each_concurrent(CONCURRENCY, |notice| async move {
        if let Err(error) = write(shared, client, &notice).await {
            tracing::warn!(error = error.reason(), "an event could not be written");
        }
    });
    writing.await;
}

async fn report_drops(shared: &Shared) {
    loop {
        tokio::time::sleep(REPORT_INTERVAL).await;
        shared.say_what_was_dropped();
        log_allowance::say_what_was_left_out();
    }
}

async fn write(shared: &Shared, client: &Client, notice: &Notice) -> Result<(), ApiError> {
    let namespace = notice.object.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let api: Objects<Event> = Objects::namespaced(client.clone(), &namespace, &());
    let speaker = Speaker { namespace: &namespace.as_str().into(), hash: shared.speaker(notice) };
    let (kind, words) = ((notice.severity, notice.reason), &notice.note);
    let (kind, words) = (shared.hasher.hash_one(kind), shared.hasher.hash_one((kind, words)));
    let said = shared.lock().repeats.said(speaker, kind, words, Instant::now());
    let note = said.note(&notice.note);
    let note = truncated(&note, LONGEST_NOTE);
    if let Some(Earlier { name, count }) = &said.earlier {
        let again = json!({ "count": count + 1, "lastTimestamp": Time(Timestamp::now()), "message": note });
        match bounded(api.patch(name, &PatchParams::default(), &Patch::Merge(again))).await {
            Ok(_) => {
                let earlier = Earlier { name: name.clone(), count: count + 1 };
                shared.lock().repeats.wrote(speaker, said.identity, earlier, Instant::now());
                return Ok(());
            }
            // Events live for an hour, and this one has expired.
            Err(error) if error.code() == Some(404) => {}
            Err(error) => return Err(error),
        }
    }
    let event = event(notice, note, namespace);
    let name = event.metadata.name.clone().unwrap_or_default();
    bounded(api.create(&PostParams::default(), &event)).await?;
    shared.lock().repeats.wrote(speaker, said.identity, Earlier { name, count: 1 }, Instant::now());
    Ok(())
}

fn event(notice: &Notice, note: &str, namespace: String) -> Event {
    let now = Timestamp::now();
    let object = notice.object.name.as_deref().unwrap_or_default();
    let component = notice.component.to_owned();
    Event {
        metadata: ObjectMeta {
            // The form of client-go's recorder. A name has at most 253 characters.
            name: Some(format!("{}.{:x}", truncated(object, 230), now.as_nanosecond())),
            namespace: Some(namespace),
            ..ObjectMeta::default()
        },
        involved_object: notice.object.clone(),
        reason: Some(notice.reason.to_owned()),
        message: Some(note.to_owned()),
        type_: Some(match notice.severity {
            Severity::Normal => "Normal".to_owned(),
            Severity::Warning => "Warning".to_owned(),
        }),
        source: Some(EventSource { component: Some(component.clone()), host: None }),
        reporting_component: Some(component),
        reporting_instance: Some(String::new()),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        count: Some(1),
        ..Event::default()
    }
}
