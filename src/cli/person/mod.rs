//! What the commands for people share: which cluster they ask, how they print, and how they describe an ExternalSecret.

pub(super) mod absent;
mod cluster;
pub(super) mod explanation;
pub(super) mod kind;
pub(super) mod lease;
pub(super) mod names;
pub(super) mod outcome;
pub(super) mod overview;
pub(super) mod parents;
pub(super) mod printing;
pub(super) mod pushes;
pub(super) mod state;
pub(super) mod table;
pub(super) mod vaults;

use std::path::PathBuf;

use clap::Args;
use kube::Client;
use kube::api::PatchParams;

pub(super) use cluster::Cluster;

use crate::api::v1::ExternalSecret;
use crate::api::{GoDuration, ServedVersion};
use crate::controller::core::api_call::ApiError;
use crate::controller::core::discovery::{self, Discovered};
use crate::runtime::kube_client::{self, KubeClientError, Person};

/// The field manager of what people write with our commands. Flux reverts changes of managers named `kubectl`.
const MANAGER: &str = "external-secrets-cli";

/// The parameters of a patch that a person sends.
pub(super) fn patch_params() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

/// Why the cluster cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Client(#[from] KubeClientError),
    #[error("{}", in_words(.0))]
    Cluster(#[from] ApiError),
    #[error("a right is missing: {0}")]
    Forbidden(String),
    #[error(
        "the cluster has no ExternalSecrets: the CRDs are not installed; apply what `external-secrets crds` prints, or name another cluster with --context"
    )]
    NoCrds,
    #[error(transparent)]
    Name(#[from] names::Error),
    #[error("the output cannot be written as YAML: {0}")]
    Yaml(#[from] serde_saphyr::ser_error::Error),
    #[error("the output cannot be printed: {0}")]
    Output(#[from] std::io::Error),
}

/// A failed call: what refused, or that nothing answered.
pub(super) fn in_words(error: &ApiError) -> String {
    match error.code() {
        Some(403) => format!("a right is missing: {}", error.reason()),
        Some(401) => format!("the API server does not accept your credentials: {}", error.reason()),
        Some(code) if !error.is_outage() => format!("the API server refused ({code}): {}", error.reason()),
        _ => format!("the API server could not be reached: {error}"),
    }
}

/// Flags of commands that ask a cluster.
#[derive(Args, Debug)]
#[command(next_help_heading = "Cluster")]
pub(super) struct ClusterArguments {
    /// Namespace; by default that of the kubeconfig
    #[arg(short, long)]
    namespace: Option<String>,
    /// Kubeconfig; by default that of KUBECONFIG, or of the home folder
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; by default the current one
    #[arg(long)]
    context: Option<String>,
    /// User to act as
    #[arg(long = "as", value_name = "USER")]
    user: Option<String>,
    /// Group to act as; can be repeated
    #[arg(long = "as-group", value_name = "GROUP", requires = "user")]
    groups: Vec<String>,
    /// Timeout of a request to the API server, such as 10s; at most 30s
    #[arg(id = "api_request_timeout", long = "request-timeout", value_name = "DURATION")]
    request_timeout: Option<GoDuration>,
}

impl ClusterArguments {
    /// A client, and the namespace to work in.
    pub(super) async fn connect(&self) -> Result<(Client, String), KubeClientError> {
        let (client, config) = kube_client::of_person(Person {
            kubeconfig: self.kubeconfig.as_deref(),
            context: self.context.as_deref(),
            user: self.user.as_deref(),
            groups: &self.groups,
            request_timeout: self.request_timeout.and_then(GoDuration::positive),
        })
        .await?;
        Ok((client, self.namespace.clone().unwrap_or(config.default_namespace)))
    }

    /// The namespace from the flag, if given.
    pub(super) fn given_namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// A cluster that serves our kinds, and the namespace to work in.
    pub(super) async fn cluster(&self) -> Result<(Cluster, String), Error> {
        let (client, namespace) = self.connect().await?;
        let version = served_version(&client).await?.ok_or(Error::NoCrds)?;
        Ok((Cluster { client, version }, namespace))
    }
}

/// The version in which ExternalSecrets are served; `None` if they are not.
pub(super) async fn served_version(client: &Client) -> Result<Option<ServedVersion>, ApiError> {
    Ok(match discovery::discover(client, &[ExternalSecret::PLURAL]).await? {
        Discovered::Served(version) => Some(version),
        Discovered::Lacking(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn an_api_server_that_refuses_is_not_called_unreachable() {
        let said = |code| {
            let status = Status::failure("externalsecrets is forbidden", "Forbidden").with_code(code);
            Error::from(ApiError::from(kube::Error::Api(status.boxed()))).to_string()
        };
        assert_eq!(said(403), "a right is missing: externalsecrets is forbidden");
        assert!(said(401).contains("credentials") && said(422).contains("refused (422)"));
        assert!(said(503).contains("could not be reached"));
        assert!(Error::from(ApiError::Timeout).to_string().contains("could not be reached"));
    }
}
