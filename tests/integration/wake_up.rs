//! After an outage, everything syncs at once instead of waiting for each object's backoff.

use std::time::{Duration, Instant};

use external_secrets::sandbox::{Fault, SecretPermission};
use serde_json::json;
use test_stage::api_proxy::{ApiFault, ApiProxy};
use test_stage::scene::Scene;

const MANY: usize = 40;
/// Less than the backoff of an ExternalSecret that has failed as often as these: a minute if the provider reports its
/// recovery, and longer after seven refusals of one object.
const SOON: Duration = Duration::from_secs(50);
const REFUSALS: u64 = 7;
/// After this many unanswered reads of one object, its next try is at least 30 s away. Forty of them do not all retry
/// within this time by chance.
const UNANSWERED: u64 = 6;
const SOONER: Duration = Duration::from_secs(25);

/// ExternalSecrets with one secret each, and the store.
async fn apply(scene: &Scene, interval: &str) {
    for index in 0..MANY {
        scene.set_secret(&format!("value-{index}"), "before");
        let data = [("value", format!("value-{index}"))];
        scene.external_secret(&format!("es-{index}"), interval, &data.each_ref().map(|(k, v)| (*k, v.as_str()))).await;
    }
    scene.store().await;
}

async fn all_have(scene: &Scene, value: &str) {
    for index in 0..MANY {
        scene.until_secret(&format!("es-{index}"), json!({"value": value})).await;
    }
}

/// Waits until the count reaches `least`; with probes and their backoff that takes some time.
async fn until_counted(count: impl Fn() -> u64, least: u64) {
    let deadline = Instant::now() + Duration::from_mins(3);
    while count() < least {
        assert!(Instant::now() < deadline, "{} of {least}", count());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn soon_have(scene: &Scene, value: &str) {
    assert!(tokio::time::timeout(SOON, all_have(scene, value)).await.is_ok(), "not all are synced after {SOON:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_vault_is_back_all_are_synced_within_seconds() {
    let scene = Scene::new("vault-back").await;
    let fault = scene.vault.fault(Fault::status(503));
    apply(&scene, "1h").await;
    until_counted(|| scene.vault.counters().requests, 6).await;
    scene.vault.lift(fault);
    soon_have(&scene, "before").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_entra_id_issues_tokens_again_all_are_synced_within_seconds() {
    let scene = Scene::new("entra-back").await;
    let issuer = scene.world.cluster.issuer_url();
    scene.application.clear_federation();
    apply(&scene, "1h").await;
    until_counted(|| scene.application.counters().exchanges, 5).await;
    scene.application.federate(issuer, &format!("system:serviceaccount:{}:azure-key-vault", scene.name()));
    soon_have(&scene, "before").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_right_is_given_all_are_synced_within_seconds() {
    let scene = Scene::new("right-back").await;
    apply(&scene, "2s").await;
    all_have(&scene, "before").await;
    scene.vault.revoke(&scene.application);
    scene.vault.reset_counters();
    for index in 0..MANY {
        scene.set_secret(&format!("value-{index}"), "after");
    }
    let refused = || scene.vault.counters().statuses.get(&403).copied().unwrap_or_default();
    until_counted(refused, REFUSALS * MANY as u64).await;
    scene.vault.allow(&scene.application, SecretPermission::Get);
    soon_have(&scene, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_api_server_answers_again_all_are_synced_within_seconds() {
    let scene = Scene::with_own_controller("api-back").await;
    let proxy = ApiProxy::start(scene.kubeconfig(), scene.world.cluster.directory()).await;
    proxy.pass();
    let controller = scene.start_controller_through(&proxy, &[]).await;
    apply(&scene, "2s").await;
    all_have(&scene, "before").await;
    let fault = proxy.fault(ApiFault::Cut, 1.0);
    for index in 0..MANY {
        scene.set_secret(&format!("value-{index}"), "after");
    }
    // The controller reads a target before it changes it.
    let reads = proxy.asked("get /secrets");
    until_counted(|| proxy.asked("get /secrets") - reads, UNANSWERED * MANY as u64).await;
    proxy.lift(fault);
    let in_time = tokio::time::timeout(SOONER, all_have(&scene, "after")).await;
    assert!(in_time.is_ok(), "not all are synced after {SOONER:?}\n{}", controller.log());
}
