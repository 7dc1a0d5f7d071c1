//! `external-secrets migrate`: one-time steps of a migration from ESO or from another tool, with the rights of the person who runs it. Nothing is
//! deleted.

mod error;
mod finalizers;
mod manifests;
mod old;
mod stored_versions;

use std::process::ExitCode;

use clap::{Args, Subcommand};

pub(super) use error::Error;
use old::run::{self, OldArguments};

/// Moves to this controller from ESO, akv2k8s, the Secrets Store CSI driver, pod identity or an old API version, with your own rights.
#[derive(Args, Debug)]
pub(super) struct MigrateArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Convert manifests from v1beta1 to v1
    Manifests(manifests::ManifestsArguments),
    /// Write each object that may be stored in an old version, and remove that version from the CRDs
    StoredVersions(stored_versions::StoredVersionsArguments),
    /// Convert the AzureKeyVaultSecrets of akv2k8s to ExternalSecrets
    Akv2k8s(Box<OldArguments>),
    /// Convert the SecretProviderClasses of the Secrets Store CSI driver to ExternalSecrets
    SecretProviderClass(Box<OldArguments>),
    /// Convert the AzureIdentities of AAD pod identity to service accounts for workload identity
    PodIdentity(Box<OldArguments>),
    /// Remove the finalizers that ESO put on Namespaces for ClusterExternalSecrets, which block their deletion
    Finalizers(finalizers::FinalizersArguments),
}

pub(super) async fn execute(arguments: &MigrateArguments) -> Result<ExitCode, Error> {
    match &arguments.command {
        Command::Manifests(arguments) => manifests::execute(arguments),
        Command::StoredVersions(arguments) => stored_versions::execute(arguments).await,
        Command::Akv2k8s(arguments) => run::execute(arguments, &run::AKV2K8S).await,
        Command::SecretProviderClass(arguments) => run::execute(arguments, &run::PROVIDER_CLASS).await,
        Command::PodIdentity(arguments) => run::execute(arguments, &run::POD_IDENTITY).await,
        Command::Finalizers(arguments) => finalizers::execute(arguments).await,
    }
}
