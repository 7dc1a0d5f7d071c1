//! `external-secrets plan`

pub(super) mod action;
mod data_change;
mod diff;
mod entry;
pub(super) mod error;
mod machine;
pub(super) mod parents;
pub(super) mod push;
mod subject;
mod text;

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{ArgAction, Args, ValueEnum};
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use kube::Client;

use crate::api::v1::ExternalSecret;
use crate::api::v1alpha1::PushSecret;
use crate::cli::exit_code;
use crate::controller::core::discovery::{self, Discovered};
use crate::controller::core::key::ObjectKey;
use crate::controller::external_secret::steps::Settings;
use crate::controller::options::{FloodGate, GenericTargets, Switch};
use crate::controller::store_access::clients::ControllerClass;

use super::go_bool::go_bool;
use super::inputs::Inputs;
use super::inputs::cluster::Cluster;
use super::inputs::manifests::Manifests;
use super::person::ClusterArguments;
use super::preview::{PreviewArguments, Previewer};
use super::providers;
use super::redaction::{Redactor, Values};
pub(super) use data_change::DataChange;
use entry::{Examiner, Findings, Summary};
pub(super) use error::Error;
use subject::{Subject, Which};
use text::Paint;

/// How many ExternalSecrets are examined concurrently.
const CONCURRENCY: usize = 16;

/// Shows what the controller would create, change or delete, and changes nothing.
///
/// Reads the cluster of your kubeconfig with your rights: ExternalSecrets and PushSecrets, their stores, their target and
/// source Secrets, ConfigMaps and Secrets with templates, and a token of the service account that a store names.
///
/// For each vault object that a PushSecret asks for, it says what would be done and names what differs. Conflicts are
/// found between the PushSecrets that are examined.
///
/// Exits with 0 if nothing would change, with 2 if something would, and with 1 if anything failed, including an error
/// that the controller would report for an ExternalSecret.
#[allow(clippy::struct_excessive_bools, reason = "each is a flag that is true or false")]
#[derive(Args, Debug)]
pub(super) struct PlanArguments {
    /// Only the ExternalSecrets and PushSecrets with these names
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Manifests to treat as if they were applied: files, folders, or - for standard input; can be repeated
    #[arg(short = 'f', long = "filename", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// ExternalSecrets and PushSecrets in all namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["namespace", "names", "paths"])]
    all_namespaces: bool,
    /// Only ExternalSecrets and PushSecrets with these labels
    #[arg(short = 'l', long, conflicts_with_all = ["names", "paths"])]
    selector: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
    /// Whether to color the text; auto does so on a terminal, unless `NO_COLOR` is set
    #[arg(long, value_enum, default_value_t = Color::Auto, num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    color: Color,
    /// Assume that a refresh of each was requested by an annotation
    #[arg(long)]
    force_sync: bool,
    /// Class of the controller; stores with another spec.controller are ignored
    #[arg(long, default_value = "default")]
    controller_class: String,
    /// Whether the controller holds ExternalSecrets back until their store is Ready
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    enable_flood_gate: bool,
    /// Whether the controller reconciles ClusterSecretStores; if not, it ignores ExternalSecrets that use one
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    enable_cluster_store_reconciler: bool,
    /// Whether the controller reconciles SecretStores; if not, it ignores ExternalSecrets that use one
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    enable_secret_store_reconciler: bool,
    /// Whether the controller also writes ConfigMaps and custom resources (target.manifest)
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    unsafe_allow_generic_targets: bool,
    /// Whether the controller also pushes Secrets that are credentials of the cluster itself
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    push_token_secrets: bool,
    #[command(flatten)]
    preview: PreviewArguments,
    #[command(flatten)]
    cluster: ClusterArguments,
    #[command(flatten)]
    providers: providers::ProviderArguments,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// As JSON
    Json,
    /// As YAML
    Yaml,
}

/// Whether the text is colored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    fn paint(self) -> Paint {
        let is_wanted = match self {
            Self::Always => true,
            Self::Never => false,
            // See https://no-color.org
            Self::Auto => {
                std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && std::io::stdout().is_terminal()
            }
        };
        if is_wanted { Paint::Colored } else { Paint::Plain }
    }
}

/// Prints the plan. The exit code says whether anything would change.
pub(super) async fn execute(arguments: &PlanArguments) -> Result<ExitCode, Error> {
    let (client, namespace) = arguments.cluster.connect().await?;
    let manifests = Manifests::read(&arguments.paths, &namespace)?;
    let which = Which {
        names: &arguments.names,
        namespace: (!arguments.all_namespaces).then_some(&namespace),
        selector: arguments.selector.as_deref(),
        is_given: !arguments.paths.is_empty(),
        is_forced: arguments.force_sync,
    };
    let question = Question {
        which,
        settings: arguments.settings(),
        flood_gate: arguments.flood_gate(),
        token_secrets: Switch::of_flag(arguments.push_token_secrets),
        preview: &arguments.preview,
        providers: &arguments.providers,
    };
    let findings = answers(client, manifests, &question).await?;
    arguments.print(&findings)?;
    let summary = Summary::of(&findings);
    Ok(match summary.refused {
        0 if summary.has_changes() => ExitCode::from(exit_code::CHANGES),
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// What would become of the targets of manifests, as far as their data goes: what whoever moves from another tool wants to know.
pub(super) async fn data_changes(
    client: Client,
    manifests: Manifests,
    preview: &PreviewArguments,
    providers: &providers::ProviderArguments,
) -> Result<Vec<DataChange>, Error> {
    let class = ControllerClass { name: "default", secret_stores: Switch::On, cluster_secret_stores: Switch::On };
    let question = Question {
        which: Which { names: &[], namespace: None, selector: None, is_given: true, is_forced: true },
        settings: Settings { class, generic_targets: GenericTargets::of_flag(false) },
        flood_gate: FloodGate::Open,
        token_secrets: Switch::Off,
        preview,
        providers,
    };
    let findings = answers(client, manifests, &question).await?;
    Ok(findings.entries.iter().map(DataChange::of).collect())
}

/// What is to be planned, and how.
struct Question<'a> {
    which: Which<'a>,
    settings: Settings<'a>,
    flood_gate: FloodGate,
    /// Whether the controller pushes Secrets that are credentials of the cluster.
    token_secrets: Switch,
    preview: &'a PreviewArguments,
    providers: &'a providers::ProviderArguments,
}

/// What the controller would do.
async fn answers(client: Client, manifests: Manifests, question: &Question<'_>) -> Result<Findings, Error> {
    let Question { which, settings, flood_gate, token_secrets, preview, providers } = question;
    let version = match discovery::discover(&client, &[ExternalSecret::PLURAL]).await.map_err(Error::Cluster)? {
        Discovered::Served(version) => Some(version),
        Discovered::Lacking(_) => None,
    };
    let cluster = Cluster::new(client, version);
    let inputs = Arc::new(Inputs::new(manifests, preview.values.as_deref(), Some(cluster))?);
    let Some(cluster) = &inputs.cluster else { return Ok(Findings::default()) };
    let mut subjects = subject::subjects(which, &inputs, cluster).await?;
    let mut pushes = push::subject::subjects(which, &inputs, cluster).await?;
    check_names(which, &subjects, &pushes)?;
    let (mut parents, made) = parents::parents(which, &inputs, cluster).await?;
    let is_new = |made: &Subject| {
        let key = ObjectKey::of(&made.object.metadata);
        !subjects.iter().any(|subject| ObjectKey::of(&subject.object.metadata) == key)
    };
    let made: Vec<_> = made.into_iter().filter(is_new).collect();
    // An ExternalSecret that a ClusterExternalSecret would change is examined in its new form.
    subjects.extend(made);
    let (push_parents, made) = push::parents::parents(which, &inputs, cluster).await?;
    let keys: BTreeSet<_> = made.iter().map(|object| ObjectKey::of(&object.metadata)).collect();
    pushes.retain(|object| !keys.contains(&ObjectKey::of(&object.metadata)));
    pushes.extend(made);
    parents.extend(push_parents);
    let acts_as = preview.azure_identity.into();
    let of_person = providers::of_person(providers, acts_as, Arc::clone(&inputs) as _)?;
    let previewer = Previewer {
        inputs: &inputs,
        providers: inputs.in_place_of_vaults(of_person),
        templates: preview.templates(),
        flood_gate: *flood_gate,
        version: cluster.version(),
    };
    let now = Timestamp::now();
    let tools = previewer.tools(settings.class, *token_secrets);
    let pushes = push::entries(&pushes, tools, now).await;
    let redactor = Redactor::new(Values::of_flag(preview.show_values));
    let examiner = Examiner { previewer, settings: *settings, redactor, now };
    let entries = stream::iter(&subjects).map(|subject| examiner.examine(subject)).buffered(CONCURRENCY);
    Ok(Findings { parents, entries: entries.collect().await, pushes })
}

/// Each name must be that of an ExternalSecret or a PushSecret of the cluster; those of manifests were looked for there.
fn check_names(which: &Which<'_>, subjects: &[Subject], pushes: &[PushSecret]) -> Result<(), Error> {
    let metas = || subjects.iter().map(|s| &s.object.metadata).chain(pushes.iter().map(|object| &object.metadata));
    let is_there = |name: &String| which.is_given || metas().any(|meta| meta.name.as_ref() == Some(name));
    match which.names.iter().find(|name| !is_there(name)) {
        Some(name) => Err(Error::NotFound(ObjectKey::new(which.namespace.unwrap_or_default(), name))),
        None => Ok(()),
    }
}

impl PlanArguments {
    /// The controller's settings that affect which step is next.
    const fn settings(&self) -> Settings<'_> {
        Settings {
            class: ControllerClass {
                name: self.controller_class.as_str(),
                secret_stores: Switch::of_flag(self.enable_secret_store_reconciler),
                cluster_secret_stores: Switch::of_flag(self.enable_cluster_store_reconciler),
            },
            generic_targets: GenericTargets::of_flag(self.unsafe_allow_generic_targets),
        }
    }

    /// A store that was never validated is tried, because the controller would validate it first. Values from a file
    /// need no store.
    const fn flood_gate(&self) -> FloodGate {
        if self.enable_flood_gate && self.preview.values.is_none() {
            FloodGate::OpenToUnvalidated
        } else {
            FloodGate::Open
        }
    }

    fn print(&self, findings: &Findings) -> Result<(), Error> {
        let text = match self.output {
            Format::Text => text::print(findings, self.color.paint()),
            Format::Json => format!("{:#}\n", machine::document(findings)),
            Format::Yaml => serde_saphyr::to_string(&machine::document(findings))?,
        };
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }
}
