//! `ExternalSecret`: which values to read, and the Secret to keep in sync with them.

mod child;
mod source;
mod target;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::Condition;
use crate::api::controllable::Controllable;
use crate::api::v1::resource::served_resource;
use crate::api::{GoDuration, Parsed, WrittenMetadata, limits, parsed, schema};

pub use child::{PARENT_KIND, controlling_cluster_external_secret};
pub use source::*;
pub use target::*;

/// An ExternalSecret, as it is watched. Its version is a parameter of the client ([`ServedVersion`]), because clusters
/// serve `v1`, `v1beta1` or both, in the same form.
#[derive(Clone, Debug, Default)]
pub struct ExternalSecret {
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// The desired state.
    pub spec: Parsed<ExternalSecretSpec>,
    /// The observed state; `None` if it does not fit the schema, because this controller will write it again.
    pub status: Option<ExternalSecretStatus>,
    /// What was written into its metadata, if a ClusterExternalSecret controls it.
    pub written: Option<Box<WrittenMetadata>>,
}

impl ExternalSecret {
    /// `ExternalSecret`
    pub const KIND: &'static str = "ExternalSecret";
    /// `externalsecrets`
    pub const PLURAL: &'static str = "externalsecrets";

    /// Takes from `managedFields` what was written into its metadata, if a ClusterExternalSecret controls it. For objects that
    /// were read with them.
    pub fn read_managed_fields(&mut self) {
        let is_child = controlling_cluster_external_secret(&self.metadata).is_some();
        self.written = is_child.then(|| Box::new(WrittenMetadata::of(&self.metadata)));
    }
}

served_resource!(ExternalSecret);

/// The default of `spec.refreshInterval`.
pub const DEFAULT_REFRESH_INTERVAL: GoDuration = GoDuration::from_secs(3600);

/// The spec of an ExternalSecret.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSecretSpec {
    /// The store to read from, unless an entry names another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_store_ref: Option<SecretStoreRef>,
    /// The Secret to write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = ExternalSecretTarget::default()))]
    pub target: Option<ExternalSecretTarget>,
    /// When to read values again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_policy: Option<RefreshPolicy>,
    /// How long after a refresh the next one is due; zero or less means no further refresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = DEFAULT_REFRESH_INTERVAL))]
    pub refresh_interval: Option<GoDuration>,
    /// Times at which periodic refreshes are allowed or held back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_windows: Option<SyncWindows>,
    /// Single values, each under a key of the Secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::DATA))]
    pub data: Vec<ExternalSecretData>,
    /// Sets of values, merged in order before `data`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::DATA_FROM))]
    pub data_from: Vec<ExternalSecretDataFrom>,
}

/// When to read values again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RefreshPolicy {
    /// Once. Later changes of the ExternalSecret are ignored.
    CreatedOnce,
    /// At every interval, and when the ExternalSecret changes.
    Periodic,
    /// When the ExternalSecret changes.
    OnChange,
}

/// Times at which periodic refreshes are allowed or held back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SyncWindows {
    /// Whether the windows allow refreshes or hold them back.
    pub kind: SyncWindowKind,
    /// The windows.
    #[schemars(length(min = 1, max = limits::WINDOWS))]
    pub windows: Vec<SyncWindow>,
}

/// Whether windows allow refreshes or hold them back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SyncWindowKind {
    /// Refresh only inside a window.
    Allow,
    /// Refresh only outside of all windows.
    Deny,
}

/// A recurring period, in UTC.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SyncWindow {
    /// When it opens: five cron fields, or a descriptor such as `@daily` or `@every 1h`.
    #[schemars(schema_with = "schema::schedule")]
    pub schedule: String,
    /// How long it stays open.
    pub duration: GoDuration,
}

/// The status of an ExternalSecret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSecretStatus {
    /// When the values were last read and written successfully.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "parsed::time")]
    #[schemars(extend("nullable" = true))]
    pub refresh_time: Option<Time>,
    /// The generation and a hash of the labels and annotations that were last synced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced_resource_version: Option<String>,
    /// A hash of the versions of the ConfigMaps and Secrets with templates at the last sync, which says nothing about
    /// their content: while they are the same, a restart syncs nothing before the next refresh. ESO has no such field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced_templates: Option<String>,
    /// The conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::external_secret_conditions")]
    pub conditions: Vec<Condition>,
    /// The Secret that was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// The `metadata.generation` of the last reconcile that has ended, successfully or not; -1 before the first. ESO
    /// has no such field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The value of the annotation `force-sync` to which the last refresh, successful or not, responded. ESO has no
    /// such field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_refresh: Option<String>,
    /// Why it is not Ready, in one word, such as `SecretNotFound`; absent if it is Ready. ESO has no such field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// Names the Secret that was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct Binding {
    /// The Secret's name.
    #[serde(default)]
    pub name: String,
}

impl<'de> Deserialize<'de> for ExternalSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Controllable { metadata, spec, status, written } =
            Controllable::read(deserializer, controlling_cluster_external_secret)?;
        Ok(Self { metadata, spec, status, written })
    }
}
