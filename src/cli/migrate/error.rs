//! Why a step of a migration cannot be made.

use std::path::PathBuf;

use crate::cli::inputs::files;
use crate::cli::{person, plan};
use crate::controller::core::api_call::ApiError;
use crate::runtime::kube_client::KubeClientError;

/// Why a step of a migration cannot be made.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    #[error(transparent)]
    Client(#[from] KubeClientError),
    #[error(transparent)]
    Person(#[from] person::Error),
    #[error("the namespaces cannot be listed: {0}")]
    Namespaces(#[source] ApiError),
    #[error(transparent)]
    Files(#[from] files::Error),
    #[error("{path} cannot be written: {source}", path = path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("whether Secrets would change cannot be told: {0}")]
    Plan(#[from] plan::Error),
    #[error("the output cannot be printed: {0}")]
    Output(#[from] std::io::Error),
}
