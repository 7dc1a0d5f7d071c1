//! Status conditions, in the form that all kinds here share.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::parsed;

/// The condition type that `kubectl wait --for=condition=Ready` and Argo CD read.
pub const READY: &str = "Ready";

/// The condition type by which kstatus, and so Flux, recognizes an object that cannot recover by itself.
pub const STALLED: &str = "Stalled";

/// One entry of `status.conditions`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What the condition is about, for example `Ready`.
    #[serde(rename = "type")]
    pub type_: String,
    /// Whether it is true: `True`, `False` or `Unknown`.
    #[schemars(with = "String")]
    pub status: ConditionStatus,
    /// One word for programs, in CamelCase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When `status` last changed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "parsed::time")]
    pub last_transition_time: Option<Time>,
    /// The `metadata.generation` that the condition describes. ESO omits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// Whether a condition is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It is true.
    True,
    /// It is false.
    False,
    /// Unknown. Also stands for any other word, because the schema allows them all, as ESO's does.
    #[serde(other)]
    Unknown,
}
