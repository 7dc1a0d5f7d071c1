//! Azure Key Vault.
//!
//! The steps from a store to a value, and the module of each:
//!
//! 1. `validate`: the store's fields: its `cloud` and the vault's `endpoint`.
//! 2. `identity`: the identity, from `authType`, `references` and annotations, which are read from the `cluster`; or the
//!    `caller`.
//! 3. `credential_cache` and `credential`: an access token for that identity, which may be proved by a `certificate`.
//! 4. `vault`: one read for all equal ones (`coalesce`), through the vault's `gate`.
//! 5. `transport`: sends the request to that single host, with the clients of `http`, which `sdk` drives.
//! 6. `answer`: the response, from which `reader` selects the value, a `property` of it, or `metadata`.
//! 7. `diagnose`: turns every failure on the way into a cause with a hint.
//!
//! Tokens of container registries (`acr`) use the same identities, credentials and transport.

mod acr;
mod answer;
mod assertion;
mod caller;
mod certificate;
mod changes;
mod cloud;
mod cluster;
mod coalesce;
mod connections;
mod credential;
mod credential_cache;
mod diagnose;
mod endpoint;
mod find;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gate;
pub mod given;
mod http;
mod identity;
mod kept_hosts;
mod list;
mod lookups;
mod memory;
mod metadata;
mod object;
mod options;
mod pace;
mod principal;
mod probe;
mod property;
mod push;
mod reader;
mod references;
mod rights;
mod sdk;
#[cfg(test)]
mod tests;
mod transport;
pub mod validate;
mod vault;

use std::sync::Arc;

use async_trait::async_trait;

use self::cluster::Cluster;
use self::connections::Connections;
use self::credential::Purpose;
use self::credential_cache::CredentialCache;
use self::diagnose::{Cause, Diagnosis};
use self::gate::Requester;
use self::http::Clients;
use self::identity::Resolver;
use self::kept_hosts::KeptHosts;
use self::push::{KeyVaultForm, KeyVaultWriter};
use self::reader::KeyVaultClient;
use self::validate::Checked;
use self::vault::{VaultClient, VaultPool};
use super::causes::CauseDescription;
use super::{
    Caller, ClusterReader, Fetched, Provider, ProviderError, ProviderMetrics, ReadBudget, ReadOptions, SecretMap,
    SecretValue, SecretsClient, StoreView, Validation, Writer,
};
use crate::api::v1::external_secret::{Find, RemoteRef};
use crate::api::v1::secret_store::AzureKvProvider;

/// What the causes of failures mean.
#[must_use]
pub fn causes() -> Vec<CauseDescription> {
    diagnose::causes()
}

pub use acr::ContainerRegistries;
pub use http::SetupError;
pub use identity::ACCOUNT_ANNOTATIONS;
pub use options::{ActsAs, Budgets, Environment, Options, OwnIdentity};

/// Reads Azure Key Vault. Created once per process: all stores share tokens, connections and what is known of vaults.
pub struct AzureKeyVault {
    options: Arc<Options>,
    cluster: Arc<Cluster>,
    credentials: Arc<CredentialCache>,
    vaults: VaultPool,
    registries: Arc<ContainerRegistries>,
}

impl AzureKeyVault {
    /// A provider that reads service accounts and credentials through `cluster`.
    ///
    /// # Errors
    /// If the CA bundle, the system's CA certificates or a proxy's address cannot be used.
    pub fn new(
        options: Options,
        cluster: Arc<dyn ClusterReader>,
        metrics: Arc<dyn ProviderMetrics>,
    ) -> Result<Self, SetupError> {
        let (options, kept) = (Arc::new(options), Arc::new(KeptHosts::new()));
        let clients = Clients::new(&options, Arc::clone(&kept))?;
        Ok(Self::with_clients(options, clients, kept, cluster, metrics))
    }

    fn with_clients(
        options: Arc<Options>,
        clients: Clients,
        kept: Arc<KeptHosts>,
        cluster: Arc<dyn ClusterReader>,
        metrics: Arc<dyn ProviderMetrics>,
    ) -> Self {
        let cluster = Arc::new(Cluster::new(cluster, options.coalesce));
        let (clients, connections) = (Arc::new(clients), Arc::new(Connections::new(kept)));
        let vaults =
            VaultPool::new(Arc::clone(&clients), Arc::clone(&connections), Arc::clone(&options), Arc::clone(&metrics));
        let credentials = CredentialCache::new(
            Arc::clone(&clients),
            Arc::clone(&connections),
            Arc::clone(&cluster),
            Arc::clone(&options),
            Arc::clone(&metrics),
        );
        let credentials = Arc::new(credentials);
        let asker = acr::Asker::new(Arc::clone(&clients.azure), connections, Arc::clone(&credentials), metrics);
        let registries = ContainerRegistries::new(asker, Arc::clone(&options), Arc::clone(&cluster));
        Self { options, cluster, credentials, vaults, registries: Arc::new(registries) }
    }

    /// Issues tokens for container registries, with the same credentials.
    #[must_use]
    pub fn registries(&self) -> Arc<ContainerRegistries> {
        Arc::clone(&self.registries)
    }

    async fn reader(
        &self,
        view: StoreView<'_>,
        store: &AzureKvProvider,
        caller: Caller<'_>,
    ) -> Result<Arc<VaultClient>, Diagnosis> {
        let Checked { cloud, endpoint } = validate::check(&view, store, &self.options)?;
        let resolver = Resolver {
            view,
            store,
            caller,
            cloud: &cloud,
            environment: &self.options.environment,
            cluster: &self.cluster,
        };
        let identity = match self.options.acts_as {
            ActsAs::Store => resolver.identity().await?,
            ActsAs::Caller => caller::identity(&self.options.environment, store.tenant_id.as_deref().map(str::trim))?,
        };
        let purpose =
            Purpose { identity, authority: cloud.authority.clone(), hosts_of: cloud.hosts_of, scope: cloud.scope() };
        let credential = self.credentials.get(purpose);
        self.vaults.get(endpoint, credential, &cloud, requester(&view, caller))
    }
}

/// On whose behalf a vault is read.
fn requester(view: &StoreView<'_>, caller: Caller<'_>) -> Requester {
    let own = view.namespace.unwrap_or_default();
    let namespace = match caller {
        Caller::ExternalSecret { namespace, .. } | Caller::PushSecret { namespace } => namespace,
        Caller::StoreValidation => own,
    };
    Requester { namespace: namespace.into(), store: format!("{own}/{}", view.name).into() }
}

#[async_trait]
impl Provider for AzureKeyVault {
    async fn client(&self, view: StoreView<'_>, caller: Caller<'_>) -> Result<Arc<dyn SecretsClient>, ProviderError> {
        let store = view.spec.provider.azurekv.as_deref().ok_or_else(|| {
            Diagnosis::new(Cause::StoreInvalid, "spec.provider.azurekv is missing")
                .hint("set it to use Azure Key Vault")
        })?;
        if matches!(caller, Caller::StoreValidation) && references::is_referent(view.kind, store) {
            validate::check(&view, store, &self.options)?;
            return Ok(Arc::new(ReferentStore));
        }
        let budget = caller.budget();
        match self.reader(view, store, caller).await {
            Ok(vault) => Ok(Arc::new(KeyVaultClient { vault, probe: self.options.probe, budget })),
            // A Kubernetes API that does not answer reveals nothing about the store.
            Err(outage) if matches!(caller, Caller::StoreValidation) && outage.cause.is_outage() => {
                Ok(Arc::new(UnresolvedStore(outage)))
            }
            Err(diagnosis) => Err(diagnosis.into()),
        }
    }

    async fn writer(&self, view: StoreView<'_>, caller: Caller<'_>) -> Result<Arc<dyn Writer>, ProviderError> {
        let store = view.spec.provider.azurekv.as_deref().ok_or_else(|| {
            Diagnosis::new(Cause::StoreInvalid, "spec.provider.azurekv is missing")
                .hint("set it to use Azure Key Vault")
        })?;
        let vault = self.reader(view, store, caller).await?;
        let form = KeyVaultForm { owner: self.options.push_owner.clone() };
        Ok(Arc::new(KeyVaultWriter { vault, form }))
    }
}

/// A store whose identity is temporarily unknown.
struct UnresolvedStore(Diagnosis);

#[async_trait]
impl SecretsClient for UnresolvedStore {
    async fn get_secret(&self, _: &RemoteRef, _: ReadOptions) -> Result<Fetched<SecretValue>, ProviderError> {
        Err(self.0.clone().into())
    }

    async fn get_secret_map(&self, _: &RemoteRef, _: ReadOptions) -> Result<Fetched<SecretMap>, ProviderError> {
        Err(self.0.clone().into())
    }

    async fn find(&self, _: &Find, _: ReadOptions, _: &ReadBudget) -> Result<Fetched<SecretMap>, ProviderError> {
        Err(self.0.clone().into())
    }

    async fn validate(&self) -> Validation {
        probe::without_token(self.0.clone())
    }
}

/// A ClusterSecretStore whose identity depends on the ExternalSecret that uses it, while none does.
struct ReferentStore;

impl ReferentStore {
    fn refusal() -> ProviderError {
        Diagnosis::new(
            Cause::StoreInvalid,
            "the store's references name no namespace, so it can be used by an ExternalSecret only",
        )
        .into()
    }
}

#[async_trait]
impl SecretsClient for ReferentStore {
    async fn get_secret(&self, _: &RemoteRef, _: ReadOptions) -> Result<Fetched<SecretValue>, ProviderError> {
        Err(Self::refusal())
    }

    async fn get_secret_map(&self, _: &RemoteRef, _: ReadOptions) -> Result<Fetched<SecretMap>, ProviderError> {
        Err(Self::refusal())
    }

    async fn find(&self, _: &Find, _: ReadOptions, _: &ReadBudget) -> Result<Fetched<SecretMap>, ProviderError> {
        Err(Self::refusal())
    }

    async fn validate(&self) -> Validation {
        probe::referent()
    }
}
