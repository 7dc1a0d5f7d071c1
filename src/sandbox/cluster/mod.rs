//! A real Kubernetes API, started on free ports in a temporary folder: etcd, kube-apiserver, and
//! kube-controller-manager with the controllers that clean up (garbage collector, namespaces, service
//! accounts). No nodes, no pods.
//!
//! The processes belong to a supervisor, which is this program again (`external-secrets sandbox
//! cluster --supervised`). It ends them, and removes their folder, when its standard input ends: so
//! they go when [`Cluster`] is dropped, and also when the process that holds it panics or is killed.

mod credentials;
mod processes;
pub mod supervisor;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

pub use credentials::CredentialsError;
pub use processes::ProcessError;

/// The issuer of service-account tokens; its keys are not published there, so whoever checks tokens
/// must be given [`Cluster::issuer_public_key_pem`].
pub const ISSUER: &str = "https://cluster.sandbox.invalid";

/// How long the supervisor may take for one request, the longest of which is to start everything.
const DEADLINE: Duration = Duration::from_mins(2);

/// Why a cluster could not be started, or told something.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The supervisor could not be started or spoken to.
    #[error("the cluster's supervisor {program}: {source}", program = program.display())]
    Supervisor {
        /// The program.
        program: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The supervisor says why it could not do it.
    #[error("{0}")]
    Refused(String),
    /// The supervisor ended or said what was not expected.
    #[error("the cluster's supervisor ended without an answer")]
    Ended,
    /// It took too long.
    #[error("the cluster did not answer within {} s", DEADLINE.as_secs())]
    Timeout,
}

/// How a cluster is started.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// This program; it is started again as the supervisor.
    pub program: PathBuf,
    /// The folder with `etcd`, `kube-apiserver`, `kube-controller-manager` and `kubectl`, as
    /// `tests/cluster/build` makes it.
    pub assets: PathBuf,
}

/// Where a running cluster is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// A kubeconfig of an administrator.
    pub kubeconfig: PathBuf,
    /// The program `kubectl`.
    pub kubectl: PathBuf,
    /// The issuer of service-account tokens.
    pub issuer: String,
    /// The key that checks them, in PEM.
    pub issuer_public_key: String,
    /// The folder with logs and data; removed when the cluster ends.
    pub folder: PathBuf,
}

/// What a supervisor is told, one JSON value a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// End the API server (SIGKILL).
    StopApiServer,
    /// Start it again, on the same port, with the same data.
    StartApiServer,
}

/// What it answers, one JSON value a line; the first of them unasked, when the cluster is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The cluster is ready.
    Ready(Description),
    /// It was done.
    Done,
    /// It could not be done, and why.
    Failed(String),
}

/// A running cluster. It ends when this is dropped.
#[derive(Debug)]
pub struct Cluster {
    description: Description,
    supervisor: Mutex<Supervisor>,
}

#[derive(Debug)]
struct Supervisor {
    /// Kept, so that the process is reaped.
    _child: Child,
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Cluster {
    /// Starts a cluster and waits until it is ready, some seconds.
    ///
    /// # Errors
    /// [`ClusterError`], with the end of a process's log where one of them failed.
    pub async fn start(config: ClusterConfig) -> Result<Self, ClusterError> {
        let failed = |source| ClusterError::Supervisor { program: config.program.clone(), source };
        let mut child = Command::new(&config.program)
            .args(["sandbox", "cluster", "--supervised", "--assets"])
            .arg(&config.assets)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(ClusterError::Ended);
        };
        let mut supervisor = Supervisor { _child: child, requests, answers: BufReader::new(answers).lines() };
        match supervisor.answer().await? {
            Answer::Ready(description) => Ok(Self { description, supervisor: Mutex::new(supervisor) }),
            Answer::Failed(reason) => Err(ClusterError::Refused(reason)),
            Answer::Done => Err(ClusterError::Ended),
        }
    }

    /// A kubeconfig of an administrator.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.description.kubeconfig
    }

    /// The program `kubectl`.
    #[must_use]
    pub fn kubectl(&self) -> &Path {
        &self.description.kubectl
    }

    /// The issuer of service-account tokens.
    #[must_use]
    pub fn issuer_url(&self) -> &str {
        &self.description.issuer
    }

    /// The key that checks service-account tokens, in PEM.
    #[must_use]
    pub fn issuer_public_key_pem(&self) -> &str {
        &self.description.issuer_public_key
    }

    /// Ends the API server at once (SIGKILL), as a crash would.
    ///
    /// # Errors
    /// [`ClusterError`]
    pub async fn stop_api_server(&self) -> Result<(), ClusterError> {
        self.request(Request::StopApiServer).await
    }

    /// Starts the API server again and waits until it is ready.
    ///
    /// # Errors
    /// [`ClusterError`]
    pub async fn start_api_server(&self) -> Result<(), ClusterError> {
        self.request(Request::StartApiServer).await
    }

    async fn request(&self, request: Request) -> Result<(), ClusterError> {
        let mut supervisor = self.supervisor.lock().await;
        let mut line = serde_json::to_vec(&request).map_err(|_| ClusterError::Ended)?;
        line.push(b'\n');
        supervisor.requests.write_all(&line).await.map_err(|_| ClusterError::Ended)?;
        match supervisor.answer().await? {
            Answer::Done => Ok(()),
            Answer::Failed(reason) => Err(ClusterError::Refused(reason)),
            Answer::Ready(_) => Err(ClusterError::Ended),
        }
    }
}

impl Supervisor {
    async fn answer(&mut self) -> Result<Answer, ClusterError> {
        let line = tokio::time::timeout(DEADLINE, self.answers.next_line()).await.map_err(|_| ClusterError::Timeout)?;
        let line = line.ok().flatten().ok_or(ClusterError::Ended)?;
        serde_json::from_str(&line).map_err(|_| ClusterError::Ended)
    }
}
