//! `docs/troubleshooting.md` quotes, word for word, the first thing a person sees.

use external_secrets::api::v1::secret_store::{AzureKvProvider, ServiceAccountSelector};
use external_secrets::provider::ProviderError;
use external_secrets::provider::azure::{AzureKeyVault, Options, OwnIdentity};

use crate::support::{ACCOUNT, CLIENT_ID, NAMESPACE, World, client, read};

const PAGE: &str = include_str!("../../docs/troubleshooting.md");

/// Panics unless a line of the page quotes the error, or its end, with the page's own names.
fn assert_quoted(world: &World, error: &ProviderError) {
    let object = format!("secret \"a\" in vault {}: ", world.vault.host());
    let said = error
        .to_string()
        .replace(&object, "")
        .replace(CLIENT_ID, "CLIENT-ID")
        .replace(world.tenant.id(), "TENANT-ID")
        .replace(world.application.object_id(), "OBJECT-ID")
        .replace("team-a-vault", "my-key-container")
        .replace(&format!("\"{ACCOUNT}\""), "\"azure-key-vault\"")
        .replace(&format!("\"{NAMESPACE}\""), "\"qmonus-system\"");
    let quoted = |line: &str| line == said || (line.starts_with('(') && said.ends_with(line));
    assert!(PAGE.lines().any(quoted), "docs/troubleshooting.md does not quote: {said}");
}

async fn failure(provider: &AzureKeyVault, store: AzureKvProvider) -> ProviderError {
    client(provider, store).await.err().expect("an identity that lacks something")
}

#[tokio::test]
async fn the_application_that_was_not_found() {
    let world = World::new().await;
    let unknown = "00000000-0000-0000-0000-0000000dead1";
    let provider = world.provider_of(world.options(), unknown);
    let error = read(world.client(&provider).await.as_ref(), "a").await.unwrap_err();
    let as_known = ProviderError {
        message: error.message.replace(unknown, CLIENT_ID),
        hint: error.hint.as_ref().map(|hint| hint.replace(unknown, CLIENT_ID)),
        ..error
    };
    assert_quoted(&world, &as_known);
}

#[tokio::test]
async fn the_permissions_that_are_missing() {
    let world = World::new().await;
    world.vault.set_secret("a", "value").unwrap();
    world.vault.revoke(&world.application);
    assert_quoted(&world, &world.read("a").await.unwrap_err());
    world.vault.use_roles();
    assert_quoted(&world, &world.read("a").await.unwrap_err());
}

#[tokio::test]
async fn the_identity_that_the_pod_or_the_account_lacks() {
    let world = World::new().await;
    let of_pod = AzureKvProvider { service_account_ref: None, ..world.store() };
    assert_quoted(&world, &failure(&world.provider(world.options()), of_pod.clone()).await);
    let options = Options { own_identity: OwnIdentity::AllStores, ..world.options() };
    assert_quoted(&world, &failure(&world.provider(options), of_pod).await);
    assert_quoted(&world, &failure(&world.provider_of(world.options(), ""), world.store()).await);

    let missing = ServiceAccountSelector { name: "azure-key-vault".to_owned(), ..Default::default() };
    let of_nobody = AzureKvProvider { service_account_ref: Some(missing), ..world.store() };
    assert_quoted(&world, &failure(&world.provider(world.options()), of_nobody).await);
}
