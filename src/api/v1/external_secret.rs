//! `ExternalSecret`: which values to read, and the Secret to keep equal to them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use kube::core::DynamicResourceScope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Condition;
use super::secret_store::StoreKind;
use crate::api::{GROUP, GoDuration, Parsed, ServedVersion, parsed, schema};

/// An ExternalSecret as it is watched. Its version is a parameter of the client
/// ([`ServedVersion`]), since clusters serve `v1`, `v1beta1` or both, in one shape.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ExternalSecret {
    /// Standard metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    #[serde(default)]
    pub spec: Parsed<ExternalSecretSpec>,
    /// What was seen; none where it does not fit, since it is this controller's to write again.
    #[serde(default, deserialize_with = "parsed::or_none")]
    pub status: Option<ExternalSecretStatus>,
}

impl ExternalSecret {
    /// `ExternalSecret`
    pub const KIND: &'static str = "ExternalSecret";
    /// `externalsecrets`
    pub const PLURAL: &'static str = "externalsecrets";
}

impl Resource for ExternalSecret {
    type DynamicType = ServedVersion;
    type Scope = DynamicResourceScope;

    fn kind(_: &ServedVersion) -> Cow<'_, str> {
        Self::KIND.into()
    }
    fn group(_: &ServedVersion) -> Cow<'_, str> {
        GROUP.into()
    }
    fn version(version: &ServedVersion) -> Cow<'_, str> {
        version.name().into()
    }
    fn api_version(version: &ServedVersion) -> Cow<'_, str> {
        version.api_version().into()
    }
    fn plural(_: &ServedVersion) -> Cow<'_, str> {
        Self::PLURAL.into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// `spec.refreshInterval` where it is not given.
pub const DEFAULT_REFRESH_INTERVAL: GoDuration = GoDuration::from_secs(3600);

/// What an ExternalSecret asks for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSecretSpec {
    /// The store that values are read from, unless an entry names another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_store_ref: Option<SecretStoreRef>,
    /// The Secret to write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = ExternalSecretTarget::default()))]
    pub target: Option<ExternalSecretTarget>,
    /// When to read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_policy: Option<RefreshPolicy>,
    /// How long after a refresh the next is due; zero or less means once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = DEFAULT_REFRESH_INTERVAL))]
    pub refresh_interval: Option<GoDuration>,
    /// Times at which periodic refreshes are allowed or held back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_windows: Option<SyncWindows>,
    /// Single values, each under a key of the Secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<ExternalSecretData>,
    /// Sets of values, merged in order before `data`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data_from: Vec<ExternalSecretDataFrom>,
}

/// Names a store.
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

/// When values are read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RefreshPolicy {
    /// Once; later changes of the ExternalSecret do not count.
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
    #[schemars(length(min = 1))]
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

/// One recurring span of time, in UTC.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SyncWindow {
    /// When it opens: five cron fields, or a descriptor such as `@daily` or `@every 1h`.
    #[schemars(schema_with = "schema::schedule")]
    pub schedule: String,
    /// How long it stays open.
    pub duration: GoDuration,
}

/// The Secret, or other object, to write.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSecretTarget {
    /// Its name; that of the ExternalSecret if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub name: Option<String>,
    /// Who creates and who owns it.
    #[serde(default)]
    pub creation_policy: CreationPolicy,
    /// What happens to it when the values are gone at the provider.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// How its content is made from the values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Box<ExternalSecretTemplate>>,
    /// Another kind of object than a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<ManifestReference>,
    /// Whether the Secret is made immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub immutable: Option<bool>,
}

/// Who creates and who owns the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CreationPolicy {
    /// Created here, owned by the ExternalSecret and deleted with it.
    #[default]
    Owner,
    /// Created here, owned by nobody.
    Orphan,
    /// Created by someone else; our keys are added.
    Merge,
    /// Not written at all.
    None,
    /// Created if missing, otherwise our keys are added.
    CreateOrMerge,
}

/// What happens to the target when the values are gone at the provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// It is deleted when all values are gone.
    Delete,
    /// Keys whose values are gone are removed.
    Merge,
    /// It stays as it is.
    #[default]
    Retain,
}

/// The kind of a target that is not a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManifestReference {
    /// `group/version`, or `v1` for the core group.
    #[schemars(length(min = 1))]
    pub api_version: String,
    /// The kind.
    #[schemars(length(min = 1))]
    pub kind: String,
}

/// How the target's content is made from the values.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSecretTemplate {
    /// The type of the Secret.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// The version of the template engine.
    #[serde(default)]
    pub engine_version: TemplateEngineVersion,
    /// Labels, annotations and finalizers of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<ExternalSecretTemplateMetadata>,
    /// Whether templates replace the values or are added to them.
    #[serde(default)]
    pub merge_policy: TemplateMergePolicy,
    /// Templates by key of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<BTreeMap<String, String>>,
    /// Templates from ConfigMaps, Secrets and literals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub template_from: Vec<TemplateFrom>,
}

/// The version of the template engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TemplateEngineVersion {
    /// Go templates with sprig.
    #[default]
    V2,
}

/// Whether templates replace the values or are added to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TemplateMergePolicy {
    /// Only what templates make.
    #[default]
    Replace,
    /// The values, and what templates make.
    Merge,
}

/// Labels, annotations and finalizers of the target.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ExternalSecretTemplateMetadata {
    /// Annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Finalizers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finalizers: Vec<String>,
}

/// Where templates come from.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateFrom {
    /// Keys of a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<TemplateRef>,
    /// Keys of a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<TemplateRef>,
    /// A template that yields keys and values as YAML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub literal: Option<String>,
    /// `Data`, `Annotations` or `Labels`; for other objects than Secrets also a path.
    #[serde(default = "TemplateFrom::default_target")]
    pub target: String,
    /// How the values that a template yields are decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values_decoding_strategy: Option<DecodingStrategy>,
}

impl TemplateFrom {
    fn default_target() -> String {
        "Data".to_owned()
    }
}

/// Templates in the keys of a ConfigMap or Secret.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TemplateRef {
    /// The object's name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// The keys to use.
    pub items: Vec<TemplateRefItem>,
}

/// One key of a ConfigMap or Secret that holds a template.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateRefItem {
    /// The key.
    #[schemars(schema_with = "schema::data_key")]
    pub key: String,
    /// What the template yields.
    #[serde(default)]
    pub template_as: TemplateScope,
}

/// What a template yields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TemplateScope {
    /// One value.
    #[default]
    Values,
    /// Keys and values, as YAML.
    KeysAndValues,
}

/// One value and the key of the Secret that receives it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSecretData {
    /// The key of the Secret.
    #[schemars(schema_with = "schema::data_key")]
    pub secret_key: String,
    /// The value at the provider.
    pub remote_ref: RemoteRef,
    /// Another store than that of the ExternalSecret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<SourceRef>,
}

/// A value, or a set of values, at the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemoteRef {
    /// The name at the provider; in Key Vault with the prefix `secret/`, `key/` or `cert/`.
    pub key: String,
    /// What to do with tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_policy: Option<MetadataPolicy>,
    /// A path inside the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// The version; the current one if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How names that are no valid keys are converted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversion_strategy: Option<ConversionStrategy>,
    /// How the value is decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoding_strategy: Option<DecodingStrategy>,
    /// What to do with bytes of value zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null_byte_policy: Option<NullBytePolicy>,
}

/// What to do with tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum MetadataPolicy {
    /// Read the value.
    #[default]
    None,
    /// Read the tags and attributes instead.
    Fetch,
}

/// How names that are no valid keys are converted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConversionStrategy {
    /// Every invalid character becomes `_`.
    #[default]
    Default,
    /// Every invalid character becomes `_U<hex>_`.
    Unicode,
}

/// How a value is decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DecodingStrategy {
    /// Base64 in either alphabet where it is valid, else as it is.
    Auto,
    /// Base64.
    Base64,
    /// Base64 with the alphabet for URLs.
    Base64URL,
    /// As it is.
    #[default]
    None,
}

/// What to do with bytes of value zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum NullBytePolicy {
    /// Keep them.
    #[default]
    Ignore,
    /// Refuse the value.
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

/// Names a generator.
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
        "generators.external-secrets.io/v1alpha1".to_owned()
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
    /// Changes of the keys, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rewrite: Vec<Rewrite>,
    /// Another source than the store of the ExternalSecret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<SourceRef>,
}

/// Which values match.
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
    /// How names that are no valid keys are converted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversion_strategy: Option<ConversionStrategy>,
    /// How values are decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoding_strategy: Option<DecodingStrategy>,
    /// What to do with bytes of value zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null_byte_policy: Option<NullBytePolicy>,
}

/// Names by regular expression.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct FindName {
    /// The expression, in RE2's syntax.
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

/// Replaces what matches in keys.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RewriteRegexp {
    /// The expression, in RE2's syntax.
    pub source: String,
    /// The replacement, with `$1` and `${name}`.
    pub target: String,
}

/// Makes keys by template.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RewriteTransform {
    /// The template; `.value` is the key.
    pub template: String,
}

/// Merges values that are JSON objects.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RewriteMerge {
    /// The key that receives the result, with the strategy `JSON`.
    #[serde(default)]
    pub into: String,
    /// Keys in order of precedence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
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

/// What was seen of an ExternalSecret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSecretStatus {
    /// When the values were last read and written without an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("nullable" = true))]
    pub refresh_time: Option<Time>,
    /// The generation, and a hash of labels and annotations, that were last synced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced_resource_version: Option<String>,
    /// The state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::external_secret_conditions")]
    pub conditions: Vec<Condition>,
    /// The Secret that was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
}

/// Names the Secret that was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct Binding {
    /// The Secret's name.
    #[serde(default)]
    pub name: String,
}
