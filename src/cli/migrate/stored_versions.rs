//! `external-secrets migrate stored-versions`: each object is written once, so that the API server stores it in the version that the CRD stores today;
//! then the others are taken off `status.storedVersions`. A CRD from which a version is gone that stands there is refused by the API server.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use futures::{StreamExt as _, stream};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{ApiResource, DynamicObject, ListParams, Patch};
use serde_json::{Value, json};

use super::error::Error;
use crate::answers::Objects;
use crate::api::crd;
use crate::cli::exit_code;
use crate::cli::person::printing::Output;
use crate::cli::person::{ClusterArguments, patch_params};
use crate::controller::core::api_call::{ApiError, bounded};

/// How many objects are written at once.
const CONCURRENCY: usize = 16;

/// Writes each object once, so that it is stored in the storage version of its CRD, and removes the other versions from `status.storedVersions`.
///
/// The objects do not change. If one object of a CRD cannot be written, no version is removed from that CRD. Helm keeps the manifests of a release in a
/// Secret, with their old version: see docs/migrate.md.
#[derive(Args, Debug)]
pub(super) struct StoredVersionsArguments {
    /// Only report what would be done; exits with 2 if anything would
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    cluster: ClusterArguments,
}

/// What came of a CRD.
#[derive(Debug)]
struct Done {
    name: String,
    /// What it said of stored versions.
    stored: Vec<String>,
    /// How many objects were written, or would be.
    objects: usize,
    result: Outcome,
}

#[derive(Debug)]
enum Outcome {
    /// All is stored in the one version.
    Nothing,
    /// It would be done.
    Found,
    /// It is done.
    Migrated,
    /// Why not.
    Failed(String),
}

impl Outcome {
    const fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Found => "found",
            Self::Migrated => "migrated",
            Self::Failed(_) => "failed",
        }
    }
}

pub(super) async fn execute(arguments: &StoredVersionsArguments) -> Result<ExitCode, Error> {
    let (client, _) = arguments.cluster.connect().await?;
    let mut done = Vec::new();
    for definition in crd::all() {
        let name = definition.metadata.name.unwrap_or_default();
        done.extend(of_definition(&client, name, arguments.dry_run).await);
    }
    arguments.output.print(|| text(&done), || document(&done))?;
    let any = |is: fn(&Outcome) -> bool| done.iter().any(|done| is(&done.result));
    Ok(if any(|result| matches!(result, Outcome::Failed(_))) {
        ExitCode::FAILURE
    } else if any(|result| matches!(result, Outcome::Found)) {
        ExitCode::from(exit_code::CHANGES)
    } else {
        ExitCode::SUCCESS
    })
}

/// What is to be done of a CRD; nothing where it is not there.
async fn of_definition(client: &Client, name: String, is_dry: bool) -> Option<Done> {
    let definitions: Objects<CustomResourceDefinition> = Objects::all(client.clone(), &());
    let failed = |name, error: &ApiError| Done {
        name,
        stored: Vec::new(),
        objects: 0,
        result: Outcome::Failed(error.to_string()),
    };
    let definition = match bounded(definitions.get_opt(&name)).await {
        Ok(definition) => definition?,
        Err(error) => return Some(failed(name, &error)),
    };
    let versions = definition.spec.versions.iter();
    let storage = versions.clone().find(|version| version.storage).map(|version| version.name.clone())?;
    let stored = definition.status.as_ref().and_then(|status| status.stored_versions.clone()).unwrap_or_default();
    let done = |objects, result| Done { name: name.clone(), stored: stored.clone(), objects, result };
    if stored == [storage.as_str()] {
        return Some(done(0, Outcome::Nothing));
    }
    let kind = resource(&definition, &storage);
    let objects: Objects<DynamicObject> = Objects::all(client.clone(), &kind);
    let listed = match bounded(objects.list_metadata(&ListParams::default())).await {
        Ok(listed) => listed,
        Err(error) => return Some(done(0, Outcome::Failed(error.to_string()))),
    };
    let keys: Vec<_> =
        listed.into_iter().filter_map(|object| Some((object.metadata.namespace, object.metadata.name?))).collect();
    if is_dry {
        return Some(done(keys.len(), Outcome::Found));
    }
    if let Some(problem) = write_all(client, &kind, &keys).await {
        return Some(done(keys.len(), Outcome::Failed(problem)));
    }
    let patch = Patch::Merge(json!({"status": {"storedVersions": [storage]}}));
    let patched: Result<Value, ApiError> = bounded(definitions.patch_status(&name, &patch_params(), &patch)).await;
    Some(match patched {
        Ok(_) => done(keys.len(), Outcome::Migrated),
        Err(error) => done(keys.len(), Outcome::Failed(format!("its status cannot be written: {error}"))),
    })
}

fn resource(definition: &CustomResourceDefinition, version: &str) -> ApiResource {
    let spec = &definition.spec;
    ApiResource {
        group: spec.group.clone(),
        version: version.to_owned(),
        api_version: format!("{}/{version}", spec.group),
        kind: spec.names.kind.clone(),
        plural: spec.names.plural.clone(),
    }
}

/// Writes objects as they are. The API server stores what comes of it only where that differs, and so in the new version. Says which could not be
/// written first, and how many.
async fn write_all(client: &Client, kind: &ApiResource, keys: &[(Option<String>, String)]) -> Option<String> {
    let written = stream::iter(keys).map(async |(namespace, name)| {
        let objects: Objects<DynamicObject> = Objects::within(client.clone(), namespace.as_deref(), kind);
        let nothing = Patch::Merge(json!({}));
        match bounded(objects.patch_metadata(name, &patch_params(), &nothing)).await {
            // Deleted meanwhile.
            Err(error) if error.code() == Some(404) => None,
            Err(error) => {
                Some(format!("{}{name}: {error}", namespace.as_ref().map(|n| format!("{n}/")).unwrap_or_default()))
            }
            Ok(_) => None,
        }
    });
    let failed: Vec<String> = written.buffer_unordered(CONCURRENCY).filter_map(async |failed| failed).collect().await;
    let first = failed.first()?;
    Some(format!("{} of {} objects could not be written, such as {first}", failed.len(), keys.len()))
}

fn text(done: &[Done]) -> String {
    let mut text = String::new();
    for Done { name, stored, objects, result } in done {
        let stored = stored.join(", ");
        let _ = match result {
            Outcome::Nothing => writeln!(text, "{name}: all is stored as {stored}"),
            Outcome::Found => writeln!(text, "{name}: {objects} objects may be stored as one of {stored}"),
            Outcome::Migrated => writeln!(text, "{name}: {objects} objects written; of {stored} one version is left"),
            Outcome::Failed(problem) => writeln!(text, "{name}: failed: {problem}"),
        };
    }
    text
}

fn document(done: &[Done]) -> Value {
    let one = |Done { name, stored, objects, result }: &Done| {
        let message = match result {
            Outcome::Failed(problem) => problem.as_str(),
            _ => "",
        };
        json!({"name": name, "storedVersions": stored, "objects": objects, "result": result.name(), "message": message})
    };
    json!({"version": 1, "definitions": done.iter().map(one).collect::<Vec<_>>()})
}
