//! Where the controller runs in the demo: as a process next to the cluster, or in Pods of the Helm chart on a node.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::sandbox::Sandbox;
use crate::sandbox::cluster::{Cluster, ClusterConfig, find_assets};
use crate::sandbox::supervisor::{Process, Program};

use super::error::Error;
use super::rights;

/// How long the controller may take to stop gracefully.
const GRACE: Duration = Duration::from_secs(5);

/// How many lines of the controller's log an error shows.
const TAIL_LINES: usize = 10;

/// The issuer of service account tokens in a node's cluster.
const NODE_ISSUER: &str = "https://kubernetes.default.svc";
/// The emulator's port in the network of a node, where Pods reach it (`tests/node/apart`).
const NODE_PORT: u16 = 3127;
const NODE_PROXY: &str = "http://198.51.100.1:3128";
/// The namespace of the release.
const NAMESPACE: &str = "external-secrets";

/// The controller as a process next to a cluster of its own.
pub(super) struct Beside {
    cluster: Cluster,
    program: PathBuf,
    kubeconfig: PathBuf,
    controller: Mutex<Option<Process>>,
}

/// The controller in Pods on the node of `tests/node/run`.
pub(super) struct OnNode {
    /// The folder with the files of its cluster.
    folder: PathBuf,
    kubeconfig: PathBuf,
    kubectl: PathBuf,
}

/// Where the controller runs.
pub(super) enum Home {
    Beside(Box<Beside>),
    OnNode(OnNode),
}

impl Home {
    /// Starts a cluster without nodes.
    pub(super) async fn beside() -> Result<Self, Error> {
        let assets = find_assets().await?;
        let program = std::env::current_exe()?;
        let cluster = Cluster::start(ClusterConfig { program: program.clone(), assets }).await?;
        let kubeconfig = rights::kubeconfig(&cluster).await?;
        Ok(Self::Beside(Box::new(Beside { cluster, program, kubeconfig, controller: Mutex::default() })))
    }

    /// The cluster of a node; its files are in `folder`.
    pub(super) fn on_node(folder: PathBuf) -> Self {
        let (kubeconfig, kubectl) = (folder.join("admin.kubeconfig"), folder.join("tools/kubectl"));
        Self::OnNode(OnNode { folder, kubeconfig, kubectl })
    }

    pub(super) const fn is_on_node(&self) -> bool {
        matches!(self, Self::OnNode(_))
    }

    /// The port of the emulated Azure; 0 picks a free one.
    pub(super) const fn azure_port(&self) -> u16 {
        if self.is_on_node() { NODE_PORT } else { 0 }
    }

    /// The issuer of the cluster's tokens, and the public key in PEM that verifies them.
    pub(super) fn issuer(&self) -> Result<(&'static str, String), Error> {
        match self {
            Self::Beside(beside) => {
                Ok((beside.cluster.issuer_url(), beside.cluster.issuer_public_key_pem().to_owned()))
            }
            Self::OnNode(node) => {
                let key = std::fs::read_to_string(node.folder.join("pki/service-accounts.pub"))?;
                Ok((NODE_ISSUER, key))
            }
        }
    }

    /// The folder for temporary files, which is removed at the end.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::Beside(beside) => beside.cluster.directory(),
            Self::OnNode(node) => &node.folder,
        }
    }

    pub(super) fn kubectl(&self) -> &Path {
        match self {
            Self::Beside(beside) => beside.cluster.kubectl(),
            Self::OnNode(node) => &node.kubectl,
        }
    }

    /// The administrator's kubeconfig.
    pub(super) fn kubeconfig(&self) -> &Path {
        match self {
            Self::Beside(beside) => beside.cluster.kubeconfig(),
            Self::OnNode(node) => &node.kubeconfig,
        }
    }

    /// The commands that a person types to start the controller. [`Home::start`] starts a process, but Pods are started
    /// only by these commands.
    pub(super) fn start_commands(&self, sandbox: &Sandbox) -> Vec<String> {
        match self {
            Self::Beside(beside) => {
                let (environment, arguments) = beside.command(sandbox);
                let environment: Vec<_> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
                vec![format!("{} external-secrets {} &", environment.join(" "), arguments.join(" "))]
            }
            Self::OnNode(node) => vec![
                format!(
                    "helm install external-secrets helm/external-secrets --namespace {NAMESPACE} --create-namespace --values {} --wait",
                    node.values().display()
                ),
                format!("kubectl get pods --namespace {NAMESPACE}"),
            ],
        }
    }

    /// The commands that a person types to restart the controller's Pods.
    pub(super) fn restart_commands(&self) -> Vec<String> {
        match self {
            Self::Beside(_) => Vec::new(),
            Self::OnNode(_) => vec![
                format!("kubectl rollout restart deployment external-secrets --namespace {NAMESPACE}"),
                format!("kubectl rollout status deployment external-secrets --namespace {NAMESPACE} --timeout=60s"),
            ],
        }
    }

    /// Starts the process, or writes the chart's values with which Pods reach the emulated Azure.
    pub(super) async fn start(&self, sandbox: &Sandbox) -> Result<(), Error> {
        match self {
            Self::Beside(beside) => {
                // The garbage collector does not know the CRDs yet.
                beside.cluster.restart_controller_manager().await?;
                beside.run(sandbox).await
            }
            Self::OnNode(node) => node.write_values(sandbox),
        }
    }

    /// Restarts the process.
    pub(super) async fn restart(&self, sandbox: &Sandbox) -> Result<(), Error> {
        let Self::Beside(beside) = self else { return Ok(()) };
        if let Some(controller) = beside.controller.lock().await.take() {
            controller.stop(GRACE).await?;
        }
        beside.run(sandbox).await
    }

    /// Fails if the process should be running but is not.
    pub(super) async fn check(&self) -> Result<(), Error> {
        let Self::Beside(beside) = self else { return Ok(()) };
        let controller = beside.controller.lock().await;
        match controller.as_ref().and_then(|controller| controller.exit().map(|exit| (controller, exit))) {
            None => Ok(()),
            Some((controller, exit)) => Err(Error::ControllerEnded {
                exit: exit.to_string(),
                log: controller.log().to_owned(),
                tail: controller.log_tail(TAIL_LINES),
            }),
        }
    }

    /// The controller's log.
    pub(super) fn log(&self) -> PathBuf {
        match self {
            Self::Beside(beside) => beside.log(),
            Self::OnNode(node) => node.folder.join("log/pods"),
        }
    }

    /// The end of the controller's log.
    pub(super) async fn log_tail(&self) -> String {
        match self {
            Self::Beside(beside) => beside
                .controller
                .lock()
                .await
                .as_ref()
                .map(|controller| controller.log_tail(TAIL_LINES))
                .unwrap_or_default(),
            Self::OnNode(node) => node.log_tail().await,
        }
    }

    pub(super) fn keep_logs(&self) {
        if let Self::Beside(beside) = self {
            beside.cluster.keep_logs();
        }
    }

    pub(super) fn stop(&self) {
        if let Self::Beside(beside) = self {
            beside.cluster.stop();
        }
    }
}

impl Beside {
    /// The environment and arguments of the controller. Nothing in them tells it that Azure is emulated.
    fn command(&self, sandbox: &Sandbox) -> (Vec<(String, String)>, [&'static str; 2]) {
        let mut environment = sandbox.environment();
        environment.retain(|(name, _)| name != "REQUESTS_CA_BUNDLE");
        environment.insert(0, ("KUBECONFIG".to_owned(), self.kubeconfig.display().to_string()));
        (environment, ["--metrics-addr=0", "--live-addr=0"])
    }

    async fn run(&self, sandbox: &Sandbox) -> Result<(), Error> {
        let (environment, arguments) = self.command(sandbox);
        let program = Program::new(&self.program, self.log()).arguments(arguments);
        let program = environment.into_iter().fold(program, |program, (name, value)| program.environment(name, value));
        *self.controller.lock().await = Some(self.cluster.run(program).await?);
        Ok(())
    }

    fn log(&self) -> PathBuf {
        self.cluster.directory().join("external-secrets.log")
    }
}

impl OnNode {
    /// The file with the chart's values.
    fn values(&self) -> PathBuf {
        self.folder.join("azure-values.json")
    }

    /// Directs the controller's connections to Azure to the emulator, whose certificate authority it trusts in addition
    /// to the public ones.
    fn write_values(&self, sandbox: &Sandbox) -> Result<(), Error> {
        let environment = sandbox.environment();
        let bundle = environment.iter().find(|(name, _)| name == "SSL_CERT_FILE").map(|(_, bundle)| bundle);
        let bundle = std::fs::read_to_string(bundle.map(String::as_str).unwrap_or_default())?;
        let authority = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "azure"}, "data": {"ca.pem": bundle},
        });
        let values = json!({
            "extraEnv": [
                {"name": "HTTPS_PROXY", "value": NODE_PROXY},
                // The range of Service addresses. The API server has one.
                {"name": "NO_PROXY", "value": "10.96.0.0/16"},
            ],
            "extraArgs": {"azure-ca-bundle": "/etc/azure/ca.pem"},
            "extraVolumes": [{"name": "azure", "configMap": {"name": "azure"}}],
            "extraVolumeMounts": [{"name": "azure", "mountPath": "/etc/azure", "readOnly": true}],
            "extraObjects": [authority],
        });
        Ok(std::fs::write(self.values(), values.to_string())?)
    }

    async fn log_tail(&self) -> String {
        let output = Command::new(&self.kubectl)
            .args(["logs", "deployment/external-secrets", "--namespace", NAMESPACE, "--tail", &TAIL_LINES.to_string()])
            .env("KUBECONFIG", &self.kubeconfig)
            .kill_on_drop(true)
            .output()
            .await;
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    }
}
