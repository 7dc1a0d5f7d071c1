//! `external-secrets sandbox`: what it takes to try things without a cloud.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::sandbox::cluster::{ProcessError, supervisor};

/// What it takes to try things without a cloud.
#[derive(Args, Debug)]
pub(super) struct SandboxArguments {
    #[command(subcommand)]
    command: SandboxCommand,
}

#[derive(Subcommand, Debug)]
enum SandboxCommand {
    /// Start a Kubernetes API server; it ends with standard input
    Cluster(ClusterArguments),
}

#[derive(Args, Debug)]
struct ClusterArguments {
    /// The folder with etcd, kube-apiserver, kube-controller-manager and kubectl; tests/cluster/build prints it
    #[arg(long, env = "KUBEBUILDER_ASSETS")]
    assets: PathBuf,
    /// Speak JSON with the process that started this one
    #[arg(long, hide = true)]
    supervised: bool,
}

pub(super) async fn execute(arguments: SandboxArguments) -> Result<(), ProcessError> {
    match arguments.command {
        SandboxCommand::Cluster(arguments) => supervisor::supervise(&arguments.assets).await,
    }
}
