//! What somebody who reads far too much gets, and how the others fare in the meantime.

use std::time::{Duration, Instant};

use external_secrets::sandbox::{Effect, Fault, SecretPermission};
use serde_json::json;
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

/// The peak memory of a process, in KiB.
fn peak_of(process: u32) -> u64 {
    test_stage::process::peak_memory(process).unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_finds_far_too_much_fails_and_takes_neither_time_nor_memory_from_others() {
    const MOST_MORE_KIB: u64 = 48 << 10;
    let greedy = Scene::with_own_controller("greedy").await;
    let class = ["--controller-class", greedy.name(), "--enable-cluster-store-reconciler=false"];
    let controller = greedy.world.start_controller(greedy.name(), &class).await;
    let victim = Scene::on(greedy.world, "beside-greedy").await;
    greedy.vault.allow(&greedy.application, [SecretPermission::Get, SecretPermission::List]);
    for number in 0..160 {
        greedy.set_secret(&format!("s-{number}"), "value");
    }
    greedy.vault.fault(Fault::new(Effect::LargeValue(900_000)).on("GetSecret"));
    greedy.store().await;
    victim.set_secret("secret", "hello");
    let mut store = victim.store_manifest("SecretStore", "theirs");
    store["spec"]["controller"] = json!(greedy.name());
    victim.apply(store).await;
    victim.apply(victim.manifest_for("SecretStore", "theirs", "before", "1h", &[("value", "secret")])).await;
    victim.until_secret("before", json!({"value": "hello"})).await;
    let before = peak_of(controller.id());

    for number in 0..3 {
        let mut all = greedy.manifest(&format!("all-{number}"), "1s", &[]);
        all["spec"]["dataFrom"] = json!([{"find": {"name": {"regexp": ".*"}}}]);
        greedy.apply(all).await;
    }
    let mut longest = Duration::ZERO;
    for number in 0..20 {
        let name = format!("during-{number}");
        let began = Instant::now();
        victim.apply(victim.manifest_for("SecretStore", "theirs", &name, "1h", &[("value", "secret")])).await;
        victim.until_secret(&name, json!({"value": "hello"})).await;
        longest = longest.max(began.elapsed());
    }
    for number in 0..3 {
        let is_told = |object: &serde_json::Value| {
            let message = condition(object, "Ready")["message"].to_string();
            message.contains("4 MiB") || message.contains("have reached their shared")
        };
        greedy.until("ExternalSecret", &format!("all-{number}"), "told", is_told).await;
    }
    let more = peak_of(controller.id()).saturating_sub(before);
    assert!(more < MOST_MORE_KIB, "{more} KiB more than the {before} KiB before");
}
