//! The whole way from a store to a value. Closures play Azure and the cluster.

pub(super) mod azure;
mod find;
mod identity;
mod objects;
mod principal;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use secrecy::ExposeSecret;

use self::azure::{Azure, FakeCluster, Reply, token};
use super::super::{
    Caller, Check, Class, Freshness, Priority, Provider, ProviderError, ReadBudget, ReadOptions, SecretsClient,
    StoreView, Verdict,
};
use super::http::Clients;
use super::kept_hosts::KeptHosts;
use super::vault::VaultClient;
use super::{AzureKeyVault, Options, OwnIdentity};
use crate::api::v1::external_secret::RemoteRef;
use crate::api::v1::secret_store::{
    AzureAuthSecretRef, AzureAuthType, AzureKvProvider, SecretKeySelector, SecretStoreProvider, SecretStoreSpec,
    ServiceAccountSelector, StoreKind,
};

const NAMESPACE: &str = "team-a";
const SHARED: ReadOptions = ReadOptions { freshness: Freshness::Shared, priority: Priority::First };
const FORCED: ReadOptions = ReadOptions { freshness: Freshness::Forced, ..SHARED };

fn options() -> Options {
    Options {
        coalesce: Duration::ZERO,
        patience: Duration::from_secs(5),
        own_identity: OwnIdentity::AllStores,
        ..Options::default()
    }
}

fn provider(azure: &Arc<Azure>, cluster: &Arc<FakeCluster>, options: Options) -> AzureKeyVault {
    let clients = Clients::through(&(Arc::clone(azure) as _));
    let kept = Arc::new(KeptHosts::new());
    AzureKeyVault::with_clients(Arc::new(options), clients, kept, Arc::clone(cluster) as _, Arc::new(()))
}

/// A store that reads with the service account `reader`, in its own namespace unless another is given.
fn store() -> AzureKvProvider {
    AzureKvProvider {
        auth_type: AzureAuthType::WorkloadIdentity,
        vault_url: "https://my-vault.vault.azure.net".to_owned(),
        service_account_ref: Some(ServiceAccountSelector { name: "reader".to_owned(), ..Default::default() }),
        ..AzureKvProvider::default()
    }
}

async fn client_of(
    provider: &AzureKeyVault,
    kind: StoreKind,
    store: AzureKvProvider,
    caller: Caller<'_>,
) -> Result<Arc<dyn SecretsClient>, ProviderError> {
    let spec = SecretStoreSpec {
        provider: SecretStoreProvider { azurekv: Some(Box::new(store)), ..Default::default() },
        ..Default::default()
    };
    let namespace = (kind == StoreKind::SecretStore).then_some(NAMESPACE);
    provider.client(StoreView { kind, namespace, name: "store", spec: &spec }, caller).await
}

async fn client(provider: &AzureKeyVault, store: AzureKvProvider) -> Result<Arc<dyn SecretsClient>, ProviderError> {
    client_of(
        provider,
        StoreKind::SecretStore,
        store,
        Caller::ExternalSecret { namespace: NAMESPACE, budget: &Arc::default() },
    )
    .await
}

/// What is behind the client of a store.
async fn vault_of(provider: &AzureKeyVault, store: AzureKvProvider) -> Arc<VaultClient> {
    let spec = SecretStoreSpec::default();
    let view = StoreView { kind: StoreKind::SecretStore, namespace: Some(NAMESPACE), name: "store", spec: &spec };
    provider
        .reader(view, &store, Caller::ExternalSecret { namespace: NAMESPACE, budget: &Arc::default() })
        .await
        .unwrap()
}

fn reference(key: &str) -> RemoteRef {
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

async fn read(provider: &AzureKeyVault, key: &str) -> Result<String, ProviderError> {
    let client = client(provider, store()).await?;
    let value = client.get_secret(&reference(key), SHARED).await?.value;
    Ok(String::from_utf8_lossy(value.expose_secret()).into_owned())
}

#[tokio::test]
async fn any_number_of_reads_of_one_identity_costs_one_exchange_and_no_request_without_a_token() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    let provider = provider(&azure, &cluster, options());
    let reads = (0..200).map(|number| {
        let provider = &provider;
        async move { read(provider, &format!("s-{number}")).await }
    });
    let values = futures::future::join_all(reads).await;
    for (number, value) in values.iter().enumerate() {
        assert_eq!(value.as_deref(), Ok(format!("value of s-{number}").as_str()));
    }
    assert_eq!(azure.to("login.microsoftonline.com").len(), 1);
    assert_eq!(cluster.tokens(), 1);
    let gets = azure.to("my-vault.vault.azure.net");
    assert_eq!(gets.len(), 200);
    assert!(gets.iter().all(|request| request.token.as_deref() == Some("Bearer access-1")));
}

#[tokio::test]
async fn a_wave_of_reads_of_one_secret_costs_one_get_and_a_forced_read_one_more() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    let provider = provider(&azure, &cluster, Options { coalesce: Duration::from_mins(10), ..options() });
    for _ in 0..3 {
        futures::future::join_all((0..50).map(|_| read(&provider, "shared"))).await;
    }
    assert_eq!(azure.to("my-vault.vault.azure.net").len(), 1);
    let client = client(&provider, store()).await.unwrap();
    client.get_secret(&reference("shared"), FORCED).await.unwrap();
    assert_eq!(azure.to("my-vault.vault.azure.net").len(), 2);
}

#[tokio::test]
async fn versions_and_properties_are_read() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    azure.on_vault(|request| {
        let version = request.path.rsplit('/').next().unwrap_or_default().to_owned();
        Reply::json(&serde_json::json!({ "value": format!(r#"{{"user":"{version}"}}"#), "id": "x" }))
    });
    let provider = provider(&azure, &cluster, options());
    let client = client(&provider, store()).await.unwrap();
    let version = "0123456789abcdef0123456789abcdef";
    let reference = RemoteRef {
        version: Some(version.to_owned()),
        property: Some("user".to_owned()),
        ..reference("secret/config")
    };
    let value = client.get_secret(&reference, SHARED).await.unwrap().value;
    assert_eq!(value.expose_secret(), version.as_bytes());
    assert_eq!(azure.to("my-vault.vault.azure.net")[0].path, format!("/secrets/config/{version}"));

    let missing = RemoteRef { property: Some("nothing".to_owned()), ..reference };
    let missing = client.get_secret(&missing, SHARED).await.unwrap_err();
    assert_eq!(missing.class, Class::PropertyMissing);
    assert!(missing.to_string().contains("\"nothing\""), "{missing}");
}

#[tokio::test]
async fn the_accounts_token_is_asked_for_the_audiences_and_goes_to_the_authority_alone() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    let provider = provider(&azure, &cluster, options());
    let mut store = store();
    store.environment_type = crate::api::v1::secret_store::AzureEnvironmentType::ChinaCloud;
    store.vault_url = "https://my-vault.vault.azure.cn".to_owned();
    store.service_account_ref.as_mut().unwrap().audiences = vec!["extra".to_owned()];
    let client = client(&provider, store).await.unwrap();
    client.get_secret(&reference("a"), SHARED).await.unwrap();

    let audiences = cluster.audiences();
    assert_eq!(audiences, ["api://AzureADTokenExchange", "api://AzureADTokenExchangeChina", "extra"]);
    let exchange = &azure.to("login.chinacloudapi.cn")[0];
    assert_eq!(exchange.path, "/the-tenant/oauth2/v2.0/token");
    for part in
        ["client_id=the-client", "scope=https%3A%2F%2Fvault.azure.cn%2F.default", "grant_type=client_credentials"]
    {
        assert!(exchange.body.contains(part), "{part}");
    }
    let hosts: Vec<_> =
        azure.all().into_iter().filter(|seen| seen.body.contains("client_assertion=")).map(|seen| seen.host).collect();
    assert_eq!(hosts, ["login.chinacloudapi.cn"]);
}

#[tokio::test]
async fn a_changed_annotation_takes_effect_at_the_next_reconcile() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    let provider = provider(&azure, &cluster, options());
    read(&provider, "a").await.unwrap();
    cluster.annotate("azure.workload.identity/client-id", "another-client");
    read(&provider, "a").await.unwrap();
    let exchanges = azure.to("login.microsoftonline.com");
    assert_eq!(exchanges.len(), 2);
    assert!(exchanges[1].body.contains("client_id=another-client"));
}

#[tokio::test]
async fn an_account_without_the_annotation_is_named_and_nothing_is_sent() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_account(BTreeMap::new()));
    let provider = provider(&azure, &cluster, options());
    let refused = read(&provider, "a").await.unwrap_err();
    assert_eq!(refused.class, Class::Unauthenticated);
    let text = refused.to_string();
    for part in ["ServiceAccount \"reader\"", "namespace \"team-a\"", "azure.workload.identity/client-id"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(azure.all().is_empty());
}

#[tokio::test]
async fn an_outage_of_entra_costs_one_exchange_for_all_callers_and_fails_each_of_them() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    azure.on_entra(|_| Reply::status(503));
    let provider = provider(&azure, &cluster, options());
    let names: Vec<String> = (0..100).map(|number| format!("s-{number}")).collect();
    let errors = futures::future::join_all(names.iter().map(|name| read(&provider, name))).await;
    assert!(errors.iter().all(|error| error.as_ref().unwrap_err().cause == "EntraUnavailable"));
    assert_eq!(azure.to("login.microsoftonline.com").len(), 1);
    assert!(azure.to("my-vault.vault.azure.net").is_empty());
}

#[tokio::test]
async fn a_refused_federation_is_reported_with_the_tokens_claims_but_not_the_token() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    azure.on_entra(|_| {
        Reply::status(401).with_json(&serde_json::json!({
            "error": "invalid_client",
            "error_description": "AADSTS70021: No matching federated identity record found. Trace ID: t Correlation ID: c Timestamp: 2026-01-01 00:00:00Z",
            "error_codes": [70021],
        }))
    });
    let provider = provider(&azure, &cluster, options());
    let refused = read(&provider, "a").await.unwrap_err();
    assert_eq!((refused.class, refused.cause), (Class::Unauthenticated, "AADSTS70021"));
    let text = refused.to_string();
    for part in
        ["https://issuer.example", "system:serviceaccount:team-a:reader", "api://AzureADTokenExchange", "the-client"]
    {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("Trace ID"), "{text}");
    assert!(!text.contains(&token()), "{text}");
}

#[tokio::test]
async fn a_token_that_the_vault_refuses_costs_one_exchange_however_often_it_is_tried() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    azure.on_vault(|_| {
        Reply::status(401).with_json(&serde_json::json!({
            "error": {"code": "Unauthorized", "message": "AKV10032: Invalid issuer. Expected one of a, found b."}
        }))
    });
    let provider = provider(&azure, &cluster, options());
    for _ in 0..5 {
        let refused = read(&provider, "a").await.unwrap_err();
        assert_eq!(refused.class, Class::Unauthenticated);
        assert!(refused.to_string().contains("AKV10032"), "{refused}");
    }
    assert_eq!(azure.to("login.microsoftonline.com").len(), 1);
    assert_eq!(azure.to("my-vault.vault.azure.net").len(), 5);
}

#[tokio::test]
async fn a_token_that_was_given_up_is_used_by_no_client_any_more() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    let provider = provider(&azure, &cluster, options());
    let mut elsewhere = store();
    elsewhere.vault_url = "https://other-vault.vault.azure.net".to_owned();
    for store in [store(), elsewhere.clone()] {
        client(&provider, store).await.unwrap().get_secret(&reference("a"), SHARED).await.unwrap();
    }
    vault_of(&provider, store()).await.credential.forget_token();
    client(&provider, elsewhere).await.unwrap().get_secret(&reference("a"), SHARED).await.unwrap();
    let tokens: Vec<_> = azure.to("other-vault.vault.azure.net").into_iter().filter_map(|seen| seen.token).collect();
    assert_eq!(tokens, ["Bearer access-1", "Bearer access-2"]);
}

#[tokio::test]
async fn all_identities_share_the_gate_of_a_vault() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    let provider = provider(&azure, &cluster, options());
    let one = vault_of(&provider, store()).await;
    cluster.annotate("azure.workload.identity/client-id", "another-client");
    let other = vault_of(&provider, store()).await;
    assert!(!Arc::ptr_eq(&one, &other));
    assert!(one.shares_gate_with(&other));
}

#[tokio::test]
async fn an_answer_with_another_status_is_not_taken_for_a_value_and_not_quoted() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    azure.on_vault(|_| Reply::status(203).with_body(r#"{"value": "canary-7f3a"}"#));
    let provider = provider(&azure, &cluster, options());
    let refused = read(&provider, "a").await.unwrap_err();
    assert_eq!(refused.cause, "UnexpectedAnswer");
    assert!(!format!("{refused:?}").contains("canary"), "{refused:?}");
}

#[tokio::test]
async fn a_throttled_vault_is_asked_by_one_request_until_it_answers_and_then_by_all() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    // The gate admits ten requests at once; they and the first probe are refused.
    azure.on_vault(move |request| match seen.fetch_add(1, Ordering::SeqCst) {
        0..=10 => Reply::status(429)
            .with_header("retry-after-ms", "20")
            .with_json(&serde_json::json!({"error": {"code": "Throttled", "message": "VaultRequestTypeLimitReached"}})),
        _ => Reply::secret(request),
    });
    let provider = provider(&azure, &cluster, Options { concurrency: 10, ..options() });
    let names: Vec<String> = (0..100).map(|number| format!("s-{number}")).collect();
    let values = futures::future::join_all(names.iter().map(|name| read(&provider, name))).await;
    assert!(values.iter().all(Result::is_ok), "{values:?}");
    assert_eq!(count.load(Ordering::SeqCst), 111);
}

#[tokio::test]
async fn a_vault_that_stays_down_is_reported_when_patience_ends() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    azure.on_vault(|_| Reply::status(503));
    let provider = provider(&azure, &cluster, Options { patience: Duration::ZERO, ..options() });
    let names: Vec<String> = (0..40).map(|number| format!("s-{number}")).collect();
    let errors = futures::future::join_all(names.iter().map(|name| read(&provider, name))).await;
    for (name, error) in names.iter().zip(errors) {
        let error = error.unwrap_err();
        assert_eq!(error.class, Class::Unreachable);
        assert!(error.message.contains(&format!("secret \"{name}\" in vault my-vault.vault.azure.net")), "{error}");
    }
    let asked = azure.to("my-vault.vault.azure.net").len();
    assert!(
        asked <= Options::default().concurrency + 5,
        "{asked}: those at once, and a probe a second on a slow machine"
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    azure.on_vault(|_| Reply::status(302).with_header("location", "https://evil.example/secrets/a"));
    let provider = provider(&azure, &cluster, options());
    let refused = read(&provider, "a").await.unwrap_err();
    assert_eq!(refused.cause, "Redirected");
    assert!(azure.to("evil.example").is_empty());
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    azure.on_vault(|_| Reply::endless());
    let provider = provider(&azure, &cluster, options());
    assert_eq!(read(&provider, "a").await.unwrap_err().cause, "AnswerTooLarge");
}

#[tokio::test]
async fn an_answer_that_is_not_understood_is_not_quoted() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    azure.on_vault(|_| Reply::status(200).with_body(r#"{"value": canary-7f3a}"#));
    let provider = provider(&azure, &cluster, options());
    let refused = read(&provider, "a").await.unwrap_err();
    assert_eq!(refused.cause, "UnexpectedAnswer");
    assert!(!format!("{refused:?}").contains("canary"), "{refused:?}");
}

#[tokio::test]
async fn a_vault_of_another_suffix_gets_no_request_at_all() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    let provider = provider(&azure, &cluster, options());
    let store = AzureKvProvider { vault_url: "https://vault.evil.example".to_owned(), ..store() };
    let Err(refused) = client(&provider, store).await else { panic!("it was taken") };
    assert_eq!(refused.class, Class::InvalidStore);
    assert!(azure.all().is_empty());
    assert_eq!(cluster.tokens(), 0);
}

#[tokio::test]
async fn a_secret_store_does_not_read_another_namespace() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    let provider = provider(&azure, &cluster, options());
    let mut store = store();
    store.service_account_ref.as_mut().unwrap().namespace = Some("team-b".to_owned());
    let Err(refused) = client(&provider, store).await else { panic!("it was taken") };
    assert_eq!(refused.class, Class::InvalidStore);
    assert!(refused.to_string().contains("serviceAccountRef.namespace"), "{refused}");
}

#[tokio::test]
async fn a_cluster_store_without_a_namespace_is_resolved_in_that_of_the_external_secret() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    let provider = provider(&azure, &cluster, options());
    let kind = StoreKind::ClusterSecretStore;

    let validated = client_of(&provider, kind, store(), Caller::StoreValidation).await.unwrap().validate().await;
    assert!(matches!(validated.verdict, Verdict::Valid));
    assert!(matches!(validated.authenticated, Check::Unknown(_)));
    assert!(azure.all().is_empty());

    let client =
        client_of(&provider, kind, store(), Caller::ExternalSecret { namespace: NAMESPACE, budget: &Arc::default() })
            .await
            .unwrap();
    client.get_secret(&reference("a"), SHARED).await.unwrap();
    let elsewhere =
        client_of(&provider, kind, store(), Caller::ExternalSecret { namespace: "team-b", budget: &Arc::default() })
            .await;
    let Err(elsewhere) = elsewhere else { panic!("there is no account") };
    assert!(elsewhere.message.contains("namespace \"team-b\""), "{elsewhere}");
}

#[tokio::test]
async fn validation_reads_one_secret_that_need_not_be_there() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    azure.on_vault(|_| {
        Reply::status(404).with_json(&serde_json::json!({"error": {"code": "SecretNotFound", "message": "m"}}))
    });
    let provider = provider(&azure, &cluster, options());
    let validated = client(&provider, store()).await.unwrap().validate().await;
    assert!(matches!(validated.verdict, Verdict::Valid));
    assert!(matches!(validated.authorized, Check::Passed));
    let gets = azure.to("my-vault.vault.azure.net");
    assert_eq!(
        gets.iter().map(|request| request.path.as_str()).collect::<Vec<_>>(),
        ["/secrets/external-secrets-probe/"]
    );
}

#[tokio::test]
async fn with_the_probe_off_validation_only_gets_a_token() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    let provider = provider(&azure, &cluster, Options { probe: false, ..options() });
    let validated = client(&provider, store()).await.unwrap().validate().await;
    assert!(matches!(validated.verdict, Verdict::Valid));
    assert!(matches!(validated.reachable, Check::Unknown(_)));
    assert!(azure.to("my-vault.vault.azure.net").is_empty());
}

#[tokio::test]
async fn a_kubernetes_api_that_does_not_answer_makes_no_store_invalid() {
    let (azure, cluster) = (Azure::new(), FakeCluster::unavailable());
    let provider = provider(&azure, &cluster, options());
    let client = client_of(&provider, StoreKind::SecretStore, store(), Caller::StoreValidation).await.unwrap();
    assert!(matches!(client.validate().await.verdict, Verdict::Unknown(_)));
}

#[tokio::test]
async fn a_client_secret_is_read_from_the_cluster_and_a_changed_one_takes_effect_at_once() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    let key = |key: &str| {
        Some(SecretKeySelector { name: Some("credential".to_owned()), key: Some(key.to_owned()), namespace: None })
    };
    cluster.set_secret("client-id", "the-client");
    cluster.set_secret("client-secret", "first");
    let store = AzureKvProvider {
        auth_type: AzureAuthType::ServicePrincipal,
        tenant_id: Some("the-tenant".to_owned()),
        service_account_ref: None,
        auth_secret_ref: Some(AzureAuthSecretRef {
            client_id: key("client-id"),
            client_secret: key("client-secret"),
            ..AzureAuthSecretRef::default()
        }),
        ..store()
    };
    let provider = provider(&azure, &cluster, options());
    for secret in ["first", "first", "second"] {
        cluster.set_secret("client-secret", secret);
        client(&provider, store.clone()).await.unwrap().get_secret(&reference("a"), SHARED).await.unwrap();
    }
    let bodies: Vec<_> = azure.to("login.microsoftonline.com").into_iter().map(|request| request.body).collect();
    assert_eq!(bodies.len(), 2);
    assert!(bodies[0].contains("client_secret=first") && bodies[1].contains("client_secret=second"));
}

#[rstest::rstest]
#[case::line_end("\n")]
#[case::line_end_of_windows("\r\n")]
#[case::two("\n\n")]
#[tokio::test]
async fn credentials_with_a_line_end_from_echo_are_used_without_it(#[case] end: &str) {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    let key = |key: &str| {
        Some(SecretKeySelector { name: Some("credential".to_owned()), key: Some(key.to_owned()), namespace: None })
    };
    cluster.set_secret("client-id", &format!("the-client{end}"));
    cluster.set_secret("client-secret", &format!("the secret{end}"));
    let store = AzureKvProvider {
        auth_type: AzureAuthType::ServicePrincipal,
        tenant_id: Some(format!("the-tenant{end}")),
        service_account_ref: None,
        auth_secret_ref: Some(AzureAuthSecretRef {
            client_id: key("client-id"),
            client_secret: key("client-secret"),
            ..AzureAuthSecretRef::default()
        }),
        ..store()
    };
    let provider = provider(&azure, &cluster, options());
    client(&provider, store.clone()).await.unwrap().get_secret(&reference("a"), SHARED).await.unwrap();
    let exchange = &azure.to("login.microsoftonline.com")[0];
    assert_eq!(exchange.path, "/the-tenant/oauth2/v2.0/token");
    let fields: Vec<_> = exchange.body.split('&').collect();
    assert!(fields.contains(&"client_id=the-client") && fields.contains(&"client_secret=the+secret"), "{fields:?}");

    cluster.set_secret("client-secret", &"x".repeat(100_000));
    let Err(refused) = client(&provider, store.clone()).await else { panic!("it was taken") };
    assert!(refused.message.contains("has 100000 bytes"), "{refused}");

    cluster.set_secret("client-secret", end);
    let refused = client(&provider, store).await.unwrap().get_secret(&reference("b"), SHARED).await.unwrap_err();
    assert_eq!((refused.class, refused.cause), (Class::Unauthenticated, "IdentityIncomplete"));
    assert!(refused.message.contains("key \"client-secret\" of Secret \"credential\""), "{refused}");
}

#[tokio::test]
async fn the_machines_identity_is_asked_at_its_endpoint() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    let provider = provider(&azure, &cluster, options());
    let store = AzureKvProvider {
        auth_type: AzureAuthType::ManagedIdentity,
        identity_id: Some("the-identity\n".to_owned()),
        service_account_ref: None,
        ..store()
    };
    let client = client(&provider, store).await.unwrap();
    client.get_secret(&reference("a"), SHARED).await.unwrap();
    let asked = &azure.to("169.254.169.254")[0];
    assert_eq!(asked.path, "/metadata/identity/oauth2/token");
    assert!(
        asked.query.contains("client_id=the-identity") && asked.query.contains("vault.azure.net"),
        "{}",
        asked.query
    );
}
