//! Deleting a ClusterExternalSecret.

use kube::api::{DeleteParams, PropagationPolicy};
use rstest::rstest;
use serde_json::json;

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
