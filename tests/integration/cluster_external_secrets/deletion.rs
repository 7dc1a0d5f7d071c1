//! Deleting a ClusterExternalSecret.

use std::time::Duration;

use kube::api::{DeleteParams, PropagationPolicy};
use rstest::rstest;
use serde_json::{Value, json};
use test_stage::cluster_access::condition;

use super::setting::{OWNER, Setting};

#[rstest]
#[case::background(PropagationPolicy::Background)]
#[case::foreground(PropagationPolicy::Foreground)]
#[tokio::test(flavor = "multi_thread")]
async fn what_it_created_is_deleted_with_it(#[case] policy: PropagationPolicy) {
    let setting = Setting::new("ces-delete").await;
    setting.namespaces(&["a", "b"]).await;
    setting.apply(setting.manifest()).await;
    setting.until_provisioned(&["a", "b"]).await;
    let params = DeleteParams { propagation_policy: Some(policy), ..DeleteParams::default() };
    setting.scene.api(OWNER).delete(setting.name(), &params).await.unwrap();
    for team in ["a", "b"] {
        setting.of(team).until_gone("ExternalSecret", setting.name()).await;
        setting.of(team).until_gone("Secret", setting.name()).await;
    }
    setting.scene.until_gone(OWNER, setting.name()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_left_is_left_and_belongs_to_nobody() {
    let setting = Setting::new("ces-orphan").await;
    setting.namespaces(&["a"]).await;
    setting.apply(setting.manifest()).await;
    setting.until_provisioned(&["a"]).await;
    setting.of("a").until_secret(setting.name(), json!({"greeting": "hello"})).await;
    let params = DeleteParams { propagation_policy: Some(PropagationPolicy::Orphan), ..DeleteParams::default() };
    setting.scene.api(OWNER).delete(setting.name(), &params).await.unwrap();
    setting.scene.until_gone(OWNER, setting.name()).await;
    let child = setting.of("a").get("ExternalSecret", setting.name()).await.unwrap();
    assert_eq!(child["metadata"].get("ownerReferences"), None);
    assert_eq!(setting.of("a").secret_data(setting.name()).await, Some(json!({"greeting": "hello"})));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_made_again_takes_over_what_the_former_left() {
    let setting = Setting::new("ces-again").await;
    setting.namespaces(&["a"]).await;
    setting.apply(setting.manifest()).await;
    setting.until_provisioned(&["a"]).await;
    let first = setting.get().await["metadata"]["uid"].clone();
    setting.scene.delete(OWNER, setting.name()).await;
    setting.scene.until_gone(OWNER, setting.name()).await;
    setting.apply(setting.manifest()).await;
    let uid = setting.until_provisioned(&["a"]).await["metadata"]["uid"].clone();
    assert_ne!(uid, first);
    let is_of_the_second = |child: &serde_json::Value| child["metadata"]["ownerReferences"][0]["uid"] == uid;
    setting.of("a").until("ExternalSecret", setting.name(), "of the second", is_of_the_second).await;
    setting.of("a").until_secret(setting.name(), json!({"greeting": "hello"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finalizer_on_one_external_secret_holds_only_that_one() {
    let setting = Setting::new("ces-held").await;
    setting.namespaces(&["a", "b"]).await;
    setting.apply(setting.manifest()).await;
    setting.until_provisioned(&["a", "b"]).await;
    let held = json!({"metadata": {"finalizers": ["example.com/hold"]}});
    setting.of("a").merge("ExternalSecret", setting.name(), held).await;
    setting.scene.delete(OWNER, setting.name()).await;
    setting.scene.until_gone(OWNER, setting.name()).await;
    setting.of("b").until_gone("ExternalSecret", setting.name()).await;
    setting.of("b").until_gone("Secret", setting.name()).await;
    let is_going = |child: &serde_json::Value| child["metadata"]["deletionTimestamp"].is_string();
    setting.of("a").until("ExternalSecret", setting.name(), "held", is_going).await;
    setting.of("a").merge("ExternalSecret", setting.name(), json!({"metadata": {"finalizers": null}})).await;
    setting.of("a").until_gone("ExternalSecret", setting.name()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_secret_that_is_deleted_as_soon_as_it_exists_is_put_back_each_time() {
    /// The controller would look again by itself after 30 s.
    const SOON: Duration = Duration::from_secs(25);
    /// The answer to a creation must arrive after the watch has reported the deletion. Before that was considered, each of
    /// three runs of 200 rounds failed.
    const ROUNDS: usize = 200;
    let setting = Setting::new("ces-quick").await;
    setting.namespaces(&["a"]).await;
    setting.apply(setting.manifest()).await;
    let mut before = Value::Null;
    for _ in 0..ROUNDS {
        let is_another = |child: &Value| child["metadata"]["uid"] != before;
        let team = setting.of("a");
        let another = team.until("ExternalSecret", setting.name(), "another one", is_another);
        let another = tokio::time::timeout(SOON, another).await.expect("it is put back");
        before = another["metadata"]["uid"].clone();
        team.delete("ExternalSecret", setting.name()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_elsewhere_that_claims_the_same_owner_is_not_counted() {
    let setting = Setting::new("ces-forged").await;
    setting.namespaces(&["b"]).await;
    setting.apply(setting.manifest()).await;
    let owner = setting.until_provisioned(&["b"]).await;
    let all_ready = |object: &Value| condition(object, "ExternalSecretsReady")["status"] == "True";
    setting.until("all ready", all_ready).await;

    // In a namespace that is not selected, and first by name.
    let elsewhere = setting.namespace("a");
    setting.scene.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": elsewhere}})).await;
    let mut forged = setting.of("b").get("ExternalSecret", setting.name()).await.unwrap();
    let owners = forged["metadata"]["ownerReferences"].clone();
    forged["metadata"] = json!({"name": "forged", "namespace": elsewhere, "ownerReferences": owners,
        "finalizers": ["example.com/hold"]});
    forged.as_object_mut().unwrap().remove("status");
    setting.of("a").apply(forged).await;
    let is_going = |child: &Value| child["metadata"]["deletionTimestamp"].is_string();
    setting.of("a").until("ExternalSecret", "forged", "being deleted", is_going).await;

    // What happens next in the selected namespace is told by a status that was written after that.
    setting.of("b").merge("ExternalSecret", setting.name(), json!({"metadata": {"labels": null}})).await;
    setting.merge(json!({"spec": {"externalSecretMetadata": {"labels": {"team": "b"}}}})).await;
    let is_newer = |object: &Value| {
        condition(object, "Ready")["observedGeneration"].as_i64() > owner["metadata"]["generation"].as_i64()
    };
    let object = setting.until("the next status", is_newer).await;
    assert!(all_ready(&object), "{object:#}");
    setting.of("a").merge("ExternalSecret", "forged", json!({"metadata": {"finalizers": null}})).await;
}
