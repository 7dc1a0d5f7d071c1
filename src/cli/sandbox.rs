//! `external-secrets sandbox`: what it takes to try things without a cloud.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::runtime::shutdown;
use crate::sandbox::cluster::{Cluster, ClusterConfig, ClusterError, find_assets};
use crate::sandbox::supervisor;

use super::demo;

/// Why a subcommand of the sandbox failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The cluster cannot be started.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The demo did not come to its end.
    #[error(transparent)]
    Demo(#[from] demo::Error),
    /// Signals, the standard input or the standard output cannot be used.
    #[error("the terminal or the temporary folder cannot be used: {0}")]
    Io(#[from] std::io::Error),
}

/// What it takes to try things without a cloud.
#[derive(Args, Debug)]
pub(super) struct SandboxArguments {
    #[command(subcommand)]
    command: SandboxCommand,
}

#[derive(Subcommand, Debug)]
enum SandboxCommand {
    /// Run a Kubernetes API (etcd, kube-apiserver, kube-controller-manager) until Ctrl-C
    Cluster(ClusterArguments),
    /// Show the walkthrough on a cluster and an emulated Azure of its own
    Demo(demo::DemoArguments),
    /// Run programs as standard input says, and end them when it closes
    #[command(hide = true)]
    Supervise,
}

#[derive(Args, Debug)]
struct ClusterArguments {
    /// The folder with etcd, kube-apiserver, kube-controller-manager and kubectl; built if it is not given
    #[arg(long)]
    assets: Option<PathBuf>,
}

pub(super) async fn execute(arguments: SandboxArguments) -> Result<(), Error> {
    match arguments.command {
        SandboxCommand::Cluster(arguments) => run_cluster(arguments).await,
        SandboxCommand::Demo(arguments) => Ok(demo::execute(arguments).await?),
        SandboxCommand::Supervise => Ok(supervisor::serve().await?),
    }
}

async fn run_cluster(arguments: ClusterArguments) -> Result<(), Error> {
    let stop = shutdown::on_signal()?;
    let Some(cluster) = stop.run_until_cancelled(start(arguments)).await else { return Ok(()) };
    let cluster = cluster?;
    let mut output = std::io::stdout();
    writeln!(output, "{}\n# Ctrl-C ends it", access(&cluster))?;
    output.flush()?;
    stop.cancelled().await;
    cluster.stop();
    Ok(())
}

async fn start(arguments: ClusterArguments) -> Result<Cluster, Error> {
    let assets = match arguments.assets {
        Some(folder) => folder,
        None => find_assets().await?,
    };
    Ok(Cluster::start(ClusterConfig { program: std::env::current_exe()?, assets }).await?)
}

/// The lines with which a shell reaches the cluster.
fn access(cluster: &Cluster) -> String {
    let folder = cluster.kubectl().parent().unwrap_or(cluster.kubectl());
    format!("export KUBECONFIG={}\nexport PATH=\"{}:$PATH\"", cluster.kubeconfig().display(), folder.display())
}
