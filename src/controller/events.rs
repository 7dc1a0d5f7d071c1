//! Events on the objects, for `kubectl describe`.

use std::collections::HashMap;
use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::conditions::{on_one_line, truncated};

/// Events that wait to be written; more are dropped, since they say what the status says anyway.
const QUEUE: usize = 20_000;
/// Events written at once.
const CONCURRENCY: usize = 8;
/// Repeated events that are remembered, to count them in one object instead of writing a new one.
const REMEMBERED: usize = 1_024;
/// The API server refuses a longer note.
const LONGEST_NOTE: usize = 1_024;

/// Who an event is from, as `kubectl describe` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// `external-secrets`: the ExternalSecret controller.
    ExternalSecrets,
    /// `secret-store`
    SecretStore,
    /// `cluster-secret-store`
    ClusterSecretStore,
}

impl Source {
    const fn component(self) -> &'static str {
        match self {
            Self::ExternalSecrets => "external-secrets",
            Self::SecretStore => "secret-store",
            Self::ClusterSecretStore => "cluster-secret-store",
        }
    }
}

/// Whether an event needs attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// It does not.
    Normal,
    /// It does.
    Warning,
}

/// What happened to an object.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Who says so.
    pub source: Source,
    /// Whether it needs attention.
    pub severity: Severity,
    /// One word for machines.
    pub reason: &'static str,
    /// A sentence for people.
    pub note: String,
    /// The object.
    pub object: ObjectReference,
}

/// Takes events and writes them in the background. Both `source.component` and
/// `reportingComponent` are set, as ESO's events have them.
#[derive(Clone, Debug)]
pub struct Recorder(mpsc::Sender<Notice>);

impl Recorder {
    /// Starts the writer. It ends when all recorders are dropped and their events are written.
    #[must_use]
    pub fn start(client: Client) -> (Self, tokio::task::JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let written = Arc::new(std::sync::Mutex::new(HashMap::new()));
        let writer = ReceiverStream::new(receiver).for_each_concurrent(CONCURRENCY, move |notice| {
            write(client.clone(), Arc::clone(&written), notice).map(|result| {
                if let Err(error) = result {
                    tracing::warn!(%error, "an event could not be written");
                }
            })
        });
        (Self(sender), tokio::spawn(writer))
    }

    /// Takes an event. Never waits.
    pub fn publish(&self, notice: Notice) {
        if self.0.try_send(notice).is_err() {
            tracing::warn!("an event was dropped: too many wait to be written");
        }
    }
}

/// Events that were written, by what makes them equal: their name and how often they happened.
type Written = Arc<std::sync::Mutex<HashMap<Identity, (String, i32)>>>;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Identity {
    uid: Option<String>,
    source: Source,
    reason: &'static str,
    note: String,
}

async fn write(client: Client, written: Written, notice: Notice) -> Result<(), kube::Error> {
    let namespace = notice.object.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let api: Api<Event> = Api::namespaced(client, &namespace);
    let identity = Identity {
        uid: notice.object.uid.clone(),
        source: notice.source,
        reason: notice.reason,
        note: truncated(&on_one_line(&notice.note), LONGEST_NOTE).to_owned(),
    };
    let earlier = remembered(&written, &identity);
    if let Some((name, count)) = earlier {
        let again = serde_json::json!({ "count": count + 1, "lastTimestamp": Time(Timestamp::now()) });
        match api.patch(&name, &PatchParams::default(), &Patch::Merge(again)).await {
            Ok(_) => {
                remember(&written, identity, name, count + 1);
                return Ok(());
            }
            // Events live an hour; this one is over.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    let event = event(&notice, &identity.note, namespace);
    let name = event.metadata.name.clone().unwrap_or_default();
    api.create(&PostParams::default(), &event).await?;
    remember(&written, identity, name, 1);
    Ok(())
}

fn remembered(written: &Written, identity: &Identity) -> Option<(String, i32)> {
    written.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(identity).cloned()
}

fn remember(written: &Written, identity: Identity, name: String, count: i32) {
    let mut written = written.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if written.len() >= REMEMBERED {
        written.clear();
    }
    written.insert(identity, (name, count));
}

fn event(notice: &Notice, note: &str, namespace: String) -> Event {
    let now = Timestamp::now();
    let object = notice.object.name.as_deref().unwrap_or_default();
    let component = notice.source.component().to_owned();
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
