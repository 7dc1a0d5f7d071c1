//! The summary of one ClusterExternalSecret or ClusterPushSecret, derived from the object alone.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::explanation;
use super::kind::Kind;
use super::overview::ready_word;
use super::state::{Explain, Reported, State};
use crate::api::v1::{ClusterExternalSecret, ConditionStatus};
use crate::api::v1alpha1::ClusterPushSecret;
use crate::cli::harmless;
use crate::controller::core::conditions;
use crate::sync::cluster_external_secret::status::EXTERNAL_SECRETS_READY;

/// The condition of a ClusterPushSecret about its PushSecrets.
const PUSH_SECRETS_READY: &str = "PushSecretsReady";

/// The summary of an object that makes another in each of its namespaces.
#[derive(Clone, Debug)]
pub(in crate::cli) struct ParentOverview {
    pub(in crate::cli) kind: Kind,
    pub(in crate::cli) name: String,
    pub(in crate::cli) state: State,
    /// The name of what it makes; empty if that is unknown.
    pub(in crate::cli) child: String,
    /// The namespaces that have it.
    pub(in crate::cli) provisioned: Vec<String>,
    /// The namespaces that do not, and why.
    pub(in crate::cli) failed: Vec<(String, String)>,
    /// What is reported of the objects that it makes if one of them is not Ready.
    pub(in crate::cli) children: Option<String>,
}

/// The parts of a status in which it lists its namespaces.
struct Namespaces<'a> {
    child: Option<String>,
    provisioned: Vec<String>,
    failed: Vec<(String, Option<String>)>,
    /// The type of the condition about what it makes.
    children: &'a str,
}

impl ParentOverview {
    pub(in crate::cli) fn of_external_secrets(object: &ClusterExternalSecret) -> Self {
        let status = object.status.clone().unwrap_or_default();
        let namespaces = Namespaces {
            child: status.external_secret_name,
            provisioned: status.provisioned_namespaces,
            failed: status.failed_namespaces.into_iter().map(|failed| (failed.namespace, failed.reason)).collect(),
            children: EXTERNAL_SECRETS_READY,
        };
        let reported = Reported { conditions: &status.conditions, cause: None, observed: status.observed_generation };
        Self::new(Kind::ClusterExternalSecret, &object.metadata, reported, namespaces)
    }

    pub(in crate::cli) fn of_push_secrets(object: &ClusterPushSecret) -> Self {
        let status = object.status.clone().unwrap_or_default();
        let namespaces = Namespaces {
            child: status.push_secret_name,
            provisioned: status.provisioned_namespaces,
            failed: status.failed_namespaces.into_iter().map(|failed| (failed.namespace, failed.reason)).collect(),
            children: PUSH_SECRETS_READY,
        };
        let reported = Reported { conditions: &status.conditions, cause: None, observed: status.observed_generation };
        Self::new(Kind::ClusterPushSecret, &object.metadata, reported, namespaces)
    }

    fn new(kind: Kind, meta: &ObjectMeta, reported: Reported<'_>, namespaces: Namespaces<'_>) -> Self {
        let children = conditions::find(reported.conditions, namespaces.children);
        let failing = children.filter(|condition| condition.status == ConditionStatus::False);
        let explain: Explain = if kind == Kind::ClusterPushSecret { explanation::of_push } else { explanation::of };
        let failed = namespaces.failed.into_iter();
        Self {
            kind,
            name: meta.name.clone().unwrap_or_default(),
            children: failing.map(|condition| harmless::told(condition.message.as_deref().unwrap_or_default())),
            state: State::of(meta, reported, explain),
            child: namespaces.child.unwrap_or_default(),
            provisioned: namespaces.provisioned,
            failed: failed
                .map(|(namespace, why)| (harmless::word(&namespace), harmless::word(&why.unwrap_or_default())))
                .collect(),
        }
    }

    /// The kind of what it makes.
    pub(in crate::cli) const fn makes(&self) -> Kind {
        match self.kind {
            Kind::ClusterPushSecret => Kind::PushSecret,
            _ => Kind::ExternalSecret,
        }
    }

    /// What there is to report; nothing if it is healthy.
    pub(in crate::cli) fn says(&self) -> String {
        match (self.state.says(), self.failed.first()) {
            // Our controller's message names the first namespaces itself.
            (Some(says), Some((namespace, why))) if !says.contains(namespace.as_str()) => {
                format!("{says}: namespace {namespace}: {why}")
            }
            (Some(says), _) => says,
            (None, _) => self.children.clone().unwrap_or_default(),
        }
    }

    /// For programs to read.
    pub(in crate::cli) fn document(&self) -> Value {
        let failed = self.failed.iter().map(|(namespace, why)| json!({"namespace": namespace, "reason": why}));
        let children = if self.kind == Kind::ClusterPushSecret { "pushSecrets" } else { "externalSecrets" };
        json!({
            "name": self.name,
            "ready": Some(ready_word(self.state.ready)).filter(|word| !word.is_empty()),
            "since": self.state.since.map(|time| time.to_string()),
            "observed": self.state.is_observed,
            "provisionedNamespaces": self.provisioned.len(),
            "failedNamespaces": failed.collect::<Vec<_>>(),
            children: self.children,
            "message": self.state.message,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Value {
        json!({"secretStoreRefs": [{"name": "team"}], "selector": {"secret": {"name": "a"}}})
    }

    #[test]
    fn a_cluster_push_secret_names_the_namespace_that_failed() {
        let ready = json!({"type": "Ready", "status": "False", "message": "one or more namespaces failed"});
        let failed = json!([{"namespace": "shop", "reason": "push secret already exists in namespace"}]);
        let object: ClusterPushSecret = serde_json::from_value(json!({
            "metadata": {"name": "all"}, "spec": {"pushSecretSpec": spec()},
            "status": {"conditions": [ready], "failedNamespaces": failed, "provisionedNamespaces": ["a", "b"]},
        }))
        .unwrap();
        let overview = ParentOverview::of_push_secrets(&object);
        assert_eq!((overview.provisioned.len(), overview.failed.len()), (2, 1));
        assert_eq!(
            overview.says(),
            "one or more namespaces failed: namespace shop: push secret already exists in namespace"
        );
    }

    #[test]
    fn a_cluster_external_secret_whose_external_secrets_fail_says_so() {
        let condition = |type_, status, message| json!({"type": type_, "status": status, "message": message});
        let said = |conditions: Value| {
            let status =
                json!({"conditions": conditions, "failedNamespaces": [{"namespace": "shop", "reason": "taken"}]});
            let object: ClusterExternalSecret =
                serde_json::from_value(json!({"metadata": {"name": "all"}, "spec": {}, "status": status})).unwrap();
            ParentOverview::of_external_secrets(&object).says()
        };
        let named = "one or more namespaces failed: 1 of 2: shop (taken)";
        assert_eq!(said(json!([condition("Ready", "False", named)])), named, "the namespace is named once");
        let children = condition("ExternalSecretsReady", "False", "not all ExternalSecrets are ready: 1 of 1: shop");
        assert!(said(json!([children, condition("Ready", "True", "")])).starts_with("not all ExternalSecrets"));
    }
}
