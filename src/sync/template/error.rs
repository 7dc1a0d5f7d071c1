//! Why a target's template cannot be rendered.

use std::fmt;

use crate::api::template_target::TemplateTargetError;
use crate::api::v1::external_secret::DecodingStrategy;
use crate::template;

/// The kind of an object that templates come from.
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

/// Why a target's template cannot be rendered: which field says what cannot be done, and what to
/// change. Names keys, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A template is not valid, or fails.
    #[error("{field}: {error}")]
    Template {
        /// The field.
        field: String,
        /// Why.
        error: template::Error,
    },
    /// What templates come from is too large.
    #[error(
        "spec.target.template.templateFrom: the ConfigMaps and Secrets that it names have more than {} MiB together; name fewer of them, or smaller ones",
        .most >> 20
    )]
    TooLarge {
        /// The bytes that they may have.
        most: usize,
    },
    /// A ConfigMap or Secret is not there.
    #[error(
        "{field}: {kind} {name:?} does not exist in the namespace of the ExternalSecret; create it, or correct the name"
    )]
    Missing {
        /// The field.
        field: String,
        /// What is missing.
        kind: SourceKind,
        /// Its name.
        name: String,
    },
    /// A ConfigMap or Secret lacks a key.
    #[error("{field}: {kind} {name:?} has no key {key:?}; add it, or correct the key")]
    MissingKey {
        /// The field.
        field: String,
        /// What lacks it.
        kind: SourceKind,
        /// Its name.
        name: String,
        /// The key.
        key: String,
    },
    /// A template does not make keys and values.
    #[error("{field}: the template must make a YAML mapping of keys to strings: {reason}")]
    NotKeysAndValues {
        /// The field.
        field: String,
        /// What is wrong, without any value.
        reason: String,
    },
    /// What a template makes is not of the encoding that it should have.
    #[error(
        "{field}: what the template makes for the key {key:?} is not valid {strategy:?}; correct valuesDecodingStrategy, or leave it out"
    )]
    Undecodable {
        /// The field.
        field: String,
        /// The key.
        key: String,
        /// The encoding.
        strategy: DecodingStrategy,
    },
    /// What must be text would be none.
    #[error(
        "{field}: what the template makes for {key:?} is not UTF-8, which labels, annotations and all of an object but a Secret are; encode it"
    )]
    NotText {
        /// The field.
        field: String,
        /// The label, annotation or key.
        key: String,
    },
    /// What a template makes for a place in an object is not YAML.
    #[error("{field}: the template must make YAML: {reason}")]
    NotYaml {
        /// The field.
        field: String,
        /// What is wrong, without any value.
        reason: String,
    },
    /// A template cannot write there.
    #[error("{field}: {error}")]
    Target {
        /// The field.
        field: String,
        /// Why not.
        error: TemplateTargetError,
    },
}
