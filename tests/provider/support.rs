//! A sandbox with one identity and one vault, and a provider that connects to it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use external_secrets::api::v1::StoreKind;
use external_secrets::api::v1::external_secret::RemoteRef;
use external_secrets::api::v1::secret_store::{
    AzureAuthType, AzureKvProvider, SecretStoreProvider, SecretStoreSpec, ServiceAccountSelector,
};
use external_secrets::provider::azure::{AzureKeyVault, Options};
use external_secrets::provider::{
    Caller, ClusterReadError, ClusterReader, CredentialValue, Freshness, Priority, Provider, ProviderError,
    ReadOptions, SecretsClient, ServiceAccount, StoreView,
};
use external_secrets::sandbox::{
    Application, Config, Sandbox, SecretPermission, ServiceAccountIssuer, ServiceAccountToken, Tenant, Vault,
};
use secrecy::{ExposeSecret, SecretString};

pub(crate) const SHARED: ReadOptions = ReadOptions { freshness: Freshness::Shared, priority: Priority::First };
pub(crate) const FORCED: ReadOptions = ReadOptions { freshness: Freshness::Forced, ..SHARED };
pub(crate) const NAMESPACE: &str = "team-a";
pub(crate) const ACCOUNT: &str = "reader";
pub(crate) const SECRET: &str = "principal";
pub(crate) const CLIENT_ID: &str = "00000000-0000-0000-0000-00000000c11e";
pub(crate) const ISSUER: &str = "https://kubernetes.default.svc";
/// Marks values; must appear nowhere else.
pub(crate) const CANARY: &str = "canary-5d1f";

/// A sandbox with one identity that may get the secrets of one vault, and do nothing else.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) tenant: Tenant,
    pub(crate) application: Application,
    pub(crate) vault: Vault,
    pub(crate) issuer: Arc<ServiceAccountIssuer>,
    /// The keys and values of the only Secret, [`SECRET`].
    pub(crate) credentials: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let sandbox = Sandbox::start(Config::default()).await.unwrap();
        let issuer = ServiceAccountIssuer::p256(ISSUER).unwrap();
        sandbox.set_issuer(ISSUER, issuer.keys().unwrap());
        let tenant = sandbox.default_tenant();
        let subject = format!("system:serviceaccount:{NAMESPACE}:{ACCOUNT}");
        let application = tenant.application(CLIENT_ID).federate(ISSUER, &subject);
        let vault = sandbox.vault("team-a-vault").unwrap().allow(&application, SecretPermission::Get);
        Self { sandbox, tenant, application, vault, issuer: Arc::new(issuer), credentials: Arc::default() }
    }

    /// Connects a provider to the sandbox, without caching answers and with little patience for a vault.
    pub(crate) fn options(&self) -> Options {
        Options {
            coalesce: Duration::ZERO,
            patience: Duration::ZERO,
            ca_bundle: Some(self.sandbox.ca_bundle().as_bytes().to_vec()),
            https_proxy: Some(self.sandbox.proxy_url()),
            ..Options::default()
        }
    }

    /// A provider whose cluster has the service account.
    pub(crate) fn provider(&self, options: Options) -> AzureKeyVault {
        self.provider_of(options, CLIENT_ID)
    }

    /// The same with another client id in the service account's annotation.
    pub(crate) fn provider_of(&self, options: Options, client_id: &str) -> AzureKeyVault {
        let cluster = Cluster {
            issuer: Arc::clone(&self.issuer),
            annotations: [("client-id", client_id), ("tenant-id", self.tenant.id())]
                .map(|(name, value)| (format!("azure.workload.identity/{name}"), value.to_owned()))
                .into(),
            credentials: Arc::clone(&self.credentials),
        };
        AzureKeyVault::new(options, Arc::new(cluster), Arc::new(())).unwrap()
    }

    /// A store that reads the vault through the service account.
    pub(crate) fn store(&self) -> AzureKvProvider {
        AzureKvProvider {
            auth_type: AzureAuthType::WorkloadIdentity,
            vault_url: self.vault.url(),
            service_account_ref: Some(ServiceAccountSelector { name: ACCOUNT.to_owned(), ..Default::default() }),
            ..AzureKvProvider::default()
        }
    }

    /// A client for that store.
    pub(crate) async fn client(&self, provider: &AzureKeyVault) -> Arc<dyn SecretsClient> {
        client(provider, self.store()).await.unwrap()
    }

    /// Reads the current version of a secret with a new provider.
    pub(crate) async fn read(&self, key: &str) -> Result<String, ProviderError> {
        read(self.client(&self.provider(self.options())).await.as_ref(), key).await
    }
}

/// A client for a SecretStore.
pub(crate) async fn client(
    provider: &AzureKeyVault,
    store: AzureKvProvider,
) -> Result<Arc<dyn SecretsClient>, ProviderError> {
    let spec = SecretStoreSpec {
        provider: SecretStoreProvider { azurekv: Some(Box::new(store)), ..Default::default() },
        ..Default::default()
    };
    let view = StoreView { kind: StoreKind::SecretStore, namespace: Some(NAMESPACE), name: "store", spec: &spec };
    provider.client(view, Caller::ExternalSecret { namespace: NAMESPACE, budget: &Arc::default() }).await
}

/// A reference to a secret, or to `key/x` and so on.
pub(crate) fn reference(key: &str) -> RemoteRef {
    RemoteRef {
        key: key.to_owned(),
        version: None,
        property: None,
        metadata_policy: None,
        conversion_strategy: None,
        decoding_strategy: None,
        null_byte_policy: None,
    }
}

/// The current version of a secret.
pub(crate) async fn read(client: &dyn SecretsClient, key: &str) -> Result<String, ProviderError> {
    get(client, &reference(key)).await
}

/// What a reference refers to.
pub(crate) async fn get(client: &dyn SecretsClient, reference: &RemoteRef) -> Result<String, ProviderError> {
    let value = client.get_secret(reference, SHARED).await?.value;
    Ok(String::from_utf8(value.expose_secret().to_vec()).unwrap())
}

/// Retries a read until it works.
pub(crate) async fn read_when_it_works(client: &dyn SecretsClient, key: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match read(client, key).await {
            Ok(value) => return value,
            Err(error) => {
                assert!(Instant::now() < deadline, "it never worked: {error}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// A cluster with one service account, whose tokens it signs.
struct Cluster {
    issuer: Arc<ServiceAccountIssuer>,
    annotations: BTreeMap<String, String>,
    credentials: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

#[async_trait]
impl ClusterReader for Cluster {
    async fn service_account(&self, namespace: &str, name: &str) -> Result<Option<ServiceAccount>, ClusterReadError> {
        let account = ServiceAccount { uid: "uid".to_owned(), annotations: self.annotations.clone() };
        Ok((namespace == NAMESPACE && name == ACCOUNT).then_some(account))
    }

    async fn service_account_token(
        &self,
        namespace: &str,
        name: &str,
        audiences: &[String],
    ) -> Result<SecretString, ClusterReadError> {
        let mut token = ServiceAccountToken::new(namespace, name);
        token.audience.clone_from(&audiences[0]);
        Ok(self.issuer.sign(&token).unwrap().into())
    }

    async fn secret_key(&self, _: &str, name: &str, key: &str) -> Result<CredentialValue, ClusterReadError> {
        let value = self.credentials.lock().unwrap().get(key).filter(|_| name == SECRET).cloned();
        let value = value.ok_or_else(|| ClusterReadError::NotFound { object: format!("Secret {name:?}") })?;
        // Another value gets another version.
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        let resource_version = hasher.finish().to_string();
        Ok(CredentialValue { value: Arc::new(value.into()), uid: "uid".to_owned(), resource_version })
    }
}
