//! The controller is killed after each of its writes, and restarted.

use serde_json::json;
use test_stage::api_proxy::ApiProxy;
use test_stage::scene::Scene;

use crate::synced::Synced;

/// More writes than any of these cases needs; a test that gets here would never end.
const TOO_MANY: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_ends_well_wherever_it_was_cut_off() {
    let scene = Scene::with_own_controller("kill-first").await;
    let proxy = ApiProxy::start(scene.kubeconfig(), scene.world.cluster.directory()).await;
    scene.set_secret("greeting", "hello");
    for writes in 1.. {
        assert!(writes < TOO_MANY);
        let name = format!("example-{writes}");
        scene.apply(scene.store_manifest("SecretStore", &name)).await;
        scene.apply(scene.manifest_for("SecretStore", &name, &name, "1h", &[("greeting", "greeting")])).await;
        let cut_off =
            scene.killed_after(&proxy, writes, scene.until_ready(&name, "True", "SecretSynced", "secret synced")).await;
        let _controller = scene.start_controller().await;
        scene.until_ready(&name, "True", "SecretSynced", "secret synced").await;
        assert_eq!(scene.secret_data(&name).await, Some(json!({"greeting": "hello"})));
        if !cut_off {
            assert!(writes > 3, "the store's status, the Secret and the ExternalSecret's status are written");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_ends_well_wherever_it_was_cut_off() {
    let scene = Scene::with_own_controller("kill-refresh").await;
    let proxy = ApiProxy::start(scene.kubeconfig(), scene.world.cluster.directory()).await;
    scene.set_secret("greeting", "0");
    scene.store().await;
    scene.external_secret("example", "1h", &[("greeting", "greeting")]).await;
    {
        let _controller = scene.start_controller().await;
        scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    }
    for writes in 1.. {
        assert!(writes < TOO_MANY);
        let value = writes.to_string();
        scene.set_secret("greeting", &value);
        scene.force_sync("example").await;
        let cut_off = scene.killed_after(&proxy, writes, scene.until_synced("example")).await;
        let _controller = scene.start_controller().await;
        scene.until_synced("example").await;
        scene.until_secret("example", json!({"greeting": value})).await;
        if !cut_off {
            assert!(writes > 2, "the Secret and the status are written");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_ends_well_wherever_it_was_cut_off() {
    let scene = Scene::with_own_controller("kill-deletion").await;
    let proxy = ApiProxy::start(scene.kubeconfig(), scene.world.cluster.directory()).await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    for writes in 1.. {
        assert!(writes < TOO_MANY);
        let name = format!("example-{writes}");
        let mut manifest = scene.manifest(&name, "1h", &[("greeting", "greeting")]);
        // ESO's finalizer gives it something to write.
        manifest["metadata"]["finalizers"] = json!(["externalsecrets.external-secrets.io/externalsecret-cleanup"]);
        scene.apply(manifest).await;
        {
            let _controller = scene.start_controller().await;
            scene.until_ready(&name, "True", "SecretSynced", "secret synced").await;
        }
        scene.delete("ExternalSecret", &name).await;
        let cut_off = scene.killed_after(&proxy, writes, scene.until_gone("ExternalSecret", &name)).await;
        let _controller = scene.start_controller().await;
        scene.until_gone("ExternalSecret", &name).await;
        scene.until_gone("Secret", &name).await;
        if !cut_off {
            assert!(writes > 1, "the finalizer is removed");
            return;
        }
    }
}
