//! Several stores, and stores that change.

use azure_sandbox::{ObjectKind, SecretPermission};
use serde_json::{Value, json};
use test_stage::scene::Scene;

use super::{OURS, entry, look_again, manifest, secret, served, tagged, until_failed, until_synced, value};

/// A SecretStore of the namespace for the vault of the scene.
async fn own_store(scene: &Scene, name: &str) {
    scene.apply(scene.store_manifest("SecretStore", name)).await;
}

/// A PushSecret to these SecretStores that deletes what it has written.
fn to_stores(scene: &Scene, name: &str, stores: &[&str], data: Value) -> Value {
    let mut object = manifest(scene, name, "source", data);
    let stores: Vec<_> = stores.iter().map(|store| json!({"name": store, "kind": "SecretStore"})).collect();
    object["spec"]["secretStoreRefs"] = stores.into();
    object["spec"]["deletionPolicy"] = "Delete".into();
    object
}

fn record<'a>(object: &'a Value, store: &str) -> &'a Value {
    &object["status"]["syncedPushSecrets"][format!("SecretStore/{store}")]
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_of_one_vault_write_an_object_once() {
    let scene = super::scene("push-one-vault").await;
    own_store(&scene, "one").await;
    own_store(&scene, "two").await;
    secret(&scene, "source", json!({"a": "1", "b": "2"})).await;
    let object = to_stores(&scene, "example", &["one", "two"], json!([entry("a", "a")]));
    scene.apply(object.clone()).await;
    let synced = until_synced(&scene, "example").await;
    assert!(record(&synced, "one")["a"].is_object() && record(&synced, "two")["a"].is_object());
    look_again(&scene, "example").await;
    assert_eq!((served(&scene, "SetSecret"), scene.vault.versions(ObjectKind::Secret, "a")), (1, 1));

    // What one of them does not want is still wanted by the other.
    let mut different = object;
    different["spec"]["data"] = json!([]);
    different["spec"]["dataTo"] = json!([
        {"storeRef": {"name": "one"}, "match": {"regexp": "^a$"}},
        {"storeRef": {"name": "two"}, "match": {"regexp": "^b$"}, "rewrite": [{"regexp": {"source": "b", "target": "a"}}]},
    ]);
    scene.apply(different).await;
    until_synced(&scene, "example").await;
    look_again(&scene, "example").await;
    look_again(&scene, "example").await;
    assert_eq!(value(&scene, "a").as_deref(), Some("2"), "the last counts");
    assert_eq!((scene.vault.versions(ObjectKind::Secret, "a"), served(&scene, "DeleteSecret")), (2, 0));
    scene.until_event_has("example", "what comes later is for the same object").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_being_deleted_keeps_its_objects_while_the_spec_names_it() {
    let scene = super::scene("push-leaving").await;
    own_store(&scene, "staying").await;
    own_store(&scene, "leaving").await;
    secret(&scene, "source", json!({"a": "1", "b": "2"})).await;
    let mut object = to_stores(&scene, "example", &["staying", "leaving"], json!([]));
    object["spec"]["dataTo"] = json!([
        {"storeRef": {"name": "staying"}, "match": {"regexp": "^a$"}},
        {"storeRef": {"name": "leaving"}, "match": {"regexp": "^b$"}},
    ]);
    scene.apply(object).await;
    until_synced(&scene, "example").await;
    scene.until("SecretStore", "leaving", "held", |store| store["metadata"]["finalizers"].is_array()).await;
    scene.delete("SecretStore", "leaving").await;
    look_again(&scene, "example").await;
    let looked = scene.get("PushSecret", "example").await.unwrap();
    assert!(record(&looked, "leaving")["b"].is_object(), "{looked}");
    assert_eq!((value(&scene, "b").as_deref(), served(&scene, "DeleteSecret")), (Some("2"), 0));

    scene.delete("PushSecret", "example").await;
    scene.until_gone("PushSecret", "example").await;
    scene.until_gone("SecretStore", "leaving").await;
    assert_eq!((value(&scene, "a"), value(&scene, "b")), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_controller_has_written_through_its_stores_is_its_own() {
    let scene = super::scene("push-classes").await;
    own_store(&scene, "ours").await;
    let mut others = scene.store_manifest("SecretStore", "others");
    others["spec"]["controller"] = "another".into();
    scene.apply(others).await;
    scene.vault.set_secret_with("theirs", "x", tagged(&[("managed-by", OURS)])).unwrap();
    secret(&scene, "source", json!({"a": "1"})).await;
    scene.apply(to_stores(&scene, "example", &["ours", "others"], json!([entry("a", "a")]))).await;
    until_synced(&scene, "example").await;
    let written = json!({"status": {"syncedPushSecrets": {"SecretStore/others": {"theirs": entry("", "theirs")}}}});
    let params = kube::api::PatchParams::default();
    scene.api("PushSecret").patch_status("example", &params, &kube::api::Patch::Merge(&written)).await.unwrap();
    look_again(&scene, "example").await;
    look_again(&scene, "example").await;
    let looked = scene.get("PushSecret", "example").await.unwrap();
    assert!(record(&looked, "others")["theirs"].is_object(), "{looked}");

    // The finalizer waits for the other controller.
    scene.delete("PushSecret", "example").await;
    scene.until("PushSecret", "example", "ours deleted", |object| record(object, "ours").is_null()).await;
    assert_eq!((value(&scene, "a"), value(&scene, "theirs").as_deref()), (None, Some("x")));
    let left = json!({"status": {"syncedPushSecrets": {"SecretStore/others": null}}});
    scene.api("PushSecret").patch_status("example", &params, &kube::api::Patch::Merge(&left)).await.unwrap();
    // The pass that deleted ours may have seen that already, and let the PushSecret go.
    let wake = kube::api::Patch::Merge(json!({"metadata": {"annotations": {"wake": "up"}}}));
    let _ = scene.api("PushSecret").patch("example", &params, &wake).await;
    scene.until_gone("PushSecret", "example").await;
    assert_eq!(served(&scene, "DeleteSecret"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_leads_to_another_vault_leaves_the_former_alone_and_takes_nothing_from_the_new() {
    let scene = super::scene("push-moved").await;
    own_store(&scene, "own").await;
    let new = scene.world.sandbox.vault(&format!("{}-new", scene.name())).unwrap();
    let all = [SecretPermission::Get, SecretPermission::Set, SecretPermission::Delete, SecretPermission::List];
    new.allow(&scene.application, all);
    new.set_secret_with("b", "of another cluster", tagged(&[("managed-by", OURS)])).unwrap();
    secret(&scene, "source", json!({"a": "1", "b": "2"})).await;
    let mut object = to_stores(&scene, "example", &["own"], json!([entry("a", "a"), entry("b", "b")]));
    scene.apply(object.clone()).await;
    until_synced(&scene, "example").await;

    let mut store = scene.store_manifest("SecretStore", "own");
    store["spec"]["provider"]["azurekv"]["vaultUrl"] = new.url().into();
    object["spec"]["data"] = json!([entry("a", "a")]);
    scene.apply(store).await;
    scene.apply(object).await;
    let is_moved = |object: &Value| object["status"]["syncedVaults"]["SecretStore/own"] == new.host();
    scene.until("PushSecret", "example", "the new vault", is_moved).await;
    until_synced(&scene, "example").await;
    scene.until_event_has("example", &format!("in the vault {}", scene.vault.host())).await;
    scene.delete("PushSecret", "example").await;
    scene.until_gone("PushSecret", "example").await;
    let there = |vault: &azure_sandbox::Vault, name| vault.object(ObjectKind::Secret, name).is_some();
    assert!(there(&scene.vault, "a") && there(&scene.vault, "b"), "what was written to the former vault stays");
    assert!(!there(&new, "a") && there(&new, "b"), "only what was written there is deleted in the new one");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_store_that_cannot_be_used_does_not_keep_the_others_from_being_written() {
    let scene = super::scene("push-half").await;
    own_store(&scene, "good").await;
    let mut bad = scene.store_manifest("SecretStore", "bad");
    bad["spec"]["provider"]["azurekv"]["vaultUrl"] = "https://example.com".into();
    scene.apply(bad).await;
    secret(&scene, "source", json!({"a": "1", "large": "x".repeat(25 * 1024 + 1)})).await;
    let data = json!([entry("a", "a"), entry("large", "large"), entry("missing", "missing"), entry("a", "bad_name")]);
    scene.apply(to_stores(&scene, "example", &["bad", "good"], data)).await;
    until_failed(&scene, "example", "set secret failed: ").await;
    super::until_in_vault("the good one", || value(&scene, "a").as_deref() == Some("1")).await;
}
