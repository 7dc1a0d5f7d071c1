//! Why an ExternalSecret could not be synced.

use super::kind_discovery::{KindError, TargetKind};
use super::refused;
use crate::api::parsed::InvalidField;
use crate::controller::core::api_call::{ApiError, Verb};
use crate::controller::generators::error::Error as GeneratorError;
use crate::controller::store_access::error::Error as StoreError;
use crate::controller::store_access::key::StoreKey;
use crate::provider::{ProviderError, Recovery};
use crate::runtime::panics::Panicked;
use crate::sync::data::DataError;
use crate::sync::plan::Refusal;
use crate::sync::target::{Owner, TargetName};
use crate::sync::template::RenderError;

/// A fault of a spec that no change of the cluster or the provider can fix. Holds the complete message, since it is
/// remembered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SpecFault {
    /// Its fields contradict each other, cannot be read, or ask for too much.
    #[error("{0}")]
    Rejected(Box<str>),
    /// It asks for something that is not supported.
    #[error("{0}")]
    Unsupported(Box<str>),
}

/// Why an ExternalSecret could not be synced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The object does not fit the schema: another version of the CRD admitted it.
    #[error(transparent)]
    InvalidSpec(#[from] InvalidField),
    /// Something is wrong with the spec.
    #[error(transparent)]
    Spec(#[from] SpecFault),
    /// No store is named.
    #[error("{field}: no store is named; set its name")]
    StoreNotNamed {
        /// The field that should name it.
        field: String,
    },
    /// A store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A value could not be read.
    #[error("{entry}: {error}")]
    Provider {
        /// The entry, for example `data[0] (greeting)`.
        entry: String,
        /// The store that it should be read from.
        store: StoreKey,
        error: Box<ProviderError>,
    },
    /// A generator returned no values. The message begins with ESO's words.
    #[error("error processing {entry}, err: {error}")]
    Generator {
        /// The entry's reference, for example `spec.dataFrom[0].sourceRef.generatorRef`.
        entry: String,
        error: Box<GeneratorError>,
    },
    /// The values that were read cannot become data of a Secret.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The template failed.
    #[error(transparent)]
    Template(#[from] RenderError),
    /// An object with templates could not be read.
    #[error("the API server could not read {kind} {name:?}, from which spec.target.template takes templates: {}", api_reason(.error))]
    TemplateSource {
        /// `ConfigMap` or `Secret`.
        kind: &'static str,
        name: String,
        error: ApiError,
    },
    /// The templates in other objects cannot be read now, because others hold too much.
    #[error("spec.target.template.templateFrom: {0}")]
    TemplatesCrowded(Box<ProviderError>),
    /// Targets of earlier names could not be found or deleted.
    #[error("the API server could not delete the targets of earlier names: {}", api_reason(.0))]
    Stale(ApiError),
    /// The target may not be written.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The target could not be read or written.
    #[error("the API server could not {verb} {target}: {}", api_reason(.error))]
    Api {
        /// The operation.
        verb: Verb,
        target: TargetName,
        error: ApiError,
    },
    /// The target, which is not a Secret, could not be read or written.
    #[error("the API server could not {verb} {target}: {reason}")]
    Object {
        /// The operation.
        verb: Verb,
        target: TargetName,
        /// The reason, without any value.
        reason: String,
        /// Whether the API server is unreachable or overloaded.
        is_outage: bool,
    },
    /// The target's kind cannot be written.
    #[error(transparent)]
    Kind(#[from] KindError),
    /// Targets other than Secrets are disabled.
    #[error(
        "spec.target.manifest: generic targets are disabled; start the controller with --unsafe-allow-generic-targets, which is genericTargets.enabled in the chart, or omit the field"
    )]
    GenericTargetsOff,
    /// Another writer was faster at every attempt.
    #[error(
        "{target} is being changed by another writer at the same time; find it in the object's metadata.managedFields"
    )]
    Contended { target: TargetName },
    /// A bug in this program.
    #[error(transparent)]
    Panicked(Panicked),
    /// A finalizer could not be added or removed.
    #[error("the finalizer could not be changed: {}", api_reason(.0))]
    Finalizer(ApiError),
}

impl Error {
    /// An object that could not be read or written.
    pub(super) fn object(verb: Verb, owner: Owner<'_>, kind: &TargetKind, error: &ApiError) -> Self {
        let (reason, is_outage) = (refused::reason(error, &kind.resource), error.is_outage());
        Self::Object { verb, target: owner.target(), reason, is_outage }
    }

    /// Whether it failed because the API server is unreachable or overloaded.
    #[must_use]
    pub(crate) fn is_outage_of_api_server(&self) -> bool {
        match self {
            Self::Generator { error, .. } => error.is_outage_of_api_server(),
            Self::TemplateSource { error, .. }
            | Self::Store(StoreError::Unreadable { error, .. })
            | Self::Stale(error)
            | Self::Api { error, .. }
            | Self::Kind(KindError::Api { error, .. })
            | Self::Finalizer(error) => error.is_outage(),
            Self::Object { is_outage, .. } | Self::Kind(KindError::NotListed { is_outage, .. }) => *is_outage,
            _ => false,
        }
    }

    /// Reports when a retry is worthwhile, if the provider knows.
    #[must_use]
    pub(crate) fn recovery(&self) -> Option<&Recovery> {
        match self {
            Self::Store(StoreError::Client { error, .. }) | Self::Provider { error, .. } => error.recovery.as_ref(),
            _ => None,
        }
    }
}

fn api_reason(error: &ApiError) -> String {
    error.reason()
}
