//! The chart with its default values: installed, inspected, called through its Service, uninstalled.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::cluster::{
    CERT_CONTROLLER, CHART, DEPLOYMENTS, NAMESPACE, Node, PROGRAM, RELEASE, WEBHOOK, processes, until,
};

/// How long the installation may take. On an idle machine it takes 5 to 7 s.
const SOON: Duration = Duration::from_secs(20);

/// The release's namespace, which enforces the restricted Pod Security Standard.
fn restricted_namespace() -> Value {
    let labels = ["enforce", "warn"].map(|mode| (format!("pod-security.kubernetes.io/{mode}"), "restricted".into()));
    let labels: serde_json::Map<String, Value> = labels.into_iter().collect();
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
}

/// A store that holds its own secrets, for the namespace `default`.
pub fn fake_store() -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": "fake"},
        "spec": {"provider": {"fake": {"data": [{"key": "greeting", "value": "hello"}]}}},
    })
}

/// The version that the program in a container reports.
fn version() -> String {
    format!("external-secrets {}", env!("CARGO_PKG_VERSION"))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn the_chart_runs_with_default_values_where_pod_security_is_restricted() {
    let node = Node::cleared().await;
    node.apply(&[restricted_namespace()]);
    let begin = Instant::now();
    let printed = node.install(&[]).unwrap_or_else(|error| panic!("{error}\n{}", node.state_of_pods()));
    let took = begin.elapsed();
    println!("installed in {:.1} s", took.as_secs_f32());
    assert!(!printed.to_lowercase().contains("warning"), "{printed}");
    assert!(took < SOON, "installing took {took:?}");

    for deployment in DEPLOYMENTS {
        let pod = node.pods_of(deployment).pop().unwrap();
        assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0, "{deployment}");
        let log = node.log_of(deployment);
        for line in log.lines() {
            let line: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{deployment}: {error}: {line}"));
            assert_ne!(line["level"], "ERROR", "{deployment}: {line}");
        }
        let target = format!("deployment/{deployment}");
        let printed = node.of_release(&["exec", &target, "--", "/bin/external-secrets", "--version"]);
        assert_eq!(printed.trim(), version());
        let metrics = forwarded(&node, deployment, 8080, "metrics").await;
        assert!(metrics.contains("# TYPE"), "{deployment}: {metrics}");
    }
    no_container_is_in_roots_group();
    nothing_secret_is_in_the_webhooks_pod();
    the_webhook_is_asked_through_its_service(&node);
    a_start_that_fails_says_why(&node).await;
}

/// Forwards a container's port to this machine with `kubectl port-forward`, until dropped.
pub struct Forward {
    kubectl: Child,
    pub port: u16,
    /// kubectl prints more later, and exits if nobody holds the other end.
    _printed: BufReader<ChildStdout>,
}

impl Forward {
    pub fn start(node: &Node, deployment: &str, port: u16) -> Self {
        let mut forward = node.tools.command(Path::new("kubectl"));
        let deployment = format!("deployment/{deployment}");
        forward.args(["port-forward", &deployment, &format!(":{port}"), "--namespace", NAMESPACE]);
        let mut kubectl = forward.stdout(Stdio::piped()).spawn().unwrap();
        let mut printed = BufReader::new(kubectl.stdout.take().unwrap());
        let mut line = String::new();
        printed.read_line(&mut line).unwrap();
        // Forwarding from 127.0.0.1:40000 -> 8080
        let port = line.split([':', ' ']).find_map(|word| word.parse().ok());
        Self { kubectl, port: port.unwrap_or_else(|| panic!("no port in {line:?}")), _printed: printed }
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.kubectl.kill().unwrap();
        self.kubectl.wait().unwrap();
    }
}

/// What a container's port answers at a path.
pub async fn forwarded(node: &Node, deployment: &str, port: u16, path: &str) -> String {
    let forward = Forward::start(node, deployment, port);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://127.0.0.1:{}/{path}", forward.port);
    client.get(url).send().await.unwrap().text().await.unwrap()
}

fn no_container_is_in_roots_group() {
    let ours = processes(|arguments| arguments.first().is_some_and(|program| program == PROGRAM));
    assert_eq!(ours.len(), DEPLOYMENTS.len());
    for process in ours {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        for line in ["Uid:\t1000\t1000\t1000\t1000", "Gid:\t1000\t1000\t1000\t1000", "CapEff:\t0000000000000000"] {
            assert!(status.lines().any(|found| found == line), "no {line:?} in {status}");
        }
    }
}

/// Neither the CA's key nor a token for the API server, which the webhook does not call.
fn nothing_secret_is_in_the_webhooks_pod() {
    let webhooks = processes(|arguments| arguments.get(1).is_some_and(|argument| argument == "webhook"));
    assert_eq!(webhooks.len(), 1, "one webhook runs");
    let root = format!("/proc/{}/root", webhooks[0]);
    let mut keys: Vec<_> = std::fs::read_dir(format!("{root}/tmp/certs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with(".."))
        .collect();
    keys.sort();
    assert_eq!(keys, ["ca.crt", "tls.crt", "tls.key"]);
    assert!(!Path::new(&format!("{root}/var/run/secrets")).exists(), "it has a token");
}

fn the_webhook_is_asked_through_its_service(node: &Node) {
    node.apply(&[fake_store()]);
    let entry = |key: &str| json!({"secretKey": key, "remoteRef": {"key": "greeting"}});
    let object = |data: Value| {
        json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": "example", "namespace": "default"},
            "spec": {"secretStoreRef": {"name": "fake", "kind": "ClusterSecretStore"}, "data": data},
        })
    };
    let manifest = node.tools.manifest(&[object(json!([entry("twice"), entry("twice")]))]);
    let refusal = node.tools.kubectl(&["create", "-f", &manifest]).unwrap_err();
    assert!(refusal.contains("validate.externalsecret.external-secrets.io"), "{refusal}");
    assert!(refusal.contains("spec.data[1].secretKey"), "{refusal}");
    node.apply(&[object(json!([entry("once")]))]);
    node.kubectl(&["wait", "--for=condition=Ready", "externalsecret/example", "--timeout=60s"]);
}

/// `kubectl describe pod` shows the last words of a program that fails to start.
async fn a_start_that_fails_says_why(node: &Node) {
    let namespace = ["--namespace", NAMESPACE];
    let arguments = ["upgrade", RELEASE, CHART, "--set", "extraArgs.no-such-flag=1"];
    node.tools.helm(&[&arguments[..], &namespace].concat()).unwrap();
    until("the cause in the description of the Pod", || {
        let described = node.of_release(&["describe", "pods"]);
        described.contains("Message:").then_some(described).filter(|text| text.contains("no-such-flag"))
    })
    .await;
    // The earlier Pods kept serving.
    node.of_release(&["wait", "--for=condition=Available", "deployment", "--all", "--timeout=60s"]);
    node.tools.helm(&[&["rollback", RELEASE, "--wait", "--timeout=60s"][..], &namespace].concat()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn an_uninstalled_release_ends_in_good_order_and_leaves_definitions_and_secrets() {
    let node = Node::cleared().await;
    node.install(&[]).unwrap();
    node.apply(&[fake_store(), crate::azure::external_secret("kept", "fake", "1h", "greeting")]);
    node.kubectl(&["wait", "--for=condition=Ready", "externalsecret/kept", "--timeout=60s"]);
    let ends = Ends::watch(&node);
    let begin = Instant::now();
    node.tools.helm(&["uninstall", RELEASE, "--namespace", NAMESPACE]).unwrap();
    until("all Pods gone", || node.of_release(&["get", "pods", "--output=name"]).is_empty().then_some(())).await;
    println!("uninstalled in {:.1} s", begin.elapsed().as_secs_f32());
    // The webhook keeps serving for some seconds.
    assert!(begin.elapsed() < SOON, "the Pods took {:?}", begin.elapsed());
    assert_eq!(ends.of_all(DEPLOYMENTS.len()).await, [0, 0, 0]);

    let left = "deployment,service,secret,serviceaccount,role,rolebinding,lease";
    let selector = format!("app.kubernetes.io/instance={RELEASE}");
    assert_eq!(node.of_release(&["get", left, "--selector", &selector, "--output=name"]), "");
    let left = "clusterrole,clusterrolebinding,validatingwebhookconfiguration";
    assert_eq!(node.kubectl(&["get", left, "--selector", &selector, "--output=name"]), "");
    for kept in ["crd/externalsecrets.external-secrets.io", "externalsecret/kept", "secret/kept"] {
        node.kubectl(&["get", kept]);
    }
    // Without the webhook, objects can be written, and a release installed later takes them over.
    let patch = json!({"spec": {"refreshInterval": "2h"}}).to_string();
    node.kubectl(&["patch", "externalsecret", "kept", "--type=merge", "--patch", &patch]);
    let before = node.writes_of_secrets("default").len();
    node.install(&[]).unwrap();
    node.kubectl(&["annotate", "externalsecret", "kept", "force-sync=1"]);
    node.kubectl(&["wait", "--for=condition=Ready", "externalsecret/kept", "--timeout=60s"]);
    assert_eq!(node.writes_of_secrets("default").len(), before, "the Secret is as it was");
}

/// The exit codes of Pods' containers.
struct Ends(Arc<Mutex<BTreeMap<String, i32>>>);

impl Ends {
    fn watch(node: &Node) -> Self {
        let codes = Arc::<Mutex<BTreeMap<String, i32>>>::default();
        let pods: Api<Pod> = Api::namespaced(node.access.client.clone(), NAMESPACE);
        let noted = Arc::clone(&codes);
        tokio::spawn(async move {
            let watch = watcher(pods, watcher::Config::default()).applied_objects();
            let noting = watch.try_for_each(|pod| {
                let statuses = pod.status.and_then(|status| status.container_statuses).unwrap_or_default();
                let name = pod.metadata.name.unwrap_or_default();
                let ended = statuses.into_iter().filter_map(|status| status.state?.terminated);
                noted.lock().unwrap().extend(ended.map(|end| (name.clone(), end.exit_code)));
                std::future::ready(Ok(()))
            });
            noting.await.unwrap();
        });
        Self(codes)
    }

    /// The exit codes of `count` containers.
    async fn of_all(&self, count: usize) -> Vec<i32> {
        until("the ends of all containers", || {
            let codes: Vec<_> = self.0.lock().unwrap().values().copied().collect();
            (codes.len() >= count).then_some(codes)
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn a_cert_controller_that_starts_late_holds_up_the_webhook_for_seconds() {
    let node = Node::cleared().await;
    let values = ["--set", "certController.replicaCount=0"];
    let install = ["install", RELEASE, CHART, "--namespace", NAMESPACE, "--create-namespace"];
    node.tools.helm(&[&install[..], &values].concat()).unwrap();
    let webhook = until("a Pod of the webhook that waits", || {
        let pod = node.pods_of(WEBHOOK).pop()?;
        let events = node.of_release(&["get", "events", "--output=jsonpath={.items[*].message}"]);
        events.contains("MountVolume.SetUp failed").then_some(pod)
    })
    .await;
    let begin = Instant::now();
    node.of_release(&["scale", "deployment", CERT_CONTROLLER, "--replicas=1"]);
    node.of_release(&["wait", "--for=condition=Available", "deployment", WEBHOOK, "--timeout=60s"]);
    println!("available {:.1} s after the cert-controller was started", begin.elapsed().as_secs_f32());
    assert!(begin.elapsed() < SOON, "it took {:?}", begin.elapsed());
    assert_eq!(node.pods_of(WEBHOOK)[0]["metadata"]["uid"], webhook["metadata"]["uid"], "it is the same Pod");
}
