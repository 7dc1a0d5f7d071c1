//! Who owns a Secret.

use futures::future::join_all;
use serde_json::{Value, json};
use test_stage::scene::Scene;

use crate::synced::Synced;

/// The hash of `{"greeting": "hello"}`, as ESO writes it.
const HELLO: &str = "89b6a5958372a4b88b1ae0a0e5879350753e980c643a9445bc59081f";

#[tokio::test(flavor = "multi_thread")]
async fn of_two_external_secrets_that_want_one_target_the_first_keeps_it() {
    let scene = Scene::new("contended").await;
    scene.set_secret("one", "1");
    scene.set_secret("two", "2");
    scene.store().await;
    let mut first = scene.manifest("first", "1h", &[("value", "one")]);
    first["spec"]["target"]["name"] = "shared".into();
    scene.apply(first).await;
    scene.until_ready("first", "True", "SecretSynced", "secret synced").await;
    let mut second = scene.manifest("second", "1h", &[("value", "two")]);
    second["spec"]["target"]["name"] = "shared".into();
    scene.apply(second).await;
    let refused = "target is owned by another ExternalSecret: Secret \"shared\" belongs to ExternalSecret \"first\"; \
                   give spec.target.name another name, or delete that ExternalSecret";
    scene.until_ready("second", "False", "SecretSyncedError", refused).await;
    scene.until_event("second", &format!("Warning UpdateFailed external-secrets: {refused}")).await;
    assert_eq!(scene.secret_data("shared").await, Some(json!({"value": "1"})));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_another_controller_is_refused() {
    let scene = Scene::new("foreign").await;
    scene.set_secret("one", "1");
    scene.store().await;
    scene.apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}})).await;
    let owner = scene.get("ConfigMap", "owner").await.unwrap();
    let reference = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "controller": true,
                            "uid": owner["metadata"]["uid"]}]);
    scene
        .apply(json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"theirs": "x"},
                       "metadata": {"name": "example", "ownerReferences": reference}}))
        .await;
    scene.external_secret("example", "1h", &[("value", "one")]).await;
    let refused = "failed to take ownership of target secret: Secret \"example\" is controlled by ConfigMap \"owner\"; \
                   give spec.target.name another name";
    scene.until_ready("example", "False", "SecretSyncedError", refused).await;
    assert_eq!(scene.secret_data("example").await, Some(json!({"theirs": "x"})));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_nobody_owns_is_adopted() {
    let scene = Scene::new("adopted").await;
    scene.set_secret("one", "1");
    scene.store().await;
    scene
        .apply(
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "example"}, "stringData": {"old": "x"}}),
        )
        .await;
    scene.external_secret("example", "1h", &[("value", "one")]).await;
    let secret = scene.until_secret("example", json!({"value": "1"})).await;
    assert_eq!(secret["metadata"]["ownerReferences"][0]["name"], "example");
}

/// The Secret as ESO 2.9.0 leaves it: written by an Update of its field manager.
async fn write_as_eso(scene: &Scene, external_secret: &Value) -> Value {
    let meta = &external_secret["metadata"];
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"greeting": "aGVsbG8=", },
        "metadata": {
            "name": "example",
            "namespace": scene.name(),
            "labels": {"reconcile.external-secrets.io/managed": "true", "team": "a",
                       "reconcile.external-secrets.io/created-by": scene.owner_hash("example")},
            "annotations": {"reconcile.external-secrets.io/data-hash": HELLO, "force-sync": "7"},
            "ownerReferences": [{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "example",
                                 "uid": meta["uid"], "controller": true, "blockOwnerDeletion": true}],
        },
    });
    let params = kube::api::PostParams {
        dry_run: false,
        field_manager: Some("externalsecrets.external-secrets.io/example".to_owned()),
    };
    let object = serde_json::from_value(secret).unwrap();
    let created = scene.api("Secret").create(&params, &object).await.unwrap();
    serde_json::to_value(created).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_eso_wrote_is_taken_over_without_a_write_and_a_removed_key_is_deleted_later() {
    let scene = Scene::new("takeover").await;
    scene.set_secret("greeting", "hello");
    scene.set_secret("other", "else");
    // The store comes last, so nothing syncs before ESO's Secret exists.
    let mut manifest = scene.manifest("example", "1h", &[("greeting", "greeting")]);
    manifest["metadata"]["labels"] = json!({"team": "a"});
    manifest["metadata"]["annotations"] = json!({"force-sync": "7"});
    let external_secret = scene.apply(manifest.clone()).await;
    let before = write_as_eso(&scene, &external_secret).await;
    scene.store().await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    let after = scene.get("Secret", "example").await.unwrap();
    assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"], "no write was needed");

    manifest["spec"]["data"] = json!([{"secretKey": "other", "remoteRef": {"key": "other"}}]);
    manifest["metadata"]["labels"] = json!({});
    scene.apply(manifest).await;
    let secret = scene.until_secret("example", json!({"other": "else"})).await;
    assert!(secret["metadata"]["labels"]["team"].is_null(), "a label that ESO wrote goes with the one it came from");
    assert!(secret["metadata"]["annotations"]["force-sync"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_finalizer_of_eso_does_not_hold_a_deletion_up() {
    let scene = Scene::new("finalizer").await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    let mut manifest = scene.manifest("example", "1h", &[("greeting", "greeting")]);
    manifest["metadata"]["finalizers"] = json!(["externalsecrets.external-secrets.io/externalsecret-cleanup"]);
    scene.apply(manifest).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    scene.delete("ExternalSecret", "example").await;
    scene.until_gone("ExternalSecret", "example").await;
    scene.until_gone("Secret", "example").await;
}

/// Deletes an object as soon as it exists, again and again, and waits until another takes its place. A controller is told
/// of such a deletion before it has the answer to its creation.
async fn is_put_back_each_time(scene: &Scene, kind: &str, name: &str) {
    /// Beyond 20 at once, the controller makes a target wait that keeps changing.
    const ROUNDS: usize = 15;
    let mut before = Value::Null;
    for _ in 0..ROUNDS {
        let is_another = |object: &Value| object["metadata"]["uid"] != before;
        let another = scene.until(kind, name, "another one", is_another).await;
        before = another["metadata"]["uid"].clone();
        scene.delete(kind, name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_deleted_as_soon_as_it_exists_is_put_back_each_time() {
    let scene = Scene::new("deleted-soon").await;
    scene.set_secret("one", "1");
    scene.store().await;
    let mut each = Vec::new();
    for index in 0..10 {
        let (secret, map) = (format!("secret-{index}"), format!("map-{index}"));
        scene.external_secret(&secret, "1h", &[("value", "one")]).await;
        let mut manifest = scene.manifest(&map, "1h", &[("value", "one")]);
        manifest["spec"]["target"]["manifest"] = json!({"apiVersion": "v1", "kind": "ConfigMap"});
        scene.apply(manifest).await;
        each.extend([("Secret", secret), ("ConfigMap", map)]);
    }
    join_all(each.iter().map(|(kind, name)| is_put_back_each_time(&scene, kind, name))).await;
}
