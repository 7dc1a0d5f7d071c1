//! Why a row could not be measured.

use external_secrets::sandbox::SandboxError;
use external_secrets::sandbox::cluster::ClusterError;

/// Why a row could not be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the cluster: {0}")]
    Cluster(#[from] ClusterError),
    #[error("the emulated Azure: {0}")]
    Sandbox(#[from] SandboxError),
    #[error("the API server: {0}")]
    Kube(#[from] kube::Error),
    #[error("the API server: {0}")]
    Http(#[from] reqwest::Error),
    #[error("the API server answered {0}")]
    Status(reqwest::StatusCode),
    #[error("the kubeconfig: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("--controller is empty")]
    NoController,
    #[error("{what} took longer than {seconds} s; the controller's log ends with\n{log}")]
    TooLong { what: &'static str, seconds: u64, log: String },
    #[error("the vault: {0}")]
    Vault(String),
    #[error("{0}")]
    Flood(#[from] test_stage::neighbors::PlaceError),
    #[error("the controller's process: {0}")]
    Process(#[from] external_secrets::sandbox::supervisor::SupervisorError),
    #[error("the controller cannot be measured: {0}")]
    Measure(String),
}
