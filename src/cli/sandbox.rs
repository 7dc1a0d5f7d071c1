//! `external-secrets sandbox`: what it takes to try things without a cloud.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::runtime::shutdown;
use crate::sandbox::cluster::{Cluster, ClusterConfig, ClusterError, find_assets};
use crate::sandbox::{self, Config, RunOptions, Sandbox, SandboxError, supervisor};

use super::demo;

/// Why a subcommand of the sandbox failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The cluster cannot be started.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The emulator cannot be started.
    #[error(transparent)]
    Azure(#[from] SandboxError),
    /// The demo failed.
    #[error(transparent)]
    Demo(#[from] demo::Error),
    /// Signals, the standard input or the standard output cannot be used.
    #[error("the terminal or the temporary folder cannot be used: {0}")]
    Io(#[from] std::io::Error),
}

/// Tools to try things without a cloud.
#[derive(Args, Debug)]
pub(super) struct SandboxArguments {
    #[command(subcommand)]
    command: SandboxCommand,
}

#[derive(Subcommand, Debug)]
enum SandboxCommand {
    /// Run a Kubernetes API (etcd, kube-apiserver, kube-controller-manager) until Ctrl-C
    Cluster(ClusterArguments),
    /// Run an emulator of Entra ID and Key Vault until Ctrl-C; configure it over HTTP or with a document
    Azure(AzureArguments),
    /// Run the walkthrough on a cluster and an emulated Azure of its own
    Demo(demo::DemoArguments),
    /// Run programs as instructed on standard input, and stop them when it closes
    #[command(hide = true)]
    Supervise,
}

#[derive(Args, Debug)]
struct ClusterArguments {
    /// Folder with etcd, kube-apiserver, kube-controller-manager and kubectl; if not given, they are built
    #[arg(long)]
    assets: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct AzureArguments {
    /// Port of the proxy on 127.0.0.1; 0 picks a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// YAML or JSON file with the initial issuers, tenants, applications and vaults
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
}

pub(super) async fn execute(arguments: SandboxArguments) -> Result<(), Error> {
    match arguments.command {
        SandboxCommand::Cluster(arguments) => run_cluster(arguments).await,
        SandboxCommand::Azure(arguments) => run_azure(arguments).await,
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

async fn run_azure(arguments: AzureArguments) -> Result<(), Error> {
    let stop = shutdown::on_signal()?;
    let config = Config { port: arguments.port, ..Config::default() };
    let options = RunOptions { config, document: arguments.document };
    Ok(sandbox::run(options, say_how_to_reach, stop.cancelled()).await?)
}

/// Prints the environment variables with which a shell reaches the emulator. There may be no reader.
fn say_how_to_reach(sandbox: &Sandbox) {
    let mut output = std::io::stdout();
    let lines = sandbox.environment().into_iter().map(|(name, value)| format!("export {name}={value}\n"));
    let text: String = lines.collect();
    let _ = writeln!(output, "{text}# it is set up over HTTP at {}; Ctrl-C ends it", sandbox.proxy_url())
        .and_then(|()| output.flush());
}

async fn start(arguments: ClusterArguments) -> Result<Cluster, Error> {
    let assets = match arguments.assets {
        Some(folder) => folder,
        None => find_assets().await?,
    };
    Ok(Cluster::start(ClusterConfig { program: std::env::current_exe()?, assets }).await?)
}

/// The environment variables with which a shell reaches the cluster.
fn access(cluster: &Cluster) -> String {
    let folder = cluster.kubectl().parent().unwrap_or(cluster.kubectl());
    format!("export KUBECONFIG={}\nexport PATH=\"{}:$PATH\"", cluster.kubeconfig().display(), folder.display())
}
