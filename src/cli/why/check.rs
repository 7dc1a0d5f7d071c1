//! `why --check`: what the controller would find now, checked with the caller's rights.

use crate::api::v1::ExternalSecret;
use crate::cli::person::{Cluster, vaults};
use crate::cli::preview::{AzureIdentity, Previewer};
use crate::cli::providers::ProviderArguments;
use crate::controller::external_secret::failure::Report;
use crate::controller::options::FloodGate;
use crate::controller::template_engines::Templates;
use crate::sync::refresh::Reason;
use crate::template::Delimiters;

/// What was found now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    /// Why it would fail; `None` if it would not.
    pub(super) cause: Option<String>,
    pub(super) message: String,
}

/// Reads what the ExternalSecret reads, and finds out what would be written, without writing it.
pub(super) async fn check(
    cluster: &Cluster,
    object: &ExternalSecret,
    identity: AzureIdentity,
    arguments: &ProviderArguments,
    namespace: &str,
) -> Result<Checked, vaults::Error> {
    let (inputs, providers) = vaults::of_person(cluster, namespace, identity, arguments)?;
    let previewer = Previewer {
        inputs: &inputs,
        providers,
        templates: Templates::new(Delimiters::new("{{", "}}")),
        // A store that was not Ready may be by now.
        flood_gate: FloodGate::Open,
        version: cluster.version,
    };
    Ok(match previewer.preview(object, None, Reason::Changed).await {
        Ok(_) => Checked { cause: None, message: "it can be read and assembled now".to_owned() },
        Err(error) => {
            let report = Report::of(&error, object);
            Checked { cause: Some(report.cause.to_owned()), message: report.message(&error) }
        }
    })
}
