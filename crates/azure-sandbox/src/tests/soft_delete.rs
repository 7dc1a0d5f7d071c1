use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::client::Answer;
use super::*;
use crate::Clock;

struct Deletion {
    world: World,
    vault: Vault,
    token: String,
}

impl Deletion {
    async fn with(config: Config) -> Self {
        let world = World::with(config).await;
        let (vault, token) = (world.vault(), world.token().await);
        vault.set_secret("a", "one").unwrap();
        Self { world, vault, token }
    }

    async fn new() -> Self {
        Self::with(Config::default()).await
    }

    async fn call(&self, method: Method, path: &str) -> Answer {
        let body = (method == Method::PUT).then(|| json!({ "value": "two" }));
        self.world.client.call(method, &format!("{}{path}", self.vault.url()), &self.token, body).await
    }
}

#[tokio::test]
async fn a_deleted_secret_is_gone_but_keeps_its_name() {
    let test = Deletion::new().await;
    let deleted = test.call(Method::DELETE, "/secrets/a").await;
    assert_eq!(deleted.status, StatusCode::OK);
    assert_eq!(deleted.body["recoveryId"], format!("{}/deletedsecrets/a", test.vault.url()));
    assert_eq!(deleted.body.get("value"), None);
    let kept = deleted.body["scheduledPurgeDate"].as_i64().unwrap() - deleted.body["deletedDate"].as_i64().unwrap();
    assert_eq!(kept, 90 * 24 * 3600);

    assert_eq!(test.call(Method::GET, "/secrets/a").await.refusal().1, "SecretNotFound");
    assert_eq!(test.call(Method::DELETE, "/secrets/a").await.refusal().1, "SecretNotFound");
    assert_eq!(test.call(Method::GET, "/secrets").await.body["value"], json!([]));
    assert_eq!(
        test.call(Method::PUT, "/secrets/a").await.refusal(),
        (
            409,
            "Conflict",
            "ObjectIsDeletedButRecoverable",
            "Secret a is currently in a deleted but recoverable state, and its name cannot be reused; in this state, \
             the secret can only be recovered or purged."
        )
    );
    assert_eq!(test.call(Method::GET, "/deletedsecrets/a").await.body["recoveryId"], deleted.body["recoveryId"]);
    let listed = test.call(Method::GET, "/deletedsecrets").await;
    assert_eq!(listed.body["value"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_recovered_secret_is_there_again_with_its_versions() {
    let test = Deletion::new().await;
    let first = test.call(Method::GET, "/secrets/a").await.body["id"].clone();
    test.call(Method::PUT, "/secrets/a").await;
    test.call(Method::DELETE, "/secrets/a").await;
    let recovered = test.call(Method::POST, "/deletedsecrets/a/recover").await;
    assert_eq!(recovered.status, StatusCode::OK);
    assert_eq!(test.call(Method::GET, "/secrets/a").await.body["value"], "two");
    let first = first.as_str().unwrap().strip_prefix(&test.vault.url()).unwrap().to_owned();
    assert_eq!(test.call(Method::GET, &first).await.body["value"], "one");
    let again = test.call(Method::POST, "/deletedsecrets/a/recover").await;
    assert_eq!(again.refusal(), (404, "SecretNotFound", "", "Deleted Secret not found: a"));
}

#[tokio::test]
async fn a_purged_name_is_free_and_the_versions_are_lost() {
    let test = Deletion::new().await;
    assert_eq!(test.call(Method::DELETE, "/deletedsecrets/a").await.status, StatusCode::NOT_FOUND);
    test.call(Method::DELETE, "/secrets/a").await;
    assert_eq!(test.call(Method::DELETE, "/deletedsecrets/a").await.status, StatusCode::NO_CONTENT);
    assert_eq!(test.call(Method::GET, "/deletedsecrets/a").await.status, StatusCode::NOT_FOUND);
    assert_eq!(test.call(Method::PUT, "/secrets/a").await.status, StatusCode::OK);
    let versions = test.call(Method::GET, "/secrets/a/versions").await;
    assert_eq!(versions.body["value"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn purge_protection_forbids_purging() {
    let test = Deletion::new().await;
    test.vault.set_recovery_days(7).protect_from_purging();
    let deleted = test.call(Method::DELETE, "/secrets/a").await;
    assert_eq!(deleted.body["attributes"]["recoveryLevel"], "CustomizedRecoverable");
    assert_eq!(deleted.body["attributes"]["recoverableDays"], 7);
    let purged = test.call(Method::DELETE, "/deletedsecrets/a").await;
    assert_eq!(purged.refusal().0, 403);
    assert_eq!(test.call(Method::GET, "/deletedsecrets/a").await.status, StatusCode::OK);
}

#[tokio::test]
async fn while_deleting_is_under_way_the_name_cannot_be_touched() {
    let (clock, offset) = Clock::adjustable();
    let test = Deletion::with(Config { clock, ..Config::default() }).await;
    test.vault.set_transition(Duration::from_mins(1));
    test.call(Method::DELETE, "/secrets/a").await;

    let being_deleted = (409, "Conflict", "ObjectIsBeingDeleted", "Secret is currently being deleted.");
    assert_eq!(test.call(Method::PUT, "/secrets/a").await.refusal(), being_deleted);
    assert_eq!(test.call(Method::DELETE, "/deletedsecrets/a").await.refusal(), being_deleted);
    assert_eq!(test.call(Method::POST, "/deletedsecrets/a/recover").await.refusal(), being_deleted);
    assert_eq!(test.call(Method::GET, "/deletedsecrets/a").await.status, StatusCode::NOT_FOUND);
    offset.advance(61);
    assert_eq!(test.call(Method::GET, "/deletedsecrets/a").await.status, StatusCode::OK);

    test.call(Method::POST, "/deletedsecrets/a/recover").await;
    assert_eq!(test.call(Method::PUT, "/secrets/a").await.refusal().2, "ObjectIsBeingRecovered");
    assert_eq!(test.call(Method::GET, "/secrets/a").await.status, StatusCode::NOT_FOUND);
    offset.advance(61);
    assert_eq!(test.call(Method::GET, "/secrets/a").await.body["value"], "one");
}

#[tokio::test]
async fn a_deleted_secret_is_purged_when_its_days_are_over() {
    let (clock, offset) = Clock::adjustable();
    let mut test = Deletion::with(Config { clock, ..Config::default() }).await;
    test.vault.set_recovery_days(7);
    test.call(Method::DELETE, "/secrets/a").await;
    offset.advance(7 * 24 * 3600);
    // The first token has expired by now, and so would a service account's token dated by the machine's clock.
    let mut fresh = ServiceAccountToken::new("team-a", "reader");
    fresh.issued_at += 7 * 24 * 3600;
    fresh.expires_at += 7 * 24 * 3600;
    test.token = test.world.client.token(&test.world.application, &ISSUER.sign(&fresh).unwrap()).await;
    assert_eq!(test.call(Method::GET, "/deletedsecrets/a").await.status, StatusCode::NOT_FOUND);
    assert_eq!(test.call(Method::GET, "/deletedsecrets").await.body["value"], json!([]));
    assert_eq!(test.call(Method::PUT, "/secrets/a").await.status, StatusCode::OK);
}
