//! A vault that serves far fewer requests than it gets.

use external_secrets::sandbox::{Limit, SecretPermission};
use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

/// Too many for the vault to serve before a read takes too long.
const SECRETS: u64 = 120;

#[tokio::test(flavor = "multi_thread")]
async fn searches_that_read_more_than_a_vault_serves_in_time_get_all_and_ask_for_each_secret_once() {
    let scene = Scene::new("finds").await;
    scene.vault.allow(&scene.application, SecretPermission::List);
    for index in 0..SECRETS {
        scene.set_secret(&format!("app-{}-{index}", index % 2), "value");
    }
    scene.store().await;
    scene.until(scene.store_kind(), scene.name(), "ready", |store| condition(store, "Ready")["status"] == "True").await;
    scene.vault.set_limit(Some(Limit::per_ten_seconds(50)));
    scene.vault.reset_counters();
    let names: Vec<_> = (0..5).map(|index| format!("es-{index}")).collect();
    for name in &names {
        let mut manifest = scene.manifest(name, "1h", &[]);
        manifest["spec"]["dataFrom"] =
            json!([{"find": {"name": {"regexp": "^app-0-"}}}, {"find": {"name": {"regexp": "^app-1-"}}}]);
        scene.apply(manifest).await;
    }
    for name in &names {
        let all = |secret: &Value| secret["data"].as_object().is_some_and(|data| data.len() as u64 == SECRETS);
        scene.until("Secret", name, "complete", all).await;
    }
    let counters = scene.vault.counters();
    assert_eq!(counters.operation("GetSecret"), SECRETS);
    // Those in flight when the vault began to refuse, and a few that probed its limit.
    assert!(counters.throttled <= 40, "{} of {} were refused", counters.throttled, counters.requests);
}
