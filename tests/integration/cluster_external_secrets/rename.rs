//! Renaming the ExternalSecrets: the Secret is never missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt as _;
use kube::runtime::watcher;
use serde_json::json;

use super::setting::Setting;
use test_stage::cluster_access::Access;

/// Whether the object was ever missing, or replaced by another of the same name, since this call.
async fn watched(access: &Access, name: &str) -> Arc<AtomicBool> {
    let was_gone = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&was_gone);
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut events = watcher(access.api("Secret"), config).boxed();
    let (sender, begun) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut sender = Some(sender);
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Delete(_)) => seen.store(true, Ordering::SeqCst),
                Ok(watcher::Event::InitDone) => drop(sender.take().map(|sender| sender.send(()))),
                _ => {}
            }
        }
    });
    begun.await.unwrap();
    was_gone
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_name_makes_the_new_secret_before_the_former_goes() {
    let setting = Setting::new("ces-rename").await;
    setting.namespaces(&["a"]).await;
    setting.apply(setting.manifest()).await;
    let access = setting.of("a");
    access.until_secret(setting.name(), json!({"greeting": "hello"})).await;
    setting.merge(json!({"spec": {"externalSecretName": "renamed"}})).await;
    access.until_gone("Secret", setting.name()).await;
    assert_eq!(access.secret_data("renamed").await, Some(json!({"greeting": "hello"})));
    let object = setting.until_provisioned(&["a"]).await;
    assert_eq!(object["status"]["externalSecretName"], "renamed");
    assert_eq!(access.get("ExternalSecret", setting.name()).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_target_the_secret_is_handed_over() {
    let setting = Setting::new("ces-hand").await;
    setting.namespaces(&["a"]).await;
    let mut manifest = setting.manifest();
    manifest["spec"]["externalSecretSpec"]["target"] = json!({"name": "shared", "deletionPolicy": "Delete"});
    setting.apply(manifest).await;
    let access = setting.of("a");
    access.until_secret("shared", json!({"greeting": "hello"})).await;
    // ESO's finalizer would delete the Secret.
    let finalizers = json!(["externalsecrets.external-secrets.io/externalsecret-cleanup"]);
    access.merge("ExternalSecret", setting.name(), json!({"metadata": {"finalizers": finalizers}})).await;
    let uid = access.get("Secret", "shared").await.unwrap()["metadata"]["uid"].clone();
    let was_gone = watched(&access, "shared").await;
    setting.merge(json!({"spec": {"externalSecretName": "renamed"}})).await;
    access.until_ready("renamed", "True", "SecretSynced", "secret synced").await;
    access.until_gone("ExternalSecret", setting.name()).await;
    let owner = |secret: &serde_json::Value| secret["metadata"]["ownerReferences"][0]["name"] == "renamed";
    let secret = access.until("Secret", "shared", "owned by the new one", owner).await;
    assert_eq!(secret["metadata"]["uid"], uid);
    assert!(!was_gone.load(Ordering::SeqCst), "the Secret was missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_new_one_has_not_said_anything_the_former_stays() {
    let setting = Setting::new("ces-wait").await;
    setting.namespaces(&["a"]).await;
    setting.apply(setting.manifest()).await;
    let access = setting.of("a");
    access.until_secret(setting.name(), json!({"greeting": "hello"})).await;
    // A store of another class: no controller works on the new ExternalSecret.
    let mut store = setting.scene.store_manifest("ClusterSecretStore", &format!("{}-other", setting.name()));
    store["spec"]["controller"] = "nobody".into();
    setting.scene.apply(store).await;
    let store = json!({"name": format!("{}-other", setting.name())});
    setting
        .merge(json!({"spec": {"externalSecretName": "renamed", "externalSecretSpec": {"secretStoreRef": store}}}))
        .await;
    access.until("ExternalSecret", "renamed", "made", |_| true).await;
    setting.until("told", |object| object["status"]["externalSecretName"] == "renamed").await;
    assert!(access.get("ExternalSecret", setting.name()).await.is_some());
    assert_eq!(access.secret_data(setting.name()).await, Some(json!({"greeting": "hello"})));
    // It fails. So does the change the operator made, and the old ExternalSecret goes as it would have anyway.
    setting.merge(json!({"spec": {"externalSecretSpec": {"secretStoreRef": {"name": "does-not-exist"}}}})).await;
    access.until_gone("ExternalSecret", setting.name()).await;
}
