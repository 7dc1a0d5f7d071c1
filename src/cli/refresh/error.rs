//! Why nothing was refreshed.

use crate::cli::person::{Error as ClusterError, names};
use crate::controller::core::api_call::ApiError;

/// Why nothing was refreshed.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("{0} objects would be refreshed, each with a request to its vault; pass --yes if that is intended")]
    Many(usize),
    #[error(
        "{0:?} is not a kind: with --all or --selector, name kinds such as pushsecrets, or nothing for ExternalSecrets"
    )]
    NotAKind(String),
    #[error("{0:?} names a kind, not an object: pass --all, or labels with --selector")]
    WholeKind(String),
    #[error("--store selects ExternalSecrets and PushSecrets, and no {0}")]
    NoStores(&'static str),
}

impl From<names::Error> for Error {
    fn from(error: names::Error) -> Self {
        Self::Cluster(error.into())
    }
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        Self::Cluster(error.into())
    }
}
