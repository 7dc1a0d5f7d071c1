//! A controller for one namespace.

use serde_json::{Value, json};
use test_stage::cluster_access::condition;

use crate::cluster::{DEPLOYMENTS, Node};

/// A store and an ExternalSecret in one namespace.
fn objects(namespace: &str) -> [Value; 3] {
    [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
        json!({
            "apiVersion": "external-secrets.io/v1", "kind": "SecretStore",
            "metadata": {"name": "fake", "namespace": namespace},
            "spec": {"provider": {"fake": {"data": [{"key": "greeting", "value": "hello"}]}}},
        }),
        json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": "example", "namespace": namespace},
            "spec": {
                "refreshInterval": "1s", "secretStoreRef": {"name": "fake"},
                "data": [{"secretKey": "greeting", "remoteRef": {"key": "greeting"}}],
            },
        }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn a_controller_of_one_namespace_serves_that_one_with_rights_only_in_it() {
    let node = Node::cleared().await;
    let (team, elsewhere) = (objects("team"), objects("elsewhere"));
    node.apply(&team[..1]);
    node.install(&["--set", "scopedNamespace=team,scopedRBAC=true"]).unwrap();
    node.apply(&[team, elsewhere].concat());
    let wait = ["wait", "--for=condition=Ready", "externalsecret/example", "--timeout=60s"];
    node.kubectl(&[&wait[..], &["--namespace", "team"]].concat());
    let elsewhere = node.kubectl(&["get", "externalsecret", "example", "--namespace", "elsewhere", "--output=json"]);
    let elsewhere: Value = serde_json::from_str(&elsewhere).unwrap();
    assert_eq!(condition(&elsewhere, "Ready"), Value::Null);
    let log = node.log_of(DEPLOYMENTS[0]);
    assert!(!log.to_lowercase().contains("forbidden"), "{log}");
}
