use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::*;
use crate::{KeyKind, KeyPermission, ObjectKind};

fn vault_of_keys(world: &World) -> Vault {
    world.sandbox.vault("team-a-kv").unwrap().allow(&world.application, KeyPermission::ALL)
}

#[tokio::test]
async fn a_key_is_read_as_a_public_json_web_key_in_the_order_of_key_vault() {
    let world = World::new().await;
    let (vault, token) = (vault_of_keys(&world), world.token().await);
    let version = vault.create_key("signing", KeyKind::Rsa2048).unwrap();
    let url = format!("{}/keys/signing", vault.url());
    let text = world.client.request(Method::GET, &url, &token, None).send().await.unwrap().text().await.unwrap();
    let expected = format!(
        r#"{{"key":{{"kid":"{url}/{version}","kty":"RSA","key_ops":["encrypt","decrypt","sign","verify","wrapKey","unwrapKey"],"n":""#
    );
    assert!(text.starts_with(&expected), "{text}");
    let answer = world.client.read(&format!("{url}/{version}"), &token).await;
    let key = &answer.body["key"];
    assert_eq!(key["e"], "AQAB");
    assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(key["n"].as_str().unwrap()).unwrap().len(), 256);
    assert_eq!(key.as_object().unwrap().len(), 5, "no private part: {key}");
    assert_eq!(answer.body["attributes"]["enabled"], true);
    assert_eq!(answer.body["attributes"]["exportable"], false);
    assert_eq!(vault.counters().reads(ObjectKind::Key, "signing"), 2);
    assert_eq!(vault.counters().operation("GetKey"), 2);
}

#[tokio::test]
async fn keys_of_all_curves_and_sizes_are_made_on_request() {
    let world = World::new().await;
    let (vault, token) = (vault_of_keys(&world), world.token().await);
    for (body, field, length) in [
        (json!({ "kty": "RSA", "key_size": 3072 }), "n", 384),
        (json!({ "kty": "EC" }), "x", 32),
        (json!({ "kty": "EC", "crv": "P-256K" }), "x", 32),
        (json!({ "kty": "EC", "crv": "P-384" }), "y", 48),
        (json!({ "kty": "EC", "crv": "P-521" }), "y", 66),
    ] {
        let url = format!("{}/keys/made/create", vault.url());
        let answer = world.client.call(Method::POST, &url, &token, Some(body.clone())).await;
        assert_eq!(answer.status, StatusCode::OK, "{body} {}", answer.body);
        let key = &answer.body["key"];
        assert_eq!(key["kty"], body["kty"]);
        if body.get("crv").is_some() {
            assert_eq!(key["crv"], body["crv"]);
        }
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(key[field].as_str().unwrap()).unwrap().len(), length, "{body}");
    }
    let listed = world.client.read(&format!("{}/keys/made/versions", vault.url()), &token).await;
    assert_eq!(listed.body["value"].as_array().unwrap().len(), 5);
    for body in
        [json!({ "kty": "oct-HSM" }), json!({ "kty": "RSA", "key_size": 1000 }), json!({ "kty": "EC", "crv": "P-1" })]
    {
        let url = format!("{}/keys/made/create", vault.url());
        let answer = world.client.call(Method::POST, &url, &token, Some(body)).await;
        assert_eq!(answer.refusal().1, "BadParameter");
    }
}

#[tokio::test]
async fn an_imported_key_loses_its_private_part() {
    let world = World::new().await;
    let (vault, token) = (vault_of_keys(&world), world.token().await);
    let coordinate = BASE64_URL_SAFE_NO_PAD.encode([7; 32]);
    let jwk =
        json!({ "kty": "EC", "crv": "P-256", "x": coordinate, "y": coordinate, "d": coordinate, "key_ops": ["sign"] });
    let url = format!("{}/keys/brought", vault.url());
    let made = world.client.call(Method::PUT, &url, &token, Some(json!({ "key": jwk, "tags": { "k": "v" } }))).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    let key = world.client.read(&url, &token).await.body["key"].clone();
    assert_eq!((&key["x"], &key["key_ops"]), (&json!(coordinate), &json!(["sign"])));
    assert_eq!(key.get("d"), None);
    for jwk in
        [json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" }), json!({ "kty": "EC", "n": "AQ", "e": "AQAB" })]
    {
        let refused = world.client.call(Method::PUT, &url, &token, Some(json!({ "key": jwk }))).await;
        assert_eq!(refused.refusal().1, "BadParameter", "{jwk}");
    }
}

#[tokio::test]
async fn a_key_that_is_missing_or_refused_is_named_as_a_key() {
    let world = World::new().await;
    let (vault, token) = (vault_of_keys(&world), world.token().await);
    let missing = world.client.read(&format!("{}/keys/missing", vault.url()), &token).await;
    let (status, code, _, message) = missing.refusal();
    assert_eq!((status, code), (404, "KeyNotFound"));
    assert!(message.starts_with("A key with (name/id) missing was not found in this key vault."), "{message}");
    vault.revoke(&world.application).allow(&world.application, SecretPermission::ALL);
    let refused = world.client.read(&format!("{}/keys/missing", vault.url()), &token).await;
    assert!(refused.refusal().3.contains("does not have keys get permission on key vault"), "{}", refused.body);
}

#[tokio::test]
async fn a_key_is_changed_deleted_recovered_and_purged() {
    let world = World::new().await;
    let (vault, token) = (vault_of_keys(&world), world.token().await);
    let version = vault.create_key("a", KeyKind::P256).unwrap();
    let call = async |method, path: &str, body| {
        world.client.call(method, &format!("{}{path}", vault.url()), &token, body).await
    };
    let change = json!({ "key_ops": ["verify"], "tags": { "k": "v" }, "attributes": { "enabled": false } });
    let changed = call(Method::PATCH, &format!("/keys/a/{version}"), Some(change)).await;
    assert_eq!(changed.body["key"]["key_ops"], json!(["verify"]));
    let read = call(Method::GET, "/keys/a", None).await;
    assert_eq!((read.status, &read.body["attributes"]["enabled"]), (StatusCode::OK, &json!(false)));
    let listed = call(Method::GET, "/keys", None).await;
    assert_eq!(listed.body["value"][0]["kid"], format!("{}/keys/a", vault.url()));
    assert_eq!(listed.body["value"][0]["tags"], json!({ "k": "v" }));

    let deleted = call(Method::DELETE, "/keys/a", None).await;
    assert_eq!(deleted.body["recoveryId"], format!("{}/deletedkeys/a", vault.url()));
    assert_eq!(call(Method::GET, "/keys/a", None).await.refusal().1, "KeyNotFound");
    assert_eq!(call(Method::GET, "/deletedkeys", None).await.body["value"].as_array().unwrap().len(), 1);
    call(Method::POST, "/deletedkeys/a/recover", None).await;
    assert_eq!(call(Method::GET, "/keys/a", None).await.status, StatusCode::OK);
    call(Method::DELETE, "/keys/a", None).await;
    assert_eq!(call(Method::DELETE, "/deletedkeys/a", None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(call(Method::GET, "/deletedkeys/a", None).await.refusal().3, "Deleted Key not found: a");
}
