//! What the demo is shown on: a cluster, an emulated Azure, and the controller.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::sandbox::cluster::{Cluster, ClusterConfig, find_assets};
use crate::sandbox::supervisor::{Process, Program};
use crate::sandbox::{Application, Config, IssuerKeys, Sandbox, SecretPermission, Vault};

use super::error::Error;
use super::rights;
use super::story::Change;

// The names in examples/walkthrough.
const TENANT: &str = "00000000-0000-0000-0000-0000000000aa";
const CLIENT: &str = "00000000-0000-0000-0000-00000000c11e";
const SUBJECT: &str = "system:serviceaccount:qmonus-system:azure-key-vault";
const VAULT: &str = "my-key-container";
const SECRET: &str = "qvs-secret-manager";

/// The subject that the application trusts while the federation is broken.
const OTHER_SUBJECT: &str = "system:serviceaccount:qmonus-system:somebody-else";

/// How long the controller may take to stop gracefully.
const GRACE: Duration = Duration::from_secs(5);

/// How many lines of the controller's log an error shows.
const TAIL_LINES: usize = 10;

/// A cluster, an emulated Azure that trusts it, and the controller.
pub(super) struct World {
    cluster: Cluster,
    sandbox: Sandbox,
    application: Application,
    vault: Vault,
    program: PathBuf,
    kubeconfig: PathBuf,
    controller: Mutex<Option<Process>>,
}

impl World {
    /// Starts all but the controller.
    pub(super) async fn start() -> Result<Self, Error> {
        let assets = find_assets().await?;
        let program = std::env::current_exe()?;
        let begin = Instant::now();
        progress(
            "starting etcd, kube-apiserver and kube-controller-manager, and an emulator of Entra ID and Key Vault",
        );
        let cluster = Cluster::start(ClusterConfig { program: program.clone(), assets }).await?;
        // In the cluster's folder, so that it is removed with it.
        let folder = Some(cluster.directory().join("azure"));
        let sandbox = Sandbox::start(Config { tenant: TENANT.to_owned(), folder, ..Config::default() }).await?;
        sandbox.set_issuer(cluster.issuer_url(), IssuerKeys::from_pem(cluster.issuer_public_key_pem())?);
        let application = sandbox.default_tenant().application(CLIENT).federate(cluster.issuer_url(), SUBJECT);
        let vault = sandbox.vault(VAULT)?.allow(&application, SecretPermission::Get);
        let kubeconfig = rights::kubeconfig(&cluster).await?;
        progress(&format!("ready after {:.1} s", begin.elapsed().as_secs_f32()));
        Ok(Self { cluster, sandbox, application, vault, program, kubeconfig, controller: Mutex::default() })
    }

    /// The environment and arguments with which the controller is started: nothing in them tells it that
    /// Azure is not Azure.
    pub(super) fn controller_command(&self) -> (Vec<(String, String)>, [&'static str; 2]) {
        let mut environment = self.sandbox.environment();
        environment.retain(|(name, _)| name != "REQUESTS_CA_BUNDLE");
        environment.insert(0, ("KUBECONFIG".to_owned(), self.kubeconfig.display().to_string()));
        (environment, ["--metrics-addr=0", "--live-addr=0"])
    }

    pub(super) async fn start_controller(&self) -> Result<(), Error> {
        // The definitions of custom resources are new to the garbage collector.
        self.cluster.restart_controller_manager().await?;
        self.run_controller().await
    }

    pub(super) async fn restart_controller(&self) -> Result<(), Error> {
        if let Some(controller) = self.controller.lock().await.take() {
            controller.stop(GRACE).await?;
        }
        self.run_controller().await
    }

    async fn run_controller(&self) -> Result<(), Error> {
        let (environment, arguments) = self.controller_command();
        let program = Program::new(&self.program, self.controller_log()).arguments(arguments);
        let program = environment.into_iter().fold(program, |program, (name, value)| program.environment(name, value));
        *self.controller.lock().await = Some(self.cluster.run(program).await?);
        Ok(())
    }

    pub(super) fn controller_log(&self) -> PathBuf {
        self.cluster.directory().join("external-secrets.log")
    }

    /// The end of the controller's log.
    pub(super) async fn controller_log_tail(&self) -> String {
        self.controller.lock().await.as_ref().map(|controller| controller.log_tail(TAIL_LINES)).unwrap_or_default()
    }

    /// Fails if the controller is expected to run but does not.
    pub(super) async fn check_controller(&self) -> Result<(), Error> {
        let controller = self.controller.lock().await;
        match controller.as_ref().and_then(|controller| controller.exit().map(|exit| (controller, exit))) {
            None => Ok(()),
            Some((controller, exit)) => Err(Error::ControllerEnded {
                exit: exit.to_string(),
                log: controller.log().to_owned(),
                tail: controller.log_tail(TAIL_LINES),
            }),
        }
    }

    /// Changes something in Azure. Returns the new version if a secret was written.
    pub(super) fn apply(&self, change: Change) -> Result<Option<String>, Error> {
        let issuer = self.cluster.issuer_url();
        match change {
            Change::SetSecret(value) => {
                let version = self.vault.set_secret(SECRET, value);
                return version.map(Some).map_err(|error| Error::Vault(error.to_string()));
            }
            Change::BreakFederation => self.application.clear_federation().federate(issuer, OTHER_SUBJECT),
            Change::MendFederation => self.application.clear_federation().federate(issuer, SUBJECT),
        };
        Ok(None)
    }

    pub(super) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    pub(super) fn keep_logs(&self) {
        self.cluster.keep_logs();
    }

    pub(super) fn stop(&self) {
        self.cluster.stop();
    }
}

impl Change {
    /// What a person would type to do this in the real Azure.
    pub(super) fn command(self) -> String {
        let subject = match self {
            Self::SetSecret(value) => {
                return format!("az keyvault secret set --vault-name {VAULT} --name {SECRET} --value '{value}'");
            }
            Self::BreakFederation => OTHER_SUBJECT,
            Self::MendFederation => SUBJECT,
        };
        format!("az ad app federated-credential update --id {CLIENT} ... # \"subject\": \"{subject}\"")
    }
}

/// Reports progress; not part of what is shown.
#[allow(clippy::print_stderr, reason = "progress for the person at the terminal")]
fn progress(what: &str) {
    eprintln!("demo: {what}");
}
