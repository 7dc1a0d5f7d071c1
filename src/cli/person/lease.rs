//! The lease with which replicas of the controller elect their leader.

use jiff::{SignedDuration, Timestamp};
use kube::Client;
use kube::api::{ApiResource, GroupVersionKind, ListParams};
use kube::core::DynamicObject;
use serde::Deserialize;

use super::printing::span;
use crate::answers::Objects;
use crate::cli::harmless;
use crate::controller::core::api_call::{ApiError, bounded};

/// Its name, here and in ESO.
pub(in crate::cli) const NAME: &str = "external-secrets-controller";
/// How long it lasts if it does not say so.
const SECONDS: i64 = 15;

/// The lease, as far as it matters to people.
pub(in crate::cli) struct Lease {
    pub(in crate::cli) namespace: String,
    /// Whose it is.
    holder: Option<String>,
    /// How long ago it was renewed.
    age: Option<SignedDuration>,
    /// How many seconds it lasts.
    seconds: i64,
}

/// What is read of it. Its times may be any text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    holder_identity: Option<String>,
    #[serde(rename = "leaseDurationSeconds")]
    seconds: Option<i64>,
    renew_time: Option<String>,
}

impl Lease {
    /// The first lease of that name in any namespace, if there is one.
    pub(in crate::cli) async fn find(client: &Client, now: Timestamp) -> Result<Option<Self>, ApiError> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("coordination.k8s.io", "v1", "Lease"));
        let api: Objects<DynamicObject> = Objects::all(client.clone(), &resource);
        let leases = bounded(api.list(&ListParams::default().fields(&format!("metadata.name={NAME}")))).await?;
        Ok(leases.into_iter().next().and_then(|object| Self::of(object, now)))
    }

    fn of(mut object: DynamicObject, now: Timestamp) -> Option<Self> {
        let spec: Spec = serde_json::from_value(object.data["spec"].take()).ok()?;
        let renewed: Option<Timestamp> = spec.renew_time.and_then(|time| time.parse().ok());
        Some(Self {
            namespace: object.metadata.namespace.unwrap_or_default(),
            holder: spec.holder_identity.filter(|holder| !holder.is_empty()).map(|holder| harmless::word(&holder)),
            age: renewed.map(|renewed| now.duration_since(renewed)),
            seconds: spec.seconds.unwrap_or(SECONDS),
        })
    }

    /// Who leads, if anybody does.
    pub(in crate::cli) fn leader(&self) -> Option<&str> {
        let is_fresh = self.age.is_some_and(|age| age.as_secs() <= self.seconds.saturating_mul(2));
        self.holder.as_deref().filter(|_| is_fresh)
    }

    /// That nobody leads, in words.
    pub(in crate::cli) fn without_leader(&self) -> String {
        let holder = self.holder.as_deref().unwrap_or("nobody");
        let since = self.age.map(|age| format!(", last renewed {} ago", span(age))).unwrap_or_default();
        format!("no controller leads: the lease {}/{NAME} is {holder}'s{since}", self.namespace)
    }
}
