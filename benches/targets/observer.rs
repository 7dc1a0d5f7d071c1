//! Watches objects and waits until they are in the state that a row wants. It sees what any client sees.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use external_secrets::api::ServedVersion;
use external_secrets::api::v1::{ClusterExternalSecret, ExternalSecret};
use external_secrets::api::v1alpha1::PushSecret;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::controller::Controller;
use crate::error::Error;
use crate::stage::{NAMESPACE, Stage};

/// The last known state of objects, by namespace and name.
pub(crate) struct Observer {
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    states: Mutex<HashMap<String, String>>,
    changed: Notify,
    events: AtomicU64,
}

impl Observer {
    /// Watches the ExternalSecrets of all namespaces: the status of their Ready condition.
    pub(crate) fn of_external_secrets(stage: &Stage) -> Self {
        let api = Api::all_with(stage.client.clone(), &ServedVersion::V1);
        Self::start(api, |object: &ExternalSecret| {
            let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
            let ready = conditions.iter().find(|condition| condition.type_ == "Ready");
            ready.map(|condition| format!("{:?}", condition.status)).unwrap_or_default()
        })
    }

    /// Watches PushSecrets: the status of their Ready condition.
    pub(crate) fn of_push_secrets(stage: &Stage) -> Self {
        Self::start(Api::all_with(stage.client.clone(), &()), |object: &PushSecret| {
            let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
            let ready = conditions.iter().find(|condition| condition.type_ == "Ready");
            ready.map(|condition| format!("{:?}", condition.status)).unwrap_or_default()
        })
    }

    /// Watches ClusterExternalSecrets, to count the writes to them.
    pub(crate) fn of_cluster_external_secrets(stage: &Stage) -> Self {
        Self::start(Api::all_with(stage.client.clone(), &ServedVersion::V1), |_: &ClusterExternalSecret| String::new())
    }

    /// How many changes it saw, including creations.
    pub(crate) fn events(&self) -> u64 {
        self.seen.events.load(Ordering::Relaxed)
    }

    /// Watches Secrets: the value of key `k0`.
    pub(crate) fn of_secrets(stage: &Stage) -> Self {
        Self::start(Api::namespaced(stage.client.clone(), NAMESPACE), |secret: &Secret| {
            let value = secret.data.as_ref().and_then(|data| data.get("k0"));
            value.map(|value| String::from_utf8_lossy(&value.0).into_owned()).unwrap_or_default()
        })
    }

    fn start<K>(api: Api<K>, state_of: fn(&K) -> String) -> Self
    where
        K: kube::Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
    {
        let seen = Arc::new(Seen::default());
        let task = tokio::spawn({
            let seen = Arc::clone(&seen);
            async move {
                let mut events = std::pin::pin!(watcher(api, watcher::Config::default()));
                while let Some(event) = events.next().await {
                    // An API server that is down comes back; the watcher carries on.
                    if let Ok(Event::Apply(object) | Event::InitApply(object)) = event {
                        let namespace = object.namespace().unwrap_or_default();
                        seen.set(format!("{namespace}/{}", object.name_any()), state_of(&object));
                    }
                }
            }
        });
        Self { seen, task }
    }

    /// Waits until `count` objects are in this state and returns when that was.
    pub(crate) async fn all(
        &self,
        count: usize,
        state: &str,
        controller: &Controller,
        limit: Duration,
    ) -> Result<Instant, Error> {
        let waiting = async {
            loop {
                let mut changed = std::pin::pin!(self.seen.changed.notified());
                changed.as_mut().enable();
                if self.seen.count(state) >= count {
                    return Instant::now();
                }
                changed.await;
            }
        };
        tokio::time::timeout(limit, waiting).await.map_err(|_| Error::TooLong {
            what: "what was waited for",
            seconds: limit.as_secs(),
            log: format!("{}\n({} of {count} are as they should be)", controller.log(), self.seen.count(state)),
        })
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seen {
    fn set(&self, name: String, state: String) {
        self.events.fetch_add(1, Ordering::Relaxed);
        self.states.lock().unwrap_or_else(PoisonError::into_inner).insert(name, state);
        self.changed.notify_waiters();
    }

    fn count(&self, state: &str) -> usize {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.values().filter(|found| *found == state).count()
    }
}
