//! `doctor --pre`: whether an installation would work.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::PostParams;

use super::finding::{Check, Finding};
use super::patient::Patient;
use super::{definitions, server};
use crate::answers::Objects;
use crate::cli::person::outcome::Outcome;
use crate::controller::core::api_call::{ApiError, bounded};

const VERSION: Check = Check::new("api server", "server-version");
const RIGHTS: Check = Check::new("rights", "my-rights");

/// The oldest server with everything that is used: CEL rules in CRDs need it.
const OLDEST: u32 = 25;

/// The cluster-scoped resources that an installation creates.
const CREATED: [(&str, &str); 4] = [
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
];

pub(super) async fn look(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings = server::look(patient).await;
    if let Ok(version) = bounded(patient.client.apiserver_version()).await {
        let minor: String = version.minor.chars().take_while(char::is_ascii_digit).collect();
        let is_old = minor.parse::<u32>().is_ok_and(|minor| minor < OLDEST);
        findings.push(if is_old {
            VERSION.failed(
                format!("the API server is {}, older than 1.{OLDEST}", version.git_version),
                "Upgrade the cluster.",
                "docs/install.md",
            )
        } else {
            VERSION.ok("its version is supported")
        });
    }
    let mut missing = Vec::new();
    for (group, resource) in CREATED {
        match may(patient, group, resource).await {
            Ok(true) => {}
            Ok(false) => missing.push(resource),
            Err(error) => {
                findings.push(RIGHTS.skipped("your rights", &error));
                return findings;
            }
        }
    }
    findings.push(if missing.is_empty() {
        RIGHTS.ok("you may create what an installation needs")
    } else {
        RIGHTS.failed(
            format!("you may not create {}", missing.join(", ")),
            "Ask a cluster administrator to install it, or to grant you these rights.",
            "docs/install.md",
        )
    });
    // Before an installation, missing CRDs are expected.
    let there = definitions::look(patient).await;
    findings.extend(there.into_iter().filter(|finding| finding.outcome != Outcome::Failed));
    findings
}

async fn may(patient: &Patient<'_>, group: &str, resource: &str) -> Result<bool, ApiError> {
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                verb: Some("create".to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let api: Objects<SelfSubjectAccessReview> = Objects::all(patient.client.clone(), &());
    Ok(bounded(api.create(&PostParams::default(), &review)).await?.status.is_some_and(|status| status.allowed))
}
