//! `external-secrets migrate finalizers`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;

use crate::answers::Objects;
use crate::api::FINALIZER_NAMESPACE_PREFIX;
use crate::controller::core::api_call::{ApiError, bounded};
use crate::runtime::kube_client::{self, KubeClientError, Person};

/// Why finalizers could not be removed.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    #[error(transparent)]
    Client(#[from] KubeClientError),
    #[error("the namespaces cannot be listed: {0}")]
    Namespaces(#[source] ApiError),
    #[error("the list cannot be printed: {0}")]
    Output(#[from] std::io::Error),
}

/// Flags of `migrate finalizers`.
#[derive(Args, Debug)]
pub(super) struct FinalizersArguments {
    /// Only list them
    #[arg(long)]
    dry_run: bool,
    /// Path of the kubeconfig; default: KUBECONFIG, then ~/.kube/config
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; default: the current context
    #[arg(long)]
    context: Option<String>,
}

/// Removes the finalizers, and says of each Namespace what came of it. One that fails does not keep the others.
pub(super) async fn execute(arguments: &FinalizersArguments) -> Result<ExitCode, Error> {
    let (client, _) = kube_client::of_person(Person {
        kubeconfig: arguments.kubeconfig.as_deref(),
        context: arguments.context.as_deref(),
        ..Person::default()
    })
    .await?;
    let api: Objects<Namespace> = Objects::all(client, &());
    let namespaces = bounded(api.list_metadata(&ListParams::default())).await.map_err(Error::Namespaces)?;
    let (mut code, mut count) = (ExitCode::SUCCESS, 0);
    let mut out = std::io::stdout();
    for meta in namespaces.iter().map(|namespace| &namespace.metadata) {
        let finalizers = of_eso(meta);
        if finalizers.is_empty() {
            continue;
        }
        let name = meta.name.as_deref().unwrap_or_default();
        let listed = finalizers.join(", ");
        if arguments.dry_run {
            count += finalizers.len();
            writeln!(out, "Namespace {name} has {listed}")?;
            continue;
        }
        match remove(&api, meta).await {
            Ok(()) => {
                count += finalizers.len();
                writeln!(out, "Namespace {name}: removed {listed}")?;
            }
            Err(error) => {
                code = ExitCode::FAILURE;
                failed(name, &error);
            }
        }
    }
    let done = if arguments.dry_run { "to remove" } else { "removed" };
    writeln!(out, "{count} finalizers {done}.")?;
    Ok(code)
}

/// ESO's finalizers on a Namespace.
fn of_eso(meta: &ObjectMeta) -> Vec<&str> {
    let finalizers = meta.finalizers.iter().flatten().map(String::as_str);
    finalizers.filter(|finalizer| finalizer.starts_with(FINALIZER_NAMESPACE_PREFIX)).collect()
}

/// Removes them unless the Namespace has changed, so that a finalizer that was added meanwhile is not lost; then reads it again.
async fn remove(api: &Objects<Namespace>, seen: &ObjectMeta) -> Result<(), ApiError> {
    const TRIES: usize = 5;
    let name = seen.name.as_deref().unwrap_or_default();
    let mut meta = seen.clone();
    for rest in (0..TRIES).rev() {
        let remaining = meta.finalizers.iter().flatten().filter(|name| !name.starts_with(FINALIZER_NAMESPACE_PREFIX));
        let patch = Patch::Merge(json!({ "metadata": {
            "uid": meta.uid, "resourceVersion": meta.resource_version, "finalizers": remaining.collect::<Vec<_>>(),
        } }));
        match bounded(api.patch_metadata(name, &PatchParams::default(), &patch)).await {
            Ok(_) => return Ok(()),
            Err(error) if error.code() == Some(404) => return Ok(()),
            Err(error) if error.code() == Some(409) && rest > 0 => {}
            Err(error) => return Err(error),
        }
        match bounded(api.get_metadata_opt(name)).await? {
            Some(namespace) => meta = namespace.metadata,
            None => return Ok(()),
        }
    }
    Ok(())
}

#[allow(clippy::print_stderr, reason = "said to whoever runs the command")]
fn failed(name: &str, error: &ApiError) {
    eprintln!("external-secrets: Namespace {name}: the finalizers cannot be removed: {}", error.reason());
}
