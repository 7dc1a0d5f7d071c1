//! Which client ID and tenant apply, and which pod's identity.

use std::path::PathBuf;

use rstest::rstest;

use super::azure::{Azure, FakeCluster};
use super::*;
use crate::provider::azure::Environment;

/// Where a client ID or a tenant can be given: on the service account, in a Secret, in the store, in the environment.
#[derive(Clone, Copy, Default)]
struct Given {
    annotation: Option<&'static str>,
    secret: Option<&'static str>,
    store: Option<&'static str>,
    environment: Option<&'static str>,
}

const NOWHERE: Given = Given { annotation: None, secret: None, store: None, environment: None };

async fn exchange(client: Given, tenant: Given) -> Result<(String, String), ProviderError> {
    let azure = Azure::new();
    let annotations = [("client-id", client.annotation), ("tenant-id", tenant.annotation)];
    let annotations = annotations
        .into_iter()
        .filter_map(|(name, value)| Some((format!("azure.workload.identity/{name}"), value?.to_owned())));
    let cluster = FakeCluster::with_account(annotations.collect());
    let selector = |key: &str, value: Option<&str>| {
        cluster.set_secret(key, value?);
        Some(SecretKeySelector { name: Some("ids".to_owned()), key: Some(key.to_owned()), namespace: None })
    };
    let auth_secret_ref = AzureAuthSecretRef {
        client_id: selector("client-id", client.secret),
        tenant_id: selector("tenant-id", tenant.secret),
        ..AzureAuthSecretRef::default()
    };
    let store = AzureKvProvider {
        tenant_id: tenant.store.map(ToOwned::to_owned),
        auth_secret_ref: Some(auth_secret_ref),
        ..store()
    };
    let environment = Environment { tenant_id: tenant.environment.map(ToOwned::to_owned), ..Environment::default() };
    let provider = provider(&azure, &cluster, Options { environment, ..options() });
    let client = super::client(&provider, store).await?;
    client.get_secret(&reference("a"), SHARED).await?;

    let exchange = azure.to("login.microsoftonline.com").remove(0);
    let tenant = exchange.path.split('/').nth(1).unwrap().to_owned();
    let client = exchange.body.split('&').find_map(|pair| pair.strip_prefix("client_id=")).unwrap().to_owned();
    Ok((client, tenant))
}

const ANNOTATED: Given = Given { annotation: Some("annotated"), ..NOWHERE };

#[rstest]
#[case::annotations(ANNOTATED, ANNOTATED, "annotated", "annotated")]
#[case::secret(Given { secret: Some("secret"), ..NOWHERE }, Given { secret: Some("secret"), ..NOWHERE }, "secret", "secret")]
#[case::mixed(Given { secret: Some("secret"), ..NOWHERE }, ANNOTATED, "secret", "annotated")]
#[case::store(ANNOTATED, Given { store: Some("store"), ..NOWHERE }, "annotated", "store")]
#[case::store_before_annotation(ANNOTATED, Given { store: Some("store"), ..ANNOTATED }, "annotated", "store")]
#[case::secret_before_store(ANNOTATED, Given { store: Some("store"), secret: Some("secret"), ..NOWHERE }, "annotated", "secret")]
#[case::annotation_before_secret(Given { secret: Some("secret"), ..ANNOTATED }, ANNOTATED, "annotated", "annotated")]
#[case::environment_last(ANNOTATED, Given { environment: Some("environment"), ..NOWHERE }, "annotated", "environment")]
#[case::annotation_before_environment(ANNOTATED, Given { environment: Some("environment"), ..ANNOTATED }, "annotated", "annotated")]
#[case::equal_values(Given { secret: Some("annotated"), ..ANNOTATED }, Given { store: Some("annotated"), ..ANNOTATED }, "annotated", "annotated")]
#[tokio::test]
async fn what_either_way_of_eso_accepts_is_accepted(
    #[case] client: Given,
    #[case] tenant: Given,
    #[case] expected_client: &str,
    #[case] expected_tenant: &str,
) {
    let expected = (expected_client.to_owned(), expected_tenant.to_owned());
    assert_eq!(exchange(client, tenant).await, Ok(expected));
}

#[rstest]
#[case::annotations(Given { annotation: Some("one\n"), ..NOWHERE }, Given { annotation: Some("two\n"), ..NOWHERE })]
#[case::secret(Given { secret: Some("one\n"), ..NOWHERE }, Given { secret: Some("two\r\n"), ..NOWHERE })]
#[case::store(Given { annotation: Some("one"), ..NOWHERE }, Given { store: Some("two\n"), ..NOWHERE })]
#[tokio::test]
async fn ids_with_a_line_end_are_used_without_it(#[case] client: Given, #[case] tenant: Given) {
    assert_eq!(exchange(client, tenant).await, Ok(("one".to_owned(), "two".to_owned())));
}

#[test]
fn variables_with_a_line_end_are_used_without_it() {
    let environment = Environment::from_lookup(|name| match name {
        "AZURE_CLIENT_ID" => Some("the-client\n".to_owned()),
        "AZURE_CLIENT_SECRET" => Some("the secret\r\n".to_owned()),
        "AZURE_TENANT_ID" => Some("\n".to_owned()),
        _ => None,
    });
    assert_eq!(environment.client_id.as_deref(), Some("the-client"));
    assert_eq!(environment.client_secret.unwrap().expose_secret(), "the secret");
    assert_eq!(environment.tenant_id, None);
}

#[rstest]
#[case::client(NOWHERE, ANNOTATED, "azure.workload.identity/client-id")]
#[case::tenant(ANNOTATED, NOWHERE, "azurekv.tenantId")]
#[case::client_that_is_none(Given { annotation: Some("a/../b"), ..NOWHERE }, ANNOTATED, "client id")]
#[case::tenant_that_is_none(ANNOTATED, Given { annotation: Some("x?y=z"), ..NOWHERE }, "tenant id")]
#[tokio::test]
async fn missing_and_invalid_fields_are_named(#[case] client: Given, #[case] tenant: Given, #[case] words: &str) {
    let refused = exchange(client, tenant).await.unwrap_err();
    assert_eq!(refused.class, Class::Unauthenticated);
    assert!(refused.to_string().contains(words), "{refused}");
}

#[tokio::test]
async fn the_pods_own_identity_reads_its_token_file_at_each_exchange() {
    // Any existing file will do: this crate's manifest.
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let environment = Environment {
        client_id: Some("pod-client".to_owned()),
        tenant_id: Some("pod-tenant".to_owned()),
        token_file: Some(file),
        ..Environment::default()
    };
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    let own = AzureKvProvider { service_account_ref: None, ..store() };
    let provider = provider(&azure, &cluster, Options { environment, ..options() });
    let client = client(&provider, own).await.unwrap();
    client.get_secret(&reference("a"), SHARED).await.unwrap();
    let exchange = &azure.to("login.microsoftonline.com")[0];
    assert!(exchange.path.starts_with("/pod-tenant/") && exchange.body.contains("client_id=pod-client"));
    assert!(exchange.body.contains("external-secrets"), "the file's content is the assertion");
}

#[tokio::test]
async fn a_pod_without_an_identity_or_with_a_lost_token_file_gets_a_remedy() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    let own = AzureKvProvider { service_account_ref: None, ..store() };
    let without = provider(&azure, &cluster, options());
    let Err(refused) = client(&without, own.clone()).await else { panic!("there is no identity") };
    assert!(refused.to_string().contains("azure.workload.identity/use: \"true\""), "{refused}");

    let environment = Environment {
        client_id: Some("c".to_owned()),
        tenant_id: Some("t".to_owned()),
        token_file: Some(PathBuf::from("no-such-folder/token")),
        ..Environment::default()
    };
    let lost = provider(&azure, &cluster, Options { environment, ..options() });
    let client = client(&lost, own).await.unwrap();
    let refused = client.get_secret(&reference("a"), SHARED).await.unwrap_err();
    assert_eq!(refused.class, Class::Unauthenticated);
    assert!(refused.to_string().contains("AZURE_FEDERATED_TOKEN_FILE"), "{refused}");
}
