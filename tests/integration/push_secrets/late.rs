//! CRDs that are installed while the controller runs.

use azure_sandbox::SecretPermission;
use serde_json::json;
use test_stage::scene::Scene;
use test_stage::world::{World, our_crds};

use super::{entry, manifest, secret, until_synced, value};

#[tokio::test(flavor = "multi_thread")]
async fn external_secrets_do_not_wait_for_the_crd_of_push_secrets_which_may_come_later() {
    let is_of_pushes = |crd: &serde_json::Value| crd["spec"]["names"]["kind"].as_str().unwrap().ends_with("PushSecret");
    let (late, first) = our_crds().into_iter().partition::<Vec<_>, _>(is_of_pushes);
    let world = World::with_crds(first).await;
    let scene = Scene::with_own_controller_on(world, "push-late").await;
    scene.vault.allow(&scene.application, [SecretPermission::Get, SecretPermission::Set]);
    scene.set_secret("read", "value");
    scene.store().await;
    let _controller = scene.start_controller().await;
    scene.external_secret("reads", "1h", &[("a", "read")]).await;
    scene.until_ready("reads", "True", "SecretSynced", "secret synced").await;

    for crd in late {
        let file = world.cluster.directory().join(format!("{}.json", crd["metadata"]["name"].as_str().unwrap()));
        std::fs::write(&file, crd.to_string()).unwrap();
        scene.kubectl(&["apply", "--filename", &file.display().to_string()]);
        let name = format!("crd/{}", crd["metadata"]["name"].as_str().unwrap());
        scene.kubectl(&["wait", &name, "--for=condition=Established", "--timeout=60s"]);
    }
    secret(&scene, "source", json!({"a": "1"})).await;
    scene.apply(manifest(&scene, "example", "source", json!([entry("a", "a")]))).await;
    until_synced(&scene, "example").await;
    assert_eq!(value(&scene, "a").as_deref(), Some("1"));
}
