use reqwest::{Method, StatusCode};
use serde_json::json;

use super::*;

#[tokio::test]
async fn a_call_without_a_token_is_told_where_to_get_one() {
    let world = World::new().await;
    let vault = world.vault();
    let answer = world.client.get(&format!("{}/secrets/a?api-version=7.6", vault.url())).await;
    assert_eq!(answer.refusal(), (401, "Unauthorized", "", "AKV10000: Request is missing a Bearer or PoP token."));
    assert_eq!(
        answer.header("www-authenticate"),
        format!(
            "Bearer authorization=\"https://login.microsoftonline.com/{}\", resource=\"https://vault.azure.net\"",
            world.application.tenant().id()
        )
    );
    assert_eq!(vault.counters().challenges, 1);
}

#[tokio::test]
async fn a_secret_is_set_and_read_by_name_and_by_version() {
    let world = World::new().await;
    let (vault, token) = (world.vault(), world.token().await);
    let url = format!("{}/secrets/db-password", vault.url());
    let body = json!({
        "value": "one", "contentType": "text/plain", "tags": { "team": "a" },
        "attributes": { "exp": 2_000_000_000_i64 },
    });
    let first = world.client.call(Method::PUT, &url, &token, Some(body)).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    let second = world.client.set(&url, &token, "two").await;

    let current = world.client.read(&format!("{url}/"), &token).await;
    assert_eq!(current.body["value"], "two");
    assert_eq!(current.body["id"], second.body["id"]);
    let pinned = world.client.read(first.body["id"].as_str().unwrap(), &token).await;
    assert_eq!(pinned.body["value"], "one");
    assert_eq!(pinned.body["contentType"], "text/plain");
    assert_eq!(pinned.body["tags"], json!({ "team": "a" }));
    let attributes = &pinned.body["attributes"];
    assert_eq!(attributes["exp"], 2_000_000_000_i64);
    assert_eq!(attributes["enabled"], true);
    assert_eq!(attributes["recoveryLevel"], "Recoverable+Purgeable");
    assert_eq!(attributes["recoverableDays"], 90);
    assert!(attributes.get("nbf").is_none());
    let version = second.body["id"].as_str().unwrap().strip_prefix(&format!("{url}/")).unwrap();
    assert!(version.len() == 32 && version.chars().all(|digit| digit.is_ascii_hexdigit()));
    assert_eq!(vault.counters().secret_reads("db-password"), 2);
}
