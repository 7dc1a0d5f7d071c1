//! What a store reports about itself, and what ExternalSecrets make of it.

use external_secrets::sandbox::Network;
use serde_json::json;
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn an_external_secret_waits_for_its_store_and_is_woken_when_it_becomes_ready() {
    let scene = Scene::without_annotations("late").await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    scene.external_secret("example", "1h", &[("greeting", "greeting")]).await;
    let store = scene
        .until("ClusterSecretStore", scene.name(), "not ready", |store| condition(store, "Ready")["status"] == "False")
        .await;
    let ready = condition(&store, "Ready");
    assert_eq!(ready["reason"], "InvalidProviderConfig");
    let message = ready["message"].as_str().unwrap();
    assert!(message.contains("azure.workload.identity/client-id"), "{message}");
    let waiting = format!(
        "could not get secret data from provider: ClusterSecretStore {:?} is not ready: {message}",
        scene.name()
    );
    scene.until_ready("example", "False", "SecretSyncedError", &waiting).await;

    scene.annotate_service_account().await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_another_provider_is_refused_politely_and_left_alone() {
    let scene = Scene::new("other-provider").await;
    let provider = json!({"vault": {"server": "https://vault.example.com", "path": "secret"}});
    scene
        .apply(json!({
            "apiVersion": "external-secrets.io/v1", "kind": "SecretStore",
            "metadata": {"name": "other"}, "spec": {"provider": provider},
        }))
        .await;
    let store =
        scene.until("SecretStore", "other", "refused", |store| condition(store, "Ready")["status"] == "False").await;
    let ready = condition(&store, "Ready");
    assert_eq!(ready["reason"], "InvalidProviderConfig");
    let message = ready["message"].as_str().unwrap();
    assert!(message.contains("spec.provider.vault") && message.contains("azurekv"), "{message}");
    assert_eq!(store["spec"]["provider"], provider, "what is not interpreted is kept");
    scene.until_event("other", &format!("Warning InvalidProviderConfig secret-store: {message}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_another_class_is_not_ours_nor_are_objects_that_use_it() {
    let scene = Scene::new("class").await;
    scene.set_secret("greeting", "hello");
    let mut store = scene.store_manifest("SecretStore", "theirs");
    store["spec"]["controller"] = "someone-else".into();
    scene.apply(store).await;
    scene.apply(scene.manifest_for("SecretStore", "theirs", "example", "1h", &[("greeting", "greeting")])).await;
    // The controller has processed something applied later, so it has seen both and left them alone.
    scene.store().await;
    scene.external_secret("ours", "1h", &[("greeting", "greeting")]).await;
    scene.until_secret("ours", json!({"greeting": "hello"})).await;
    for (kind, name) in [("SecretStore", "theirs"), ("ExternalSecret", "example")] {
        let theirs = scene.get(kind, name).await.unwrap();
        assert_eq!(theirs["status"], json!({"observedGeneration": -1}), "as the CRD fills it in");
    }
    assert!(scene.get("Secret", "example").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_store_of_the_namespace_works_like_a_cluster_store() {
    let scene = Scene::new("namespaced").await;
    scene.set_secret("greeting", "hello");
    scene.apply(scene.store_manifest("SecretStore", "mine")).await;
    scene.apply(scene.manifest_for("SecretStore", "mine", "example", "1h", &[("greeting", "greeting")])).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
    scene.until_event("mine", "Normal Valid secret-store: store validated").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_conditions_of_a_cluster_store_decide_which_namespaces_may_use_it() {
    let scene = Scene::new("conditions").await;
    scene.set_secret("greeting", "hello");
    let mut store = scene.store_manifest("ClusterSecretStore", scene.name());
    store["spec"]["conditions"] = json!([{"namespaces": ["somewhere-else"]}]);
    scene.apply(store.clone()).await;
    scene.external_secret("example", "1h", &[("greeting", "greeting")]).await;
    let refused = format!(
        "could not get secret data from provider: ClusterSecretStore {name:?} may not be used from namespace {name:?}: \
         none of its spec.conditions matches; ask its owner to add the namespace",
        name = scene.name()
    );
    scene.until_ready("example", "False", "SecretSyncedError", &refused).await;

    let label = json!({"metadata": {"labels": {"team": "a"}}});
    scene.merge("Namespace", scene.name(), label).await;
    store["spec"]["conditions"] = json!([{"namespaceSelector": {"matchLabels": {"team": "a"}}}]);
    scene.apply(store).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_validated_again_at_its_interval() {
    let scene = Scene::new("revalidated").await;
    let mut store = scene.store_manifest("SecretStore", "mine");
    store["spec"]["refreshInterval"] = json!("1s");
    scene.apply(store).await;
    scene.until("SecretStore", "mine", "valid", |store| condition(store, "Ready")["status"] == "True").await;
    scene.vault.set_network(Network::Firewall { client_address: "203.0.113.7".to_owned() });
    let store =
        scene.until("SecretStore", "mine", "shut out", |store| condition(store, "Ready")["status"] == "False").await;
    assert_eq!(condition(&store, "Authenticated")["status"], "True");
    assert_eq!(condition(&store, "Reachable")["status"], "False");
    scene.vault.set_network(Network::Open);
    scene.until("SecretStore", "mine", "valid again", |store| condition(store, "Ready")["status"] == "True").await;
}
