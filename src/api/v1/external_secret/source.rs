//! What an ExternalSecret reads: single values, sets of values, and how their keys are rewritten.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::v1::secret_store::StoreKind;
use crate::api::{generators, limits, schema};

/// Refers to a store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct SecretStoreRef {
    /// The store's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub name: Option<String>,
    /// The store's kind; `SecretStore` if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<StoreKind>,
}

/// One value, and the key of the Secret that receives it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSecretData {
    /// The key of the Secret.
    #[schemars(schema_with = "schema::data_key")]
    pub secret_key: String,
    /// The value at the provider.
    pub remote_ref: RemoteRef,
    // Boxed, because few entries have one, and all entries are kept in memory.
    /// Another store than that of the ExternalSecret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<Box<SourceRef>>,
}

/// A value, or a set of values, at the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemoteRef {
    /// The name at the provider; in Key Vault with the prefix `secret/`, `key/` or `cert/`.
    pub key: String,
    /// Whether to read the value or its tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_policy: Option<MetadataPolicy>,
    /// A path inside the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// The version; the current one if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How to convert names that are not valid keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversion_strategy: Option<ConversionStrategy>,
    /// How to decode the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoding_strategy: Option<DecodingStrategy>,
    /// What to do with null bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null_byte_policy: Option<NullBytePolicy>,
}

/// Whether to read the value or its tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum MetadataPolicy {
    /// Read the value.
    #[default]
    None,
    /// Read the tags and attributes instead.
    Fetch,
}

/// How to convert names that are not valid keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConversionStrategy {
    /// Replace each invalid character by `_`.
    #[default]
    Default,
    /// Replace each invalid character by `_U<hex>_`.
    Unicode,
}

/// How to decode a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DecodingStrategy {
    /// Decode Base64 in either alphabet if it is valid; otherwise leave the value as it is.
    Auto,
    /// Base64.
    Base64,
    /// Base64 with the URL-safe alphabet.
    Base64URL,
    /// Leave the value as it is.
    #[default]
    None,
}

/// What to do with null bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum NullBytePolicy {
    /// Keep them.
    #[default]
    Ignore,
    /// Reject the value.
    Fail,
}

/// Another source than the store of the ExternalSecret.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct SourceRef {
    /// Another store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_ref: Option<SecretStoreRef>,
    /// A generator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator_ref: Option<GeneratorRef>,
}

/// Refers to a generator.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GeneratorRef {
    /// The generator's `apiVersion`.
    #[serde(default = "GeneratorRef::default_api_version")]
    pub api_version: String,
    /// The generator's kind.
    #[schemars(schema_with = "schema::generator_kind")]
    pub kind: String,
    /// The generator's name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
}

impl GeneratorRef {
    fn default_api_version() -> String {
        generators::API_VERSION.to_owned()
    }
}

/// A set of values.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSecretDataFrom {
    /// All properties of one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extract: Option<RemoteRef>,
    /// All values that match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub find: Option<Find>,
    /// Changes of the keys, applied in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::REWRITES))]
    pub rewrite: Vec<Rewrite>,
    /// Another source than the store of the ExternalSecret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<Box<SourceRef>>,
}

/// Which values to find.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Find {
    /// A folder; Key Vault has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<FindName>,
    /// Tags that must be equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// How to convert names that are not valid keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversion_strategy: Option<ConversionStrategy>,
    /// How to decode values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoding_strategy: Option<DecodingStrategy>,
    /// What to do with null bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null_byte_policy: Option<NullBytePolicy>,
}

/// Selects names by regular expression.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct FindName {
    /// The expression, in RE2 syntax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regexp: Option<String>,
}

/// One change of keys.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct Rewrite {
    /// By regular expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regexp: Option<RewriteRegexp>,
    /// By template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<RewriteTransform>,
    /// By merging values that are JSON objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<RewriteMerge>,
}

/// Replaces matches in keys.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RewriteRegexp {
    /// The expression, in RE2 syntax.
    pub source: String,
    /// The replacement, which may contain `$1` and `${name}`.
    pub target: String,
}

/// Creates keys with a template.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RewriteTransform {
    /// The template; `.value` is the key.
    pub template: String,
}

/// Merges values that are JSON objects.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RewriteMerge {
    /// The key for the result, with the strategy `JSON`.
    #[serde(default)]
    pub into: String,
    /// Keys in order of precedence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::PRIORITIES))]
    pub priority: Vec<String>,
    /// Whether a missing key of `priority` is an error.
    #[serde(default)]
    pub priority_policy: MergePriorityPolicy,
    /// What happens when two values have the same property.
    #[serde(default)]
    pub conflict_policy: MergeConflictPolicy,
    /// Whether the properties become keys or one JSON value.
    #[serde(default)]
    pub strategy: MergeStrategy,
}

/// Whether a missing key of `priority` is an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MergePriorityPolicy {
    /// It is ignored.
    IgnoreNotFound,
    /// It is an error.
    #[default]
    Strict,
}

/// What happens when two values have the same property.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MergeConflictPolicy {
    /// The later one wins.
    Ignore,
    /// It is an error.
    #[default]
    Error,
}

/// Whether properties become keys or one JSON value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MergeStrategy {
    /// Each property becomes a key.
    #[default]
    Extract,
    /// All properties become one JSON value.
    #[serde(rename = "JSON")]
    Json,
}
