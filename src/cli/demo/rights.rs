//! The controller's account in the demo's cluster, with exactly the rights that the Helm chart grants.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::sandbox::cluster::Cluster;

use super::error::Error;

/// The rules of the chart's `ClusterRole`.
const RULES: &str = include_str!("../../../helm/external-secrets/files/rules.yaml");

const NAMESPACE: &str = "external-secrets";
const ACCOUNT: &str = "external-secrets";

/// Creates the account and returns a kubeconfig for it.
pub(super) async fn kubeconfig(cluster: &Cluster) -> Result<PathBuf, Error> {
    let manifest = cluster.directory().join("rights.json");
    let rules = serde_saphyr::from_str(RULES).map_err(|error| Error::Rights(error.to_string()))?;
    std::fs::write(&manifest, manifests(&rules).to_string())?;
    kubectl(cluster, &["apply", "--filename", &manifest.display().to_string()]).await?;
    let token = kubectl(cluster, &["create", "token", ACCOUNT, "--namespace", NAMESPACE, "--duration=24h"]).await?;
    Ok(cluster.kubeconfig_for(ACCOUNT, token.trim())?)
}

fn manifests(rules: &Value) -> Value {
    let role = "external-secrets-controller";
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT, "namespace": NAMESPACE}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": role}, "rules": rules,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}],
        },
    ]})
}

async fn kubectl(cluster: &Cluster, arguments: &[&str]) -> Result<String, Error> {
    let output = Command::new(cluster.kubectl())
        .args(arguments)
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("KUBECACHEDIR", cluster.directory().join("kubectl"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(Error::Rights(String::from_utf8_lossy(&output.stderr).trim_end().to_owned()))
    }
}
