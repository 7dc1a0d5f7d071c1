//! PushSecrets: what a cluster makes goes into the vault, and nothing is written without a difference.

mod attacks;
mod cleanup;
mod conflicts;
mod faults;
mod generated;
mod kill_points;
mod kinds;
mod late;
mod of_cluster;
mod restarts;
mod shapes;
mod stores;
mod table;
mod takeover;

use std::time::Duration;

use azure_sandbox::{ObjectKind, SecretPermission, SecretProperties};
use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

/// Of an object that is written here, or by ESO.
const OURS: &str = "external-secrets";

/// A scene whose identity may write secrets, with a store.
async fn scene(name: &str) -> Scene {
    let scene = Scene::new(name).await;
    writable_store(&scene).await;
    scene
}

/// Gives a scene a store whose identity may write secrets.
async fn writable_store(scene: &Scene) {
    let all = [
        SecretPermission::Get,
        SecretPermission::Set,
        SecretPermission::Delete,
        SecretPermission::Recover,
        SecretPermission::List,
    ];
    scene.vault.allow(&scene.application, all);
    scene.store().await;
}

/// Applies a Secret.
async fn secret(scene: &Scene, name: &str, data: Value) {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
    scene.apply(secret).await;
}

/// A PushSecret of one Secret, to the store of the scene.
#[allow(clippy::needless_pass_by_value, reason = "it is made for the call")]
fn manifest(scene: &Scene, name: &str, secret: &str, data: Value) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1alpha1", "kind": "PushSecret", "metadata": {"name": name},
        "spec": {
            "refreshInterval": "1h",
            "secretStoreRefs": [{"name": scene.name(), "kind": scene.store_kind()}],
            "selector": {"secret": {"name": secret}},
            "data": data,
        },
    })
}

/// An entry of `data`.
fn entry(secret_key: &str, remote_key: &str) -> Value {
    json!({"match": {"secretKey": secret_key, "remoteRef": {"remoteKey": remote_key}}})
}

/// Waits until a PushSecret says for its present generation that it is synced.
async fn until_synced(scene: &Scene, name: &str) -> Value {
    until_ready(scene, name, "True", "Synced").await
}

async fn until_ready(scene: &Scene, name: &str, status: &str, reason: &str) -> Value {
    let is_so = |object: &Value| {
        let ready = condition(object, "Ready");
        ready["status"] == status
            && ready["reason"] == reason
            && ready["observedGeneration"] == object["metadata"]["generation"]
    };
    scene.until("PushSecret", name, reason, is_so).await
}

/// Waits until a PushSecret has failed with these words.
async fn until_failed(scene: &Scene, name: &str, words: &str) -> Value {
    let is_so = |object: &Value| {
        let ready = condition(object, "Ready");
        ready["status"] == "False" && ready["message"].as_str().is_some_and(|message| message.contains(words))
    };
    scene.until("PushSecret", name, words, is_so).await
}

/// Has a PushSecret look at the vault again, and waits until it has.
async fn look_again(scene: &Scene, name: &str) {
    let before = scene.get("PushSecret", name).await.unwrap()["status"]["syncedResourceVersion"].clone();
    let note = json!({"metadata": {"annotations": {"force-sync": jiff_now()}}});
    scene.merge("PushSecret", name, note).await;
    let is_so = |object: &Value| {
        object["status"]["syncedResourceVersion"] != before && condition(object, "Ready")["status"] == "True"
    };
    scene.until("PushSecret", name, "a push after force-sync", is_so).await;
}

fn jiff_now() -> String {
    format!("{:?}", std::time::SystemTime::now())
}

/// The value of a secret in the vault.
fn value(scene: &Scene, name: &str) -> Option<String> {
    let object = scene.vault.object(ObjectKind::Secret, name)?;
    object["value"].as_str().map(str::to_owned)
}

/// Waits until something holds in the vault, of which the cluster may not tell.
async fn until_in_vault(what: &str, is_so: impl Fn() -> bool) {
    let held = tokio::time::timeout(Duration::from_mins(1), async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(held.await.is_ok(), "{what} did not come to be");
}

/// How often an operation was served.
fn served(scene: &Scene, operation: &str) -> u64 {
    scene.vault.counters().operation(operation)
}

fn tagged(tags: &[(&str, &str)]) -> SecretProperties {
    let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    SecretProperties { tags: Some(tags), ..SecretProperties::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_a_secret_is_pushed_and_an_unchanged_refresh_reads_once_and_writes_nothing() {
    let scene = scene("push-first").await;
    secret(&scene, "source", json!({"password": "s3cret-canary"})).await;
    scene.apply(manifest(&scene, "example", "source", json!([entry("password", "db-password")]))).await;
    let pushed = until_synced(&scene, "example").await;
    let object = scene.vault.object(ObjectKind::Secret, "db-password").unwrap();
    assert_eq!(object["value"], "s3cret-canary");
    assert_eq!(object["tags"], json!({"managed-by": OURS}));
    assert_eq!(condition(&pushed, "Ready")["message"], "PushSecret synced successfully");
    let record = &pushed["status"]["syncedPushSecrets"][format!("{}/{}", scene.store_kind(), scene.name())];
    assert_eq!(record["db-password"]["match"], entry("password", "db-password")["match"]);
    assert!(pushed["metadata"]["finalizers"].is_null(), "nothing is deleted with it");
    scene.until_event("example", "Normal Synced pushsecret: PushSecret synced successfully").await;
    scene.until_event("example", "Normal Pushed pushsecret: created db-password").await;
    assert_eq!((served(&scene, "SetSecret"), scene.reads_of("db-password")), (1, 1));

    look_again(&scene, "example").await;
    assert_eq!((served(&scene, "SetSecret"), scene.reads_of("db-password")), (1, 2), "one GET, no PUT");

    secret(&scene, "source", json!({"password": "changed"})).await;
    until_in_vault("the new value", || value(&scene, "db-password").as_deref() == Some("changed")).await;
    assert_eq!(scene.vault.versions(ObjectKind::Secret, "db-password"), 2);
    let told = [pushed.to_string(), scene.events("example").await.join("\n")];
    assert!(told.iter().all(|text| !text.contains("s3cret-canary")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_changes_in_the_vault_is_put_right_with_the_least_request() {
    let scene = scene("push-differs").await;
    secret(&scene, "source", json!({"a": "value"})).await;
    let metadata = json!({
        "apiVersion": "kubernetes.external-secrets.io/v1alpha1", "kind": "PushSecretMetadata",
        "spec": {"contentType": "text/plain", "expirationDate": "2090-01-01T02:00:00.5+02:00", "tags": {"team": "a"}},
    });
    let mut with_metadata = entry("a", "a");
    with_metadata["metadata"] = metadata;
    scene.apply(manifest(&scene, "example", "source", json!([with_metadata.clone()]))).await;
    until_synced(&scene, "example").await;
    let object = scene.vault.object(ObjectKind::Secret, "a").unwrap();
    assert_eq!(object["contentType"], "text/plain");
    assert_eq!(object["attributes"]["exp"], 3_786_912_000_i64);
    assert_eq!(object["tags"], json!({"managed-by": OURS, "team": "a"}));
    look_again(&scene, "example").await;
    assert_eq!((served(&scene, "SetSecret"), served(&scene, "UpdateSecret")), (1, 0), "an offset is no difference");

    // Somebody else's tag stays, ours comes back, and there is no new version.
    scene.vault.update_secret("a", None, tagged(&[("managed-by", OURS), ("theirs", "x")])).unwrap();
    look_again(&scene, "example").await;
    let object = scene.vault.object(ObjectKind::Secret, "a").unwrap();
    assert_eq!(object["tags"], json!({"managed-by": OURS, "team": "a", "theirs": "x"}));
    assert_eq!((served(&scene, "SetSecret"), served(&scene, "UpdateSecret")), (1, 1));

    // What the spec does not want any more goes, and somebody else's stays.
    with_metadata["metadata"]["spec"]["tags"] = json!({});
    scene.apply(manifest(&scene, "example", "source", json!([with_metadata]))).await;
    until_synced(&scene, "example").await;
    let object = scene.vault.object(ObjectKind::Secret, "a").unwrap();
    assert_eq!(object["tags"], json!({"managed-by": OURS, "theirs": "x"}));
    assert_eq!((served(&scene, "SetSecret"), served(&scene, "UpdateSecret")), (1, 2));

    scene.vault.set_secret_with("a", "tampered", tagged(&[("managed-by", OURS), ("theirs", "x")])).unwrap();
    look_again(&scene, "example").await;
    let object = scene.vault.object(ObjectKind::Secret, "a").unwrap();
    assert_eq!((&object["value"], &object["tags"]["theirs"]), (&json!("value"), &json!("x")));
    assert_eq!((served(&scene, "SetSecret"), served(&scene, "UpdateSecret")), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_written_is_refused_until_it_is_adopted() {
    let scene = scene("push-foreign").await;
    scene.vault.set_secret_with("taken", "theirs", tagged(&[("owner", "somebody")])).unwrap();
    secret(&scene, "source", json!({"a": "ours"})).await;
    let data = json!([entry("a", "taken"), entry("a", "free")]);
    scene.apply(manifest(&scene, "example", "source", data)).await;
    let failed = until_failed(&scene, "example", "not managed by external-secrets").await;
    let message = condition(&failed, "Ready")["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("set secret failed: could not write remote ref a to target secretstore "), "{message}");
    assert_eq!(value(&scene, "taken").as_deref(), Some("theirs"));
    assert_eq!(value(&scene, "free").as_deref(), Some("ours"), "entries do not wait for each other");
    assert_eq!(scene.vault.versions(ObjectKind::Secret, "taken"), 1);

    let adopt = json!({"metadata": {"annotations": {"external-secrets.io/adopt-remote-keys": "other, taken"}}});
    scene.merge("PushSecret", "example", adopt).await;
    let is_handled = |object: &Value| {
        object["status"]["lastHandledRefresh"] == "before" && condition(object, "Ready")["status"] == "False"
    };
    let note = |text: &str| json!({"metadata": {"annotations": {"force-sync": text}}});
    scene.merge("PushSecret", "example", note("before")).await;
    scene.until("PushSecret", "example", "handled", is_handled).await;
    assert_eq!(value(&scene, "taken").as_deref(), Some("theirs"), "the store of the cluster does not allow it");
    let allow = json!({"metadata": {"annotations": {"external-secrets.io/allow-adoption": "true"}}});
    scene.merge(scene.store_kind(), scene.name(), allow).await;
    // The annotation of a store wakes nobody, and may come a moment later than this.
    for attempt in 0..20 {
        scene.merge("PushSecret", "example", note(&attempt.to_string())).await;
        let attempt = attempt.to_string();
        let is_handled = |object: &Value| object["status"]["lastHandledRefresh"] == attempt.as_str();
        let object = scene.until("PushSecret", "example", "handled", is_handled).await;
        if condition(&object, "Ready")["status"] == "True" {
            break;
        }
    }
    until_synced(&scene, "example").await;
    let object = scene.vault.object(ObjectKind::Secret, "taken").unwrap();
    assert_eq!(object["value"], "ours");
    assert_eq!(object["tags"], json!({"managed-by": OURS, "owner": "somebody"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_if_not_exists_what_is_there_stays_and_is_not_recorded() {
    let scene = scene("push-exists").await;
    scene.vault.set_secret("there", "theirs").unwrap();
    secret(&scene, "source", json!({"a": "ours"})).await;
    let mut object = manifest(&scene, "example", "source", json!([entry("a", "there"), entry("a", "new")]));
    object["spec"]["updatePolicy"] = "IfNotExists".into();
    object["spec"]["deletionPolicy"] = "Delete".into();
    scene.apply(object).await;
    let synced = until_synced(&scene, "example").await;
    let message = "PushSecret synced successfully. Existing secrets in providers unchanged.";
    assert_eq!(condition(&synced, "Ready")["message"], message);
    assert_eq!(value(&scene, "there").as_deref(), Some("theirs"));
    let record = &synced["status"]["syncedPushSecrets"][format!("{}/{}", scene.store_kind(), scene.name())];
    assert!(record["there"].is_null() && record["new"].is_object(), "{record}");

    secret(&scene, "source", json!({"a": "changed"})).await;
    look_again(&scene, "example").await;
    assert_eq!(value(&scene, "new").as_deref(), Some("ours"), "what exists is not updated, whoever made it");
    scene.delete("PushSecret", "example").await;
    scene.until_gone("PushSecret", "example").await;
    assert_eq!((value(&scene, "there").as_deref(), value(&scene, "new")), (Some("theirs"), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_secret_that_reads_what_was_pushed_sees_it_at_once() {
    let scene = scene("push-read").await;
    scene.vault.set_secret_with("shared", "before", tagged(&[("managed-by", OURS)])).unwrap();
    scene.external_secret("reader", "1h", &[("value", "shared")]).await;
    scene.until_secret("reader", json!({"value": "before"})).await;
    secret(&scene, "source", json!({"a": "after"})).await;
    scene.apply(manifest(&scene, "example", "source", json!([entry("a", "shared")]))).await;
    // Its first read may be answered by one of a moment ago.
    until_in_vault("the new value", || value(&scene, "shared").as_deref() == Some("after")).await;
    scene.external_secret("late", "1h", &[("value", "shared")]).await;
    let read = scene.until_ready("late", "True", "SecretSynced", "secret synced").await;
    scene.until_secret("late", json!({"value": "after"})).await;
    assert_eq!(read["metadata"]["generation"], 1);
}
