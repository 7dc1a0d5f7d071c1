//! Checks whether NetworkPolicies let the controller reach Azure. What a network beyond them does cannot be seen from here.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::Client;
use kube::api::ListParams;
use kube::core::{DynamicObject, Selector, SelectorExt as _};

use super::finding::{Check, Finding};
use crate::answers::Objects;
use crate::controller::core::api_call::bounded;

const NETWORK_POLICY: Check = Check::new("controller", "network-policy");
const HTTPS: i32 = 443;
const DNS: i32 = 53;

/// Looks at the policies that select the Pods of a Deployment.
pub(super) async fn look(client: &Client, deployment: &DynamicObject, namespace: &str) -> Option<Finding> {
    let labels = &deployment.data["spec"]["template"]["metadata"]["labels"];
    let labels: BTreeMap<String, String> = serde_json::from_value(labels.clone()).ok()?;
    let api: Objects<NetworkPolicy> = Objects::namespaced(client.clone(), namespace, &());
    Some(match bounded(api.list(&ListParams::default())).await {
        Ok(policies) => verdict(&policies, &labels),
        Err(error) => NETWORK_POLICY.skipped("networkpolicies", &error),
    })
}

/// What policies of a namespace mean for Pods with these labels.
fn verdict(policies: &[NetworkPolicy], labels: &BTreeMap<String, String>) -> Finding {
    let restricting: Vec<_> = policies.iter().filter(|policy| restricts_egress(policy, labels)).collect();
    if restricting.is_empty() {
        return NETWORK_POLICY.ok("no NetworkPolicy restricts its egress");
    }
    let names: Vec<_> = restricting.iter().filter_map(|policy| policy.metadata.name.as_deref()).collect();
    let rules = restricting.iter().filter_map(|policy| policy.spec.as_ref()?.egress.as_ref()).flatten();
    let allows = |wanted: fn(&NetworkPolicyEgressRule) -> bool| rules.clone().any(wanted);
    let missing: Vec<_> = [
        (
            allows(|rule| leaves_the_cluster(rule) && has_port(rule, "TCP", HTTPS)),
            "TCP 443 to addresses outside of the cluster",
        ),
        (allows(|rule| has_port(rule, "UDP", DNS) || has_port(rule, "TCP", DNS)), "port 53 for DNS"),
    ]
    .into_iter()
    .filter_map(|(is_allowed, what)| (!is_allowed).then_some(what))
    .collect();
    if missing.is_empty() {
        return NETWORK_POLICY.ok(format!("the NetworkPolicies {} let it reach Azure", names.join(", ")));
    }
    NETWORK_POLICY.warning(
        format!("the NetworkPolicies {} allow no egress to {}", names.join(", "), missing.join(", nor to ")),
        "Allow it, or with `HTTPS_PROXY` the egress to the proxy; see `networkPolicy` in the chart's values.",
        "docs/values.md",
    )
}

/// Whether a policy selects Pods with these labels, and restricts what they may connect to.
fn restricts_egress(policy: &NetworkPolicy, labels: &BTreeMap<String, String>) -> bool {
    let Some(spec) = &policy.spec else { return false };
    let selector = spec.pod_selector.clone().map(Selector::try_from);
    let is_selected = selector.is_none_or(|selector| selector.is_ok_and(|selector| selector.matches(labels)));
    let restricts = match &spec.policy_types {
        Some(types) => types.iter().any(|type_| type_ == "Egress"),
        None => spec.egress.is_some(),
    };
    is_selected && restricts
}

/// Whether a rule allows addresses that are not Pods.
fn leaves_the_cluster(rule: &NetworkPolicyEgressRule) -> bool {
    let peers = rule.to.as_deref().unwrap_or_default();
    peers.is_empty() || peers.iter().any(|peer| peer.ip_block.is_some())
}

fn has_port(rule: &NetworkPolicyEgressRule, protocol: &str, wanted: i32) -> bool {
    let is_wanted = |port: &NetworkPolicyPort| {
        port.protocol.as_deref().unwrap_or("TCP") == protocol
            && match (&port.port, port.end_port) {
                (None, _) => true,
                (Some(IntOrString::Int(first)), Some(last)) => (*first..=last).contains(&wanted),
                (Some(IntOrString::Int(number)), None) => *number == wanted,
                // The name of a port of a Pod.
                (Some(IntOrString::String(_)), _) => false,
            }
    };
    let ports = rule.ports.as_deref().unwrap_or_default();
    ports.is_empty() || ports.iter().any(is_wanted)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::person::outcome::Outcome;

    const DNS_RULE: &str = r#"{"ports": [{"port": 53, "protocol": "UDP"}]}"#;

    fn came_to(policy: &Value) -> (Outcome, String) {
        let object = json!({"metadata": {"name": "p"}, "spec": policy});
        let policy: NetworkPolicy = serde_json::from_value(object).unwrap();
        let labels = [("app".to_owned(), "controller".to_owned())].into();
        let finding = verdict(&[policy], &labels);
        (finding.outcome, finding.message)
    }

    #[rstest]
    #[case::of_others(json!({"podSelector": {"matchLabels": {"app": "other"}}, "policyTypes": ["Egress"]}), "no NetworkPolicy")]
    #[case::ingress_alone(json!({"podSelector": {}, "policyTypes": ["Ingress"]}), "no NetworkPolicy")]
    #[case::anywhere(json!({"podSelector": {}, "egress": [{}]}), "let it reach Azure")]
    #[case::a_block(
        json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [
            {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 400, "endPort": 500}]},
            serde_json::from_str::<Value>(DNS_RULE).unwrap()]}),
        "let it reach Azure",
    )]
    fn what_lets_it_through_is_ok(#[case] policy: Value, #[case] said: &str) {
        let (outcome, message) = came_to(&policy);
        assert!(outcome == Outcome::Ok && message.contains(said), "{message}");
    }

    #[rstest]
    #[case::all(json!({"podSelector": {}, "policyTypes": ["Egress"]}), "to TCP 443 to addresses outside of the cluster, nor to port 53 for DNS")]
    #[case::pods_alone(
        json!({"podSelector": {"matchLabels": {"app": "controller"}}, "policyTypes": ["Egress"], "egress": [
            {"to": [{"podSelector": {}}]}]}),
        "to TCP 443 to addresses outside of the cluster",
    )]
    #[case::no_names(
        json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": 443}]}]}),
        "to port 53 for DNS",
    )]
    fn what_keeps_it_from_azure_is_a_warning(#[case] policy: Value, #[case] said: &str) {
        let (outcome, message) = came_to(&policy);
        assert!(outcome == Outcome::Warning && message.ends_with(said), "{message}");
    }
}
