//! Each refusal by cause, with a hint, and in words that do not change between tries.

use external_secrets::api::v1::external_secret::RemoteRef;
use external_secrets::provider::{Class, ProviderError};
use external_secrets::sandbox::{Fault, Network, Role};

use crate::support::{CANARY, NAMESPACE, World, client, get, reference};

/// Reads the secret `a` twice and checks that both failures have the same text.
async fn refused(world: &World) -> ProviderError {
    let first = world.read("a").await.unwrap_err();
    let second = world.read("a").await.unwrap_err();
    assert_eq!(first, second, "a status would be rewritten at every retry");
    assert!(!format!("{first:?}").contains(CANARY));
    first
}

fn assert_says(error: &ProviderError, class: Class, cause: &str, words: &[&str]) {
    assert_eq!((error.class, error.cause), (class, cause), "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{word} is not in: {error}");
    }
}

#[tokio::test]
async fn a_secret_that_is_not_there() {
    let world = World::new().await;
    let error = refused(&world).await;
    assert_says(
        &error,
        Class::Absent,
        "SecretNotFound",
        &["secret \"a\" in vault team-a-vault.vault.azure.net", "recoverable"],
    );
}

#[tokio::test]
async fn a_version_that_is_not_there() {
    let world = World::new().await;
    world.vault.set_secret("a", CANARY).unwrap();
    let client = world.client(&world.provider(world.options())).await;
    let reference = RemoteRef { version: Some("0".repeat(32)), ..reference("a") };
    let error = get(client.as_ref(), &reference).await.unwrap_err();
    assert_says(&error, Class::Absent, "SecretNotFound", &["in version 00000000000000000000000000000000"]);
}

#[tokio::test]
async fn a_disabled_secret() {
    let world = World::new().await;
    world.vault.set_secret("a", CANARY).unwrap();
    world.vault.enable_secret("a", false).unwrap();
    assert_says(&refused(&world).await, Class::Disabled, "SecretDisabled", &["enable it"]);
}

#[tokio::test]
async fn an_access_policy_that_is_missing() {
    let world = World::new().await;
    world.vault.set_secret("a", CANARY).unwrap();
    world.vault.revoke(&world.application);
    let object_id = world.application.object_id();
    assert_says(&refused(&world).await, Class::Denied, "AccessDenied", &["access policies", object_id]);
}

#[tokio::test]
async fn a_role_that_is_missing() {
    let world = World::new().await;
    world.vault.set_secret("a", CANARY).unwrap();
    world.vault.use_roles();
    let object_id = world.application.object_id();
    assert_says(&refused(&world).await, Class::Denied, "ForbiddenByRbac", &["Key Vault Secrets User", object_id]);

    world.vault.assign_on_secret(&world.application, Role::SecretsUser, "a");
    assert_eq!(world.read("a").await.unwrap(), CANARY);
}

#[tokio::test]
async fn a_network_that_is_not_allowed() {
    let world = World::new().await;
    world.vault.set_secret("a", CANARY).unwrap();
    world.vault.set_network(Network::Firewall { client_address: "20.1.2.3".to_owned() });
    assert_says(&refused(&world).await, Class::Unreachable, "ForbiddenByFirewall", &["allow"]);
    world.vault.set_network(Network::PrivateOnly);
    assert_says(&refused(&world).await, Class::Unreachable, "ForbiddenByConnection", &["private endpoint"]);
}

#[tokio::test]
async fn a_vault_of_another_tenant() {
    let world = World::new().await;
    world.vault.set_secret("a", CANARY).unwrap();
    world.vault.in_tenant(&world.sandbox.tenant("99999999-2222-4333-8444-555555555555"));
    assert_says(&refused(&world).await, Class::Unauthenticated, "Unauthorized", &["AKV10032", "tenantId"]);
}

#[tokio::test]
async fn a_subject_that_is_not_the_federated_one() {
    let world = World::new().await;
    world.application.clear_federation().federate(crate::support::ISSUER, "system:serviceaccount:team-a:other");
    let error = refused(&world).await;
    assert_says(
        &error,
        Class::Unauthenticated,
        "AADSTS700213",
        &["system:serviceaccount:team-a:reader", "AADSTS700213"],
    );
}

#[tokio::test]
async fn an_identity_without_any_federation() {
    let world = World::new().await;
    world.application.clear_federation();
    let error = refused(&world).await;
    assert_eq!(error.class, Class::Unauthenticated);
    let subject = format!("system:serviceaccount:{NAMESPACE}:reader");
    for words in ["AADSTS", crate::support::CLIENT_ID, &subject, "api://AzureADTokenExchange"] {
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn every_known_number_of_entra_has_its_hint() {
    let world = World::new().await;
    for (number, words) in [
        (70_021, "a federated credential"),
        (700_016, "check the client id"),
        (700_024, "clocks"),
        (90_002, "check tenantId"),
    ] {
        world.application.lift_all();
        world.application.fault(Fault::refuse(number));
        let error = refused(&world).await;
        assert_says(&error, Class::Unauthenticated, &format!("AADSTS{number}"), &[words]);
    }
}

#[tokio::test]
async fn a_vault_url_of_another_cloud_is_refused_before_anything_is_sent() {
    let world = World::new().await;
    let store = external_secrets::api::v1::secret_store::AzureKvProvider {
        vault_url: "https://team-a-vault.vault.azure.cn".to_owned(),
        ..world.store()
    };
    let Err(error) = client(&world.provider(world.options()), store).await else { panic!("it was taken") };
    assert_says(&error, Class::InvalidStore, "StoreInvalid", &["vaultUrl", "environmentType"]);
    assert_eq!(world.application.counters().exchanges, 0);
}
