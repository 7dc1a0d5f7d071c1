//! The API server and the controller stop and start again.

use std::time::Duration;

use serde_json::{Value, json};
use test_stage::scene::Scene;
use test_stage::world::World;

use crate::synced::Synced as _;

#[tokio::test(flavor = "multi_thread")]
async fn the_controller_carries_on_after_the_api_server_was_restarted() {
    let world = World::start().await;
    let scene = Scene::on(world, "api-restart").await;
    scene.set_secret("greeting", "first");
    scene.store().await;
    scene.external_secret("example", "1s", &[("greeting", "greeting")]).await;
    scene.until_secret("example", json!({"greeting": "first"})).await;

    world.cluster.kill_api_server().await.unwrap();
    scene.set_secret("greeting", "second");
    world.cluster.start_api_server().await.unwrap();
    scene.until_secret("example", json!({"greeting": "second"})).await;
    scene.external_secret("later", "1h", &[("greeting", "greeting")]).await;
    scene.until_secret("later", json!({"greeting": "second"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_starts_again_writes_nothing_that_is_right_already() {
    let scene = Scene::with_own_controller("again").await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    scene.external_secret("example", "1h", &[("greeting", "greeting")]).await;
    let controller = scene.start_controller().await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
    let synced = scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    controller.kill().await;

    let secret = scene.get("Secret", "example").await.unwrap();
    let reads = scene.reads_of("greeting");
    let _controller = scene.start_controller().await;
    // A new one syncs after the old ones have been checked.
    scene.external_secret("later", "1h", &[("greeting", "greeting")]).await;
    scene.until_ready("later", "True", "SecretSynced", "secret synced").await;
    assert_eq!(scene.get("Secret", "example").await.unwrap()["metadata"], secret["metadata"]);
    assert_eq!(scene.get("ExternalSecret", "example").await.unwrap()["status"], synced["status"]);
    assert_eq!(scene.reads_of("greeting"), reads + 1, "only the new one was read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_asked_to_stop_is_gone_soon() {
    let scene = Scene::with_own_controller("stop").await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    let controller = scene.start_controller().await;
    for index in 0..30 {
        scene.external_secret(&format!("es-{index}"), "1s", &[("greeting", "greeting")]).await;
    }
    scene.until_secret("es-29", json!({"greeting": "hello"})).await;
    controller.terminate();
    let (exit, _) = controller.ended(Duration::from_secs(15)).await;
    assert_eq!(exit.code, Some(0), "{}", controller.log());
}

/// An ExternalSecret whose templates are in a ConfigMap and a Secret, both called `templates`.
fn templated(scene: &Scene, name: &str, policy: &str) -> Value {
    let of = |key: &str| json!({"name": "templates", "items": [{ "key": key }]});
    let mut manifest = scene.manifest(name, "1h", &[("greeting", "greeting")]);
    manifest["spec"]["refreshPolicy"] = policy.into();
    manifest["spec"]["target"]["template"] =
        json!({"templateFrom": [{"configMap": of("map")}, {"secret": of("secret")}]});
    manifest
}

async fn templates(scene: &Scene, kind: &str, texts: Value) {
    let field = if kind == "Secret" { "stringData" } else { "data" };
    let metadata = json!({"name": "templates"});
    scene.apply(json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, field: texts})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_starts_again_reads_nothing_because_of_templates_in_other_objects() {
    let scene = Scene::with_own_controller("again-templates").await;
    scene.set_secret("greeting", "hello");
    scene.set_secret("other", "x");
    scene.store().await;
    templates(&scene, "ConfigMap", json!({"map": "map: {{ .greeting }}"})).await;
    templates(&scene, "Secret", json!({"secret": "secret: {{ .greeting }}"})).await;
    let names = ["periodic", "on-change"];
    scene.apply(templated(&scene, "periodic", "Periodic")).await;
    scene.apply(templated(&scene, "on-change", "OnChange")).await;
    let controller = scene.start_controller().await;
    let mut before = Vec::new();
    for name in names {
        scene.until_secret(name, json!({"map": "map: hello", "secret": "secret: hello"})).await;
        before.push(scene.until_ready(name, "True", "SecretSynced", "secret synced").await);
    }
    controller.kill().await;

    let reads = scene.reads_of("greeting");
    let controller = scene.start_controller().await;
    // Its templates are in the same objects, so its syncs come after the passes that the watches of these objects cause.
    let mut later = templated(&scene, "later", "Periodic");
    later["spec"]["data"][0]["remoteRef"]["key"] = "other".into();
    scene.apply(later).await;
    scene.until_ready("later", "True", "SecretSynced", "secret synced").await;
    scene.merge("ExternalSecret", "later", json!({"metadata": {"labels": {"any": "label"}}})).await;
    scene.until_synced("later").await;
    for (name, before) in names.into_iter().zip(&before) {
        assert_eq!(scene.get("ExternalSecret", name).await.unwrap()["status"], before["status"], "{name}");
    }
    assert_eq!(scene.reads_of("greeting"), reads, "nothing was due");

    templates(&scene, "ConfigMap", json!({"map": "new map: {{ .greeting }}"})).await;
    for name in names {
        scene.until_secret(name, json!({"map": "new map: hello", "secret": "secret: hello"})).await;
    }
    controller.kill().await;
    templates(&scene, "Secret", json!({"secret": "new secret: {{ .greeting }}"})).await;
    let _controller = scene.start_controller().await;
    for name in names {
        scene.until_secret(name, json!({"map": "new map: hello", "secret": "new secret: hello"})).await;
    }
}
