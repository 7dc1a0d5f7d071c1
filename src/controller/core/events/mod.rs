//! Events on the objects, for `kubectl describe`.
//!
//! Whoever may write an ExternalSecret can make it say something new each second, and each event is an object in etcd for an hour. So
//! an object has an allowance ([`allowance`]), what waits to be written is shared fairly by namespaces ([`queue`]), and what is
//! repeated is counted in the event that is there ([`repeats`]); all as client-go does it, which ESO publishes with.

mod allowance;
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

use self::allowance::Allowances;
pub(crate) use self::notice::{Notice, Severity};
use self::queue::Queue;
use self::repeats::{Earlier, Repeats};
use super::api_call::{ApiError, bounded};
use crate::answers::Objects;
use crate::runtime::metrics::Metrics;
use crate::runtime::vital::Vital;
use crate::sync::one_line::{on_one_line, truncated};

/// Events written at once.
const CONCURRENCY: usize = 8;
/// The API server refuses a longer note.
const LONGEST_NOTE: usize = 1_024;
/// How often it is said how many events were dropped.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);

/// Takes events and writes them in the background. Both `source.component` and
/// `reportingComponent` are set, as ESO's events have them.
#[derive(Clone)]
pub(crate) struct Recorder(Arc<Entrance>);

/// Where events come in. The last recorder that goes closes it.
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

#[derive(Default)]
struct State {
    queue: Queue,
    allowances: Allowances,
    repeats: Repeats,
    dropped: Dropped,
    is_closed: bool,
}

/// Events that were dropped since that was last said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Dropped {
    /// Of objects that said more than they may.
    of_object: u64,
    /// Of namespaces of which too many waited.
    of_namespace: u64,
}

impl Recorder {
    /// Starts the writer. It ends when all recorders are dropped and their events are written.
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

    /// Takes an event. Never waits.
    pub(crate) fn publish(&self, notice: Notice) {
        let shared = &self.0.0;
        let note = truncated(&on_one_line(&notice.note), LONGEST_NOTE).to_owned();
        let notice = Notice { note, ..notice };
        let mut state = shared.lock();
        if !state.allowances.take(shared.speaker(&notice), Instant::now()) {
            state.dropped.of_object += 1;
            shared.metrics.event_dropped("object", 1);
            return;
        }
        let dropped = state.queue.push(notice);
        state.dropped.of_namespace += dropped;
        drop(state);
        if dropped > 0 {
            shared.metrics.event_dropped("namespace", dropped);
        }
        shared.arrived.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who says something of what, as a number.
    fn speaker(&self, notice: &Notice) -> u64 {
        let ObjectReference { kind, namespace, name, uid, .. } = &notice.object;
        self.hasher.hash_one((notice.component, kind, namespace, name, uid))
    }

    /// The next event that is to be written; `None` when there will be none any more.
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
                "events were dropped: one object said too much, or too many waited"
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
    }
}

async fn write(shared: &Shared, client: &Client, notice: &Notice) -> Result<(), ApiError> {
    let namespace = notice.object.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let api: Objects<Event> = Objects::namespaced(client.clone(), &namespace, &());
    let speaker = shared.speaker(notice);
    let (kind, words) = ((notice.severity, notice.reason), &notice.note);
    let (kind, words) = (shared.hasher.hash_one(kind), shared.hasher.hash_one((kind, words)));
    let said = shared.lock().repeats.said(speaker, kind, words, Instant::now());
    let note = said.note(&notice.note);
    let note = truncated(&note, LONGEST_NOTE);
    if let Some(Earlier { name, count }) = &said.earlier {
        let again = json!({ "count": count + 1, "lastTimestamp": Time(Timestamp::now()), "message": note });
        match bounded(api.patch(name, &PatchParams::default(), &Patch::Merge(again))).await {
            Ok(_) => {
                shared.lock().repeats.wrote(speaker, said.identity, Earlier { name: name.clone(), count: count + 1 });
                return Ok(());
            }
            // Events live an hour; this one is over.
            Err(error) if error.code() == Some(404) => {}
            Err(error) => return Err(error),
        }
    }
    let event = event(notice, note, namespace);
    let name = event.metadata.name.clone().unwrap_or_default();
    bounded(api.create(&PostParams::default(), &event)).await?;
    shared.lock().repeats.wrote(speaker, said.identity, Earlier { name, count: 1 });
    Ok(())
}

fn event(notice: &Notice, note: &str, namespace: String) -> Event {
    let now = Timestamp::now();
    let object = notice.object.name.as_deref().unwrap_or_default();
    let component = notice.component.to_owned();
    Event {
        metadata: ObjectMeta {
            // The form of client-go's recorder; a name has at most 253 characters.
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
