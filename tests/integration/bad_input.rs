//! Mistakes users can make: each gets one clear sentence, on that object alone.

use rstest::rstest;
use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

/// An ExternalSecret with `refreshInterval: bogus` stops ESO 2.9.0 for the whole cluster.
#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_object_gets_a_condition_and_the_others_carry_on() {
    let scene = Scene::new("bogus").await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    scene.external_secret("bogus", "bogus", &[("greeting", "greeting")]).await;
    let message = "the ExternalSecret is invalid: spec.refreshInterval: \"bogus\" is not a duration; \
                   write a number with a unit, such as \"90s\", \"15m\" or \"1h30m\"";
    scene.until_ready("bogus", "False", "SecretSyncedError", message).await;
    scene.until_event("bogus", &format!("Warning UpdateFailed external-secrets: {message}")).await;

    scene.external_secret("valid", "1h", &[("greeting", "greeting")]).await;
    scene.until_ready("valid", "True", "SecretSynced", "secret synced").await;

    scene.merge("ExternalSecret", "bogus", json!({"spec": {"refreshInterval": "1h"}})).await;
    scene.until_ready("bogus", "True", "SecretSynced", "secret synced").await;
}

#[rstest]
#[case::duration_too_long(json!({"refreshInterval": "99999999999999999999h"}), "spec.refreshInterval")]
#[case::key_is_no_name(json!({"data": [{"secretKey": "k", "remoteRef": {"key": "../keys/x"}}]}), "../keys/x")]
#[case::key_has_blanks(json!({"data": [{"secretKey": "k", "remoteRef": {"key": "my secret"}}]}), "my secret")]
#[case::version_is_none(json!({"data": [{"secretKey": "k", "remoteRef": {"key": "greeting", "version": "latest"}}]}), "latest")]
#[case::unsupported(
    json!({"data": [{"secretKey": "k", "remoteRef": {"key": "greeting"}, "sourceRef": {"generatorRef": {"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password", "name": "p"}}}]}),
    "spec.data[0].sourceRef.generatorRef"
)]
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_right_is_named_and_nothing_is_written(#[case] spec: Value, #[case] named: &str) {
    let scene = Scene::new("input").await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    let mut manifest = scene.manifest("example", "1h", &[("greeting", "greeting")]);
    for (field, value) in spec.as_object().unwrap() {
        manifest["spec"][field] = value.clone();
    }
    scene.apply(manifest).await;
    // If the store is not ready yet, the condition says that first.
    let object = scene
        .until("ExternalSecret", "example", &format!("refused for {named:?}"), |object| {
            let ready = condition(object, "Ready");
            ready["status"] == "False" && ready["message"].as_str().is_some_and(|message| message.contains(named))
        })
        .await;
    assert_eq!(condition(&object, "Ready")["reason"], "SecretSyncedError");
    assert!(scene.get("Secret", "example").await.is_none());
}

#[rstest]
#[case::another_site("https://example.com", "vaultUrl")]
#[case::no_tls("http://my-vault.vault.azure.net", "vaultUrl")]
#[case::looks_like_a_vault("https://my-vault.vault.azure.net.example.com", "vaultUrl")]
#[case::user("https://my-vault.vault.azure.net@example.com", "vaultUrl")]
#[case::nonsense("my vault", "vaultUrl")]
#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_vault_url_gets_no_token(#[case] url: &str, #[case] named: &str) {
    let scene = Scene::new("url").await;
    let mut store = scene.store_manifest("SecretStore", "mine");
    store["spec"]["provider"]["azurekv"]["vaultUrl"] = url.into();
    if scene.try_apply(store).await.is_err() {
        // Already rejected by the CRD's own rules.
        return;
    }
    let store =
        scene.until("SecretStore", "mine", "refused", |store| condition(store, "Ready")["status"] == "False").await;
    let ready = condition(&store, "Ready");
    assert_eq!(ready["reason"], "InvalidProviderConfig");
    assert!(ready["message"].as_str().is_some_and(|message| message.contains(named)), "{ready}");
    assert_eq!(scene.application.counters().exchanges, 0);
}
