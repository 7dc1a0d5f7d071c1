//! `external-secrets migrate finalizers`

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::error::Error;
use crate::answers::Objects;
use crate::api::FINALIZER_NAMESPACE_PREFIX;
use crate::cli::person::ClusterArguments;
use crate::cli::person::printing::{Output, note as said};
use crate::controller::core::api_call::{ApiError, bounded};

/// Flags of `migrate finalizers`.
#[derive(Args, Debug)]
pub(super) struct FinalizersArguments {
    /// Only list them
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    cluster: ClusterArguments,
}

/// What came of the finalizers of one Namespace.
struct Done {
    namespace: String,
    finalizers: Vec<String>,
    /// Why they were not removed.
    failed: Option<String>,
}

/// Removes the finalizers, and says of each Namespace what came of it. One that fails does not keep the others.
pub(super) async fn execute(arguments: &FinalizersArguments) -> Result<ExitCode, Error> {
    let (client, _) = arguments.cluster.connect().await?;
    let api: Objects<Namespace> = Objects::all(client, &());
    let namespaces = bounded(api.list_metadata(&ListParams::default())).await.map_err(Error::Namespaces)?;
    let mut done = Vec::new();
    for meta in namespaces.iter().map(|namespace| &namespace.metadata) {
        let finalizers: Vec<String> = of_eso(meta).into_iter().map(str::to_owned).collect();
        if finalizers.is_empty() {
            continue;
        }
        let removed = if arguments.dry_run { Ok(()) } else { remove(&api, meta).await };
        done.push(Done {
            namespace: meta.name.clone().unwrap_or_default(),
            finalizers,
            failed: removed.err().map(|error| error.reason()),
        });
    }
    arguments.output.print(|| text(&done, arguments.dry_run), || document(&done, arguments.dry_run))?;
    for Done { namespace, failed, .. } in &done {
        if let Some(reason) = failed {
            said(&format!("external-secrets: Namespace {namespace}: the finalizers cannot be removed: {reason}"));
        }
    }
    Ok(if done.iter().any(|done| done.failed.is_some()) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn text(done: &[Done], is_dry: bool) -> String {
    let (mut text, mut count) = (String::new(), 0);
    for Done { namespace, finalizers, .. } in done.iter().filter(|done| done.failed.is_none()) {
        let listed = finalizers.join(", ");
        count += finalizers.len();
        let _ = if is_dry {
            writeln!(text, "Namespace {namespace} has {listed}")
        } else {
            writeln!(text, "Namespace {namespace}: removed {listed}")
        };
    }
    let _ = writeln!(text, "{count} finalizers {}.", if is_dry { "to remove" } else { "removed" });
    text
}

fn document(done: &[Done], is_dry: bool) -> Value {
    let one = |done: &Done| {
        let result = match (&done.failed, is_dry) {
            (Some(_), _) => "failed",
            (None, true) => "found",
            (None, false) => "removed",
        };
        json!({
            "namespace": done.namespace,
            "finalizers": done.finalizers,
            "result": result,
            "message": done.failed.clone().unwrap_or_default(),
        })
    };
    json!({"version": 1, "namespaces": done.iter().map(one).collect::<Vec<_>>()})
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
