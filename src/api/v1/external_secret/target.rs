//! What an ExternalSecret writes: its target, and the template for the target's content.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::source::DecodingStrategy;
use crate::api::{limits, schema};

/// The Secret, or other object, to write.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSecretTarget {
    /// Its name; that of the ExternalSecret if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub name: Option<String>,
    /// Who creates and owns it.
    #[serde(default)]
    pub creation_policy: CreationPolicy,
    /// What happens to it when the provider no longer has the values.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// How to create its content from the values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Box<ExternalSecretTemplate>>,
    /// The kind of object to write, instead of a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<ManifestReference>,
    /// Whether to make the Secret immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub immutable: Option<bool>,
}

/// Who creates and owns the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CreationPolicy {
    /// Created by the controller, owned by the ExternalSecret, and deleted with it.
    #[default]
    Owner,
    /// Created by the controller, owned by nobody.
    Orphan,
    /// Created by somebody else; the controller adds keys.
    Merge,
    /// Not written at all.
    None,
    /// Created by the controller if missing; otherwise the controller adds keys.
    CreateOrMerge,
}

/// What happens to the target when the provider no longer has the values.
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
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManifestReference {
    /// `group/version`, or `v1` for the core group.
    #[schemars(length(min = 1))]
    pub api_version: String,
    /// The kind.
    #[schemars(length(min = 1))]
    pub kind: String,
}

/// How to create the target's content from the values.
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
    /// Whether templates replace the values or add to them.
    #[serde(default)]
    pub merge_policy: TemplateMergePolicy,
    /// Templates by key of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<BTreeMap<String, String>>,
    /// Templates from ConfigMaps, Secrets and literals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::TEMPLATE_FROM))]
    pub template_from: Vec<TemplateFrom>,
}

impl ExternalSecretTemplate {
    /// Whether it makes the target's data. Otherwise the values themselves are the data.
    #[must_use]
    pub fn makes_data(&self) -> bool {
        self.data.as_ref().is_some_and(|data| !data.is_empty()) || !self.template_from.is_empty()
    }
}

/// The version of the template engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TemplateEngineVersion {
    /// Go templates with sprig.
    #[default]
    V2,
}

/// Whether templates replace the values or add to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TemplateMergePolicy {
    /// The target gets only what the templates produce.
    #[default]
    Replace,
    /// The target gets the values, and what the templates produce.
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
    #[schemars(length(max = limits::FINALIZERS))]
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
    /// A template that produces keys and values as YAML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub literal: Option<String>,
    /// `Data`, `Annotations` or `Labels`; in objects other than Secrets also a path.
    #[serde(default = "TemplateFrom::default_target")]
    pub target: String,
    /// How to decode the values that a template produces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values_decoding_strategy: Option<DecodingStrategy>,
}

impl TemplateFrom {
    fn default_target() -> String {
        "Data".to_owned()
    }
}

/// The keys of a ConfigMap or Secret that contain templates.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TemplateRef {
    /// The object's name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// The keys to use.
    #[schemars(length(max = limits::TEMPLATE_ITEMS))]
    pub items: Vec<TemplateRefItem>,
}

/// A key of a ConfigMap or Secret that contains a template.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateRefItem {
    /// The key.
    #[schemars(schema_with = "schema::data_key")]
    pub key: String,
    /// What the template produces.
    #[serde(default)]
    pub template_as: TemplateScope,
}

/// What a template produces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TemplateScope {
    /// One value.
    #[default]
    Values,
    /// Keys and values, as YAML.
    KeysAndValues,
}
