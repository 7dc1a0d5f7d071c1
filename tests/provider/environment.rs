//! The variables that lead a process to a proxy, to other roots and to its own identity, in a process of its own.

use std::process::{Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use external_secrets::api::v1::secret_store::{AzureAuthType, AzureKvProvider};
use external_secrets::provider::azure::{AzureKeyVault, Environment, Options};
use external_secrets::provider::{ClusterReadError, ClusterReader, CredentialValue, ServiceAccount};
use external_secrets::sandbox::ServiceAccountToken;
use secrecy::SecretString;

use crate::support::{ACCOUNT, CLIENT_ID, NAMESPACE, World, client, read};

/// Names the vault to the process that this test starts.
const VAULT: &str = "PROVIDER_TEST_VAULT";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pods_own_identity_and_the_way_to_azure_come_from_the_environment() {
    if let Ok(vault_url) = std::env::var(VAULT) {
        return read_by_the_environment(vault_url).await;
    }
    let world = World::new().await;
    world.vault.set_secret("a", "by the environment").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let token_file = folder.path().join("token");
    let token = world.issuer.sign(&ServiceAccountToken::new(NAMESPACE, ACCOUNT)).unwrap();
    std::fs::write(&token_file, token).unwrap();

    let this_test = "environment::the_pods_own_identity_and_the_way_to_azure_come_from_the_environment";
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args([this_test, "--exact", "--nocapture"])
        .env_clear()
        .envs(world.sandbox.environment())
        .env(VAULT, world.vault.url())
        .env("AZURE_CLIENT_ID", CLIENT_ID)
        .env("AZURE_TENANT_ID", world.tenant.id())
        .env("AZURE_FEDERATED_TOKEN_FILE", &token_file)
        .env("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/")
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || child.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(world.vault.counters().secret_reads("a"), 1);
}

async fn read_by_the_environment(vault_url: String) {
    let options = Options { environment: Environment::of_process(), ..Options::default() };
    let provider = AzureKeyVault::new(options, Arc::new(NoCluster), Arc::new(())).unwrap();
    let store = AzureKvProvider { auth_type: AzureAuthType::WorkloadIdentity, vault_url, ..AzureKvProvider::default() };
    let client = client(&provider, store).await.unwrap();
    assert_eq!(read(client.as_ref(), "a").await.unwrap(), "by the environment");
}

/// The pod's own identity needs nothing of the cluster.
struct NoCluster;

#[async_trait]
impl ClusterReader for NoCluster {
    async fn service_account(&self, _: &str, name: &str) -> Result<Option<ServiceAccount>, ClusterReadError> {
        panic!("asked for {name}")
    }
    async fn service_account_token(&self, _: &str, name: &str, _: &[String]) -> Result<SecretString, ClusterReadError> {
        panic!("asked for {name}")
    }
    async fn secret_key(&self, _: &str, name: &str, _: &str) -> Result<CredentialValue, ClusterReadError> {
        panic!("asked for {name}")
    }
}
