//! A Kubernetes API of one's own: etcd, kube-apiserver and kube-controller-manager as on a real cluster,
//! in a temporary folder, without nodes.
//!
//! The API server authenticates the administrator by a token, authorizes by RBAC and issues
//! service-account tokens. The controller manager collects garbage, finishes the deletion of namespaces and
//! makes the service account `default` of each namespace; nothing else, so a Deployment has no Pods. etcd
//! listens on a socket that only this user can reach.
//!
//! All processes run under a [`Supervisor`], so they end with the process that holds the [`Cluster`], also
//! by a panic or SIGKILL. Any number of clusters may run at once.
//!
//! ```no_run
//! # use test_cluster::{Cluster, ClusterConfig, find_assets};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let program = std::env::current_exe()?;
//! let cluster = Cluster::start(ClusterConfig { program, assets: find_assets().await? }).await?;
//! println!("export KUBECONFIG={}", cluster.kubeconfig().display());
//! cluster.kill_api_server().await?;
//! cluster.start_api_server().await?;
//! # Ok(())
//! # }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod binaries;
mod commands;
mod credentials;
mod error;
mod files;
mod health;
mod port;
pub mod supervisor;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::Mutex;

use crate::supervisor::{Process, Program, Signal, Supervisor};

pub use binaries::find_assets;
pub use error::ClusterError;

use binaries::Binaries;
use credentials::Credentials;
use files::Files;
use health::{Probe, becomes_ready};
use port::Port;

/// The issuer of service-account tokens. It has the trailing slash that managed clusters on Azure have, which
/// must be kept wherever the issuer is compared. Nothing is published there: whoever checks tokens must be
/// given [`Cluster::issuer_public_key_pem`].
pub const ISSUER: &str = "https://oidc.sandbox.example/cluster/";

/// How long a process may take to end in good order.
const STOP_GRACE: Duration = Duration::from_secs(15);

/// How long the API server may take to be ready.
const START_DEADLINE: Duration = Duration::from_mins(1);

/// How a cluster is started.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// This crate's program, built with the feature `sandbox`: it becomes the supervisor.
    pub program: PathBuf,
    /// The folder with `etcd`, `kube-apiserver`, `kube-controller-manager` and `kubectl`, such as
    /// [`find_assets`] gives.
    pub assets: PathBuf,
}

/// A running cluster. It ends, and its files go, when this is dropped; its logs stay when that is due to a
/// panic.
#[derive(Debug)]
pub struct Cluster {
    // First, so that it is dropped first: it ends all processes at once.
    supervisor: Supervisor,
    binaries: Binaries,
    kubectl: PathBuf,
    credentials: Credentials,
    files: Files,
    port: Port,
    probe: Probe,
    processes: Mutex<Processes>,
}

#[derive(Debug, Default)]
struct Processes {
    etcd: Option<Process>,
    api_server: Option<Process>,
    controller_manager: Option<Process>,
}

impl Cluster {
    /// Starts a cluster and waits until its API is ready and the namespace `default` is there.
    ///
    /// # Errors
    /// [`ClusterError`]: a program is missing, cannot be started or has ended (with the end of its log), or the
    /// API server is not ready within a minute. The logs are kept then.
    pub async fn start(config: ClusterConfig) -> Result<Self, ClusterError> {
        let binaries = Binaries::in_folder(config.assets)?;
        let supervisor = Supervisor::start(&config.program)?;
        let port = Port::reserve()?;
        let credentials = Credentials::generate()?;
        let files = Files::write(supervisor.directory(), &credentials, port.number())?;
        let probe = Probe::new(&format!("https://127.0.0.1:{}", port.number()), &credentials)?;
        let cluster = Self {
            supervisor,
            kubectl: binaries.kubectl(),
            binaries,
            credentials,
            files,
            port,
            probe,
            processes: Mutex::default(),
        };
        match cluster.start_all().await {
            Ok(()) => Ok(cluster),
            Err(error) => {
                cluster.supervisor.keep_logs();
                Err(error)
            }
        }
    }

    async fn start_all(&self) -> Result<(), ClusterError> {
        let etcd = self.supervisor.run(commands::etcd(&self.binaries, &self.files)).await?;
        self.processes.lock().await.etcd = Some(etcd);
        self.start_api_server().await?;
        self.restart_controller_manager().await
    }

    /// Starts the API server again, on the same port and data, and waits until it is ready. Does nothing if
    /// it runs.
    ///
    /// # Errors
    /// [`ClusterError`] as for [`Self::start`].
    pub async fn start_api_server(&self) -> Result<(), ClusterError> {
        let mut processes = self.processes.lock().await;
        let running = processes.api_server.as_ref().is_some_and(|process| process.exit().is_none());
        if !running {
            let command = commands::api_server(&self.binaries, &self.files, self.port.number(), ISSUER);
            processes.api_server = Some(self.supervisor.run(command).await?);
        }
        let Processes { etcd: Some(etcd), api_server: Some(api_server), .. } = &*processes else { return Ok(()) };
        becomes_ready(&self.probe, &[etcd, api_server], START_DEADLINE).await
    }

    /// Ends the API server in good order. Its data stay.
    ///
    /// # Errors
    /// [`ClusterError::Supervisor`] where all has ended already.
    pub async fn stop_api_server(&self) -> Result<(), ClusterError> {
        if let Some(process) = self.processes.lock().await.api_server.take() {
            process.stop(STOP_GRACE).await?;
        }
        Ok(())
    }

    /// Kills the API server, so that its clients' connections break. Its data stay.
    ///
    /// # Errors
    /// [`ClusterError::Supervisor`] where all has ended already.
    pub async fn kill_api_server(&self) -> Result<(), ClusterError> {
        if let Some(process) = self.processes.lock().await.api_server.take() {
            process.kill().await?;
        }
        Ok(())
    }

    /// Stops etcd in its tracks (SIGSTOP), as a disk does that hangs: the API server gets no answer, until
    /// [`Self::resume_etcd`].
    ///
    /// # Errors
    /// [`ClusterError::Supervisor`] where all has ended already.
    pub async fn pause_etcd(&self) -> Result<(), ClusterError> {
        self.signal_etcd(Signal::Pause).await
    }

    /// Lets etcd go on.
    ///
    /// # Errors
    /// [`ClusterError::Supervisor`] where all has ended already.
    pub async fn resume_etcd(&self) -> Result<(), ClusterError> {
        self.signal_etcd(Signal::Resume).await
    }

    async fn signal_etcd(&self, signal: Signal) -> Result<(), ClusterError> {
        match &self.processes.lock().await.etcd {
            Some(etcd) => Ok(etcd.signal(signal)?),
            None => Ok(()),
        }
    }

    /// Restarts the controller manager.
    ///
    /// Its garbage collector looks for new kinds of objects every 30 s, and at its start: after new custom
    /// resource definitions this spares that wait.
    ///
    /// # Errors
    /// [`ClusterError::Supervisor`] where it cannot be started.
    pub async fn restart_controller_manager(&self) -> Result<(), ClusterError> {
        let mut processes = self.processes.lock().await;
        if let Some(process) = processes.controller_manager.take() {
            process.kill().await?;
        }
        let command = commands::controller_manager(&self.binaries, &self.files);
        processes.controller_manager = Some(self.supervisor.run(command).await?);
        Ok(())
    }

    /// Kills the controller manager, for measurements that its garbage collector would disturb.
    ///
    /// # Errors
    /// [`ClusterError::Supervisor`] where all has ended already.
    pub async fn kill_controller_manager(&self) -> Result<(), ClusterError> {
        if let Some(process) = self.processes.lock().await.controller_manager.take() {
            process.kill().await?;
        }
        Ok(())
    }

    /// Runs another program that is to end with the cluster, such as the controller under test.
    ///
    /// # Errors
    /// [`ClusterError::Supervisor`] where it cannot be started.
    pub async fn run(&self, program: Program) -> Result<Process, ClusterError> {
        Ok(self.supervisor.run(program).await?)
    }

    /// Writes a kubeconfig for another user, by a bearer token, and returns its path.
    ///
    /// # Errors
    /// [`ClusterError::Write`] where it cannot be written.
    pub fn kubeconfig_for(&self, user: &str, token: &str) -> Result<PathBuf, ClusterError> {
        files::write_kubeconfig(self.directory(), &self.url(), user, token)
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.files.kubeconfig
    }

    /// The API server's URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port.number())
    }

    /// The file with the certificate of the CA of the API server, in PEM.
    #[must_use]
    pub fn ca_certificate(&self) -> &Path {
        &self.files.ca_certificate
    }

    /// The issuer of service-account tokens.
    #[must_use]
    pub fn issuer_url(&self) -> &'static str {
        ISSUER
    }

    /// The public key that service-account tokens are checked with (RS256), in PEM.
    #[must_use]
    pub fn issuer_public_key_pem(&self) -> &str {
        &self.credentials.service_account_public_pem
    }

    /// The program kubectl.
    #[must_use]
    pub fn kubectl(&self) -> &Path {
        &self.kubectl
    }

    /// The folder with the cluster's files and logs (`*.log`), which goes with it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.supervisor.directory()
    }

    /// Leaves the logs in [`Self::directory`] when the cluster ends.
    pub fn keep_logs(&self) {
        self.supervisor.keep_logs();
    }

    /// Ends everything at once and removes the files; the same as dropping it, but tells when it is done.
    pub fn stop(&self) {
        self.supervisor.stop();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.supervisor.keep_logs();
        }
    }
}

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
