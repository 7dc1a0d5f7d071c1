//! Why a generator returns no values.

use super::key::GeneratorKey;
use crate::api::generators::{ClusterGeneratorError, GeneratorKind};
use crate::api::parsed::InvalidField;
use crate::controller::core::api_call::ApiError;
use crate::generator::MintError;
use crate::provider::ProviderError;
use crate::provider::error::Retry;
use crate::validate::generator::ReferenceError;

/// Why a generator returns no values. The messages begin with ESO's words.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The reference does not name a supported generator.
    #[error("unable to get generator: terminal error: {0}")]
    Reference(#[from] ReferenceError),
    /// The generator does not exist.
    #[error("unable to get generator: {0} not found; create it, or correct the reference")]
    NotFound(GeneratorKey),
    /// The cluster does not serve its kind.
    #[error(
        "unable to get generator: the cluster serves no {} of generators.external-secrets.io/v1alpha1; apply the files in crds/, or what `external-secrets crds` prints",
        .0.plural()
    )]
    NotServed(GeneratorKind),
    /// The controller works in one namespace and so reads no ClusterGenerators.
    #[error(
        "unable to get generator: a controller for one namespace does not read ClusterGenerators; create a generator in the namespace"
    )]
    OfCluster,
    /// It could not be read.
    #[error("unable to get generator: the API server could not list {plural}: {reason}", plural = .kind.plural(), reason = .error.reason())]
    Unreadable { kind: GeneratorKind, error: ApiError },
    /// The object does not fit the schema: another version of the CRD admitted it.
    #[error("unable to get generator: terminal error: {key}: {field}")]
    InvalidSpec {
        key: GeneratorKey,
        /// The field that does not fit.
        field: InvalidField,
    },
    /// A ClusterGenerator that does not hold a supported generator.
    #[error("unable to get generator: terminal error: {0}")]
    Cluster(#[from] ClusterGeneratorError),
    /// It asks for something that cannot be generated.
    #[error("error using generator: {0}")]
    Mint(#[from] MintError),
    /// The generators of one ExternalSecret are too long in total.
    #[error(
        "unable to get generator: the generators of one ExternalSecret may have at most {} KiB together, each as often as it is named; make several ExternalSecrets",
        .most >> 10
    )]
    TooLong {
        /// The limit in bytes.
        most: usize,
    },
    /// It asks for more keys than one ExternalSecret may generate per pass.
    #[error(
        "error using generator: one ExternalSecret may generate at most {most} RSA keys; divide them among several ExternalSecrets"
    )]
    TooManyKeys {
        /// The limit.
        most: usize,
    },
    /// The record to be written on the target is too long.
    #[error(
        "error using generator: the record of {0} generators with many keys does not fit into one Secret; divide them among several ExternalSecrets"
    )]
    TooManyNoted(usize),
    /// A registry returned no token.
    #[error("error using generator: {0}")]
    Provider(Box<ProviderError>),
}

impl Error {
    /// One word for logs and metrics.
    #[must_use]
    pub(crate) fn cause(&self) -> &'static str {
        match self {
            Self::Provider(error) => error.cause,
            Self::NotFound(_) => "GeneratorNotFound",
            Self::Unreadable { .. } => "ApiServer",
            _ => "Generator",
        }
    }

    /// Whether a retry can help. A change of a generator wakes the ExternalSecrets that failed because of it.
    #[must_use]
    pub(crate) fn retry(&self) -> Retry {
        match self {
            Self::NotFound(_) | Self::NotServed(_) | Self::Unreadable { .. } => Retry::Backoff,
            Self::Mint(error) if error.may_pass() => Retry::Backoff,
            Self::Provider(error) => error.class.retry(),
            _ => Retry::OnChange,
        }
    }

    /// Whether the API server is unreachable or overloaded.
    #[must_use]
    pub(crate) fn is_outage_of_api_server(&self) -> bool {
        matches!(self, Self::Unreadable { error, .. } if error.is_outage())
    }
}
