//! Why a cluster could not be started or changed.

use std::path::PathBuf;
use std::time::Duration;

use crate::supervisor::{Exit, SupervisorError};

/// Why a cluster could not be started or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The folder lacks one of the programs.
    #[error(
        "{} has no program {program}; name a folder with kube-apiserver, kube-controller-manager, etcd and kubectl", folder.display()
    )]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// The missing program.
        program: &'static str,
    },
    /// The programs could not be built.
    #[error("the cluster's programs could not be built: {} failed with {status}; its output says why", script.display())]
    Build {
        /// The script that builds them.
        script: PathBuf,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// The script that builds the programs could not be run.
    #[error(
        "{} cannot be run: {source}; it builds the cluster's programs, and is part of this program's sources", script.display()
    )]
    Script {
        /// The script.
        script: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A process could not be run.
    #[error(transparent)]
    Supervisor(#[from] SupervisorError),
    /// No port is free.
    #[error("no free port for the API server: {0}")]
    Port(std::io::Error),
    /// A key or certificate could not be generated.
    #[error("the cluster's certificates cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A file could not be written.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// There is no HTTPS client for the API server.
    #[error("no HTTPS client for the API server can be made: {0}")]
    Client(#[from] reqwest::Error),
    /// A process ended while it was needed.
    #[error("{program} ended with {exit}; the end of its log {}:\n{tail}", log.display())]
    Ended {
        /// The name of the program.
        program: String,
        /// How it ended.
        exit: Exit,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// The API server did not become ready in time.
    #[error("the API server is not ready after {} s: {answer}; the end of its log {}:\n{tail}", after.as_secs(), log.display())]
    NotReady {
        /// How long it was given.
        after: Duration,
        /// Its last answer.
        answer: String,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
}
