//! Upgrades a release of ESO's chart to ours in place: what is visible from outside stays, and our Pods replace ESO's.
//! ESO's image is a stand-in that does nothing.

use std::path::Path;

use external_secrets::api::crd;
use serde_json::{Value, json};

use crate::azure::external_secret;
use crate::cluster::{CERT_CONTROLLER, DEPLOYMENTS, NAMESPACE, Node, RELEASE, WEBHOOK, until};
use crate::installing::fake_store;

/// tests/node/images provides a stand-in for it.
const IMAGE: &str = "ghcr.io/external-secrets/external-secrets:v2.9.0";

/// The labels of a component.
fn labels(component: &str) -> Value {
    json!({"app.kubernetes.io/name": component, "app.kubernetes.io/instance": RELEASE})
}

fn deployment(name: &str, component: &str, container: Value) -> Value {
    let mut container = container;
    container["image"] = IMAGE.into();
    container["securityContext"] = json!({"runAsUser": 1000, "runAsNonRoot": true, "readOnlyRootFilesystem": true});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels(component)},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": labels(component)},
            "template": {
                "metadata": {"labels": labels(component)},
                "spec": {"serviceAccountName": name, "containers": [container],
                    "volumes": [{"name": "certs", "secret": {"secretName": WEBHOOK}}]},
            },
        },
    })
}

fn webhook(name: &str, kind: &str, scope: &str) -> Value {
    let path = format!("/validate-external-secrets-io-v1-{kind}");
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name, "labels": {"external-secrets.io/component": "webhook"}},
        "webhooks": [{
            "name": format!("validate.{kind}.external-secrets.io"),
            "rules": [{"apiGroups": ["external-secrets.io"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE", "DELETE"],
                "resources": [format!("{kind}s")], "scope": scope}],
            "clientConfig": {"service": {"namespace": NAMESPACE, "name": WEBHOOK, "path": path}},
            "admissionReviewVersions": ["v1", "v1beta1"], "sideEffects": "None", "timeoutSeconds": 5,
            // ESO uses Fail, but the stand-in for its webhook does not answer.
            "failurePolicy": "Ignore",
        }],
    })
}

/// What ESO's chart creates, as far as another chart can see it.
fn objects() -> Vec<Value> {
    let accounts = DEPLOYMENTS.map(|name| {
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": NAMESPACE}})
    });
    let port = |name: &str, port: u16| json!({"name": name, "containerPort": port, "protocol": "TCP"});
    let controller = json!({"name": "external-secrets", "args": ["--concurrent=1"], "ports": [port("metrics", 8080)]});
    let serving = json!({
        "name": "webhook", "args": ["webhook", "--port=10250"], "ports": [port("webhook", 10250), port("ready", 8081)],
        "volumeMounts": [{"name": "certs", "mountPath": "/tmp/certs", "readOnly": true}],
    });
    let certificates = json!({"name": "cert-controller", "args": ["certcontroller"], "ports": [port("ready", 8081)]});
    let labeled = |kind: &str| {
        let mut labels = labels("external-secrets-webhook");
        labels["external-secrets.io/component"] = "webhook".into();
        json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": WEBHOOK, "namespace": NAMESPACE, "labels": labels}})
    };
    let mut service = labeled("Service");
    service["spec"] = json!({"type": "ClusterIP", "selector": labels("external-secrets-webhook"),
        "ports": [{"name": "webhook", "port": 443, "targetPort": "webhook", "protocol": "TCP"}]});
    let definitions = crd::all().into_iter().map(|definition| serde_json::to_value(definition).unwrap());
    let rest = [
        deployment(RELEASE, "external-secrets", controller),
        deployment(WEBHOOK, "external-secrets-webhook", serving),
        deployment(CERT_CONTROLLER, "external-secrets-cert-controller", certificates),
        service,
        labeled("Secret"),
        webhook("externalsecret-validate", "externalsecret", "Namespaced"),
        webhook("secretstore-validate", "secretstore", "Namespaced"),
    ];
    accounts.into_iter().chain(rest).chain(definitions).collect()
}

fn write_chart(folder: &Path) {
    std::fs::create_dir_all(folder.join("templates")).unwrap();
    std::fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: external-secrets\nversion: 2.9.0\n").unwrap();
    for (index, object) in objects().iter().enumerate() {
        // The descriptions hold template expressions that are not Helm's.
        let text = object.to_string().replace("{{", "{ {").replace("}}", "} }");
        std::fs::write(folder.join(format!("templates/{index}.yaml")), text).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn a_release_of_eso_is_upgraded_in_place() {
    let node = Node::cleared().await;
    let chart = node.tools.home.path().join("eso");
    write_chart(&chart);
    let install = ["install", RELEASE, &chart.display().to_string(), "--namespace", NAMESPACE, "--create-namespace"];
    node.tools.helm(&[&install[..], &["--wait", "--timeout=60s"]].concat()).unwrap();
    // A Secret that ESO has written, with the marks that identify it.
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "others", "namespace": "default"}, "data": {"a": "Yg=="},
    });
    node.apply(&[fake_store(), external_secret("example", "fake", "1h", "greeting"), secret]);
    let uids = || {
        let of_release = format!(
            "deployment/{RELEASE},deployment/{WEBHOOK},deployment/{CERT_CONTROLLER},service/{WEBHOOK},secret/{WEBHOOK}"
        );
        let named: Vec<_> = of_release.split(',').collect();
        let output = "--output=jsonpath={.items[*].metadata.uid} {.items[*].spec.clusterIP}";
        let release = node.of_release(&[&["get", output], &named[..]].concat());
        let rest = node.kubectl(&[
            "get",
            "crd,validatingwebhookconfiguration,externalsecret,clustersecretstore,secret",
            output,
        ]);
        (release, rest)
    };
    let before = uids();
    let pods: Vec<_> = DEPLOYMENTS.iter().flat_map(|deployment| node.pods_of(deployment)).collect();
    assert_eq!(pods.len(), DEPLOYMENTS.len());

    node.install(&[]).unwrap_or_else(|error| panic!("{error}\n{}", node.state_of_pods()));
    node.kubectl(&["wait", "--for=condition=Ready", "externalsecret/example", "--timeout=60s"]);
    let (release, rest) = uids();
    assert_eq!(release, before.0, "Deployments, Service and its address, and the Secret of the webhook are the same");
    for uid in before.1.split_whitespace() {
        assert!(rest.contains(uid), "of definitions, webhooks and objects none is made again: {uid}");
    }
    let former: Vec<_> = pods.iter().map(|pod| pod["metadata"]["name"].as_str().unwrap()).collect();
    until("ESO's Pods gone", || {
        let left = node.of_release(&["get", "pods", "--output=name"]);
        (!former.iter().any(|name| left.contains(name))).then_some(())
    })
    .await;
    // The Service routes to our webhook only.
    let slices = node.json(&["get", "endpointslices", "--selector", &format!("kubernetes.io/service-name={WEBHOOK}")]);
    let endpoints: Vec<_> = slices["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|slice| slice["endpoints"].as_array())
        .flatten()
        .collect();
    assert_eq!(endpoints.len(), 1, "{endpoints:?}");
    assert_eq!(endpoints[0]["targetRef"]["name"], node.pods_of(WEBHOOK)[0]["metadata"]["name"]);
    let refused = node.tools.manifest(&[external_secret("refused", "fake", "not a duration", "greeting")]);
    let refusal = node.tools.kubectl(&["create", "-f", &refused]).unwrap_err();
    assert!(refusal.contains("refreshInterval"), "{refusal}");
    let twice = json!([{"secretKey": "a", "remoteRef": {"key": "a"}}, {"secretKey": "a", "remoteRef": {"key": "b"}}]);
    let mut refused = external_secret("refused", "fake", "1h", "greeting");
    refused["spec"]["data"] = twice;
    let refusal = node.tools.kubectl(&["create", "-f", &node.tools.manifest(&[refused])]).unwrap_err();
    assert!(refusal.contains("spec.data[1].secretKey"), "{refusal}");

    // And back, as docs/upgrade-from-eso.md says.
    node.tools.helm(&["rollback", RELEASE, "--namespace", NAMESPACE, "--wait", "--timeout=60s"]).unwrap();
    assert_eq!(uids().0, before.0);
    let image =
        node.json(&["get", "deployment", RELEASE])["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    assert_eq!(image, IMAGE);
}
