//! A private Kubernetes API: etcd, kube-apiserver and kube-controller-manager as on a real cluster, in a temporary
//! folder and without nodes.
//!
//! The API server authenticates the administrator by a token, authorizes with RBAC and issues service account tokens.
//! The controller manager collects garbage, completes the deletion of namespaces and creates the service account
//! `default` in each namespace. It does nothing else, so a Deployment gets no Pods. etcd listens on a socket that only
//! this user can reach.
//!
//! All processes run under a [`Supervisor`], so they end with the process that holds the [`Cluster`], even if that
//! panics or is killed. Any number of clusters may run at the same time.
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

/// The issuer of service account tokens. Like those of managed clusters on Azure, it has a trailing slash, which must
/// be kept when issuers are compared. Nothing is published there: whatever verifies tokens needs
/// [`Cluster::issuer_public_key_pem`].
pub const ISSUER: &str = "https://oidc.sandbox.example/cluster/";

/// How long a process may take to end gracefully.
const STOP_GRACE: Duration = Duration::from_secs(15);

/// How long the API server may take to become ready.
const START_DEADLINE: Duration = Duration::from_mins(1);

/// The configuration of a cluster.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// This crate's program, built with the feature `sandbox`, which becomes the supervisor.
    pub program: PathBuf,
    /// The folder with `etcd`, `kube-apiserver`, `kube-controller-manager` and `kubectl`, for example from
    /// [`find_assets`].
    pub assets: PathBuf,
}

/// A running cluster. When this is dropped, it ends and its files are removed, except for the logs if the cause is a
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
    /// Starts a cluster, and waits until its API is ready and the namespace `default` exists.
    ///
    /// # Errors
    /// [`ClusterError`], if a program is missing, cannot be started or has ended (with the end of its log), or if the
    /// API server is not ready within a minute. The logs are then kept.
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

    /// Restarts the API server on the same port and data, and waits until it is ready. Does nothing if it is running.
    ///
    /// # Errors
    /// [`ClusterError`], as in [`Self::start`].
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

    /// Ends the API server gracefully. Its data stays.
    ///
    /// # Errors
    /// [`ClusterError::Supervisor`], if everything has ended already.
    pub async fn stop_api_server(&self) -> Result<(), ClusterError> {
        if let Some(process) = self.processes.lock().await.api_server.take() {
            process.stop(STOP_GRACE).await?;
        }
        Ok(())
    }

    /// Kills the API server, so that its clients' connections break. Its data stays.
    ///
    /// # Errors
    /// [`ClusterError::Supervisor`], if everything has ended already.
    pub async fn kill_api_server(&self) -> Result<(), ClusterError> {
        if let Some(process) = self.processes.lock().await.api_server.take() {
            process.kill().await?;
        }
        Ok(())
    }

    /// Stops etcd in its tracks (SIGSTOP), like a disk that hangs. The API server gets no answer until
    /// [`Self::resume_etcd`].
    ///
    /// # Errors
    /// [`ClusterError::Supervisor`], if everything has ended already.
    pub async fn pause_etcd(&self) -> Result<(), ClusterError> {
        self.signal_etcd(Signal::Pause).await
    }

    /// Lets etcd continue.
    ///
    /// # Errors
    /// [`ClusterError::Supervisor`], if everything has ended already.
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
    /// Its garbage collector looks for new kinds of objects every 30 s, and when it starts: after new custom resource
    /// definitions, a restart saves that wait.
    ///
    /// # Errors
    /// [`ClusterError::Supervisor`], if it cannot be started.
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
    /// [`ClusterError::Supervisor`], if everything has ended already.
    pub async fn kill_controller_manager(&self) -> Result<(), ClusterError> {
        if let Some(process) = self.processes.lock().await.controller_manager.take() {
            process.kill().await?;
        }
        Ok(())
    }

    /// Runs another program that should end with the cluster, such as the controller under test.
    ///
    /// # Errors
    /// [`ClusterError::Supervisor`], if it cannot be started.
    pub async fn run(&self, program: Program) -> Result<Process, ClusterError> {
        Ok(self.supervisor.run(program).await?)
    }

    /// Writes a kubeconfig for another user with a bearer token. Returns its path.
    ///
    /// # Errors
    /// [`ClusterError::Write`], if it cannot be written.
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

    /// The file with the API server's CA certificate, in PEM.
    #[must_use]
    pub fn ca_certificate(&self) -> &Path {
        &self.files.ca_certificate
    }

    /// The issuer of service account tokens.
    #[must_use]
    pub fn issuer_url(&self) -> &'static str {
        ISSUER
    }

    /// The public key that verifies service account tokens (RS256), in PEM.
    #[must_use]
    pub fn issuer_public_key_pem(&self) -> &str {
        &self.credentials.service_account_public_pem
    }

    /// The program kubectl.
    #[must_use]
    pub fn kubectl(&self) -> &Path {
        &self.kubectl
    }

    /// The folder with the cluster's files and logs (`*.log`), which is removed with it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.supervisor.directory()
    }

    /// Keeps the logs in [`Self::directory`] when the cluster ends.
    pub fn keep_logs(&self) {
        self.supervisor.keep_logs();
    }

    /// Ends everything at once and removes the files. The same as dropping it, but returns when that is done.
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
