//! Checks whether the controller runs, leads, and has its rights.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Client;
use kube::api::{ApiResource, GroupVersionKind, ListParams, PostParams};
use kube::core::DynamicObject;
use serde::Deserialize;

use super::finding::{Check, Finding};
use super::patient::Patient;
use super::{network_policy, one_controller};
use crate::answers::Objects;
use crate::cli::person::lease::{self, Lease};
use crate::cli::person::outcome::Outcome;
use crate::controller::core::api_call::{ApiError, bounded};

const THERE: Check = Check::new("controller", "controller-there");
const READY: Check = Check::new("controller", "controller-ready");
const RESTARTS: Check = Check::new("controller", "controller-restarts");
const VERSION: Check = Check::new("controller", "controller-version");
const LEASE: Check = Check::new("controller", "lease-fresh");
const RIGHTS: Check = Check::new("controller", "controller-rights");

/// The label of the controller's Deployment and Pods, in our chart and in ESO's.
const LABEL: &str = "app.kubernetes.io/name=external-secrets";
/// The most restarts of a pod before it counts as failing.
const MANY_RESTARTS: u64 = 5;
/// The rights that the chart grants the controller.
const RULES: &str = include_str!("../../../helm/external-secrets/files/rules.yaml");

const NOT_RUNNING: &str = "docs/troubleshooting.md#the-controller-does-not-become-ready";

pub(super) async fn look(patient: &Patient<'_>) -> Vec<Finding> {
    let lease = lease(patient).await;
    let deployments = match listed(patient.client, "apps", "Deployment", &ListParams::default().labels(LABEL)).await {
        Ok(deployments) => deployments,
        Err(error) => {
            let mut findings = vec![THERE.skipped("deployments of all namespaces", &error)];
            findings.extend(lease);
            return findings;
        }
    };
    let mut findings = Vec::new();
    if deployments.is_empty() {
        findings.push(match &lease {
            Some(found) if found.outcome == Outcome::Ok => {
                THERE.ok("no Deployment has its label, but somebody holds its lease")
            }
            _ => THERE.failed(
                format!("no Deployment has the label {LABEL}, and nobody holds the lease {}", lease::NAME),
                "Install the controller, or look at the cluster where it runs with `--context`.",
                "docs/install.md",
            ),
        });
    }
    for deployment in &deployments {
        findings.extend(deployed(patient.client, deployment).await);
    }
    findings.extend(one_controller::look(&deployments));
    findings.extend(lease);
    findings
}

async fn listed(client: &Client, group: &str, kind: &str, params: &ListParams) -> Result<Vec<DynamicObject>, ApiError> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
    let api: Objects<DynamicObject> = Objects::all(client.clone(), &resource);
    bounded(api.list(params)).await
}

async fn deployed(client: &Client, deployment: &DynamicObject) -> Vec<Finding> {
    let namespace = deployment.metadata.namespace.as_deref().unwrap_or_default();
    let name = deployment.metadata.name.as_deref().unwrap_or_default();
    let about = |finding: Finding| finding.about("Deployment", namespace, name);
    let wanted = deployment.data["spec"]["replicas"].as_u64().unwrap_or(1);
    let ready = deployment.data["status"]["readyReplicas"].as_u64().unwrap_or_default();
    let said = format!("{namespace}/{name}: {ready} of {wanted} pods ready");
    let mut findings = vec![about(THERE.ok(format!("Deployment {namespace}/{name}")))];
    findings.push(about(if ready == 0 {
        let remedy = format!("See `kubectl describe pod -n {namespace} -l {LABEL}`, and the log.");
        READY.failed(said, &remedy, NOT_RUNNING)
    } else if ready < wanted {
        READY.warning(said, "See `kubectl describe pod` of those that are not.", NOT_RUNNING)
    } else {
        READY.ok(said)
    }));
    findings.extend(version(deployment).map(about));
    findings.extend(restarts(client, namespace).await);
    findings.extend(rights(client, deployment, namespace).await.map(about));
    findings.extend(network_policy::look(client, deployment, namespace).await.map(about));
    findings
}

/// Whether the controller's release differs from this program's.
fn version(deployment: &DynamicObject) -> Option<Finding> {
    const OURS: &str = env!("CARGO_PKG_VERSION");
    let labels = deployment.metadata.labels.as_ref()?;
    let theirs = labels.get("app.kubernetes.io/version")?;
    Some(if theirs.trim_start_matches('v') == OURS {
        VERSION.ok(format!("it is of this release, {OURS}"))
    } else {
        VERSION.warning(
            format!("this program is {OURS}, the controller {theirs}"),
            "Use the program of the controller's release if they disagree.",
            "docs/install.md",
        )
    })
}

async fn restarts(client: &Client, namespace: &str) -> Option<Finding> {
    let pods = listed(client, "", "Pod", &ListParams::default().labels(LABEL)).await.ok()?;
    let count = |pod: &DynamicObject| {
        let containers = pod.data["status"]["containerStatuses"].as_array();
        containers.into_iter().flatten().filter_map(|container| container["restartCount"].as_u64()).sum::<u64>()
    };
    let ours = pods.iter().filter(|pod| pod.metadata.namespace.as_deref() == Some(namespace));
    let (restarts, pod) = ours.map(|pod| (count(pod), pod)).max_by_key(|(count, _)| *count)?;
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let finding = if restarts > MANY_RESTARTS {
        RESTARTS.warning(
            format!("pod {namespace}/{name} was restarted {restarts} times"),
            "See `kubectl describe pod` for its last state: memory, or a probe.",
            NOT_RUNNING,
        )
    } else {
        RESTARTS.ok("its pods do not restart repeatedly")
    };
    Some(finding.about("Pod", namespace, name))
}

async fn lease(patient: &Patient<'_>) -> Option<Finding> {
    let lease = match Lease::find(patient.client, patient.now).await {
        Ok(lease) => lease?,
        Err(error) => return Some(LEASE.skipped("leases of all namespaces", &error)),
    };
    let finding = match lease.leader() {
        Some(holder) => LEASE.ok(format!("{holder} leads")),
        None => LEASE.failed(
            lease.without_leader(),
            "Start the controller; another replica takes over by itself after a few seconds.",
            NOT_RUNNING,
        ),
    };
    Some(finding.about("Lease", &lease.namespace, lease::NAME))
}

/// Whether the controller's account has each right that the chart grants.
async fn rights(client: &Client, deployment: &DynamicObject, namespace: &str) -> Option<Finding> {
    let pod = &deployment.data["spec"]["template"]["spec"];
    let account = pod["serviceAccountName"].as_str().unwrap_or("default");
    let user = format!("system:serviceaccount:{namespace}:{account}");
    let scope = one_controller::argument(pod, "--namespace=");
    let mut missing = Vec::new();
    for (group, resource, verb) in wanted_rights() {
        match may(client, &user, &group, &resource, &verb, scope).await {
            Ok(true) => {}
            Ok(false) => missing.push(format!("{verb} {resource}")),
            Err(error) => return Some(RIGHTS.skipped("access reviews", &error)),
        }
    }
    // In one namespace, cluster-scoped objects are not needed.
    missing.retain(|right| scope.is_none() || !(right.contains("cluster") || right.ends_with("namespaces")));
    Some(if missing.is_empty() {
        RIGHTS.ok(format!("{user} has the rights that it needs"))
    } else {
        RIGHTS.failed(
            format!("{user} lacks rights: {}", missing.join(", ")),
            "Apply the chart's roles again, or those of `helm/external-secrets/files/rules.yaml`.",
            "docs/security.md",
        )
    })
}

/// The chart's rights, each as group, resource and verb.
fn wanted_rights() -> Vec<(String, String, String)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Rule {
        api_groups: Vec<String>,
        resources: Vec<String>,
        verbs: Vec<String>,
    }
    let rules: Vec<Rule> = serde_saphyr::from_str(RULES).unwrap_or_default();
    let mut rights = Vec::new();
    for rule in &rules {
        for group in &rule.api_groups {
            for resource in &rule.resources {
                rights.extend(rule.verbs.iter().map(|verb| (group.clone(), resource.clone(), verb.clone())));
            }
        }
    }
    rights
}

async fn may(
    client: &Client,
    user: &str,
    group: &str,
    resource: &str,
    verb: &str,
    namespace: Option<&str>,
) -> Result<bool, ApiError> {
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource)),
        None => (resource, None),
    };
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(user.to_owned()),
            groups: Some(vec!["system:serviceaccounts".to_owned(), "system:authenticated".to_owned()]),
            resource_attributes: Some(ResourceAttributes {
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource: subresource.map(str::to_owned),
                verb: Some(verb.to_owned()),
                namespace: namespace.map(str::to_owned),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let api: Objects<SubjectAccessReview> = Objects::all(client.clone(), &());
    let answer = bounded(api.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rights_of_the_chart_are_compiled_in() {
        let rights = wanted_rights();
        let has = |group: &str, resource: &str, verb: &str| {
            rights.contains(&(group.to_owned(), resource.to_owned(), verb.to_owned()))
        };
        assert!(has("external-secrets.io", "externalsecrets/status", "patch") && has("", "secrets", "update"));
    }
}
