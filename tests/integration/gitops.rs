//! Argo CD and Flux report the health of our objects with the files in `examples`. The tests run both engines on what a
//! real controller and ESO write.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rstest::rstest;
use serde::Deserialize;
use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

use crate::helm::{Tools, repository};

/// The health of an object in both.
#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Health {
    argocd: String,
    message: String,
    flux: String,
    /// The annotation set by Argo CD's action.
    refreshed: Option<String>,
}

fn example(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap()
}

/// The health of an object according to the examples.
fn health(object: &Value) -> Health {
    let build = Command::new(repository("tests/gitops/build")).stderr(Stdio::inherit()).output().unwrap();
    assert!(build.status.success());
    let folder = PathBuf::from(String::from_utf8(build.stdout).unwrap().trim_end());
    let argocd: Value = serde_saphyr::from_str(&example("examples/argocd/argocd-cm.yaml")).unwrap();
    let flux: Vec<Value> = serde_saphyr::from_multiple(&example("examples/flux/kustomization.yaml")).unwrap();
    let input = json!({"argocd": argocd["data"], "flux": flux[0]["spec"]["healthCheckExprs"], "objects": [object]});
    let mut program = Command::new(folder.join("gitops")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    program.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = program.wait_with_output().unwrap();
    assert!(output.status.success());
    let [health]: [Health; 1] = serde_json::from_slice(&output.stdout).unwrap();
    health
}

#[track_caller]
fn assert_healthy(object: &Value) {
    let health = health(object);
    assert_eq!((health.argocd.as_str(), health.flux.as_str()), ("Healthy", "Current"), "{health:?} {object}");
}

#[track_caller]
fn assert_failed(object: &Value, words: &str) {
    let health = health(object);
    assert_eq!((health.argocd.as_str(), health.flux.as_str()), ("Degraded", "Failed"), "{health:?} {object}");
    assert!(health.message.contains(words), "{health:?}");
}

#[track_caller]
fn assert_waited_for(object: &Value) {
    let health = health(object);
    assert_eq!(health.argocd, "Progressing", "{health:?} {object}");
    // Without a status, Flux's evaluator returns an error and retries.
    assert!(["InProgress", "error: "].iter().any(|start| health.flux.starts_with(start)), "{health:?} {object}");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_healthy_or_failed_as_the_controller_finds_them() {
    let scene = Scene::new("gitops").await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    scene.external_secret("example", "1h", &[("greeting", "greeting")]).await;
    let synced = scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    assert_healthy(&synced);
    assert_healthy(&scene.get(scene.store_kind(), scene.name()).await.unwrap());

    scene.external_secret("broken", "1h", &[("greeting", "not-there")]).await;
    let failed = |object: &Value| condition(object, "Ready")["status"] == "False";
    assert_failed(&scene.until("ExternalSecret", "broken", "failed", failed).await, "could not get secret data");

    // As it is before the controller sees it, and right after somebody has changed it.
    let mut fresh = synced.clone();
    fresh.as_object_mut().unwrap().remove("status");
    assert_waited_for(&fresh);
    let mut changed = synced.clone();
    changed["metadata"]["generation"] = json!(synced["metadata"]["generation"].as_i64().unwrap() + 1);
    assert_waited_for(&changed);
    let mut deleted = synced;
    deleted["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    assert_eq!(health(&deleted).argocd, "Progressing");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_action_of_argo_cd_refreshes_whatever_the_interval_is() {
    let scene = Scene::new("action").await;
    scene.set_secret("greeting", "first");
    scene.store().await;
    scene.external_secret("example", "0", &[("greeting", "greeting")]).await;
    scene.until_secret("example", json!({"greeting": "first"})).await;
    scene.set_secret("greeting", "second");
    let asked = health(&scene.get("ExternalSecret", "example").await.unwrap()).refreshed.unwrap();
    scene.merge("ExternalSecret", "example", json!({"metadata": {"annotations": {"force-sync": asked}}})).await;
    scene.until_secret("example", json!({"greeting": "second"})).await;
}

/// An ExternalSecret of generation 2 with the status that ESO 2.9.0 writes.
fn of_eso(status: &str, synced_generation: u32) -> Value {
    json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "example", "generation": 2},
    "status": {"syncedResourceVersion": format!("{synced_generation}-0123456789abcdef"), "conditions": [
        {"type": "Ready", "status": status, "reason": "any", "message": "words", "lastTransitionTime": "2026-01-01T00:00:00Z"},
    ]}})
}

#[rstest]
#[case::synced("True", 2, "Healthy")]
#[case::an_old_version_was_synced("True", 1, "Progressing")]
#[case::failed("False", 1, "Degraded")]
fn the_status_of_eso_is_read_as_well(#[case] status: &str, #[case] synced_generation: u32, #[case] expected: &str) {
    assert_eq!(health(&of_eso(status, synced_generation)).argocd, expected);
}

#[tokio::test]
async fn kustomize_and_kubectl_read_the_examples() {
    let tools = Tools::of(&test_stage::world::World::shared().cluster);
    let folder = tools.home.path().join("argocd");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(repository("examples/argocd/argocd-cm.yaml"), folder.join("argocd-cm.yaml")).unwrap();
    std::fs::write(folder.join("kustomization.yaml"), "resources: [argocd-cm.yaml]\n").unwrap();
    let built: Value =
        serde_saphyr::from_str(&tools.kubectl(&["kustomize", &folder.display().to_string()]).unwrap()).unwrap();
    let data: BTreeMap<String, String> = serde_json::from_value(built["data"].clone()).unwrap();
    let of = |kind: &str| &data[&format!("resource.customizations.health.external-secrets.io_{kind}")];
    for kind in ["ClusterExternalSecret", "SecretStore", "ClusterSecretStore"] {
        assert_eq!(of(kind), of("ExternalSecret"));
    }
}
