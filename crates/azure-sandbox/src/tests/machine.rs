use reqwest::{Proxy, StatusCode};
use rstest::rstest;
use serde_json::Value;

use super::*;
use crate::{Effect, Fault};

const IMDS: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
const RESOURCE: &str = "api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net";
const USER_ID: &str = "0a1b2c3d-0000-4000-8000-000000000002";
const USER_RESOURCE: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/u";

/// A client that asks the machine's metadata service, with the sandbox as a plain HTTP proxy.
fn client(world: &World) -> reqwest::Client {
    reqwest::Client::builder().proxy(Proxy::http(world.sandbox.proxy_url()).unwrap()).build().unwrap()
}

async fn ask(world: &World, url: &str) -> (StatusCode, Value) {
    let response = client(world).get(url).header("Metadata", "true").send().await.unwrap();
    (response.status(), serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null))
}

#[tokio::test]
async fn the_machines_own_identity_gets_a_token_that_a_vault_takes() {
    let world = World::new().await;
    world.sandbox.machine().assign_system_identity(&world.application);
    let vault = world.vault();
    vault.set_secret("a", "one").unwrap();
    let (status, body) = ask(&world, &format!("{IMDS}?{RESOURCE}")).await;
    assert_eq!((status, &body["client_id"]), (StatusCode::OK, &Value::from(CLIENT_ID)));
    let token = body["access_token"].as_str().unwrap();
    assert_eq!(world.client.read(&format!("{}/secrets/a", vault.url()), token).await.body["value"], "one");
    assert_eq!(world.sandbox.machine().counters().issued, 1);
}

#[tokio::test]
async fn the_service_also_answers_at_the_proxys_own_address() {
    let world = World::new().await;
    world.sandbox.machine().assign_system_identity(&world.application);
    let url = format!("{}/metadata/identity/oauth2/token?{RESOURCE}", world.sandbox.proxy_url());
    let direct = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = direct.get(url).header("Metadata", "true").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[rstest]
#[case::none("", CLIENT_ID)]
#[case::client_id("&client_id=0A1B2C3D-0000-4000-8000-000000000002", USER_ID)]
#[case::resource_id(
    "&msi_res_id=%2Fsubscriptions%2Fs%2FresourceGroups%2Fg%2Fproviders%2FMicrosoft.ManagedIdentity%2FuserAssignedIdentities%2Fu",
    USER_ID
)]
#[tokio::test]
async fn a_request_says_which_of_several_identities_it_means(#[case] choice: &str, #[case] expected: &str) {
    let world = World::new().await;
    let user = world.sandbox.default_tenant().application(USER_ID);
    world.sandbox.machine().assign_system_identity(&world.application).assign_user_identity(&user, USER_RESOURCE);
    let (_, body) = ask(&world, &format!("{IMDS}?{RESOURCE}{choice}")).await;
    assert_eq!(body["client_id"], expected);
}

#[tokio::test]
async fn what_the_service_cannot_answer_it_refuses() {
    let world = World::new().await;
    let machine = world.sandbox.machine();
    let refused = async |url: String| {
        let (status, body) = ask(&world, &url).await;
        assert_eq!((status, &body["error"]), (StatusCode::BAD_REQUEST, &Value::from("invalid_request")));
        body["error_description"].as_str().unwrap().to_owned()
    };
    assert_eq!(refused(format!("{IMDS}?{RESOURCE}")).await, "Identity not found");
    for number in 2..4 {
        let user = world.sandbox.default_tenant().application(&format!("0a1b2c3d-0000-4000-8000-00000000000{number}"));
        machine.assign_user_identity(&user, &format!("{USER_RESOURCE}{number}"));
    }
    assert!(refused(format!("{IMDS}?{RESOURCE}")).await.starts_with("Multiple user assigned identities exist"));
    assert_eq!(refused(format!("{IMDS}?{RESOURCE}&client_id={CLIENT_ID}")).await, "Identity not found");
    assert!(refused(format!("{IMDS}?api-version=2018-02-01")).await.contains("'resource'"));
    assert!(refused(IMDS.to_owned()).await.contains("'api-version'"));
    let response = client(&world).get(format!("{IMDS}?{RESOURCE}")).send().await.unwrap();
    assert!(response.text().await.unwrap().contains("Required metadata header not specified"));
}

#[tokio::test]
async fn the_service_can_fail() {
    let world = World::new().await;
    let machine = world.sandbox.machine().assign_system_identity(&world.application);
    let url = format!("{IMDS}?{RESOURCE}");
    machine.fault(Fault::throttle(Some(1)).times(1));
    assert_eq!(ask(&world, &url).await.0, StatusCode::TOO_MANY_REQUESTS);
    machine.fault(Fault::status(500).times(1));
    assert_eq!(ask(&world, &url).await.0, StatusCode::INTERNAL_SERVER_ERROR);
    machine.fault(Fault::new(Effect::DropBefore).times(1));
    assert!(client(&world).get(&url).header("Metadata", "true").send().await.is_err());
    assert_eq!(ask(&world, &url).await.0, StatusCode::OK);
}

#[tokio::test]
async fn plain_http_to_any_other_host_is_refused() {
    let world = World::new().await;
    let response = client(&world).get("http://example.com/").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
}
