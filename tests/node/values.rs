//! The chart's values in running Pods: the tests install each file of `values` and check its effect. A repository test
//! checks that the files set every value to something other than its default.

use serde_json::{Value, json};
use test_stage::cluster_access::condition;

use crate::azure::external_secret;
use crate::cluster::{CERT_CONTROLLER, DEPLOYMENTS, NAMESPACE, Node, RELEASE, WEBHOOK, until};
use crate::installing::{fake_store, forwarded};

impl Node {
    /// Installs the chart with a values file.
    fn install_with_file(&self, name: &str) {
        let file = format!("tests/node/values/{name}.yaml");
        if let Err(error) = self.install(&["--values", &file]) {
            panic!("{name}: {error}\n{}", self.state_of_pods());
        }
    }

    /// The container and the Pod template of a Deployment.
    fn template(&self, deployment: &str) -> (Value, Value) {
        let template = self.json(&["get", "deployment", deployment])["spec"]["template"].clone();
        (template["spec"]["containers"][0].clone(), template)
    }

    /// Checks that a store of the cluster can sync a Secret.
    fn syncs(&self) {
        self.apply(&[fake_store(), external_secret("example", "fake", "1h", "greeting")]);
        self.kubectl(&["wait", "--for=condition=Ready", "externalsecret/example", "--timeout=60s"]);
    }
}

/// Checks what is at a path of an object.
fn expect(object: &Value, pointer: &str, expected: &Value) {
    assert_eq!(object.pointer(pointer), Some(expected), "{pointer} of {object:#}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn pods_run_where_and_as_the_values_say() {
    let node = Node::cleared().await;
    // It names the runtime that is used anyway.
    node.apply(&[json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "same"}, "handler": "runc"})]);
    node.install_with_file("pods");
    node.syncs();
    for deployment in DEPLOYMENTS {
        let pods = node.pods_of(deployment);
        assert_eq!(pods.len(), 2, "{deployment}");
        let pod = &pods[0];
        for (pointer, expected) in [
            ("/metadata/annotations/example.com~1why", json!("test")),
            ("/spec/containers/0/image", json!("local.test/external-secrets:1-flavored")),
            ("/spec/containers/0/imagePullPolicy", json!("Never")),
            ("/spec/containers/0/securityContext/runAsUser", json!(2000)),
            ("/spec/containers/0/securityContext/runAsGroup", json!(2001)),
            ("/spec/containers/0/resources/limits/memory", json!("64Mi")),
            ("/spec/securityContext/fsGroup", json!(2000)),
            ("/spec/priorityClassName", json!("system-cluster-critical")),
            ("/spec/runtimeClassName", json!("same")),
            ("/spec/hostUsers", json!(true)),
            ("/spec/hostAliases/0/ip", json!("198.51.100.1")),
            ("/spec/imagePullSecrets/0/name", json!("registry")),
            ("/status/initContainerStatuses/0/state/terminated/exitCode", json!(0)),
        ] {
            expect(pod, pointer, &expected);
        }
        let account = pod["spec"]["serviceAccountName"].as_str().unwrap();
        assert!(account.starts_with("chosen"), "{account}");
        let annotations = node.json(&["get", "serviceaccount", account])["metadata"]["annotations"].clone();
        assert_eq!(annotations["example.com/why"], "test");
        let container = &pod["spec"]["containers"][0];
        assert!(container["args"].as_array().unwrap().contains(&json!("--loglevel=debug")), "{container:#}");
        let has = |list: &str, name: &str| container[list].as_array().unwrap().iter().any(|item| item["name"] == name);
        assert!(has("env", "GREETING") && has("volumeMounts", "more"), "{container:#}");
        let is_healthy = || node.json(&["get", "poddisruptionbudget", account])["status"]["currentHealthy"] == 2;
        until("two healthy Pods in the disruption budget", || is_healthy().then_some(())).await;
    }
    let controller = node.pods_of(RELEASE).remove(0);
    for (pointer, expected) in [
        ("/spec/terminationGracePeriodSeconds", json!(20)),
        ("/spec/dnsConfig/nameservers/0", json!("198.51.100.1")),
        ("/status/containerStatuses/1/ready", json!(true)),
    ] {
        expect(&controller, pointer, &expected);
    }
    let lease = node.json(&["get", "lease", "chosen"]);
    expect(&lease, "/spec/leaseDurationSeconds", &json!(20));
    assert_eq!(node.json(&["get", "configmap", "more"])["data"]["release"], RELEASE);
    assert_eq!(node.json(&["get", "service", WEBHOOK])["metadata"]["labels"]["example.com/team"], "a");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn the_chart_works_under_other_names_and_with_what_all_components_share() {
    let node = Node::cleared().await;
    node.apply(&[json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "elsewhere"}})]);
    node.install_with_file("names");
    node.syncs();
    assert_eq!(node.of_release(&["get", "deployments", "--output=name"]), "");
    let pods = node.kubectl(&["get", "pods", "--namespace", "elsewhere", "--output=json"]);
    let pods: Value = serde_json::from_str(&pods).unwrap();
    let pods = pods["items"].as_array().unwrap();
    assert_eq!(pods.len(), DEPLOYMENTS.len());
    for pod in pods {
        let name = pod["metadata"]["name"].as_str().unwrap();
        assert!(name.starts_with("another-name"), "{name}");
        expect(pod, "/metadata/labels/example.com~1part", &json!("any"));
        expect(pod, "/metadata/annotations/example.com~1why", &json!("test"));
        expect(pod, "/spec/containers/0/image", &json!("local.test/external-secrets:1-flavored"));
        expect(pod, "/spec/hostAliases/0/ip", &json!("198.51.100.1"));
        // OpenShift chooses these.
        assert_eq!(pod.pointer("/spec/containers/0/securityContext/runAsUser"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn components_serve_at_the_ports_that_the_values_say() {
    let node = Node::cleared().await;
    node.install_with_file("serving");
    node.syncs();
    let (webhook, _) = node.template(WEBHOOK);
    expect(&webhook, "/volumeMounts/0/mountPath", &json!("/var/certificates"));
    for deployment in DEPLOYMENTS {
        let metrics = forwarded(&node, deployment, 9080, "metrics").await;
        assert!(metrics.contains("# TYPE"), "{deployment}: {metrics}");
        let log = node.log_of(deployment);
        assert!(log.contains("\"level\":\"DEBUG\""), "{deployment}: {log}");
        // The webhook's Service has two ports.
        let service = if deployment == WEBHOOK { WEBHOOK.to_owned() } else { format!("{deployment}-metrics") };
        let service = node.json(&["get", "service", &service]);
        let ports = service["spec"]["ports"].as_array().unwrap();
        assert!(ports.iter().any(|port| port["name"] == "metrics" && port["port"] == 9081), "{service:#}");
        expect(&service, "/spec/ipFamilyPolicy", &json!("SingleStack"));
    }
    let policies = node.of_release(&["get", "networkpolicies", "--output=name"]);
    assert_eq!(policies.lines().count(), DEPLOYMENTS.len(), "{policies}");
    let service = node.json(&["get", "service", WEBHOOK]);
    expect(&service, "/spec/type", &json!("NodePort"));
    expect(&service, "/spec/loadBalancerIP", &json!("198.51.100.7"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn metrics_are_served_over_tls_to_those_who_may_read_them() {
    let node = Node::cleared().await;
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let metadata = |name: &str| json!({"name": name, "namespace": NAMESPACE});
    node.apply(&[
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata("metrics"),
            "stringData": {"tls.crt": certificate.pem(), "tls.key": key.serialize_pem()}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata("reader")}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "reader"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": format!("{RELEASE}-metrics-reader")},
            "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": NAMESPACE}]}),
    ]);
    node.install_with_file("secured-metrics");
    node.syncs();
    let token = node.of_release(&["create", "token", "reader"]);
    for deployment in DEPLOYMENTS {
        let client = reqwest::Client::builder().no_proxy().resolve("localhost", ([127, 0, 0, 1], 0).into());
        // The controller uses the one in the Secret; a self-signed one proves nothing.
        let client = if deployment == RELEASE {
            let certificate = reqwest::Certificate::from_pem(certificate.pem().as_bytes()).unwrap();
            client.tls_certs_only([certificate])
        } else {
            client.tls_danger_accept_invalid_certs(true)
        };
        let client = client.build().unwrap();
        let forward = crate::installing::Forward::start(&node, deployment, 8080);
        let url = format!("https://localhost:{}/metrics", forward.port);
        let refused = client.get(&url).send().await.unwrap();
        assert_eq!(refused.status(), 401, "{deployment}");
        let answer = client.get(&url).bearer_auth(token.trim()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{deployment}");
        assert!(answer.text().await.unwrap().contains("# TYPE"), "{deployment}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn secured_metrics_need_no_certificate() {
    let node = Node::cleared().await;
    let secured = ["", "webhook.", "certController."].map(|part| format!("{part}metrics.listen.secure.enabled=true"));
    node.install(&["--set", &secured.join(",")]).unwrap_or_else(|error| panic!("{error}\n{}", node.state_of_pods()));
    let client = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build().unwrap();
    for deployment in DEPLOYMENTS {
        let forward = crate::installing::Forward::start(&node, deployment, 8080);
        let answer = client.get(format!("https://localhost:{}/metrics", forward.port)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{deployment}");
        assert!(answer.text().await.unwrap().contains("# TYPE"), "{deployment}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn components_run_in_the_nodes_network() {
    let node = Node::cleared().await;
    node.install_with_file("host-network");
    node.syncs();
    for (deployment, port) in DEPLOYMENTS.into_iter().zip([8080, 8180, 8280]) {
        let pod = node.pods_of(deployment).remove(0);
        expect(&pod, "/status/podIP", &json!("198.51.100.1"));
        let metrics = reqwest::get(format!("http://198.51.100.1:{port}/metrics")).await.unwrap().text().await.unwrap();
        assert!(metrics.contains("# TYPE"), "{deployment}: {metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn the_controller_works_on_what_the_values_say() {
    let node = Node::cleared().await;
    node.install_with_file("work");
    let store = |name: &str, class: &str| {
        json!({
            "apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": name, "namespace": "default"},
            "spec": {"controller": class, "provider": {"fake": {"data": [{"key": "greeting", "value": "hello"}]}}},
        })
    };
    let of_mine = |name: &str, store: &str| {
        let mut object = external_secret(name, store, "1h", "greeting");
        object["spec"]["secretStoreRef"]["kind"] = "SecretStore".into();
        object
    };
    let mut config_map = of_mine("generic", "mine");
    config_map["spec"]["target"]["manifest"] = json!({"apiVersion": "v1", "kind": "ConfigMap"});
    node.apply(&[store("mine", "mine"), store("theirs", "theirs")]);
    node.apply(&[of_mine("example", "mine"), of_mine("not-ours", "theirs"), config_map]);
    for name in ["example", "generic"] {
        node.kubectl(&["wait", "--for=condition=Ready", &format!("externalsecret/{name}"), "--timeout=60s"]);
    }
    node.kubectl(&["get", "configmap", "generic"]);
    let other: Value =
        serde_json::from_str(&node.kubectl(&["get", "externalsecret", "not-ours", "--output=json"])).unwrap();
    assert_eq!(condition(&other, "Ready"), Value::Null);
    let definitions = node.kubectl(&["get", "crd", "--output=name"]);
    for kind in ["clusterexternalsecrets", "clustersecretstores"] {
        assert!(!definitions.contains(kind), "{definitions}");
    }
    let pod = node.pods_of(RELEASE).remove(0);
    expect(&pod, "/metadata/labels/azure.workload.identity~1use", &json!("true"));
    let account = node.json(&["get", "serviceaccount", RELEASE]);
    expect(&account, "/metadata/annotations/azure.workload.identity~1client-id", &json!("a-client"));
    let dashboards = node.of_release(&["get", "configmap", "--selector", "dashboard=yes", "--output=name"]);
    assert_eq!(dashboards.lines().count(), 1, "{dashboards}");
    let configuration =
        node.kubectl(&["get", "validatingwebhookconfiguration", "externalsecret-validate", "--output=json"]);
    let configuration: Value = serde_json::from_str(&configuration).unwrap();
    expect(&configuration, "/webhooks/0/failurePolicy", &json!("Ignore"));
    let log = node.log_of(RELEASE);
    assert!(!log.to_lowercase().contains("forbidden"), "{log}");
}

/// Installs the chart for its service accounts, rights and definitions, and removes everything else; returns what is
/// left.
fn leave_rights(node: &Node, account: &str) {
    node.install(&[]).unwrap();
    let kinds = "role,rolebinding";
    let of_release = node.json(&["get", kinds]);
    let cluster: Value =
        serde_json::from_str(&node.kubectl(&["get", "clusterrole,clusterrolebinding", "--output=json"])).unwrap();
    let mut kept = vec![
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": NAMESPACE}}),
    ];
    for object in [&of_release, &cluster].into_iter().flat_map(|list| list["items"].as_array().unwrap()) {
        if object["metadata"]["labels"]["app.kubernetes.io/instance"] != RELEASE {
            continue;
        }
        let name = format!("kept-{}", object["metadata"]["name"].as_str().unwrap());
        let mut copy = json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": {"name": name}});
        if let Some(namespace) = object["metadata"]["namespace"].as_str() {
            copy["metadata"]["namespace"] = namespace.into();
        }
        if object["roleRef"].is_null() {
            copy["rules"] = object["rules"].clone();
        } else {
            copy["roleRef"] = object["roleRef"].clone();
            let role = object["roleRef"]["name"].as_str().unwrap();
            copy["roleRef"]["name"] = format!("kept-{role}").into();
            copy["subjects"] = json!([{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}]);
        }
        kept.push(copy);
    }
    node.tools.helm(&["uninstall", RELEASE, "--namespace", NAMESPACE, "--wait"]).unwrap();
    node.apply(&kept);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn the_controller_runs_alone_with_an_account_rights_and_definitions_that_were_there() {
    let node = Node::cleared().await;
    leave_rights(&node, "present");
    node.install_with_file("without");
    let deployments = node.of_release(&["get", "deployments", "--output=name"]);
    assert_eq!(deployments.trim(), format!("deployment.apps/{RELEASE}"));
    let of_namespace = |mut object: Value| {
        object["metadata"]["namespace"] = NAMESPACE.into();
        object
    };
    let mut store = of_namespace(fake_store());
    store["kind"] = "SecretStore".into();
    let mut object = of_namespace(external_secret("example", "fake", "1h", "greeting"));
    object["spec"]["secretStoreRef"]["kind"] = "SecretStore".into();
    node.apply(&[store, object]);
    node.of_release(&["wait", "--for=condition=Ready", "externalsecret/example", "--timeout=60s"]);
    let (container, _) = node.template(RELEASE);
    for absent in ["securityContext", "livenessProbe", "readinessProbe"] {
        assert_eq!(container[absent], Value::Null, "{absent}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn the_webhook_runs_without_the_controller() {
    let node = Node::cleared().await;
    leave_rights(&node, "present");
    node.install_with_file("webhook-alone");
    let deployments = node.of_release(&["get", "deployments", "--output=name"]);
    let expected = format!("deployment.apps/{CERT_CONTROLLER}\ndeployment.apps/{WEBHOOK}");
    assert_eq!(deployments.trim(), expected);
    // Without probes, nothing has waited for it.
    crate::cluster::until("the webhook's answer", || {
        let twice =
            json!([{"secretKey": "a", "remoteRef": {"key": "a"}}, {"secretKey": "a", "remoteRef": {"key": "b"}}]);
        let mut object = external_secret("refused", "fake", "1h", "greeting");
        object["spec"]["data"] = twice;
        let refusal = node.tools.kubectl(&["create", "-f", &node.tools.manifest(&[object])]).unwrap_err();
        refusal.contains("spec.data[1].secretKey").then_some(())
    })
    .await;
}
