//! Why the demo failed.

use std::path::PathBuf;

use crate::sandbox::SandboxError;
use crate::sandbox::cluster::ClusterError;
use crate::sandbox::supervisor::SupervisorError;

/// Why the demo failed.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    /// The cluster cannot be started.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The emulator of Azure cannot be started.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The emulated vault refuses what the demo writes.
    #[error("the emulated vault refuses the demo's secret: {0}")]
    Vault(String),
    /// The controller's account cannot be created.
    #[error("the controller's account in the cluster cannot be made: {0}")]
    Rights(String),
    /// The controller cannot be stopped.
    #[error(transparent)]
    Supervisor(#[from] SupervisorError),
    /// Signals, the shell or the terminal cannot be used.
    #[error("the terminal or the shell cannot be used: {0}")]
    Io(#[from] std::io::Error),
    /// A command did not show what it should.
    #[error("this does not hold: {problem}\n  $ {command}\nThe controller's log is {}; its end:\n{tail}", log.display())]
    Step {
        /// The command as a person would type it.
        command: String,
        /// What is wrong with the output.
        problem: String,
        log: PathBuf,
        tail: String,
    },
    /// The controller ended unexpectedly.
    #[error("the controller ended by itself with {exit}; the end of its log {}:\n{tail}", log.display())]
    ControllerEnded {
        /// How it ended.
        exit: String,
        log: PathBuf,
        tail: String,
    },
    /// Ctrl-C.
    #[error("the demo was interrupted")]
    Interrupted,
}
