//! `PushSecret`: what of a Secret, or of a generator's values, is written to a provider.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::v1::external_secret::{ExternalSecretTemplate, GeneratorRef, RewriteRegexp, RewriteTransform};
use crate::api::v1::{Condition, StoreKind};
use crate::api::{GoDuration, Parsed, limits, parsed, schema};

/// A PushSecret as it is watched.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct PushSecret {
    /// Standard metadata.
    #[serde(default, deserialize_with = "parsed::metadata")]
    pub metadata: ObjectMeta,
    /// What is wanted.
    #[serde(default)]
    pub spec: Parsed<PushSecretSpec>,
    /// What was seen; none where it does not fit, since it is this controller's to write again.
    #[serde(default, deserialize_with = "parsed::or_none")]
    pub status: Option<PushSecretStatus>,
}

impl PushSecret {
    /// `PushSecret`
    pub const KIND: &'static str = "PushSecret";
    /// `pushsecrets`
    pub const PLURAL: &'static str = "pushsecrets";
}

/// `spec.refreshInterval` where it is not given.
pub const DEFAULT_REFRESH_INTERVAL: GoDuration = GoDuration::from_secs(3600);

/// What a PushSecret asks for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushSecretSpec {
    /// How often the provider is compared with what is wanted, as a safety net; changes are noticed at once. Zero or less means
    /// only when something changes.
    // Text, since a duration that is none must not keep the rest from being worked on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = DEFAULT_REFRESH_INTERVAL))]
    pub refresh_interval: Option<String>,
    /// The stores that are written to.
    #[schemars(length(max = limits::PUSH_STORES))]
    pub secret_store_refs: Vec<PushSecretStoreRef>,
    /// What is done where an object is there already.
    #[serde(default)]
    pub update_policy: UpdatePolicy,
    /// What becomes of the objects that are not wanted any more, and of all of them when the PushSecret is deleted.
    #[serde(default)]
    pub deletion_policy: PushDeletionPolicy,
    /// Where the values come from.
    pub selector: PushSecretSelector,
    /// Single values, or whole Secrets, each with the object that it becomes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::DATA))]
    pub data: Vec<PushSecretData>,
    /// Sets of values, each of which becomes an object, or all of them one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::DATA_FROM))]
    pub data_to: Vec<PushSecretDataTo>,
    /// How the values are changed before they are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Box<ExternalSecretTemplate>>,
}

/// Names a store, or selects stores by label.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushSecretStoreRef {
    /// The store's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub name: Option<String>,
    /// Selects stores of the kind by label; where it is given, the name does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub label_selector: Option<LabelSelector>,
    /// The stores' kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = StoreKind::default()))]
    pub kind: Option<StoreKind>,
}

/// What is done where an object is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UpdatePolicy {
    /// It is brought into line.
    #[default]
    Replace,
    /// It is left as it is.
    IfNotExists,
}

/// What becomes of objects that are not wanted any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PushDeletionPolicy {
    /// They are deleted.
    Delete,
    /// They stay.
    #[default]
    None,
}

/// Where the values come from.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct PushSecretSelector {
    /// One Secret of the namespace, or those that labels select.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<PushSecretSecret>,
    /// A generator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator_ref: Option<GeneratorRef>,
}

/// One Secret of the namespace, or those that labels select.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct PushSecretSecret {
    /// The Secret's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub name: Option<String>,
    /// Selects Secrets by label; an empty one selects all of the namespace. Where a name is given, it does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub selector: Option<LabelSelector>,
}

/// One value, or a whole Secret, and the object that it becomes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushSecretData {
    /// The value and the object.
    #[serde(rename = "match")]
    pub match_: PushSecretMatch,
    /// What else is said of the object, in the provider's form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::anything")]
    pub metadata: Option<Value>,
    /// How keys of the Secret are converted before they are compared.
    #[serde(default)]
    pub conversion_strategy: PushConversionStrategy,
}

/// The value and the object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushSecretMatch {
    /// The key of the Secret; all of them if not given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub secret_key: String,
    /// The object at the provider.
    pub remote_ref: PushSecretRemoteRef,
}

/// The object at the provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushSecretRemoteRef {
    /// Its name; in Key Vault with the prefix `secret/`, `key/` or `cert/`.
    pub remote_key: String,
    /// A property of the value. Several entries with properties of one name become one JSON object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub property: String,
}

/// How keys of the Secret are converted before they are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PushConversionStrategy {
    /// Not at all.
    #[default]
    None,
    /// `_U002f_` becomes the character that it stands for.
    ReverseUnicode,
}

/// A set of values, each of which becomes an object, or all of them one.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushSecretDataTo {
    /// The store, or stores, that it is written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_ref: Option<PushSecretStoreRef>,
    /// Writes all values into this one object, as JSON. Not with `rewrite`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_key: Option<String>,
    /// Which keys of the Secret; all of them if not given.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub match_: Option<PushSecretDataToMatch>,
    /// Makes the name of the object from the key of the Secret, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::REWRITES))]
    pub rewrite: Vec<PushSecretRewrite>,
    /// What else is said of each object, in the provider's form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::anything")]
    pub metadata: Option<Value>,
    /// How keys of the Secret are converted before they are compared.
    #[serde(default)]
    pub conversion_strategy: PushConversionStrategy,
}

/// Which keys of the Secret.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct PushSecretDataToMatch {
    /// Keys that it finds something in, in RE2's syntax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regexp: Option<String>,
}

/// One change of the names; exactly one of the two is given.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct PushSecretRewrite {
    /// By regular expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regexp: Option<RewriteRegexp>,
    /// By template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<RewriteTransform>,
}

/// The objects that were written, by `<kind>/<name>` of the store and by `<remoteKey>` or `<remoteKey>/<property>`.
pub type SyncedPushSecrets = BTreeMap<String, BTreeMap<String, PushSecretData>>;

/// What was seen of a PushSecret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushSecretStatus {
    /// When all was last found to be, or made, as it is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "parsed::time")]
    #[schemars(extend("nullable" = true))]
    pub refresh_time: Option<Time>,
    /// The generation, and a hash of labels and annotations, that were last pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced_resource_version: Option<String>,
    /// The objects that were written, or are about to be: those that `deletionPolicy: Delete` is about.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub synced_push_secrets: SyncedPushSecrets,
    /// The vault of each store in `syncedPushSecrets`: what was written there is not looked for in another. ESO has no such field.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub synced_vaults: BTreeMap<String, String>,
    /// The remote keys, by store, of deleted objects that are being recovered and are to be written after that, whatever
    /// `updatePolicy` says. ESO has no such field.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub recovering: BTreeMap<String, BTreeSet<String>>,
    /// `Ready`, and `Stalled` while only a change of the PushSecret can help.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` of the last push that has ended, well or not; -1 before the first. ESO has no such field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The text of the annotation `force-sync` that the last push, successful or not, has answered. ESO has no such field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_refresh: Option<String>,
    /// Why it is not Ready, in one word, such as `Conflict`; not there if it is. ESO has no such field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}
