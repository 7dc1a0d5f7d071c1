//! `ClusterExternalSecret`: an ExternalSecret in each of many namespaces.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::external_secret::PARENT_KIND;
use super::{Condition, ExternalSecretSpec};
use crate::api::v1::resource::served_resource;
use crate::api::{ChildMetadata, Parsed, parsed, schema};

/// A ClusterExternalSecret, as it is watched.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ClusterExternalSecret {
    /// Standard metadata, without a namespace.
    #[serde(default, deserialize_with = "parsed::metadata")]
    pub metadata: ObjectMeta,
    /// The desired state.
    #[serde(default)]
    pub spec: Parsed<ClusterExternalSecretSpec>,
    /// The observed state; `None` if it does not fit the schema, because this controller will write it again.
    #[serde(default, deserialize_with = "parsed::or_none")]
    pub status: Option<ClusterExternalSecretStatus>,
}

impl ClusterExternalSecret {
    /// `ClusterExternalSecret`
    pub const KIND: &'static str = PARENT_KIND;
    /// `clusterexternalsecrets`
    pub const PLURAL: &'static str = "clusterexternalsecrets";
}

served_resource!(ClusterExternalSecret);

/// The spec of a ClusterExternalSecret.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterExternalSecretSpec {
    /// The spec of each ExternalSecret.
    // Kept as it is: the API server may know fields that this program does not.
    #[schemars(with = "ExternalSecretSpec")]
    pub external_secret_spec: Value,
    /// The name of each ExternalSecret; that of the ClusterExternalSecret if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub external_secret_name: Option<String>,
    /// Labels and annotations of each ExternalSecret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_secret_metadata: Option<ChildMetadata>,
    /// Selects namespaces by label, in addition to `namespaceSelectors`, which supersedes this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub namespace_selector: Option<LabelSelector>,
    /// Select namespaces by label: those that any selector matches. An empty selector matches all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::label_selectors")]
    pub namespace_selectors: Vec<LabelSelector>,
    /// Names of namespaces, in addition to those that are selected. Superseded by `namespaceSelectors` on the label
    /// `kubernetes.io/metadata.name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(regex(pattern = schema::NAMESPACE_NAME), length(min = 1, max = 63)))]
    pub namespaces: Vec<String>,
    /// How often to compare all namespaces again, as a safety net; changes are noticed at once. A duration such as
    /// `1h`, which is the default.
    // A string, so that an invalid duration does not keep the rest from being reconciled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_time: Option<String>,
}

/// The status of a ClusterExternalSecret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterExternalSecretStatus {
    /// The name of the ExternalSecrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_secret_name: Option<String>,
    /// The namespaces whose ExternalSecret is missing or wrong, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_namespaces: Vec<FailedNamespace>,
    /// The namespaces whose ExternalSecret is correct, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provisioned_namespaces: Vec<String>,
    /// `Ready` is the last one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` for which each namespace was last checked; -1 before the first time. ESO has no such
    /// field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The value of the annotation `force-sync` for which each namespace was last checked. ESO has no such field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_refresh: Option<String>,
}

/// A namespace whose ExternalSecret is missing or wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailedNamespace {
    /// The namespace.
    pub namespace: String,
    /// The reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
