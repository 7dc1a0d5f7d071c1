//! `ClusterPushSecret`: a PushSecret for each of many namespaces.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PushSecretSpec;
use super::controller::CLUSTER_PUSH_SECRET;
use crate::api::v1::Condition;
use crate::api::{ChildMetadata, Parsed, parsed, schema};

/// A ClusterPushSecret as it is watched.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ClusterPushSecret {
    /// Standard metadata, without a namespace.
    #[serde(default, deserialize_with = "parsed::metadata")]
    pub metadata: ObjectMeta,
    /// The spec.
    #[serde(default)]
    pub spec: Parsed<ClusterPushSecretSpec>,
    /// The status; `None` if it is malformed, because the controller writes a new one.
    #[serde(default, deserialize_with = "parsed::or_none")]
    pub status: Option<ClusterPushSecretStatus>,
}

impl ClusterPushSecret {
    /// `ClusterPushSecret`
    pub const KIND: &'static str = CLUSTER_PUSH_SECRET;
    /// `clusterpushsecrets`
    pub const PLURAL: &'static str = "clusterpushsecrets";
}

/// The spec of a ClusterPushSecret.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterPushSecretSpec {
    /// Spec of each PushSecret.
    // Kept as it stands: the API server may know fields that this program does not.
    #[schemars(with = "PushSecretSpec")]
    pub push_secret_spec: Value,
    /// Name of each PushSecret; by default that of the ClusterPushSecret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub push_secret_name: Option<String>,
    /// Labels and annotations of each PushSecret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_secret_metadata: Option<ChildMetadata>,
    /// Select namespaces by label. A namespace is selected if any selector matches; an empty selector matches all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::label_selectors")]
    pub namespace_selectors: Vec<LabelSelector>,
    /// How often all namespaces are checked again, as a safety net; changes are noticed at once. A duration such as `1h`, which is the
    /// default.
    // Text, because an invalid duration must not stop the rest from working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_time: Option<String>,
}

/// The status of a ClusterPushSecret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterPushSecretStatus {
    /// Name of the PushSecrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_secret_name: Option<String>,
    /// Namespaces whose PushSecret could not be created or updated, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_namespaces: Vec<FailedNamespace>,
    /// Namespaces whose PushSecret is up to date, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provisioned_namespaces: Vec<String>,
    /// `PushSecretsReady` and `Ready`, and `Stalled` while only a change of the ClusterPushSecret can help.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// `metadata.generation` at the last check of all namespaces; -1 before the first. ESO has no such field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Value of the annotation `force-sync` at the last check of all namespaces. ESO has no such field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_refresh: Option<String>,
}

/// A namespace whose PushSecret could not be created or updated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailedNamespace {
    /// The namespace.
    pub namespace: String,
    /// Why it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
