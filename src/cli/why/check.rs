//! `why --check`: what the controller would find now, with the caller's rights.

use std::sync::Arc;

use crate::api::v1::ExternalSecret;
use crate::cli::inputs::Inputs;
use crate::cli::inputs::cluster::Cluster as Read;
use crate::cli::inputs::{manifests, values};
use crate::cli::person::Cluster;
use crate::cli::preview::{AzureIdentity, Previewer};
use crate::cli::providers::{self, ProviderArguments};
use crate::controller::external_secret::failure::Report;
use crate::controller::external_secret::templates::Templates;
use crate::controller::options::FloodGate;
use crate::sync::refresh::Reason;
use crate::template::Delimiters;

/// Why it cannot be tried.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    #[error(transparent)]
    Providers(#[from] providers::Error),
    #[error(transparent)]
    Manifests(#[from] manifests::Error),
    #[error(transparent)]
    Values(#[from] values::Error),
}

/// What was found now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    /// Why it would fail; none where it would not.
    pub(super) cause: Option<String>,
    pub(super) message: String,
}

/// Reads what the ExternalSecret reads, and works out what would be written, without writing it.
pub(super) async fn check(
    cluster: &Cluster,
    object: &ExternalSecret,
    identity: AzureIdentity,
    arguments: &ProviderArguments,
    namespace: &str,
) -> Result<Checked, Error> {
    let read = Read::new(cluster.client.clone(), Some(cluster.version));
    let manifests = manifests::Manifests::read(&[], namespace)?;
    let inputs = Arc::new(Inputs::new(manifests, None, Some(read))?);
    let providers = providers::of_person(arguments, identity.into(), Arc::clone(&inputs) as _)?;
    let previewer = Previewer {
        inputs: &inputs,
        providers,
        templates: Templates::new(Delimiters::new("{{", "}}")),
        // A store that is not Ready may be by now.
        flood_gate: FloodGate::Open,
        version: cluster.version,
    };
    Ok(match previewer.preview(object, None, Reason::Changed).await {
        Ok(_) => Checked { cause: None, message: "it can be read and put together now".to_owned() },
        Err(error) => {
            let report = Report::of(&error, object);
            Checked { cause: Some(report.cause.to_owned()), message: report.message(&error) }
        }
    })
}
