use external_secrets::api::Parsed;
use external_secrets::api::generators::{self, Generator, GeneratorKind};
use external_secrets::api::v1::{ClusterExternalSecret, ExternalSecret, SecretStore};
use external_secrets::api::v1alpha1::PushSecret;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::manifest::{documents, problems};
use crate::{files, read};

/// Third-party kinds in the examples: from Kubernetes itself, Flux, and Tekton, which `pipeline.rs` checks.
const FOREIGN: [(&str, &str); 9] = [
    ("v1", "ConfigMap"),
    ("v1", "Namespace"),
    ("v1", "Secret"),
    ("v1", "ServiceAccount"),
    ("apps/v1", "Deployment"),
    ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
    ("tekton.dev/v1", "Pipeline"),
    ("tekton.dev/v1", "PipelineRun"),
    ("tekton.dev/v1", "Task"),
];

#[test]
fn every_example_is_a_valid_manifest() {
    let files = files("examples", &["yaml", "yml"]);
    assert!(!files.is_empty());
    for file in files {
        let documents = documents(&read(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(!documents.is_empty(), "{file} holds no manifest");
        for manifest in documents {
            check(&manifest).unwrap_or_else(|problem| panic!("{file}: {problem}"));
        }
    }
}

fn check(manifest: &Value) -> Result<(), String> {
    let kind = manifest["kind"].as_str().unwrap_or_default();
    let api_version = manifest["apiVersion"].as_str().unwrap_or_default();
    manifest["metadata"]["name"].as_str().ok_or_else(|| format!("a {kind} has no metadata.name"))?;
    if FOREIGN.contains(&(api_version, kind)) {
        return Ok(());
    }
    let problems = problems(manifest);
    if !problems.is_empty() {
        return Err(problems.join("\n"));
    }
    match kind {
        "ExternalSecret" => is_valid(&read_as::<ExternalSecret>(manifest)?.spec),
        "ClusterExternalSecret" => is_valid(&read_as::<ClusterExternalSecret>(manifest)?.spec),
        "PushSecret" => is_valid(&read_as::<PushSecret>(manifest)?.spec),
        _ if api_version == generators::API_VERSION => {
            let kind = GeneratorKind::named(kind).ok_or_else(|| format!("{kind} is not served"))?;
            read_as::<Generator>(manifest)?.described(kind).map(drop).map_err(|problem| problem.to_string())
        }
        _ => is_valid(&read_as::<SecretStore>(manifest)?.spec),
    }
}

fn read_as<T: serde::de::DeserializeOwned>(manifest: &Value) -> Result<T, String> {
    serde_json::from_value(manifest.clone()).map_err(|error| error.to_string())
}

fn is_valid<T: DeserializeOwned>(spec: &Parsed<T>) -> Result<(), String> {
    spec.get().map(|_| ()).map_err(ToString::to_string)
}
