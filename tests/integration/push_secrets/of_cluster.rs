//! ClusterPushSecrets.

use azure_sandbox::ObjectKind;
use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

use super::{entry, manifest, scene, secret, served, until_synced, value};

/// A ClusterPushSecret of the scene's name, for its namespace alone.
pub(super) fn parent(scene: &Scene, child: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1alpha1", "kind": "ClusterPushSecret", "metadata": {"name": scene.name()},
        "spec": {
            "pushSecretName": child,
            "pushSecretMetadata": {"labels": {"of": "the-parent"}},
            "namespaceSelectors": [{"matchLabels": {"kubernetes.io/metadata.name": scene.name()}}],
            "pushSecretSpec": spec,
        },
    })
}

pub(super) async fn until_provisioned(scene: &Scene) -> Value {
    let is_so = |object: &Value| {
        let ready = condition(object, "Ready");
        ready["status"] == "True" && ready["observedGeneration"] == object["metadata"]["generation"]
    };
    scene.until("ClusterPushSecret", scene.name(), "provisioned", is_so).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_selected_namespace_gets_its_push_secret_which_a_new_name_hands_on() {
    let scene = scene("push-cluster").await;
    secret(&scene, "source", json!({"a": "1"})).await;
    let mut spec = manifest(&scene, "", "source", json!([entry("a", "a")]))["spec"].clone();
    spec["deletionPolicy"] = "Delete".into();
    scene.apply(parent(&scene, "first", &spec)).await;
    let object = until_provisioned(&scene).await;
    assert_eq!(object["status"]["provisionedNamespaces"], json!([scene.name()]));
    assert_eq!(object["status"]["pushSecretName"], "first");
    let child = until_synced(&scene, "first").await;
    assert_eq!(child["metadata"]["labels"]["of"], "the-parent");
    assert_eq!(value(&scene, "a").as_deref(), Some("1"));

    // Somebody's own annotation stays; the spec is put back.
    let meddled = json!({"metadata": {"annotations": {"theirs": "x"}}, "spec": {"refreshInterval": "5m"}});
    scene.merge("PushSecret", "first", meddled).await;
    let is_back = |object: &Value| object["spec"]["refreshInterval"] == "1h";
    let child = scene.until("PushSecret", "first", "the spec", is_back).await;
    assert_eq!(child["metadata"]["annotations"]["theirs"], "x");

    // A label that the parent no longer gives is taken back.
    let mut changed = parent(&scene, "first", &spec);
    changed["spec"]["pushSecretMetadata"]["labels"] = json!({"now": "another"});
    scene.apply(changed).await;
    let is_back = |object: &Value| object["metadata"]["labels"] == json!({"now": "another"});
    let child = scene.until("PushSecret", "first", "the other label", is_back).await;
    assert_eq!(child["metadata"]["annotations"]["theirs"], "x");

    scene.apply(parent(&scene, "second", &spec)).await;
    scene.until_gone("PushSecret", "first").await;
    until_synced(&scene, "second").await;
    assert_eq!(value(&scene, "a").as_deref(), Some("1"));
    assert_eq!((served(&scene, "DeleteSecret"), scene.vault.versions(ObjectKind::Secret, "a")), (0, 1));

    // A new name and another content together.
    secret(&scene, "source", json!({"a": "1", "b": "2"})).await;
    spec["data"] = json!([entry("b", "a")]);
    scene.apply(parent(&scene, "third", &spec)).await;
    scene.until_gone("PushSecret", "second").await;
    until_synced(&scene, "third").await;
    assert_eq!(value(&scene, "a").as_deref(), Some("2"));
    assert_eq!((served(&scene, "DeleteSecret"), scene.vault.versions(ObjectKind::Secret, "a")), (0, 2));

    scene.delete("ClusterPushSecret", scene.name()).await;
    scene.until_gone("PushSecret", "third").await;
    assert_eq!(value(&scene, "a"), None, "its PushSecrets clean up after themselves");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_secret_of_somebody_else_is_left_and_told() {
    let scene = scene("push-cluster-taken").await;
    secret(&scene, "source", json!({"a": "1"})).await;
    let own = manifest(&scene, "taken", "source", json!([entry("a", "own")]));
    scene.apply(own).await;
    until_synced(&scene, "taken").await;
    let spec = manifest(&scene, "", "source", json!([entry("a", "other")]))["spec"].clone();
    scene.apply(parent(&scene, "taken", &spec)).await;
    let failed = json!([{"namespace": scene.name(), "reason": "push secret already exists in namespace"}]);
    let is_so = |object: &Value| {
        object["status"]["failedNamespaces"] == failed && condition(object, "Ready")["status"] == "False"
    };
    scene.until("ClusterPushSecret", scene.name(), "the failed namespace", is_so).await;
    assert_eq!((value(&scene, "own").as_deref(), value(&scene, "other")), (Some("1"), None));
    scene.delete("ClusterPushSecret", scene.name()).await;
}
