//! What is deleted, and when.

use std::time::Duration;

use azure_sandbox::ObjectKind;
use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::controller_process::Controller;
use test_stage::scene::Scene;

use super::{
    OURS, entry, look_again, manifest, scene, secret, served, tagged, until_failed, until_synced, value, writable_store,
};

/// How long a source must be gone, in [`scene_with_grace`].
const GRACE: Duration = Duration::from_secs(30);

/// A scene with a controller of its own, which waits less than others do before it deletes.
async fn scene_with_grace(name: &str) -> (Scene, Controller) {
    let scene = Scene::with_own_controller(name).await;
    writable_store(&scene).await;
    let controller = scene.start_controller_with(&["--push-deletion-grace-period=30s"]).await;
    (scene, controller)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_delete_what_is_written_goes_with_the_entry_and_with_the_push_secret() {
    let scene = scene("push-delete").await;
    secret(&scene, "source", json!({"a": "1", "b": "2"})).await;
    let mut object = manifest(&scene, "example", "source", json!([entry("a", "a"), entry("b", "b")]));
    object["spec"]["deletionPolicy"] = "Delete".into();
    scene.apply(object.clone()).await;
    let synced = until_synced(&scene, "example").await;
    assert_eq!(synced["metadata"]["finalizers"], json!(["pushsecret.externalsecrets.io/finalizer"]));
    let finalizers = json!(["secretstore.externalsecrets.io/finalizer"]);
    let is_held = |store: &Value| store["metadata"]["finalizers"] == finalizers;
    scene.until(scene.store_kind(), scene.name(), "the finalizer", is_held).await;

    // Another spelling of one object is the same object.
    object["spec"]["data"] = json!([entry("a", "secret/A")]);
    scene.apply(object).await;
    let is_cleaned = |object: &Value| {
        let records = &object["status"]["syncedPushSecrets"];
        let keys = records.as_object().and_then(|stores| stores.values().next()).and_then(Value::as_object);
        keys.is_some_and(|keys| keys.keys().eq(["secret/A"]))
    };
    scene.until("PushSecret", "example", "one record", is_cleaned).await;
    assert_eq!((value(&scene, "a").as_deref(), value(&scene, "b")), (Some("1"), None));
    assert_eq!((served(&scene, "DeleteSecret"), served(&scene, "PurgeDeletedSecret")), (1, 0));

    // Somebody takes the object over: it is left.
    scene.vault.update_secret("a", None, tagged(&[("owner", "somebody")])).unwrap();
    scene.delete("PushSecret", "example").await;
    scene.until_gone("PushSecret", "example").await;
    assert_eq!(value(&scene, "a").as_deref(), Some("1"));
    assert_eq!(served(&scene, "DeleteSecret"), 1);
    scene.until_event_has("example", "left secret/A at the provider").await;
    let is_free = |store: &Value| store["metadata"]["finalizers"].is_null();
    scene.until(scene.store_kind(), scene.name(), "no finalizer", is_free).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_made_anew_within_a_minute_leaves_the_vault_alone() {
    let scene = scene("push-anew").await;
    secret(&scene, "source", json!({"a": "1"})).await;
    let mut object = manifest(&scene, "example", "source", json!([entry("a", "a")]));
    object["spec"]["deletionPolicy"] = "Delete".into();
    scene.apply(object).await;
    until_synced(&scene, "example").await;
    scene.delete("Secret", "source").await;
    until_failed(&scene, "example", "what was pushed is deleted if that is still so after 60 s").await;
    assert_eq!(value(&scene, "a").as_deref(), Some("1"));
    secret(&scene, "source", json!({"a": "1"})).await;
    until_synced(&scene, "example").await;
    assert_eq!((served(&scene, "SetSecret"), served(&scene, "DeleteSecret")), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_stays_away_takes_what_it_pushed_with_it() {
    let (scene, _controller) = scene_with_grace("push-away").await;
    secret(&scene, "source", json!({"a": "1"})).await;
    let mut object = manifest(&scene, "example", "source", json!([entry("a", "a")]));
    object["spec"]["deletionPolicy"] = "Delete".into();
    scene.apply(object).await;
    until_synced(&scene, "example").await;
    let began = std::time::Instant::now();
    scene.delete("Secret", "source").await;
    let is_deleted = |object: &Value| {
        let ready = condition(object, "Ready");
        ready["reason"] == "SourceDeleted"
            && ready["message"] == "source secret deleted; provider secrets cleaned up"
            && object["status"]["syncedPushSecrets"].is_null()
    };
    while !scene.get("PushSecret", "example").await.is_some_and(|object| is_deleted(&object)) {
        assert!(began.elapsed() < 4 * GRACE, "it is not cleaned up");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(began.elapsed() >= GRACE);
    assert_eq!(value(&scene, "a"), None);
    // The Secret comes back, and so does what was pushed: it was ours, so it is recovered.
    secret(&scene, "source", json!({"a": "2"})).await;
    until_synced(&scene, "example").await;
    assert_eq!(value(&scene, "a").as_deref(), Some("2"));
    assert_eq!((served(&scene, "RecoverDeletedSecret"), scene.vault.versions(ObjectKind::Secret, "a")), (1, 2));
}

/// A PushSecret of all keys of the Secrets with a label.
fn of_label(scene: &Scene) -> Value {
    let mut object = manifest(scene, "example", "", json!([]));
    object["spec"]["selector"] = json!({"secret": {"selector": {"matchLabels": {"push": "yes"}}}});
    object["spec"]["dataTo"] = json!([{"storeRef": {"name": scene.name(), "kind": scene.store_kind()}}]);
    object["spec"]["deletionPolicy"] = "Delete".into();
    object
}

async fn labeled(scene: &Scene, name: &str) {
    let source = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": {"push": "yes"}},
        "stringData": {name: "value"},
    });
    scene.apply(source).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_secrets_that_is_made_anew_leaves_the_vault_alone_and_one_that_stays_away_does_not() {
    let (scene, _controller) = scene_with_grace("push-one-of-many").await;
    for name in ["one", "two"] {
        labeled(&scene, name).await;
    }
    scene.apply(of_label(&scene)).await;
    until_synced(&scene, "example").await;
    scene.delete("Secret", "one").await;
    look_again(&scene, "example").await;
    assert_eq!(value(&scene, "one").as_deref(), Some("value"));
    labeled(&scene, "one").await;
    look_again(&scene, "example").await;
    assert_eq!((served(&scene, "SetSecret"), served(&scene, "DeleteSecret")), (2, 0));

    let began = std::time::Instant::now();
    scene.delete("Secret", "one").await;
    while value(&scene, "one").is_some() {
        assert!(began.elapsed() < 4 * GRACE, "it is not cleaned up");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(began.elapsed() >= GRACE);
    assert_eq!(value(&scene, "two").as_deref(), Some("value"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_away_before_and_came_back_is_given_a_minute_again() {
    let (scene, _controller) = scene_with_grace("push-away-twice").await;
    secret(&scene, "source", json!({"a": "1"})).await;
    let mut object = manifest(&scene, "example", "source", json!([entry("a", "a")]));
    object["spec"]["deletionPolicy"] = "Delete".into();
    object["spec"]["template"] = json!({"data": {"x": "{{ if index . \"broken\" }}{{ fail \"broken\" }}{{ end }}"}});
    scene.apply(object).await;
    until_synced(&scene, "example").await;
    scene.delete("Secret", "source").await;
    until_failed(&scene, "example", "still so after 30 s").await;
    // It is back, and its template fails.
    secret(&scene, "source", json!({"a": "1", "broken": "yes"})).await;
    until_failed(&scene, "example", "could not apply template").await;
    tokio::time::sleep(GRACE).await;
    scene.delete("Secret", "source").await;
    until_failed(&scene, "example", "still so after 30 s").await;
    assert_eq!((value(&scene, "a").as_deref(), served(&scene, "DeleteSecret")), (Some("1"), 0));
    secret(&scene, "source", json!({"a": "1"})).await;
    until_synced(&scene, "example").await;
    assert_eq!(served(&scene, "SetSecret"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_object_of_ours_is_recovered_and_one_of_others_is_not_touched() {
    let scene = scene("push-recover").await;
    scene.vault.set_secret_with("ours", "same", tagged(&[("managed-by", OURS)])).unwrap();
    scene.vault.set_secret("theirs", "other").unwrap();
    scene.vault.delete_secret("ours").unwrap();
    scene.vault.delete_secret("theirs").unwrap();
    secret(&scene, "source", json!({"a": "same"})).await;
    scene.apply(manifest(&scene, "example", "source", json!([entry("a", "ours")]))).await;
    until_synced(&scene, "example").await;
    assert_eq!(value(&scene, "ours").as_deref(), Some("same"));
    assert_eq!(scene.vault.versions(ObjectKind::Secret, "ours"), 1, "recovered, and no new version: it had the value");

    scene.apply(manifest(&scene, "other", "source", json!([entry("a", "theirs")]))).await;
    until_failed(&scene, "other", "it is deleted, recoverable, and was not managed by external-secrets").await;
    assert!(scene.vault.deleted_object(ObjectKind::Secret, "theirs").is_some());
    assert_eq!(served(&scene, "PurgeDeletedSecret"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_deleted_stays_until_its_push_secrets_are_gone_and_says_for_whom() {
    let scene = scene("push-store-goes").await;
    secret(&scene, "source", json!({"a": "1"})).await;
    let mut object = manifest(&scene, "example", "source", json!([entry("a", "a")]));
    object["spec"]["deletionPolicy"] = "Delete".into();
    scene.apply(object).await;
    until_synced(&scene, "example").await;
    let is_held = |store: &Value| store["metadata"]["finalizers"].is_array();
    scene.until(scene.store_kind(), scene.name(), "the finalizer", is_held).await;
    scene.delete(scene.store_kind(), scene.name()).await;
    let says = |store: &Value| {
        condition(store, "Held")["message"]
            .as_str()
            .is_some_and(|message| message.contains("PushSecret") && message.contains("None"))
    };
    scene.until(scene.store_kind(), scene.name(), "who holds it", says).await;
    scene.delete("PushSecret", "example").await;
    scene.until_gone("PushSecret", "example").await;
    scene.until_gone(scene.store_kind(), scene.name()).await;
    assert_eq!(value(&scene, "a"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_object_is_refused_and_deleted_with_what_wrote_it() {
    let scene = scene("push-disabled").await;
    secret(&scene, "source", json!({"a": "1"})).await;
    let mut object = manifest(&scene, "example", "source", json!([entry("a", "a")]));
    object["spec"]["deletionPolicy"] = "Delete".into();
    scene.apply(object).await;
    until_synced(&scene, "example").await;
    scene.vault.enable_secret("a", false).unwrap();
    secret(&scene, "source", json!({"a": "2"})).await;
    until_failed(&scene, "example", "it is disabled: enable it").await;
    assert_eq!(scene.vault.versions(ObjectKind::Secret, "a"), 1);
    scene.delete("PushSecret", "example").await;
    scene.until_gone("PushSecret", "example").await;
    assert!(scene.vault.deleted_object(ObjectKind::Secret, "a").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_forged_status_names_is_deleted_only_where_it_is_ours() {
    let scene = scene("push-forged").await;
    scene.vault.set_secret("theirs", "value").unwrap();
    secret(&scene, "source", json!({"a": "1"})).await;
    let mut object = manifest(&scene, "example", "source", json!([entry("a", "a")]));
    object["spec"]["deletionPolicy"] = "Delete".into();
    scene.apply(object).await;
    until_synced(&scene, "example").await;
    let store = format!("{}/{}", scene.store_kind(), scene.name());
    let forged = json!({"status": {"syncedPushSecrets": {store: {"theirs": entry("", "theirs"), "../../keys/x": entry("", "../../keys/x")}}}});
    let params = kube::api::PatchParams::default();
    scene.api("PushSecret").patch_status("example", &params, &kube::api::Patch::Merge(&forged)).await.unwrap();
    look_again(&scene, "example").await;
    assert_eq!(value(&scene, "theirs").as_deref(), Some("value"));
    assert_eq!(served(&scene, "DeleteSecret"), 0);
}
