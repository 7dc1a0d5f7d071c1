//! The providers, and the flags that configure them.

#[cfg(feature = "processes")]
pub(super) mod counted;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, Args};

use crate::api::GoDuration;
use crate::provider::azure::{ActsAs, AzureKeyVault, Budgets, Environment, Options, OwnIdentity, SetupError};
use crate::provider::fake::Fake;
use crate::provider::{ClusterReader, Providers, ValueMemory};

/// Why the providers cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The CA bundle cannot be read.
    #[error("--azure-ca-bundle={path}: {source}", path = path.display())]
    CaBundle { path: PathBuf, source: std::io::Error },
    /// The client for Azure cannot be created.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// Flags of the providers; ESO has none of them.
#[derive(Args, Debug)]
#[command(next_help_heading = "Azure Key Vault")]
pub(super) struct ProviderArguments {
    /// Limit of concurrent requests per vault
    #[arg(hide_short_help = true, long = "azure-vault-concurrency", default_value_t = Options::default().concurrency)]
    vault_concurrency: usize,
    /// Limit of requests for secrets per vault in 10 s; Key Vault allows 4000, shared by all users of the vault
    #[arg(hide_short_help = true, long = "azure-vault-requests", default_value_t = Budgets::default().secrets)]
    vault_requests: u32,
    /// Limit of requests for keys per vault in 10 s
    #[arg(hide_short_help = true, long = "azure-vault-key-requests", default_value_t = Budgets::default().keys)]
    vault_key_requests: u32,
    /// Limit of requests for certificates per vault in 10 s
    #[arg(hide_short_help = true, long = "azure-vault-certificate-requests", default_value_t = Budgets::default().certificates)]
    vault_certificate_requests: u32,
    /// Limit of new versions of secrets and imports of keys and certificates per vault in 10 s; Key Vault allows 300 together
    #[arg(hide_short_help = true, long = "azure-vault-writes", default_value_t = Budgets::default().writes)]
    vault_writes: u32,
    /// How long a response also answers identical reads that start after it
    #[arg(hide_short_help = true, long = "azure-coalesce", default_value = "2s")]
    coalesce: GoDuration,
    /// Detect changed secrets by listing the vault where that costs fewer requests; needs the permission to list, and
    /// falls back to single reads without it
    #[arg(hide_short_help = true, long = "azure-change-detection", default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = super::go_bool::go_bool)]
    change_detection: bool,
    /// Timeout of a request, including its response
    #[arg(hide_short_help = true, long = "azure-request-timeout", default_value = "30s")]
    request_timeout: GoDuration,
    /// File of PEM certificates to trust in addition to the system's
    #[arg(long = "azure-ca-bundle", value_name = "FILE")]
    ca_bundle: Option<PathBuf>,
    /// Host, or suffix such as .vault.example.com, to which customCloudConfig of a namespaced SecretStore may send tokens
    /// for serviceAccountRef.audiences and, with --azure-own-identity-in-secret-stores, the pod's own identity; `plan` and
    /// `render` also need it to send your own identity to a host that is not Azure's; can be repeated
    #[arg(long = "azure-extra-host", value_name = "HOST")]
    extra_host: Vec<String>,
    /// Also let SecretStores use the identity of the controller's own pod or machine; by default only with --namespace,
    /// since otherwise every namespace could read what the controller may read
    #[arg(hide_short_help = true, long = "azure-own-identity-in-secret-stores", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = super::go_bool::go_bool)]
    own_identity_in_secret_stores: Option<bool>,
    /// Validate stores only by acquiring a token, without a read from the vault
    #[arg(hide_short_help = true, long = "azure-skip-probe")]
    skip_probe: bool,
}

/// How many tenants' stores a process reads, which restricts what those stores may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tenants {
    /// One: those of one namespace, or of the person who runs the process.
    One,
    /// Many: those of all namespaces.
    Many,
}

/// The effect of `--azure-own-identity-in-secret-stores`, or of its absence.
pub(super) fn own_identity(flag: Option<bool>, tenants: Tenants) -> OwnIdentity {
    if flag.unwrap_or(tenants == Tenants::One) { OwnIdentity::AllStores } else { OwnIdentity::ClusterSecretStores }
}

impl ProviderArguments {
    fn options(&self, tenants: Tenants) -> Result<Options, Error> {
        let read =
            |path: &PathBuf| std::fs::read(path).map_err(|source| Error::CaBundle { path: path.clone(), source });
        Ok(Options {
            concurrency: self.vault_concurrency.max(1),
            budgets: Budgets {
                secrets: self.vault_requests.max(1),
                keys: self.vault_key_requests.max(1),
                certificates: self.vault_certificate_requests.max(1),
                writes: self.vault_writes.max(1),
            },
            coalesce: self.coalesce.positive().unwrap_or(Duration::ZERO),
            request_timeout: self.request_timeout.positive().unwrap_or(Options::default().request_timeout),
            ca_bundle: self.ca_bundle.as_ref().map(read).transpose()?,
            extra_hosts: self.extra_host.clone(),
            own_identity: own_identity(self.own_identity_in_secret_stores, tenants),
            change_detection: self.change_detection,
            probe: !self.skip_probe,
            environment: Environment::of_process(),
            ..Options::default()
        })
    }
}

/// The providers of a command that a person runs, which serves no metrics.
pub(super) fn of_person(
    arguments: &ProviderArguments,
    acts_as: ActsAs,
    cluster: Arc<dyn ClusterReader>,
) -> Result<Providers, Error> {
    let options = Options { acts_as, ..arguments.options(Tenants::One)? };
    Ok(providers(AzureKeyVault::new(options, cluster, Arc::new(()))?))
}

fn providers(azurekv: AzureKeyVault) -> Providers {
    let registries = azurekv.registries();
    Providers { azurekv: Arc::new(azurekv), fake: Arc::new(Fake), registries, memory: ValueMemory::default() }
}
