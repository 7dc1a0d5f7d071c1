//! The Secret that an ExternalSecret writes, and the workloads that use it.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ApiResource, GroupVersionKind, ListParams};
use kube::core::DynamicObject;
use serde_json::Value;

use super::found::Found;
use super::writers::{self, Writer};
use crate::answers::Objects;
use crate::api::v1::external_secret::CreationPolicy;
use crate::api::v1::{ConditionStatus, ExternalSecret};
use crate::cli::person::Cluster;
use crate::cli::person::explanation::Link;
use crate::cli::person::outcome::Outcome;
use crate::cli::person::overview::Overview;
use crate::controller::core::api_call::bounded;
use crate::sync::target::is_external_secret;

/// How many workloads to name.
const NAMED: usize = 5;
/// How many objects of a kind to read.
const LOOKED_AT: u32 = 500;

/// The kinds of workloads that use Secrets.
const WORKLOADS: [(&str, &str, &str); 4] = [
    ("apps", "v1", "Deployment"),
    ("apps", "v1", "StatefulSet"),
    ("apps", "v1", "DaemonSet"),
    ("batch", "v1", "CronJob"),
];

/// What there is to report about the target.
pub(super) async fn found(cluster: &Cluster, object: &ExternalSecret, overview: &Overview, now: Timestamp) -> Found {
    let new = |outcome, message: String| Found::new(Link::Target, outcome, message);
    let target = object.spec.get().ok().and_then(|spec| spec.target.as_ref());
    if let Some(manifest) = target.and_then(|target| target.manifest.as_ref()) {
        return new(Outcome::Skipped, format!("it is a {}, which is not examined here", manifest.kind));
    }
    let (namespace, name) = (overview.key.namespace.as_str(), overview.target.as_str());
    let api: Objects<Secret> = Objects::namespaced(cluster.client.clone(), namespace, &());
    let secret = match bounded(api.get_metadata_opt(name)).await {
        Ok(secret) => secret,
        Err(error) => {
            return new(Outcome::Skipped, format!("Secret {namespace}/{name} cannot be read: {}", error.reason()));
        }
    };
    let Some(secret) = secret else {
        let is_wanted = target.is_none_or(|target| target.creation_policy != CreationPolicy::None);
        return match overview.synced_at {
            None => new(Outcome::NotReached, format!("Secret {namespace}/{name} does not exist")),
            Some(_) if !is_wanted => new(Outcome::Ok, "none is written: creationPolicy None".to_owned()),
            Some(_) => {
                let found = new(Outcome::Warning, format!("Secret {namespace}/{name} does not exist"));
                let remedy = "See `deletionPolicy`, and find out who deletes it; `external-secrets refresh --wait` recreates it.";
                Found { remedy: Some(remedy.to_owned()), ..found }
            }
        };
    };
    let owner = secret.metadata.owner_references.iter().flatten().find(|reference| is_external_secret(reference));
    let other = owner.filter(|owner| owner.name != overview.key.name);
    if let Some(other) = other {
        let found = new(Outcome::Warning, format!("Secret {namespace}/{name} is ExternalSecret {:?}'s", other.name));
        let remedy = "Give one of the two another `target.name`, or `creationPolicy: Merge`.";
        return Found { remedy: Some(remedy.to_owned()), ..found };
    }
    let written = overview.synced(now);
    let used = used_by(cluster, namespace, name).await;
    let used = match used.as_slice() {
        [] => String::new(),
        names => {
            let shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            let more = names.len().saturating_sub(NAMED);
            if more > 0 { format!("; used by {shown} and {more} more") } else { format!("; used by {shown}") }
        }
    };
    let message = format!("Secret {namespace}/{name} is there, synced {written}{used}");
    let others = writers::of(&secret.metadata, &overview.key.name);
    // What somebody else changes, the controller changes back as long as it can read the values.
    let is_kept = overview.ready == Some(ConditionStatus::True)
        || target.is_some_and(|target| target.creation_policy == CreationPolicy::Merge);
    if others.is_empty() || is_kept {
        return Found { writers: others, ..new(Outcome::Ok, message) };
    }
    let remedy = "Find out what writes there under that name of a field manager, and stop it.";
    Found { writers: others, remedy: Some(remedy.to_owned()), ..new(Outcome::Warning, message) }
}

/// Who else wrote to the target last, as far as the caller may read it.
pub(super) async fn writers(cluster: &Cluster, overview: &Overview) -> Vec<Writer> {
    let api: Objects<Secret> = Objects::namespaced(cluster.client.clone(), &overview.key.namespace, &());
    let secret = bounded(api.get_metadata_opt(&overview.target)).await.ok().flatten();
    secret.map(|secret| writers::of(&secret.metadata, &overview.key.name)).unwrap_or_default()
}

/// The workloads whose pods use the Secret, as far as the caller may read them.
async fn used_by(cluster: &Cluster, namespace: &str, secret: &str) -> Vec<String> {
    let mut users = Vec::new();
    for (group, version, kind) in WORKLOADS {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Objects<DynamicObject> = Objects::namespaced(cluster.client.clone(), namespace, &resource);
        let listed = bounded(api.list(&ListParams::default().limit(LOOKED_AT))).await.unwrap_or_default();
        let using = listed.into_iter().filter(|workload| names_secret(&workload.data, secret));
        users.extend(using.filter_map(|workload| Some(format!("{kind} {}", workload.metadata.name?))));
    }
    users
}

/// Whether a workload uses a Secret: in a volume, in an environment variable, or to pull images.
fn names_secret(value: &Value, secret: &str) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let named = match name.as_str() {
                "secretName" => value.as_str(),
                "secretRef" | "secretKeyRef" | "secret" => value["name"].as_str(),
                _ => None,
            };
            named == Some(secret) || names_secret(value, secret)
        }),
        Value::Array(items) => items.iter().any(|item| names_secret(item, secret)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_workload_that_names_a_secret_is_found_wherever_it_does() {
        for pod in [
            json!({"volumes": [{"secret": {"secretName": "db"}}]}),
            json!({"volumes": [{"projected": {"sources": [{"secret": {"name": "db"}}]}}]}),
            json!({"containers": [{"envFrom": [{"secretRef": {"name": "db"}}]}]}),
            json!({"initContainers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "db", "key": "a"}}}]}]}),
        ] {
            let workload = json!({"spec": {"template": {"spec": pod}}});
            assert!(names_secret(&workload, "db") && !names_secret(&workload, "other"), "{workload}");
        }
        assert!(!names_secret(&json!({"metadata": {"name": "db"}}), "db"));
    }
}
