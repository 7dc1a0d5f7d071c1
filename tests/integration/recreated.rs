//! An object that is deleted and recreated under the same name while the first one is being processed.

use std::time::Duration;

use external_secrets::sandbox::Fault;
use serde_json::json;
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

use crate::synced::Synced;

/// How long a read of the vault takes; the object is recreated in that time.
const SLOW: Duration = Duration::from_millis(1500);

/// Waits until the vault has had a request since its counters were reset.
async fn until_asked(scene: &Scene) {
    let asked = async {
        while scene.vault.counters().arrived == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asked).await.expect("the vault is asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_secret_that_is_recreated_during_its_sync_is_synced_in_its_new_form() {
    let scene = Scene::new("recreated").await;
    scene.store().await;
    scene.until_store_says("Valid").await;
    for (round, policy) in ["Orphan", "Orphan", "CreateOrMerge", "Owner"].into_iter().enumerate() {
        let name = format!("example-{round}");
        let (old, new) = (format!("old-{round}"), format!("new-{round}"));
        scene.set_secret(&old, "old");
        scene.set_secret(&new, "new");
        let slow = scene.vault.fault(Fault::latency(SLOW).on("GetSecret").of(&old));
        let object = |key: &str, secret: &str| {
            let mut object = scene.manifest(&name, "1h", &[(key, secret)]);
            object["spec"]["target"]["creationPolicy"] = policy.into();
            object
        };
        scene.vault.reset_counters();
        scene.apply(object("old", &old)).await;
        until_asked(&scene).await;
        scene.delete("ExternalSecret", &name).await;
        scene.until_gone("ExternalSecret", &name).await;
        scene.apply(object("new", &new)).await;
        scene.until_synced(&name).await;
        let data = scene.secret_data(&name).await;
        assert_eq!(data, Some(json!({"new": "new"})), "{policy}: what is said to be synced is");
        scene.vault.lift(slow);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_about_a_store_are_not_reported_on_a_recreated_one() {
    let scene = Scene::new("store-recreated").await;
    for round in 0..3 {
        let name = format!("store-{round}");
        scene.vault.reset_counters();
        let slow = scene.vault.fault(Fault::latency(SLOW).on("GetSecret"));
        scene.apply(scene.store_manifest("SecretStore", &name)).await;
        until_asked(&scene).await;
        scene.delete("SecretStore", &name).await;
        scene.until_gone("SecretStore", &name).await;
        let mut other = scene.store_manifest("SecretStore", &name);
        other["spec"]["provider"]["azurekv"]["vaultUrl"] = "https://no-vault.example.com".into();
        let uid = scene.apply(other).await["metadata"]["uid"].clone();
        let first = scene.until("SecretStore", &name, "validated", |store| {
            store["metadata"]["uid"] == uid && !condition(store, "Ready").is_null()
        });
        let ready = condition(&first.await, "Ready");
        assert_eq!(ready["status"], "False", "the first that is said of it is said of itself: {ready}");
        scene.vault.lift(slow);
    }
}
