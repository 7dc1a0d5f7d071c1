//! `PushSecret`: what of a Secret, or of a generator's values, is written to a provider.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::controller::controlling_cluster_push_secret;
use crate::api::controllable::Controllable;
use crate::api::v1::external_secret::{ExternalSecretTemplate, GeneratorRef, RewriteRegexp, RewriteTransform};
use crate::api::v1::{Condition, StoreKind};
use crate::api::{GoDuration, Parsed, WrittenMetadata, limits, parsed, schema};

/// A PushSecret as it is watched.
#[derive(Clone, Debug, Default)]
pub struct PushSecret {
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// The spec.
    pub spec: Parsed<PushSecretSpec>,
    /// The status; `None` if it is malformed, because the controller writes a new one.
    pub status: Option<PushSecretStatus>,
    /// What was written into its metadata, if a ClusterPushSecret controls it.
    pub written: Option<Box<WrittenMetadata>>,
}

impl<'de> Deserialize<'de> for PushSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Controllable { metadata, spec, status, written } =
            Controllable::read(deserializer, controlling_cluster_push_secret)?;
        Ok(Self { metadata, spec, status, written })
    }
}

impl PushSecret {
    /// `PushSecret`
    pub const KIND: &'static str = "PushSecret";
    /// `pushsecrets`
    pub const PLURAL: &'static str = "pushsecrets";

    /// Takes from `managedFields` what was written into its metadata, if a ClusterPushSecret controls it. For objects that
    /// were read with them.
    pub fn read_managed_fields(&mut self) {
        let is_child = controlling_cluster_push_secret(&self.metadata).is_some();
        self.written = is_child.then(|| Box::new(WrittenMetadata::of(&self.metadata)));
    }
}

/// The default of `spec.refreshInterval`.
pub const DEFAULT_REFRESH_INTERVAL: GoDuration = GoDuration::from_secs(3600);

/// The spec of a PushSecret.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushSecretSpec {
    /// How often the provider is compared with the source, as a safety net; changes of the source are pushed at once. With zero or
    /// less, only changes count.
    // Text, because an invalid duration must not stop the rest from working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = DEFAULT_REFRESH_INTERVAL))]
    pub refresh_interval: Option<String>,
    /// Stores to write to.
    #[schemars(length(max = limits::PUSH_STORES))]
    pub secret_store_refs: Vec<PushSecretStoreRef>,
    /// What to do if an object already exists.
    #[serde(default)]
    pub update_policy: UpdatePolicy,
    /// What to do with objects that are no longer wanted, and with all objects when the PushSecret is deleted.
    #[serde(default)]
    pub deletion_policy: PushDeletionPolicy,
    /// Source of the values.
    pub selector: PushSecretSelector,
    /// Single values or whole Secrets, each with the object to write it to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::DATA))]
    pub data: Vec<PushSecretData>,
    /// Sets of values: one object for each value, or one for all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::DATA_FROM))]
    pub data_to: Vec<PushSecretDataTo>,
    /// Template that changes the values before they are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Box<ExternalSecretTemplate>>,
}

/// A store by name, or stores by label.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushSecretStoreRef {
    /// Name of the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub name: Option<String>,
    /// Selects stores of this kind by label. If set, the name is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub label_selector: Option<LabelSelector>,
    /// Kind of the stores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = StoreKind::default()))]
    pub kind: Option<StoreKind>,
}

/// What to do if an object already exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UpdatePolicy {
    /// Update it.
    #[default]
    Replace,
    /// Leave it as it is.
    IfNotExists,
}

/// What to do with objects that are no longer wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PushDeletionPolicy {
    /// Delete them.
    Delete,
    /// Leave them.
    #[default]
    None,
}

/// Source of the values.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct PushSecretSelector {
    /// One Secret of the namespace, or Secrets selected by label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<PushSecretSecret>,
    /// A generator that makes the values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator_ref: Option<GeneratorRef>,
}

/// One Secret of the namespace, or Secrets selected by label.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct PushSecretSecret {
    /// Name of the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub name: Option<String>,
    /// Selects Secrets by label; an empty selector selects all Secrets of the namespace. Ignored if a name is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub selector: Option<LabelSelector>,
}

/// One value or a whole Secret, and the object to write it to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushSecretData {
    /// The value and the object.
    #[serde(rename = "match")]
    pub match_: PushSecretMatch,
    /// Metadata of the object, in the provider's format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::anything")]
    pub metadata: Option<Value>,
    /// How to convert keys of the Secret before they are matched.
    #[serde(default)]
    pub conversion_strategy: PushConversionStrategy,
}

/// The value and the object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushSecretMatch {
    /// Key of the Secret; all keys if empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub secret_key: String,
    /// The object at the provider.
    pub remote_ref: PushSecretRemoteRef,
}

/// The object at the provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushSecretRemoteRef {
    /// Name of the object; in Key Vault with the prefix `secret/`, `key/` or `cert/`, by default `secret/`.
    pub remote_key: String,
    /// Property of the object. Entries that set properties of the same object are combined into one JSON object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub property: String,
}

/// How to convert keys of the Secret before they are matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PushConversionStrategy {
    /// No conversion.
    #[default]
    None,
    /// Replaces `_U002f_` and the like by the character with this code point.
    ReverseUnicode,
}

/// A set of values: one object for each value, or one for all of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushSecretDataTo {
    /// Store or stores to write to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_ref: Option<PushSecretStoreRef>,
    /// Writes all values to this object, as JSON. Cannot be combined with `rewrite`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_key: Option<String>,
    /// Keys of the Secret to write; all keys if not set.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub match_: Option<PushSecretDataToMatch>,
    /// Steps that turn a key of the Secret into the name of its object, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::REWRITES))]
    pub rewrite: Vec<PushSecretRewrite>,
    /// Metadata of each object, in the provider's format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::anything")]
    pub metadata: Option<Value>,
    /// How to convert keys of the Secret before they are matched.
    #[serde(default)]
    pub conversion_strategy: PushConversionStrategy,
}

/// Keys of the Secret.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct PushSecretDataToMatch {
    /// Regular expression in RE2's syntax that matches anywhere in the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regexp: Option<String>,
}

/// One step; exactly one of the two is set.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct PushSecretRewrite {
    /// Replaces matches of a regular expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regexp: Option<RewriteRegexp>,
    /// Renders a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<RewriteTransform>,
}

/// The objects that were written, by `<kind>/<name>` of the store and by `<remoteKey>` or `<remoteKey>/<property>`.
pub type SyncedPushSecrets = BTreeMap<String, BTreeMap<String, PushSecretData>>;

/// What is recorded of the values that a generator made last. Contains no value, and no hash of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushGenerated {
    /// When they were generated.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "parsed::time")]
    pub made_at: Option<Time>,
    /// Generation of the PushSecret at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// When they expire, if they are a token that says so.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "parsed::time")]
    pub until: Option<Time>,
    /// Hash of the annotations that requested them, if there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced: Option<String>,
}

/// The status of a PushSecret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushSecretStatus {
    /// Time of the last successful push.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "parsed::time")]
    #[schemars(extend("nullable" = true))]
    pub refresh_time: Option<Time>,
    /// Generation, and a hash of labels and annotations, at the last successful push.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced_resource_version: Option<String>,
    /// Objects that have been written, or are about to be: those that `deletionPolicy: Delete` deletes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub synced_push_secrets: SyncedPushSecrets,
    /// Vault of each store in `syncedPushSecrets`: its objects are not looked for in another vault. ESO has no such field.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub synced_vaults: BTreeMap<String, String>,
    /// Hash of the versions of the Secrets, ConfigMaps and stores at the last successful push, which says nothing about their content:
    /// while they are the same, a restart pushes nothing before the next refresh. ESO has no such field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced_sources: Option<String>,
    /// Remote keys, by store, of deleted objects that are being recovered, and are written after that regardless of `updatePolicy`.
    /// ESO has no such field.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub recovering: BTreeMap<String, BTreeSet<String>>,
    /// `Ready`, and `Stalled` while only a change of the PushSecret can help.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// `metadata.generation` at the last push, successful or not; -1 before the first. ESO has no such field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Value of the annotation `force-sync` at the last push, successful or not. ESO has no such field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_refresh: Option<String>,
    /// Why it is not Ready, in one word, such as `Conflict`; absent if it is. ESO has no such field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What is recorded of the values that a generator made last. ESO has no such field.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "parsed::or_none")]
    pub generated: Option<PushGenerated>,
}
