//! The commands that move from another tool.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::choice::Choice;
use super::objects::{self, Found, Kind};
use super::print;
use super::report::Conversion;
use super::vault::Store;
use crate::cli::exit_code;
use crate::cli::inputs::manifests::Manifests;
use crate::cli::migrate::error::Error;
use crate::cli::person::printing::{Output, note};
use crate::cli::person::{ClusterArguments, names};
use crate::cli::plan::{self, DataChange};
use crate::cli::preview::PreviewArguments;
use crate::cli::providers::ProviderArguments;

/// Flags of the commands that move from another tool.
#[derive(Args, Debug)]
pub(in crate::cli::migrate) struct OldArguments {
    /// Files or folders with the objects and, if available, the workloads that use them; - is standard input. By default the objects of
    /// the cluster
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The objects of all namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["namespace", "paths"])]
    all_namespaces: bool,
    /// Store for the ExternalSecrets, store/NAME or css/NAME; by default one is generated for each vault
    #[arg(long, value_name = "KIND/NAME")]
    store: Option<String>,
    /// Service account for generated stores, and for workloads that used pod identity
    #[arg(long, value_name = "NAME")]
    service_account: Option<String>,
    /// Also report whether the data of Secrets in the cluster would change, as `plan` does; exits with 2 if it would
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    preview: PreviewArguments,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    cluster: ClusterArguments,
    #[command(flatten)]
    providers: ProviderArguments,
}

/// A tool: what is looked for, and what becomes of it.
pub(in crate::cli::migrate) struct Tool {
    kinds: &'static [Kind],
    convert: fn(&Found, &Choice) -> Conversion,
}

/// akv2k8s.
pub(in crate::cli::migrate) const AKV2K8S: Tool =
    Tool { kinds: &super::akv2k8s::KINDS, convert: super::akv2k8s::convert };
/// The Secrets Store CSI driver.
pub(in crate::cli::migrate) const PROVIDER_CLASS: Tool =
    Tool { kinds: &super::provider_class::KINDS, convert: super::provider_class::convert };
/// AAD pod identity.
pub(in crate::cli::migrate) const POD_IDENTITY: Tool =
    Tool { kinds: &super::pod_identity::KINDS, convert: super::pod_identity::convert };

/// Prints the manifests, and what is to be said of them. Ends with 1 where something has no answer.
pub(in crate::cli::migrate) async fn execute(arguments: &OldArguments, tool: &Tool) -> Result<ExitCode, Error> {
    let store = arguments.store.as_deref().map(|name| names::store(name, "")).transpose();
    let store = store.map_err(crate::cli::person::Error::from)?;
    let choice = Choice {
        store: store.map(|key| Store { kind: key.kind, name: key.object.name }),
        service_account: arguments.service_account.clone(),
    };
    let found = arguments.found(tool.kinds).await?;
    let mut conversion = (tool.convert)(&found, &choice);
    for problem in &found.problems {
        conversion.about("what was read").by_hand("", problem.as_str());
    }
    print::conversion(&conversion, arguments.output.format)?;
    let mut code = if conversion.has_gaps() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    if arguments.check {
        let changes = arguments.changes(conversion).await?;
        for change in &changes {
            note(&said(change));
        }
        if changes.iter().any(|change| change.refused.is_some()) {
            code = ExitCode::FAILURE;
        } else if code == ExitCode::SUCCESS && changes.iter().any(|change| !change.is_new && !change.keys.is_empty()) {
            code = ExitCode::from(exit_code::CHANGES);
        }
    }
    Ok(code)
}

impl OldArguments {
    async fn found(&self, kinds: &[Kind]) -> Result<Found, Error> {
        if !self.paths.is_empty() {
            return Ok(objects::in_files(&self.paths, kinds, self.cluster.given_namespace().unwrap_or("default"))?);
        }
        let (client, namespace) = self.cluster.connect().await?;
        let scope = (!self.all_namespaces).then_some(namespace.as_str());
        Ok(objects::in_cluster(&client, kinds, scope).await.map_err(crate::cli::person::Error::from)?)
    }

    async fn changes(&self, conversion: Conversion) -> Result<Vec<DataChange>, Error> {
        let manifests = Manifests::of_values(conversion.manifests).map_err(plan::Error::from)?;
        if manifests.external_secrets.is_empty() {
            return Ok(Vec::new());
        }
        let (client, _) = self.cluster.connect().await?;
        Ok(plan::data_changes(client, manifests, &self.preview, &self.providers).await?)
    }
}

/// What would become of the data of a Secret. Names keys, and no value.
fn said(change: &DataChange) -> String {
    let secret = format!("check: Secret {}/{}", change.external_secret.namespace, change.target);
    if let Some(why) = &change.refused {
        return format!("{secret}: not possible: {why}");
    }
    if change.is_new {
        return format!("{secret} is not there; it would be made");
    }
    if change.keys.is_empty() {
        return format!("{secret}: no byte changes");
    }
    let keys: Vec<_> = change.keys.iter().map(|(key, what)| format!("{key} ({what})")).collect();
    format!("{secret}: changes: {}", keys.join(", "))
}
