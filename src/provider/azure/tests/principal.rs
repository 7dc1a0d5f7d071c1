//! Service principals: which fields a store needs, and what is presented.

use rstest::rstest;

use super::azure::{Azure, FakeCluster};
use super::*;
use crate::provider::azure::validate;

fn selector(key: &str) -> SecretKeySelector {
    SecretKeySelector { name: Some("credential".to_owned()), key: Some(key.to_owned()), namespace: None }
}

fn principal() -> AzureKvProvider {
    AzureKvProvider {
        auth_type: AzureAuthType::ServicePrincipal,
        tenant_id: Some("the-tenant".to_owned()),
        service_account_ref: None,
        auth_secret_ref: Some(AzureAuthSecretRef {
            client_id: Some(selector("client-id")),
            client_certificate: Some(selector("certificate")),
            ..AzureAuthSecretRef::default()
        }),
        ..store()
    }
}

/// The first problem, with its field.
fn check(kind: StoreKind, store: &AzureKvProvider) -> Result<(), String> {
    let spec = SecretStoreSpec::default();
    let namespace = (kind == StoreKind::SecretStore).then_some(NAMESPACE);
    let problems = validate::store(&StoreView { kind, namespace, name: "store", spec: &spec }, store, &options());
    problems.into_iter().next().map_or(Ok(()), |found| Err(format!("{} {}", found.field, found.problem)))
}

type Change = fn(&mut AzureKvProvider, &mut AzureAuthSecretRef);

#[test]
fn a_store_that_cannot_make_up_a_principal_is_refused_by_its_text_alone() {
    check(StoreKind::SecretStore, &principal()).unwrap();
    let cases: [(Change, &str); 8] = [
        (|store, _| store.tenant_id = None, "azurekv.tenantId is missing"),
        (|store, _| store.tenant_id = Some(String::new()), "azurekv.tenantId is missing"),
        (|_, secrets| secrets.client_id = None, "azurekv.authSecretRef.clientId is missing"),
        (|_, secrets| secrets.client_certificate = None, "neither clientSecret nor clientCertificate"),
        (|_, secrets| secrets.client_secret = Some(selector("a")), "both clientSecret and clientCertificate"),
        (
            |_, secrets| secrets.client_certificate.as_mut().unwrap().name = None,
            "azurekv.authSecretRef.clientCertificate.name is missing",
        ),
        (
            |_, secrets| secrets.client_id.as_mut().unwrap().key = Some(String::new()),
            "azurekv.authSecretRef.clientId.key is missing",
        ),
        (
            |_, secrets| secrets.client_certificate.as_mut().unwrap().namespace = Some("team-b".to_owned()),
            "clientCertificate.namespace is \"team-b\"",
        ),
    ];
    for (change, words) in cases {
        let mut store = principal();
        let mut secrets = store.auth_secret_ref.take().unwrap();
        change(&mut store, &mut secrets);
        store.auth_secret_ref = Some(secrets);
        let refused = check(StoreKind::SecretStore, &store).unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
}

#[test]
fn a_store_without_auth_secret_ref_has_no_principal() {
    let store = AzureKvProvider { auth_secret_ref: None, ..principal() };
    let refused = check(StoreKind::ClusterSecretStore, &store).unwrap_err();
    assert!(
        refused.starts_with("azurekv.authSecretRef is missing, which authType ServicePrincipal needs"),
        "{refused}"
    );
}

#[rstest]
#[case(AzureAuthType::WorkloadIdentity)]
#[case(AzureAuthType::ManagedIdentity)]
fn other_identities_need_none_of_these_fields(#[case] auth_type: AzureAuthType) {
    let store = AzureKvProvider { auth_type, ..store() };
    check(StoreKind::SecretStore, &store).unwrap();
}

#[tokio::test]
async fn a_cluster_store_with_a_certificate_is_resolved_in_the_namespace_of_the_external_secret() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    let provider = provider(&azure, &cluster, options());
    let kind = StoreKind::ClusterSecretStore;
    let validated = client_of(&provider, kind, principal(), Caller::StoreValidation).await.unwrap().validate().await;
    assert!(matches!(validated.authenticated, Check::Unknown(_)));
    assert!(azure.all().is_empty());
}

#[cfg(feature = "sandbox")]
#[tokio::test]
async fn a_certificate_is_presented_as_an_assertion_for_the_tenants_endpoint_and_its_key_stays_here() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    let made = crate::provider::azure::certificate::tests::p256();
    cluster.set_secret("client-id", "the-client");
    cluster.set_secret("certificate", &format!("{}{}", made.certificate, made.key));
    let provider = provider(&azure, &cluster, options());
    client(&provider, principal()).await.unwrap().get_secret(&reference("a"), SHARED).await.unwrap();

    let exchange = &azure.to("login.microsoftonline.com")[0];
    assert_eq!(exchange.path, "/the-tenant/oauth2/v2.0/token");
    assert!(!exchange.body.contains("client_secret="));
    let assertion = exchange.body.split('&').find_map(|pair| pair.strip_prefix("client_assertion=")).unwrap();
    let part = |at: usize| -> serde_json::Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(assertion.split('.').nth(at).unwrap()).unwrap()).unwrap()
    };
    assert_eq!(part(0)["alg"], "ES256");
    assert_eq!(part(1)["aud"], "https://login.microsoftonline.com/the-tenant/oauth2/v2.0/token");
    assert_eq!((&part(1)["iss"], &part(1)["sub"]), (&"the-client".into(), &"the-client".into()));
}
