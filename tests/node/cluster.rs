//! The cluster started by `tests/node/run`, and what is installed in it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use test_stage::cluster_access::{Access, DEADLINE};
use test_stage::helm::Tools;

pub const CHART: &str = "helm/external-secrets";
pub const RELEASE: &str = "external-secrets-operator";
/// The namespace of the release.
pub const NAMESPACE: &str = "qmonus-system";
/// The Deployments of the chart.
pub const DEPLOYMENTS: [&str; 3] =
    ["external-secrets-operator", "external-secrets-operator-webhook", "external-secrets-operator-cert-controller"];
/// The Deployment of the webhook, its Service and its Secret.
pub const WEBHOOK: &str = DEPLOYMENTS[1];
/// The Deployment of the cert-controller.
pub const CERT_CONTROLLER: &str = DEPLOYMENTS[2];

/// The program in its container.
pub const PROGRAM: &str = "/bin/external-secrets";

/// Namespaces that every cluster has.
const LASTING_NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// The cluster, with administrator rights.
pub struct Node {
    /// Its files and logs.
    pub folder: PathBuf,
    pub tools: Tools,
    pub access: Access,
    /// The length of the API server's log of writes when the test began, in lines.
    noted: usize,
}

impl Node {
    /// The node, without anything that earlier tests left in the cluster.
    pub async fn cleared() -> Self {
        let variable = |name| PathBuf::from(std::env::var_os(name).expect("`make test-node` runs these tests"));
        let kubeconfig = variable("KUBECONFIG");
        let tools = Tools::with(&variable("NODE_TOOLS").join("kubectl"), &kubeconfig);
        let folder = variable("NODE_FOLDER");
        let mut node = Self { folder, access: access(&kubeconfig).await, tools, noted: 0 };
        node.clear();
        node.noted = node.audit().lines().count();
        node
    }

    fn clear(&self) {
        let releases = self.tools.helm(&["list", "--all-namespaces", "--all", "--output=json"]).unwrap();
        let releases: Vec<Value> = serde_json::from_str(&releases).unwrap();
        for release in &releases {
            let [name, namespace] = ["name", "namespace"].map(|field| release[field].as_str().unwrap());
            self.tools.helm(&["uninstall", name, "--namespace", namespace, "--wait"]).unwrap();
        }
        let named = |kind: &str| -> Vec<String> {
            let names = self.kubectl(&["get", kind, "--output=jsonpath={.items[*].metadata.name}"]);
            names.split_whitespace().map(str::to_owned).collect()
        };
        let namespaces = named("namespace").into_iter().filter(|name| !LASTING_NAMESPACES.contains(&name.as_str()));
        let kinds: Vec<_> = named("crd").into_iter().filter(|name| name.ends_with("external-secrets.io")).collect();
        self.release_objects(&kinds);
        // A namespace takes longer to go while a kind goes too.
        for (kind, found) in [("namespace", namespaces.collect::<Vec<_>>()), ("crd", kinds)] {
            if !found.is_empty() {
                let found: Vec<_> = found.iter().map(String::as_str).collect();
                self.kubectl(&[&["delete", kind, "--timeout=90s"], &found[..]].concat());
            }
        }
    }

    /// Removes the finalizers that a failed test has left: the controller that would is gone.
    fn release_objects(&self, kinds: &[String]) {
        if kinds.is_empty() {
            return;
        }
        let list = self.kubectl(&["get", &kinds.join(","), "--all-namespaces", "--output=json"]);
        let list: Value = serde_json::from_str(&list).unwrap();
        for object in list["items"].as_array().unwrap() {
            let metadata = &object["metadata"];
            if metadata["finalizers"].is_null() {
                continue;
            }
            let [kind, name] = [&object["kind"], &metadata["name"]].map(|text| text.as_str().unwrap());
            let namespace = metadata["namespace"].as_str().unwrap_or("default");
            let patch = r#"{"metadata": {"finalizers": null}}"#;
            self.kubectl(&["patch", kind, name, "--namespace", namespace, "--type=merge", "--patch", patch]);
        }
    }

    /// What kubectl prints; panics if it fails.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.tools.kubectl(arguments).unwrap_or_else(|error| panic!("kubectl {}: {error}", arguments.join(" ")))
    }

    /// The same in the release's namespace.
    pub fn of_release(&self, arguments: &[&str]) -> String {
        self.kubectl(&[&["--namespace", NAMESPACE], arguments].concat())
    }

    /// Installs or upgrades the chart, and waits until everything is available.
    pub fn install(&self, arguments: &[&str]) -> Result<String, String> {
        let upgrade = ["upgrade", "--install", RELEASE, CHART, "--namespace", NAMESPACE, "--create-namespace"];
        self.tools.helm(&[&upgrade[..], &["--wait", "--timeout=60s"], arguments].concat())
    }

    /// Installs the chart with these values; panics if that fails.
    pub fn install_with(&self, values: &Value) {
        let file = self.tools.home.path().join("values.json");
        std::fs::write(&file, values.to_string()).unwrap();
        if let Err(error) = self.install(&["--values", &file.display().to_string()]) {
            panic!("{error}\n{}", self.state_of_pods());
        }
    }

    /// What a person would look at when Pods do not become ready.
    pub fn state_of_pods(&self) -> String {
        let described = self.of_release(&["describe", "pods"]);
        let logs = DEPLOYMENTS.map(|name| {
            let deployment = format!("deployment/{name}");
            let arguments = ["logs", &deployment, "--tail=20", "--namespace", NAMESPACE];
            self.tools.kubectl(&arguments).unwrap_or_else(|error| error)
        });
        format!("{described}\n{}", logs.join("\n"))
    }

    /// The Pods of one of the chart's Deployments as JSON, without those being deleted.
    pub fn pods_of(&self, deployment: &str) -> Vec<Value> {
        let deployment = self.json(&["get", "deployment", deployment]);
        let labels = deployment["spec"]["selector"]["matchLabels"].as_object().unwrap();
        let selector: Vec<_> =
            labels.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap())).collect();
        let list = self.json(&["get", "pods", "--selector", &selector.join(",")]);
        let pods = list["items"].as_array().unwrap().iter();
        pods.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).cloned().collect()
    }

    /// An object in the release's namespace.
    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.of_release(&[arguments, &["--output=json"]].concat())).unwrap()
    }

    /// The log of a Deployment's Pod.
    pub fn log_of(&self, deployment: &str) -> String {
        self.of_release(&["logs", &format!("deployment/{deployment}"), "--tail=-1"])
    }

    /// Creates or changes objects in the namespaces they name.
    pub fn apply(&self, objects: &[Value]) {
        self.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &self.tools.manifest(objects)]);
    }

    fn audit(&self) -> String {
        std::fs::read_to_string(self.folder.join("log/audit.log")).unwrap()
    }

    /// The names of a namespace's Secrets, once for each write that the API server has accepted since the test began.
    pub fn writes_of_secrets(&self, namespace: &str) -> Vec<String> {
        let text = self.audit();
        // The last line may be incomplete.
        let events = text.lines().skip(self.noted).filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let stored = events.filter(|event| {
            event["objectRef"]["namespace"] == namespace
                && event["responseStatus"]["code"].as_u64().unwrap_or(500) < 300
        });
        stored.map(|event| event["objectRef"]["name"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// The address of etcd in the node's network.
const ETCD: &str = "http://127.0.0.1:2379";

impl Node {
    /// How often etcd has stored a Secret of the namespace `default` since it was created.
    pub async fn times_stored(&self, name: &str) -> usize {
        let key = base64::engine::general_purpose::STANDARD.encode(format!("/registry/secrets/default/{name}"));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let query = json!({"key": key, "keys_only": true}).to_string();
        let answer = client.post(format!("{ETCD}/v3/kv/range")).body(query).send().await.unwrap();
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let version = answer["kvs"][0]["version"].as_str().unwrap_or_else(|| panic!("no {name} in {answer}"));
        version.parse().unwrap()
    }
}

/// Kills the kubelet, which is restarted at once.
pub fn restart_kubelet() {
    let kubelets = processes(|arguments| arguments.first().is_some_and(|program| program == "kubelet"));
    assert_eq!(kubelets.len(), 1, "one kubelet runs");
    run(Command::new("kill").arg(kubelets[0].to_string()));
}

/// Switches the node `on` or `off`. Off kills all its processes at once, including containers; on brings it back with
/// its data.
pub fn power(switch: &str) {
    run(Command::new("power").arg(switch));
}

/// Waits until something holds; `what` goes into the message of a failing test.
pub async fn until<T>(what: &str, mut wanted: impl FnMut() -> Option<T>) -> T {
    let end = tokio::time::Instant::now() + DEADLINE;
    loop {
        if let Some(found) = wanted() {
            return found;
        }
        assert!(tokio::time::Instant::now() < end, "not within {} s: {what}", DEADLINE.as_secs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The processes whose arguments match.
pub fn processes(wanted: impl Fn(&[String]) -> bool) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let arguments = |number: &u32| -> Vec<String> {
        let line = std::fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
        let parts = line.split(|byte| *byte == 0).filter(|part| !part.is_empty());
        parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect()
    };
    numbers.filter(|number| wanted(&arguments(number))).collect()
}

/// A file in a process's container. The kernel exposes the container's root directory below the process.
pub fn in_container(process: u32, path: &str) -> PathBuf {
    Path::new("/proc").join(process.to_string()).join("root").join(path)
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

async fn access(kubeconfig: &Path) -> Access {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    Access { client, namespace: "default".to_owned(), version: "external-secrets.io/v1" }
}
