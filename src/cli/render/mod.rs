//! `external-secrets render`

mod children;
mod print;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::api::ServedVersion;
use crate::api::v1::ExternalSecret;
use crate::api::v1alpha1::PushSecret;
use crate::controller::external_secret::destination::Destination;
use crate::controller::external_secret::error::Error as SyncError;
use crate::controller::external_secret::spec::check;
use crate::controller::options::{FloodGate, Switch};
use crate::controller::push_secret::error::Error as PushError;
use crate::controller::push_secret::preview::{self, Objects, Wish};
use crate::controller::store_access::clients::ControllerClass;
use crate::controller::store_access::error::Error::{NamespaceExcluded, NotFound};
use crate::sync::refresh::Reason;
use crate::sync::target::Owner;

use super::inputs::manifests::{self, Manifests};
use super::inputs::{Inputs, values};
use super::preview::{PreviewArguments, Previewer};
use super::providers;
use super::redaction::{Redactor, Values};

/// The namespace of objects that name none.
const DEFAULT_NAMESPACE: &str = "default";
/// The class of the controller whose stores are rendered.
const CLASS: &str = "default";

/// Why nothing can be rendered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Manifests(#[from] manifests::Error),
    #[error(transparent)]
    Values(#[from] values::Error),
    #[error("the manifests have no ExternalSecret or PushSecret{0}")]
    Nothing(String),
    #[error(transparent)]
    Providers(#[from] providers::Error),
    #[error(transparent)]
    Print(#[from] print::Error),
}

/// Prints the Secrets that ExternalSecrets produce, and the vault objects that PushSecrets ask for, without a cluster.
///
/// For PushSecrets it reads no vault.
#[derive(Args, Debug)]
pub(super) struct RenderArguments {
    /// Files or folders with the ExternalSecrets and PushSecrets and what they refer to: stores, service accounts, ConfigMaps, Secrets;
    /// for ClusterExternalSecrets and ClusterPushSecrets also the Namespaces; - is standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only render the ExternalSecret, PushSecret, ClusterExternalSecret or ClusterPushSecret with this name
    #[arg(long)]
    name: Option<String>,
    /// Namespace for manifests that name none
    #[arg(short, long, default_value = DEFAULT_NAMESPACE)]
    namespace: String,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Format::Yaml, value_name = "FORMAT")]
    output: Format,
    #[command(flatten)]
    preview: PreviewArguments,
    #[command(flatten)]
    providers: providers::ProviderArguments,
}

/// How Secrets are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// As manifests in YAML
    Yaml,
    /// As one JSON document, with the manifest of each ExternalSecret
    Json,
}

/// Prints each Secret. An ExternalSecret that cannot be rendered is reported, and the others are still printed.
pub(super) async fn execute(arguments: &RenderArguments) -> Result<ExitCode, Error> {
    let manifests = Manifests::read(&arguments.paths, &arguments.namespace)?;
    let inputs = Arc::new(Inputs::new(manifests, arguments.preview.values.as_deref(), None)?);
    let acts_as = arguments.preview.azure_identity.into();
    let previewer = Previewer {
        inputs: &inputs,
        providers: inputs.in_place_of_vaults(providers::of_person(
            &arguments.providers,
            acts_as,
            Arc::clone(&inputs) as _,
        )?),
        templates: arguments.preview.templates(),
        flood_gate: FloodGate::Open,
        version: ServedVersion::V1,
    };
    let is_wanted = |object: &&ExternalSecret| arguments.name.is_none() || object.metadata.name == arguments.name;
    let made = children::of(&inputs.manifests, arguments.name.as_deref());
    let wanted: Vec<_> =
        inputs.manifests.external_secrets.iter().filter(is_wanted).chain(&made.external_secrets).collect();
    let is_wanted = |object: &&PushSecret| arguments.name.is_none() || object.metadata.name == arguments.name;
    let pushes: Vec<_> = inputs.manifests.push_secrets.iter().filter(is_wanted).chain(&made.push_secrets).collect();
    let mut code = if made.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    made.problems.iter().for_each(|problem| report_problem(problem));
    let is_empty = wanted.is_empty() && pushes.is_empty();
    if is_empty && !made.problems.is_empty() {
        return Ok(code);
    }
    if is_empty {
        let named = arguments.name.as_ref().map(|name| format!(" of the name {name:?}")).unwrap_or_default();
        return Err(Error::Nothing(named));
    }
    let redactor = Redactor::new(Values::of_flag(arguments.preview.show_values));
    let mut all = Vec::new();
    for object in wanted {
        match render(&previewer, object).await {
            Ok(preview) => {
                let Some(rendered) = print::rendered(&preview, object, &redactor) else { continue };
                match arguments.output {
                    Format::Yaml => print::print(&rendered.yaml()?)?,
                    Format::Json => all.push(rendered),
                }
            }
            Err(error) => {
                code = ExitCode::FAILURE;
                failed(object, &error);
            }
        }
    }
    let previewer = Previewer { providers: inputs.without_vaults(previewer.providers), ..previewer };
    let mut all_pushed = Vec::new();
    for object in pushes {
        match render_push(&previewer, object).await {
            Ok(objects) => {
                let rendered = print::pushed(&objects, object, &redactor);
                match arguments.output {
                    Format::Yaml => print::print(&rendered.yaml()?)?,
                    Format::Json => all_pushed.push(rendered),
                }
                if let Some(error) = objects.into_failure() {
                    code = ExitCode::FAILURE;
                    report_problem(&push_problem(object, &error.to_string()));
                }
            }
            Err(problem) => {
                code = ExitCode::FAILURE;
                report_problem(&problem);
            }
        }
    }
    if arguments.output == Format::Json {
        print::print(&format!("{:#}\n", print::document(&all, &all_pushed)))?;
    }
    Ok(code)
}

/// The objects that a PushSecret asks for, or why they cannot be determined.
async fn render_push(previewer: &Previewer<'_>, object: &PushSecret) -> Result<Objects, String> {
    let class = ControllerClass { name: CLASS, secret_stores: Switch::On, cluster_secret_stores: Switch::On };
    let problem = match preview::wish(object, previewer.tools(class, Switch::On)).await {
        Ok(Wish::Objects(objects)) => return Ok(objects),
        Ok(Wish::NotOurs) => "its stores are of another controller class".to_owned(),
        Ok(Wish::Deleted) => "it is being deleted".to_owned(),
        Ok(Wish::Nothing(why)) => why,
        Err(PushError::Store { error, .. }) if matches!(*error, NotFound(_) | NamespaceExcluded { .. }) => {
            format!("{error}; give the store and the Namespace as well, or the values by --values")
        }
        Err(error) => error.to_string(),
    };
    Err(push_problem(object, &problem))
}

fn push_problem(object: &PushSecret, problem: &str) -> String {
    format!("PushSecret {:?}: {problem}", object.metadata.name.as_deref().unwrap_or_default())
}

async fn render(previewer: &Previewer<'_>, object: &ExternalSecret) -> Result<super::preview::Preview, SyncError> {
    let spec = object.spec.get().map_err(Clone::clone)?;
    check(spec)?;
    let owner = Owner::new(&object.metadata, spec, previewer.version);
    // Without a cluster, nothing is known of a target of another kind.
    let existing = match owner.manifest() {
        None => Destination::Secret.read(owner, previewer.inputs).await?,
        Some(_) => None,
    };
    previewer.preview(object, existing, Reason::First).await
}

#[allow(clippy::print_stderr, reason = "a message for the person who runs the command")]
fn report_problem(problem: &str) {
    eprintln!("external-secrets: {problem}");
}

#[allow(clippy::print_stderr, reason = "a message for the person who runs the command")]
fn failed(object: &ExternalSecret, error: &SyncError) {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    match error {
        SyncError::Store(NotFound(store)) => eprintln!(
            "external-secrets: ExternalSecret {name:?}: {store} is not in the manifests; add it, or pass the values with --values"
        ),
        SyncError::Store(NamespaceExcluded { .. }) => eprintln!(
            "external-secrets: ExternalSecret {name:?}: {error}; where its labels decide, give the Namespace as well"
        ),
        _ => eprintln!("external-secrets: ExternalSecret {name:?}: {error}"),
    }
}
