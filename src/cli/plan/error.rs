//! Why nothing can be planned.

use crate::cli::inputs::{manifests, values};
use crate::cli::person::in_words;
use crate::cli::providers;
use crate::controller::core::api_call::ApiError;
use crate::controller::core::key::ObjectKey;
use crate::runtime::kube_client::KubeClientError;

/// Why nothing can be planned.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    #[error(transparent)]
    Client(#[from] KubeClientError),
    #[error(transparent)]
    Manifests(#[from] manifests::Error),
    #[error(transparent)]
    Values(#[from] values::Error),
    #[error(transparent)]
    Providers(#[from] providers::Error),
    #[error("{}", in_words(.0))]
    Cluster(#[source] ApiError),
    #[error(
        "the cluster has no ExternalSecrets: the CRDs are not installed; name manifests with -f, or another cluster with --context"
    )]
    NoCrds,
    #[error("there is no ExternalSecret or PushSecret {name:?} in namespace {namespace:?}", name = .0.name, namespace = .0.namespace)]
    NotFound(ObjectKey),
    #[error("the manifests have no ExternalSecret or PushSecret{0}")]
    NotGiven(String),
    #[error("the plan cannot be written as YAML: {0}")]
    Yaml(#[from] serde_saphyr::ser_error::Error),
    #[error("the plan cannot be printed: {0}")]
    Output(#[from] std::io::Error),
}
