//! `external-secrets migrate`: one-time steps after a migration from ESO, with the rights of the person who runs it.

mod finalizers;

use std::process::ExitCode;

use clap::{Args, Subcommand};

pub(super) use finalizers::Error;

/// One-time steps after a migration from the External Secrets Operator, with your own rights.
#[derive(Args, Debug)]
pub(super) struct MigrateArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Remove the finalizers that ESO put on Namespaces for ClusterExternalSecrets, which block their deletion
    Finalizers(finalizers::FinalizersArguments),
}

pub(super) async fn execute(arguments: &MigrateArguments) -> Result<ExitCode, Error> {
    match &arguments.command {
        Command::Finalizers(arguments) => finalizers::execute(arguments).await,
    }
}
