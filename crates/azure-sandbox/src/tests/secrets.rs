use reqwest::{Method, StatusCode};
use serde_json::json;

use super::*;
use crate::SecretProperties;

#[tokio::test]
async fn a_call_without_a_token_learns_where_to_get_one() {
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

#[tokio::test]
async fn what_is_not_there_is_named_in_the_refusal() {
    let world = World::new().await;
    let (vault, token) = (world.vault(), world.token().await);
    vault.set_secret("there", "value").unwrap();
    let missing = world.client.read(&format!("{}/secrets/missing", vault.url()), &token).await;
    let (status, code, inner, message) = missing.refusal();
    assert_eq!((status, code, inner), (404, "SecretNotFound", ""));
    assert!(
        message.starts_with("A secret with (name/id) missing was not found in this key vault. If you recently deleted"),
        "{message}"
    );
    let version = "0".repeat(32);
    let missing = world.client.read(&format!("{}/secrets/there/{version}", vault.url()), &token).await;
    let (status, code, _, message) = missing.refusal();
    assert_eq!((status, code), (404, "SecretNotFound"));
    assert!(message.contains(&format!("(name/id) there/{version} was not found")), "{message}");
}

#[tokio::test]
async fn a_disabled_current_version_is_refused_and_not_skipped() {
    let world = World::new().await;
    let (vault, token) = (world.vault(), world.token().await);
    let first = vault.set_secret("a", "one").unwrap();
    vault.set_secret("a", "two").unwrap();
    vault.enable_secret("a", false).unwrap();
    let url = format!("{}/secrets/a", vault.url());
    let answer = world.client.read(&url, &token).await;
    assert_eq!(
        answer.refusal(),
        (403, "Forbidden", "SecretDisabled", "Operation get is not allowed on a disabled secret.")
    );
    let older = world.client.read(&format!("{url}/{first}"), &token).await;
    assert_eq!(older.body["value"], "one");
    let listed = world.client.read(&format!("{}/secrets", vault.url()), &token).await;
    assert_eq!(listed.body["value"][0]["attributes"]["enabled"], false);
    vault.enable_secret("a", true).unwrap();
    assert_eq!(world.client.read(&url, &token).await.body["value"], "two");
}

#[tokio::test]
async fn an_expired_secret_is_read_all_the_same() {
    let world = World::new().await;
    let (vault, token) = (world.vault(), world.token().await);
    let mut properties = SecretProperties::default();
    properties.attributes.expires = Some(1);
    vault.set_secret_with("a", "one", properties).unwrap();
    let answer = world.client.read(&format!("{}/secrets/a", vault.url()), &token).await;
    assert_eq!((answer.status, &answer.body["value"]), (StatusCode::OK, &json!("one")));
}

#[tokio::test]
async fn attributes_tags_and_content_type_change_without_a_new_version() {
    let world = World::new().await;
    let (vault, token) = (world.vault(), world.token().await);
    let version = vault.set_secret("a", "one").unwrap();
    let url = format!("{}/secrets/a/{version}", vault.url());
    let change = json!({ "contentType": "application/json", "tags": { "k": "v" }, "attributes": { "nbf": 5 } });
    let changed = world.client.call(Method::PATCH, &url, &token, Some(change)).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    assert_eq!(changed.body.get("value"), None, "an update does not give the value back");
    let read = world.client.read(&url, &token).await;
    assert_eq!(read.body["value"], "one");
    assert_eq!(read.body["contentType"], "application/json");
    assert_eq!(read.body["tags"], json!({ "k": "v" }));
    assert_eq!(read.body["attributes"]["nbf"], 5);
    let unpinned = json!({ "tags": {} });
    world.client.call(Method::PATCH, &format!("{}/secrets/a/", vault.url()), &token, Some(unpinned)).await;
    assert_eq!(world.client.read(&url, &token).await.body.get("tags"), None);
}

#[tokio::test]
async fn a_name_is_the_same_in_upper_and_lower_case() {
    let world = World::new().await;
    let (vault, token) = (world.vault(), world.token().await);
    vault.set_secret("Db-Password", "one").unwrap();
    let answer = world.client.read(&format!("{}/secrets/db-password", vault.url()), &token).await;
    assert_eq!(answer.body["value"], "one");
    assert!(answer.body["id"].as_str().unwrap().contains("/secrets/Db-Password/"));
}

#[tokio::test]
async fn what_key_vault_does_not_take_is_refused() {
    let world = World::new().await;
    let (vault, token) = (world.vault(), world.token().await);
    let url = |name: &str| format!("{}/secrets/{name}", vault.url());
    let put = async |name: &str, body| world.client.call(Method::PUT, &url(name), &token, Some(body)).await;

    let name = put("with_underscore", json!({ "value": "x" })).await;
    assert_eq!(name.refusal(), (400, "BadParameter", "", "The request URI contains an invalid name: with_underscore"));
    assert_eq!(put(&"n".repeat(128), json!({ "value": "x" })).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(put(&"n".repeat(127), json!({ "value": "x" })).await.status, StatusCode::OK);
    assert_eq!(put("a", json!({ "value": "x".repeat(25 * 1024 + 1) })).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(put("a", json!({ "value": "x".repeat(25 * 1024) })).await.status, StatusCode::OK);
    assert_eq!(put("a", json!({ "value": "x", "contentType": "c".repeat(256) })).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(put("a", json!({})).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(put("a", json!([])).await.status, StatusCode::BAD_REQUEST);
    let tags: serde_json::Map<String, serde_json::Value> = (0..16).map(|n| (n.to_string(), json!("v"))).collect();
    assert_eq!(put("a", json!({ "value": "x", "tags": tags })).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_version_of_the_api_is_checked() {
    let world = World::new().await;
    let (vault, token) = (world.vault(), world.token().await);
    vault.set_secret("a", "one").unwrap();
    let unknown = world.client.read(&format!("{}/secrets/a?api-version=1999-01-01", vault.url()), &token).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    let (_, code, _, message) = unknown.refusal();
    assert_eq!(code, "BadParameter");
    assert!(message.starts_with("The specified version (1999-01-01) is not recognized."), "{message}");
    let missing = world.client.read(&format!("{}/secrets/a?no-api-version", vault.url()), &token).await;
    assert_eq!(missing.refusal().3, "api-version must be specified");
}

/// Follows a list to its end. Returns its pages.
async fn pages(world: &World, url: &str, token: &str) -> Vec<Vec<serde_json::Value>> {
    let mut pages = Vec::new();
    let mut next = Some(url.to_owned());
    while let Some(url) = next {
        let answer = world.client.read(&url, token).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        pages.push(answer.body["value"].as_array().unwrap().clone());
        next = answer.body["nextLink"].as_str().map(str::to_owned);
    }
    pages
}

#[tokio::test]
async fn lists_have_at_most_25_items_a_page_and_no_values() {
    let world = World::new().await;
    let (vault, token) = (world.vault(), world.token().await);
    for index in 0..60 {
        vault.set_secret(&format!("secret-{index:02}"), "hidden-value").unwrap();
    }
    let url = format!("{}/secrets", vault.url());
    let all = pages(&world, &url, &token).await;
    assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [25, 25, 10]);
    let ids: std::collections::BTreeSet<_> =
        all.iter().flatten().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 60, "no item comes twice");
    assert!(ids.contains(&format!("{url}/secret-00")), "an item's id has no version");
    assert!(all.iter().flatten().all(|item| item.get("value").is_none() && item["attributes"]["enabled"] == true));

    let small = pages(&world, &format!("{url}?maxresults=20"), &token).await;
    assert_eq!(small.iter().map(Vec::len).collect::<Vec<_>>(), [20, 20, 20]);
    let refused = world.client.read(&format!("{url}?maxresults=26"), &token).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn all_versions_of_a_secret_are_listed() {
    let world = World::new().await;
    let (vault, token) = (world.vault(), world.token().await);
    let mut made: Vec<String> = (0..27).map(|n| vault.set_secret("a", &n.to_string()).unwrap()).collect();
    vault.set_secret("b", "other").unwrap();
    let url = format!("{}/secrets/a", vault.url());
    let all = pages(&world, &format!("{url}/versions"), &token).await;
    assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [25, 2]);
    let mut listed: Vec<String> = all
        .iter()
        .flatten()
        .map(|item| item["id"].as_str().unwrap().strip_prefix(&format!("{url}/")).unwrap().to_owned())
        .collect();
    made.sort();
    listed.sort();
    assert_eq!(listed, made);
    let missing = world.client.read(&format!("{}/secrets/none/versions", vault.url()), &token).await;
    assert_eq!(missing.refusal().1, "SecretNotFound");
}
