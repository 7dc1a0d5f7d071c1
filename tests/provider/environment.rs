//! The variables that give a process a proxy, other roots or its own identity, each tested in a separate process.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use external_secrets::api::v1::secret_store::{AzureAuthType, AzureKvProvider};
use external_secrets::provider::azure::{AzureKeyVault, Environment, Options, OwnIdentity};
use external_secrets::provider::{ClusterReadError, ClusterReader, CredentialValue, ProviderError, ServiceAccount};
use external_secrets::sandbox::ServiceAccountToken;
use secrecy::SecretString;
use tokio::io::AsyncReadExt;

use crate::support::{ACCOUNT, CLIENT_ID, NAMESPACE, World, client, read};

/// Tells the child process which vault to use.
const VAULT: &str = "PROVIDER_TEST_VAULT";

/// Tells the child process what to try.
const TRIED: &str = "PROVIDER_TEST_TRIED";

/// Runs a test of this module again in a process with this environment.
async fn run(test: &str, tried: &str, vault_url: &str, environment: Vec<(String, String)>) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .arg(format!("environment::{test}"))
        .args(["--exact", "--nocapture"])
        .env_clear()
        .envs(environment)
        .env(VAULT, vault_url)
        .env(TRIED, tried)
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || child.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{tried}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The variables for a pod's own identity, and those that lead to the sandbox.
fn environment(world: &World, folder: &std::path::Path) -> Vec<(String, String)> {
    let token_file = folder.join("token");
    let token = world.issuer.sign(&ServiceAccountToken::new(NAMESPACE, ACCOUNT)).unwrap();
    std::fs::write(&token_file, token).unwrap();
    let own = [
        ("AZURE_CLIENT_ID", CLIENT_ID),
        ("AZURE_TENANT_ID", world.tenant.id()),
        ("AZURE_FEDERATED_TOKEN_FILE", token_file.to_str().unwrap()),
        ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/"),
    ];
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    world.sandbox.environment().into_iter().chain(own).collect()
}

fn set(environment: &mut Vec<(String, String)>, name: &str, value: &str) {
    environment.retain(|(known, _)| known != name);
    environment.push((name.to_owned(), value.to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pods_own_identity_and_the_way_to_azure_come_from_the_environment() {
    const TEST: &str = "the_pods_own_identity_and_the_way_to_azure_come_from_the_environment";
    if let Ok(vault_url) = std::env::var(VAULT) {
        return match &*std::env::var(TRIED).unwrap() {
            "by proxy" => assert_eq!(own(vault_url, None).await.unwrap(), "by the environment"),
            "past the proxy" => assert!(own(vault_url, None).await.is_err()),
            "other roots" => assert_eq!(own(vault_url, None).await.unwrap_err().cause, "TlsUnknownIssuer"),
            "added roots" => {
                let bundle = std::fs::read(std::env::var("ADDED_ROOTS").unwrap()).unwrap();
                assert_eq!(own(vault_url, Some(bundle)).await.unwrap(), "by the environment");
            }
            other => panic!("{other}"),
        };
    }
    let world = World::new().await;
    world.vault.set_secret("a", "by the environment").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let base = environment(&world, folder.path());
    run(TEST, "by proxy", &world.vault.url(), base.clone()).await;
    assert_eq!(world.vault.counters().secret_reads("a"), 1);

    // Without the proxy, this vault does not exist.
    let mut past = base.clone();
    set(&mut past, "NO_PROXY", ".vault.azure.net");
    run(TEST, "past the proxy", &world.vault.url(), past).await;

    // A file of roots replaces the system's; a bundle adds to it.
    let roots = base.iter().find(|(name, _)| name == "SSL_CERT_FILE").unwrap().1.clone();
    let other = rcgen::generate_simple_self_signed(["other.example".to_owned()]).unwrap();
    let other_roots = folder.path().join("other.pem");
    std::fs::write(&other_roots, other.cert.pem()).unwrap();
    let mut others = base;
    set(&mut others, "SSL_CERT_FILE", other_roots.to_str().unwrap());
    run(TEST, "other roots", &world.vault.url(), others.clone()).await;
    assert_eq!(world.vault.counters().secret_reads("a"), 1, "nothing more was read so far");
    set(&mut others, "ADDED_ROOTS", &roots);
    run(TEST, "added roots", &world.vault.url(), others).await;
    assert_eq!(world.vault.counters().secret_reads("a"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_machines_identity_endpoint_is_not_reached_by_a_proxy() {
    const TEST: &str = "the_machines_identity_endpoint_is_not_reached_by_a_proxy";
    if let Ok(vault_url) = std::env::var(VAULT) {
        let store =
            AzureKvProvider { auth_type: AzureAuthType::ManagedIdentity, vault_url, ..AzureKvProvider::default() };
        let options = Options { own_identity: OwnIdentity::AllStores, ..Options::default() };
        let provider = AzureKeyVault::new(options, Arc::new(NoCluster), Arc::new(())).unwrap();
        // On a test machine nothing answers; a cloud's instance metadata service gives a token, for a vault that does
        // not exist.
        let reading = async { read(client(&provider, store).await.unwrap().as_ref(), "a").await.map(drop) };
        let _ = tokio::time::timeout(Duration::from_secs(2), reading).await;
        return;
    }
    let world = World::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let mut base = world.sandbox.environment();
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        set(&mut base, name, &proxy);
    }
    set(&mut base, "NO_PROXY", "");
    run(TEST, "the machine", &world.vault.url(), base).await;
    let mut asked = String::new();
    while let Ok(Ok((mut stream, _))) = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await {
        let mut bytes = vec![0; 4096];
        let length = stream.read(&mut bytes).await.unwrap();
        asked += &String::from_utf8_lossy(&bytes[..length]);
    }
    assert!(!asked.contains("169.254.169.254") && !asked.contains("/metadata/"), "{asked}");
}

/// Reads with the pod's own identity, as the environment configures it.
async fn own(vault_url: String, ca_bundle: Option<Vec<u8>>) -> Result<String, ProviderError> {
    let options = Options {
        environment: Environment::of_process(),
        own_identity: OwnIdentity::AllStores,
        patience: Duration::ZERO,
        request_timeout: Duration::from_secs(10),
        ca_bundle,
        ..Options::default()
    };
    let provider = AzureKeyVault::new(options, Arc::new(NoCluster), Arc::new(())).unwrap();
    let store = AzureKvProvider { auth_type: AzureAuthType::WorkloadIdentity, vault_url, ..AzureKvProvider::default() };
    let client = client(&provider, store).await.unwrap();
    read(client.as_ref(), "a").await
}

/// The pod's own identity needs nothing from the cluster.
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
