//! Why a target's template cannot be rendered.

use std::fmt;

use crate::api::template_target::TemplateTargetError;
use crate::api::v1::external_secret::DecodingStrategy;
use crate::template;

/// The kind of object that holds templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret.
    Secret,
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        })
    }
}

/// Why a target's template cannot be rendered: which field is wrong, and what to change. Names keys but never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum RenderError {
    /// A template is invalid or fails.
    #[error("{field}: {error}")]
    Template { field: String, error: template::Error },
    /// The templates are too large.
    #[error(
        "spec.target.template.templateFrom: the ConfigMaps and Secrets that it names have more than {} MiB together; name fewer of them, or smaller ones",
        .most >> 20
    )]
    TooLarge {
        /// The limit in bytes.
        most: usize,
    },
    /// A ConfigMap or Secret does not exist.
    #[error(
        "{field}: {kind} {name:?} does not exist in the namespace of the ExternalSecret; create it, or correct the name"
    )]
    Missing {
        field: String,
        /// What is missing.
        kind: SourceKind,
        name: String,
    },
    /// A ConfigMap or Secret lacks a key.
    #[error("{field}: {kind} {name:?} has no key {key:?}; add it, or correct the key")]
    MissingKey {
        field: String,
        /// What lacks it.
        kind: SourceKind,
        name: String,
        key: String,
    },
    /// A template does not produce keys and values.
    #[error("{field}: the template must make a YAML mapping of keys to strings: {reason}")]
    NotKeysAndValues {
        field: String,
        /// The reason, without any value.
        reason: String,
    },
    /// The result of a template does not have the expected encoding.
    #[error(
        "{field}: what the template makes for the key {key:?} is not valid {strategy:?}; correct valuesDecodingStrategy, or leave it out"
    )]
    Undecodable { field: String, key: String, strategy: DecodingStrategy },
    /// A result that must be text is not.
    #[error(
        "{field}: what the template makes for {key:?} is not UTF-8, which labels, annotations and all of an object but a Secret are; encode it"
    )]
    NotText {
        field: String,
        /// The label, annotation or key.
        key: String,
    },
    /// The result of a template for a path in an object is not YAML.
    #[error("{field}: the template must make YAML: {reason}")]
    NotYaml {
        field: String,
        /// The reason, without any value.
        reason: String,
    },
    /// A template cannot write to its target path.
    #[error("{field}: {error}")]
    Target { field: String, error: TemplateTargetError },
}
