use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::*;
use crate::{CertificatePolicy, Clock, Network, ObjectKind, Role};

/// A vault with a secret, in which nobody may do anything yet.
fn closed(world: &World) -> Vault {
    let vault = world.sandbox.vault("team-a-kv").unwrap();
    vault.set_secret("a", "one").unwrap();
    vault
}

#[tokio::test]
async fn an_access_policy_allows_no_more_than_it_says() {
    let world = World::new().await;
    let token = world.token().await;
    let vault = closed(&world);
    let url = format!("{}/secrets/a", vault.url());
    let refused = world.client.read(&url, &token).await;
    let (status, code, inner, message) = refused.refusal();
    assert_eq!((status, code, inner), (403, "Forbidden", "AccessDenied"));
    let caller = format!(
        "The user, group or application 'appid={CLIENT_ID};oid={};iss=https://sts.windows.net/{}/' does not have secrets \
         get permission on key vault 'team-a-kv;location=westeurope'.",
        world.application.object_id(),
        world.application.tenant().id()
    );
    assert!(message.starts_with(&caller), "{message}");

    vault.allow(&world.application, SecretPermission::Get);
    assert_eq!(world.client.read(&url, &token).await.status, StatusCode::OK);
    let list = world.client.read(&format!("{}/secrets", vault.url()), &token).await;
    assert!(list.refusal().3.contains("does not have secrets list permission"), "{}", list.body);
    let set = world.client.set(&url, &token, "two").await;
    assert!(set.refusal().3.contains("does not have secrets set permission"), "{}", set.body);

    vault.revoke(&world.application);
    assert_eq!(world.client.read(&url, &token).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_vault_that_uses_roles_names_the_missing_assignment() {
    let world = World::new().await;
    let token = world.token().await;
    let vault = closed(&world).use_roles();
    let url = format!("{}/secrets/a", vault.url());
    let refused = world.client.read(&url, &token).await;
    let (status, code, inner, message) = refused.refusal();
    assert_eq!((status, code, inner), (403, "Forbidden", "ForbiddenByRbac"));
    for part in [
        "Caller is not authorized to perform action on resource.",
        "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'",
        "/vaults/team-a-kv/secrets/a'",
        "Assignment: (not found)",
        world.application.object_id(),
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }

    vault.assign(&world.application, Role::SecretsUser);
    assert_eq!(world.client.read(&url, &token).await.status, StatusCode::OK);
    assert_eq!(world.client.set(&url, &token, "two").await.refusal().2, "ForbiddenByRbac");
    vault.assign(&world.application, Role::SecretsOfficer);
    assert_eq!(world.client.set(&url, &token, "two").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_reader_sees_names_and_no_values() {
    let world = World::new().await;
    let token = world.token().await;
    let vault = closed(&world).assign(&world.application, Role::Reader);
    assert_eq!(world.client.read(&format!("{}/secrets", vault.url()), &token).await.status, StatusCode::OK);
    assert_eq!(world.client.read(&format!("{}/secrets/a", vault.url()), &token).await.status, StatusCode::FORBIDDEN);
}

/// The status of reading and listing each kind of object with a role.
async fn statuses(role: Role) -> Vec<(&'static str, u16)> {
    let world = World::new().await;
    let token = world.token().await;
    let vault = world.sandbox.vault("team-a-kv").unwrap().assign(&world.application, role);
    let mut policy = CertificatePolicy::self_signed("CN=a");
    policy.key_props.kty = Some("EC".to_owned());
    vault.create_certificate("a", policy).unwrap();
    let mut statuses = Vec::new();
    for path in ["certificates/a", "keys/a", "secrets/a", "certificates", "keys", "secrets"] {
        let answer = world.client.read(&format!("{}/{path}", vault.url()), &token).await;
        if answer.status == StatusCode::FORBIDDEN {
            assert_eq!(answer.refusal().2, "ForbiddenByRbac", "{path}");
        }
        statuses.push((path, answer.status.as_u16()));
    }
    statuses
}

#[rstest::rstest]
#[case::certificate_user(Role::CertificateUser, [200, 200, 200, 200, 200, 200])]
#[case::certificates_officer(Role::CertificatesOfficer, [200, 403, 403, 200, 403, 403])]
#[case::crypto_user(Role::CryptoUser, [403, 200, 403, 403, 200, 403])]
#[case::secrets_user(Role::SecretsUser, [403, 403, 200, 403, 403, 200])]
#[case::reader(Role::Reader, [200, 200, 403, 200, 200, 200])]
#[tokio::test]
async fn each_role_reads_the_kinds_that_its_definition_names(#[case] role: Role, #[case] expected: [u16; 6]) {
    let statuses: Vec<_> = statuses(role).await;
    let found: Vec<u16> = statuses.iter().map(|(_, status)| *status).collect();
    assert_eq!(found, expected, "{statuses:?}");
}

#[tokio::test]
async fn a_role_on_one_key_covers_no_secret_of_its_name() {
    let world = World::new().await;
    let token = world.token().await;
    let vault = closed(&world).assign_on(&world.application, Role::Administrator, ObjectKind::Key, "a");
    assert_eq!(world.client.read(&format!("{}/secrets/a", vault.url()), &token).await.refusal().2, "ForbiddenByRbac");
    let refused = world.client.read(&format!("{}/keys/b", vault.url()), &token).await;
    assert!(refused.refusal().3.contains("Action: 'Microsoft.KeyVault/vaults/keys/read'"), "{}", refused.body);
    assert_eq!(world.client.read(&format!("{}/keys/a", vault.url()), &token).await.refusal().1, "KeyNotFound");
}

#[tokio::test]
async fn a_role_on_one_secret_covers_no_other() {
    let world = World::new().await;
    let token = world.token().await;
    let vault = closed(&world).assign_on_secret(&world.application, Role::SecretsUser, "a");
    assert_eq!(world.client.read(&format!("{}/secrets/a", vault.url()), &token).await.status, StatusCode::OK);
    let probe = world.client.read(&format!("{}/secrets/external-secrets-probe", vault.url()), &token).await;
    assert_eq!(probe.refusal().2, "ForbiddenByRbac");
}

#[tokio::test]
async fn a_refused_network_differs_from_missing_permissions() {
    let world = World::new().await;
    let token = world.token().await;
    let vault = closed(&world).allow(&world.application, SecretPermission::ALL);
    let url = format!("{}/secrets/a", vault.url());
    vault.set_network(Network::Firewall { client_address: "203.0.113.7".to_owned() });
    let answer = world.client.read(&url, &token).await;
    let (status, code, inner, message) = answer.refusal();
    assert_eq!((status, code, inner), (403, "Forbidden", "ForbiddenByFirewall"));
    assert!(message.contains("Client address: 203.0.113.7"), "{message}");
    vault.set_network(Network::PrivateOnly);
    let answer = world.client.read(&url, &token).await;
    assert_eq!(answer.refusal().2, "ForbiddenByConnection");
    assert!(answer.refusal().3.starts_with("Public network access is disabled"));
    vault.set_network(Network::Open);
    assert_eq!(world.client.read(&url, &token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_token_of_another_tenant_is_refused_by_its_issuer() {
    let world = World::new().await;
    let token = world.token().await;
    let other = world.sandbox.tenant("22222222-2222-4222-8222-222222222222");
    let vault = closed(&world).in_tenant(&other).allow(&world.application, SecretPermission::Get);
    let answer = world.client.read(&format!("{}/secrets/a", vault.url()), &token).await;
    let (status, code, _, message) = answer.refusal();
    assert_eq!((status, code), (401, "Unauthorized"));
    assert_eq!(
        message,
        format!(
            "AKV10032: Invalid issuer. Expected one of https://sts.windows.net/{}/, found https://sts.windows.net/{}/.",
            other.id(),
            world.application.tenant().id()
        )
    );
    assert!(answer.header("www-authenticate").contains(other.id()));
}

#[tokio::test]
async fn a_token_for_another_resource_is_refused_by_its_audience() {
    let world = World::new().await;
    world.application.add_client_secret("s3cret", None);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", CLIENT_ID),
        ("scope", "https://management.azure.com/.default"),
        ("client_secret", "s3cret"),
    ];
    let answer = world.client.exchange_for(world.application.tenant().id(), &form).await;
    let token = answer.body["access_token"].as_str().unwrap();
    let vault = closed(&world).allow(&world.application, SecretPermission::Get);
    let answer = world.client.read(&format!("{}/secrets/a", vault.url()), token).await;
    assert_eq!(
        answer.refusal().3,
        "AKV10022: Invalid audience. Expected https://vault.azure.net, found: https://management.azure.com."
    );
}

#[tokio::test]
async fn a_token_that_entra_id_did_not_sign_is_refused() {
    let world = World::new().await;
    let vault = closed(&world).allow(&world.application, SecretPermission::Get);
    let url = format!("{}/secrets/a", vault.url());
    let assertion = ISSUER.sign(&ServiceAccountToken::new("team-a", "reader")).unwrap();
    let genuine = world.token().await;
    let mut parts: Vec<&str> = genuine.split('.').collect();
    let forged = "A".repeat(parts[2].len());
    parts[2] = &forged;
    for (token, words) in [
        ("nonsense".to_owned(), "AKV10001"),
        (assertion, "Unable to resolve the key used for signature validation"),
        (parts.join("."), "signature"),
    ] {
        let answer = world.client.read(&url, &token).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.refusal().3.contains(words), "{}", answer.body);
    }
}

#[tokio::test]
async fn an_access_token_expires() {
    let (clock, offset) = Clock::adjustable();
    let world = World::with(Config { clock, ..Config::default() }).await;
    world.application.tenant().set_token_lifetime(Duration::from_mins(10));
    let vault = world.vault();
    vault.set_secret("a", "one").unwrap();
    let token = world.token().await;
    let url = format!("{}/secrets/a", vault.url());
    assert_eq!(world.client.read(&url, &token).await.status, StatusCode::OK);
    offset.advance(16 * 60);
    let answer = world.client.read(&url, &token).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.refusal().3.contains("valid time range"));
}

#[tokio::test]
async fn a_token_of_a_sovereign_cloud_is_good_only_there() {
    let world = World::new().await;
    let tenant = world.sandbox.tenant_at("login.microsoftonline.us", crate::DEFAULT_TENANT).unwrap();
    let application = tenant.application(CLIENT_ID).add_client_secret("s3cret", None);
    let vault =
        world.sandbox.vault("gov-kv.vault.usgovcloudapi.net").unwrap().allow(&application, SecretPermission::Get);
    vault.set_secret("a", "one").unwrap();
    let body = format!(
        "grant_type=client_credentials&client_id={CLIENT_ID}&client_secret=s3cret&\
         scope=https%3A%2F%2Fvault.usgovcloudapi.net%2F.default"
    );
    let answer = world
        .client
        .post_form(&format!("https://login.microsoftonline.us/{}/oauth2/v2.0/token", tenant.id()), body)
        .await;
    let token = answer.body["access_token"].as_str().unwrap();
    assert_eq!(world.client.read(&format!("{}/secrets/a", vault.url()), token).await.body["value"], "one");

    let public = world.vault();
    let answer = world.client.call(Method::PUT, &format!("{}/secrets/a", public.url()), token, Some(json!({}))).await;
    assert!(answer.refusal().3.starts_with("AKV10022"), "{}", answer.body);
}
