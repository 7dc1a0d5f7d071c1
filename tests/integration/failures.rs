//! What fails at the provider: the exact condition and event, and the Secret as it was.

use std::time::Duration;

use external_secrets::sandbox::{Fault, SecretPermission};
use serde_json::{Value, json};

use crate::cluster_access::condition;
use crate::scene::{SERVICE_ACCOUNT, Scene};

/// Syncs `example` from the secret `greeting`, so that there is something to lose.
async fn synced(name: &str) -> (Scene, Value) {
    let scene = Scene::new(name).await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    scene.external_secret("example", "1h", &[("greeting", "greeting")]).await;
    let secret = scene.until_secret("example", json!({"greeting": "hello"})).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    (scene, secret)
}

/// Expects a message whose leading and closing words are known.
async fn fails_like(scene: &Scene, before: &Value, parts: &[&str]) -> String {
    scene.force_sync("example").await;
    let failed = scene
        .until("ExternalSecret", "example", &format!("failed like {parts:?}"), |object| {
            let ready = condition(object, "Ready");
            let message = ready["message"].as_str().unwrap_or_default();
            ready["status"] == "False"
                && ready["reason"] == "SecretSyncedError"
                && parts.iter().all(|part| message.contains(part))
        })
        .await;
    let message = condition(&failed, "Ready")["message"].as_str().unwrap().to_owned();
    scene.until_event("example", &format!("Warning UpdateFailed external-secrets: {message}")).await;
    let after = scene.get("Secret", "example").await.unwrap();
    assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"], "nothing was written");
    message
}

async fn recovers(scene: &Scene) {
    scene.force_sync("example").await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_deleted_is_named_and_the_target_retained() {
    let (scene, before) = synced("absent").await;
    scene.vault.delete_secret("greeting").unwrap();
    fails_like(
        &scene,
        &before,
        &["could not get secret data from provider: spec.data[0] (\"greeting\"): ", "SecretNotFound"],
    )
    .await;
    scene.vault.recover_secret("greeting").unwrap();
    recovers(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_secret_is_not_taken_for_an_absent_one() {
    let (scene, before) = synced("disabled").await;
    scene.vault.enable_secret("greeting", false).unwrap();
    fails_like(&scene, &before, &["SecretDisabled", "enable"]).await;
    scene.vault.enable_secret("greeting", true).unwrap();
    recovers(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_may_not_read_is_told_what_to_grant() {
    let (scene, before) = synced("denied").await;
    scene.vault.revoke(&scene.application);
    let message = fails_like(&scene, &before, &["does not have secrets get permission"]).await;
    assert!(message.contains(scene.application.object_id()), "the object id to grant it to: {message}");
    scene.vault.allow(&scene.application, SecretPermission::Get);
    recovers(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_throttles_is_waited_for() {
    let (scene, before) = synced("throttled").await;
    let fault = scene.vault.fault(Fault::throttle(Some(1)));
    fails_like(&scene, &before, &["Throttled"]).await;
    scene.vault.lift(fault);
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_down_for_a_while_costs_nothing_but_time() {
    let (scene, before) = synced("vault-down").await;
    let fault = scene.vault.fault(Fault::status(503));
    fails_like(&scene, &before, &["(ServiceUnavailable)"]).await;
    scene.set_secret("greeting", "after the outage");
    scene.vault.lift(fault);
    scene.until_secret("example", json!({"greeting": "after the outage"})).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entra_id_that_is_down_for_a_while_costs_nothing_but_time() {
    let (scene, before) = synced("entra-down").await;
    let fault = scene.application.fault(Fault::status(503));
    // A token that is still good hides the outage; a new identity of the account has none.
    scene.remake_service_account().await;
    scene.until_store_says("ValidationUnknown").await;
    fails_like(&scene, &before, &["could not get secret data from provider: spec.data[0] (\"greeting\"): "]).await;
    scene.application.lift(fault);
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_that_no_federated_credential_has_is_shown() {
    let (scene, before) = synced("subject").await;
    scene.application.clear_federation();
    let issuer = scene.world.cluster.issuer_url();
    scene.application.federate(issuer, "system:serviceaccount:elsewhere:azure-key-vault");
    scene.remake_service_account().await;
    scene.until_store_says("InvalidProviderConfig").await;
    let subject = format!("system:serviceaccount:{}:azure-key-vault", scene.name());
    fails_like(&scene, &before, &["AADSTS700213", &subject]).await;
    scene.application.federate(issuer, &subject);
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_annotation_that_is_missing_is_named() {
    let (scene, before) = synced("annotation").await;
    let annotations = json!({"azure.workload.identity/client-id": null});
    scene.merge("ServiceAccount", SERVICE_ACCOUNT, json!({"metadata": {"annotations": annotations}})).await;
    scene.until_store_says("InvalidProviderConfig").await;
    fails_like(&scene, &before, &["azure.workload.identity/client-id", SERVICE_ACCOUNT]).await;
    scene.annotate_service_account().await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
}

/// Whatever happens, values are nobody's business.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_appears_in_no_log_event_status_or_metric() {
    const CANARY: &str = "canary-3f9a1c-value";
    let scene = Scene::with_own_controller("canary").await;
    scene.set_secret("greeting", &format!("{{\"inner\": \"{CANARY}\"}}"));
    scene.set_secret("broken", &format!("{{\"inner\": {CANARY}"));
    scene.store().await;
    let controller = scene.start_controller().await;
    scene.external_secret("example", "1s", &[("whole", "greeting")]).await;
    let mut property = scene.manifest("property", "1s", &[("part", "broken")]);
    property["spec"]["data"][0]["remoteRef"]["property"] = "inner.deeper".into();
    scene.apply(property).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    scene.until("ExternalSecret", "property", "told", |object| condition(object, "Ready")["status"].is_string()).await;
    scene.merge("Secret", "example", json!({"stringData": {"whole": "changed"}})).await;
    scene.until_refreshed_twice("example").await;
    scene.vault.revoke(&scene.application);
    scene.until("ExternalSecret", "example", "denied", |object| condition(object, "Ready")["status"] == "False").await;

    let metrics = controller.metrics().await;
    assert!(metrics.contains("externalsecret_sync_calls_total"), "{metrics}");
    assert!(!metrics.contains(CANARY));
    for name in ["example", "property", scene.name()] {
        assert!(!scene.events(name).await.join("\n").contains(CANARY));
    }
    for name in ["example", "property"] {
        assert!(!scene.get("ExternalSecret", name).await.unwrap().to_string().contains(CANARY));
    }
    controller.terminate();
    controller.ended(Duration::from_secs(5)).await;
    let log = controller.log();
    assert!(log.contains("example"), "the log speaks of the objects");
    assert!(!log.contains(CANARY));
    assert!(!log.contains(&base64_of(CANARY)));
}

fn base64_of(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}
