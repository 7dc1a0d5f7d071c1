//! The events of an object.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ListParams;
use kube::api::{ApiResource, GroupVersionKind};
use kube::core::DynamicObject;

use crate::answers::Objects;
use crate::cli::harmless;
use crate::cli::person::Cluster;
use crate::controller::core::api_call::bounded;

/// How many to show.
const SHOWN: usize = 5;
/// How many to read.
const LOOKED_AT: u32 = 200;

/// An event to be shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Event {
    /// When it was last seen, as the event states it.
    pub(super) last: String,
    pub(super) type_: String,
    pub(super) reason: String,
    pub(super) message: String,
    /// How often.
    pub(super) count: u64,
}

/// The newest events of an object, newest first; none if they may not be read.
pub(super) async fn of(cluster: &Cluster, meta: &ObjectMeta) -> Vec<Event> {
    // Events of an object without a namespace are in this one.
    let namespace = meta.namespace.as_deref().unwrap_or("default");
    let uid = meta.uid.as_deref().unwrap_or_default();
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Event"));
    let api: Objects<DynamicObject> = Objects::namespaced(cluster.client.clone(), namespace, &resource);
    let params = ListParams::default().fields(&format!("involvedObject.uid={uid}")).limit(LOOKED_AT);
    let listed = bounded(api.list(&params)).await.unwrap_or_default();
    let mut events: Vec<_> = listed
        .iter()
        .map(|event| {
            let text = |field: &str| event.data[field].as_str().map(harmless::told).unwrap_or_default();
            let series = &event.data["series"];
            Event {
                last: [
                    series["lastObservedTime"].as_str(),
                    event.data["lastTimestamp"].as_str(),
                    event.data["eventTime"].as_str(),
                ]
                .into_iter()
                .flatten()
                .next()
                .map(harmless::word)
                .unwrap_or_default(),
                type_: text("type"),
                reason: text("reason"),
                message: if text("message").is_empty() { text("note") } else { text("message") },
                count: series["count"].as_u64().or_else(|| event.data["count"].as_u64()).unwrap_or(1),
            }
        })
        .collect();
    events.sort_by(|one, other| other.cmp(one));
    events.truncate(SHOWN);
    events
}
