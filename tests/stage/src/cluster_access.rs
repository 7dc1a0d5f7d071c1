//! Cluster objects as JSON: apply, read, and wait for changes.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Event;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::Value;

/// The deadline for everything. It is far longer than needed, since machines differ; only a failing test waits that
/// long.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// A cluster client for one namespace.
#[derive(Clone)]
pub struct Access {
    /// With administrator rights.
    pub client: Client,
    /// The namespace of namespaced objects.
    pub namespace: String,
    /// The version used for our kinds.
    pub version: &'static str,
}

/// Kinds of the cluster, not of a namespace.
const CLUSTER_KINDS: [&str; 11] = [
    "Namespace",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterSecretStore",
    "ClusterExternalSecret",
    "ClusterPushSecret",
    "ClusterGenerator",
    "CustomResourceDefinition",
    "ValidatingWebhookConfiguration",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
];

impl Access {
    /// The API of a kind.
    pub fn api(&self, kind: &str) -> Api<DynamicObject> {
        let api_version = match kind {
            "ExternalSecret" | "SecretStore" | "ClusterSecretStore" | "ClusterExternalSecret" => self.version,
            "ACRAccessToken" | "ClusterGenerator" | "Fake" | "Password" | "SSHKey" | "UUID" => {
                "generators.external-secrets.io/v1alpha1"
            }
            "PushSecret" | "ClusterPushSecret" => "external-secrets.io/v1alpha1",
            "CustomResourceDefinition" => "apiextensions.k8s.io/v1",
            "AppConfig" => "config.example.com/v1",
            _ => "v1",
        };
        self.api_in_version(api_version, kind)
    }

    /// The API of a kind in a version such as `apps/v1`.
    pub fn api_in_version(&self, api_version: &str, kind: &str) -> Api<DynamicObject> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        if CLUSTER_KINDS.contains(&kind) {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
        }
    }

    /// Applies an object in the test's namespace.
    pub async fn apply(&self, object: Value) -> Value {
        self.try_apply(object).await.unwrap()
    }

    /// The same, but returns the API server's refusal.
    ///
    /// # Errors
    /// What the API server answers.
    pub async fn try_apply(&self, mut object: Value) -> kube::Result<Value> {
        let kind = object["kind"].as_str().expect("an object has a kind").to_owned();
        let api_version = object["apiVersion"].as_str().expect("an object has an apiVersion").to_owned();
        let name = object["metadata"]["name"].as_str().expect("an object has a name").to_owned();
        if !CLUSTER_KINDS.contains(&kind.as_str()) {
            object["metadata"]["namespace"] = self.namespace.clone().into();
        }
        let params = PatchParams::apply("test").force();
        let applied = self.api_in_version(&api_version, &kind).patch(&name, &params, &Patch::Apply(&object)).await?;
        Ok(json(&applied))
    }

    /// Changes an object by a merge patch.
    pub async fn merge(&self, kind: &str, name: &str, patch: Value) -> Value {
        json(&self.api(kind).patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap())
    }

    /// An object, if it exists.
    pub async fn get(&self, kind: &str, name: &str) -> Option<Value> {
        self.api(kind).get_opt(name).await.unwrap().as_ref().map(json)
    }

    /// Deletes an object.
    pub async fn delete(&self, kind: &str, name: &str) {
        self.api(kind).delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Waits until an object satisfies `wanted`, and returns it. `what` goes into the message of a failing test.
    pub async fn until(&self, kind: &str, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.watch_until(kind, name, what, |object| object.filter(|object| wanted(object)).cloned()).await
    }

    /// Waits until an object is gone.
    pub async fn until_gone(&self, kind: &str, name: &str) {
        self.watch_until(kind, name, "gone", |object| object.is_none().then_some(())).await;
    }

    async fn watch_until<T>(
        &self,
        kind: &str,
        name: &str,
        what: &str,
        wanted: impl Fn(Option<&Value>) -> Option<T>,
    ) -> T {
        let mut last = None;
        let found = tokio::time::timeout(DEADLINE, async {
            let mut objects = watcher::watch_object(self.api(kind), name).boxed();
            loop {
                // An error interrupts the watch; the stream recovers by itself.
                let Ok(object) = objects.try_next().await else { continue };
                last = object.flatten().as_ref().map(json);
                if let Some(found) = wanted(last.as_ref()) {
                    return found;
                }
            }
        });
        if let Ok(found) = found.await {
            return found;
        }
        let events = self.events(name).await;
        panic!("{kind} {name} did not become: {what}\nlast seen: {last:#?}\nevents: {events:#?}")
    }

    /// The data of a Secret, decoded.
    pub async fn secret_data(&self, name: &str) -> Option<Value> {
        self.get("Secret", name).await.as_ref().map(decoded)
    }

    /// Waits until a Secret holds exactly `data`, and returns the Secret.
    pub async fn until_secret(&self, name: &str, data: Value) -> Value {
        self.until("Secret", name, &format!("its data {data}"), |secret| decoded(secret) == data).await
    }

    /// Waits until an ExternalSecret's Ready condition has this status, reason and message.
    pub async fn until_ready(&self, name: &str, status: &str, reason: &str, message: &str) -> Value {
        let what = format!("Ready={status} {reason}: {message}");
        self.until("ExternalSecret", name, &what, |object| {
            let ready = condition(object, "Ready");
            ready["status"] == status
                && ready["reason"] == reason
                && ready["message"].as_str().is_some_and(|text| text == message)
        })
        .await
    }

    /// Waits until an ExternalSecret's Ready condition is False with a message that starts like this.
    pub async fn until_ready_starts(&self, name: &str, message: &str) -> Value {
        self.until("ExternalSecret", name, &format!("Ready=False: {message}"), |object| {
            let ready = condition(object, "Ready");
            ready["status"] == "False" && ready["message"].as_str().is_some_and(|text| text.starts_with(message))
        })
        .await
    }

    /// The events of an object, as `type reason component: message`.
    pub async fn events(&self, name: &str) -> Vec<String> {
        let all: Api<DynamicObject> =
            Api::all_with(self.client.clone(), &ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Event")));
        let list = all.list(&ListParams::default()).await.unwrap();
        let about = |event: &Value| {
            let object = &event["involvedObject"];
            let namespace = object["namespace"].as_str();
            object["name"] == name && namespace.is_none_or(|namespace| namespace == self.namespace)
        };
        let events = list.items.iter().map(json).filter(about);
        let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
        events
            .map(|event| {
                let (kind, reason) = (text(&event["type"]), text(&event["reason"]));
                let (component, message) = (text(&event["source"]["component"]), text(&event["message"]));
                format!("{kind} {reason} {component}: {message}")
            })
            .collect()
    }

    /// Waits until an object has an event.
    pub async fn until_event(&self, name: &str, event: &str) {
        self.until_event_is(name, event, |found| found == event).await;
    }

    /// Waits until an object has an event that starts like this.
    pub async fn until_event_starts(&self, name: &str, event: &str) {
        self.until_event_is(name, event, |found| found.starts_with(event)).await;
    }

    /// Waits until an object has an event that contains this text.
    pub async fn until_event_has(&self, name: &str, words: &str) {
        self.until_event_is(name, words, |found| found.contains(words)).await;
    }

    /// Waits until an object has an event, as [`Access::events`] shows it, that is the wanted one.
    pub async fn until_event_is(&self, name: &str, event: &str, wanted: impl Fn(&str) -> bool) {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        let mut watch = watcher(
            Api::<DynamicObject>::all_with(
                self.client.clone(),
                &ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Event")),
            ),
            watcher::Config::default(),
        )
        .boxed();
        loop {
            let events = self.events(name).await;
            if events.iter().any(|found| wanted(found)) {
                return;
            }
            let next = tokio::time::timeout_at(deadline, watch.next()).await;
            assert!(next.is_ok(), "{name} has no event {event:?}, but {events:#?}");
        }
    }
}

/// The object with the most Events in an API, as `namespace/kind/name`, and their number. A repeated Event counts as
/// often as it happened.
///
/// # Errors
/// The Events cannot be listed.
pub async fn busiest_object(events: &Api<Event>) -> kube::Result<Option<(String, u64)>> {
    let mut counts = BTreeMap::new();
    for Event { involved_object: object, count, .. } in events.list(&ListParams::default()).await?.items {
        let object = [object.namespace, object.kind, object.name].map(Option::unwrap_or_default).join("/");
        *counts.entry(object).or_insert(0) += u64::try_from(count.unwrap_or(1)).unwrap_or_default();
    }
    Ok(counts.into_iter().max_by_key(|(_, count)| *count))
}

/// A condition of an object, or null.
pub fn condition(object: &Value, type_: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().find(|condition| condition["type"] == type_).cloned().unwrap_or_default()
}

/// The data of a Secret as text.
pub fn decoded(secret: &Value) -> Value {
    use base64::Engine;
    let data = secret["data"].as_object().into_iter().flatten();
    data.map(|(key, value)| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap();
        (key.clone(), Value::from(String::from_utf8_lossy(&bytes)))
    })
    .collect::<serde_json::Map<_, _>>()
    .into()
}

/// Whether the API server serves what a `CustomResourceDefinition` defines.
pub fn is_established(definition: &Value) -> bool {
    condition(definition, "Established")["status"] == "True"
}

fn json(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap()
}
