//! A controller that starts again, and Secrets that change in nothing that is pushed: nobody asks the vault, and no status is written.

use azure_sandbox::{ObjectKind, SecretPermission};
use serde_json::{Value, json};
use test_stage::scene::Scene;

use super::{entry, look_again, manifest, scene, secret, served, until_failed, until_in_vault, until_synced, value};

const PERMISSIONS: [SecretPermission; 4] =
    [SecretPermission::Get, SecretPermission::Set, SecretPermission::Delete, SecretPermission::List];

async fn own(name: &str) -> Scene {
    let scene = Scene::with_own_controller(name).await;
    scene.vault.allow(&scene.application, PERMISSIONS);
    scene.store().await;
    scene
}

async fn config_map(scene: &Scene, text: &str) {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "texts"}, "data": {"text": text}});
    scene.apply(map).await;
}

async fn labeled(scene: &Scene, name: &str) {
    let source = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": {"push": "yes"}},
        "stringData": {name: "value"},
    });
    scene.apply(source).await;
}

/// One PushSecret of a Secret, one of a template, one of a label and one of a generator.
async fn of_each_kind(scene: &Scene) -> [&'static str; 4] {
    secret(scene, "source", json!({"a": "1"})).await;
    config_map(scene, "x: one {{ .a }}").await;
    labeled(scene, "one").await;
    let mut plain = manifest(scene, "plain", "source", json!([entry("a", "plain")]));
    plain["spec"]["deletionPolicy"] = "Delete".into();
    scene.apply(plain).await;
    let mut rendered = manifest(scene, "rendered", "source", json!([entry("x", "rendered")]));
    rendered["spec"]["template"] = json!({"templateFrom": [
        {"target": "Data", "configMap": {"name": "texts", "items": [{"key": "text", "templateAs": "KeysAndValues"}]}},
    ]});
    scene.apply(rendered).await;
    let mut selected = manifest(scene, "selected", "", json!([]));
    selected["spec"]["selector"] = json!({"secret": {"selector": {"matchLabels": {"push": "yes"}}}});
    selected["spec"]["dataTo"] = json!([{"storeRef": {"name": scene.name(), "kind": scene.store_kind()}}]);
    scene.apply(selected).await;
    let password = json!({
        "apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password", "metadata": {"name": "password"},
        "spec": {"length": 24, "allowRepeat": true, "noUpper": false},
    });
    scene.apply(password).await;
    let mut minted = manifest(scene, "minted", "", json!([entry("password", "minted")]));
    minted["spec"]["selector"] = json!({"generatorRef": {
        "apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password", "name": "password",
    }});
    scene.apply(minted).await;
    ["plain", "rendered", "selected", "minted"]
}

/// Reads of all objects that [`of_each_kind`] pushes.
fn reads(scene: &Scene) -> [u64; 4] {
    ["plain", "rendered", "one", "minted"].map(|object| scene.reads_of(object))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_starts_again_asks_the_vault_for_nothing_and_writes_no_status() {
    let scene = own("push-again").await;
    let mut synced = Vec::new();
    let names = {
        let _controller = scene.start_controller().await;
        let names = of_each_kind(&scene).await;
        for name in names {
            until_synced(&scene, name).await;
        }
        // With the stores as they are now: a first push gives them their finalizers and conditions.
        for name in names {
            look_again(&scene, name).await;
            synced.push(scene.get("PushSecret", name).await.unwrap());
        }
        names
    };
    assert!(synced.iter().all(|object| object["status"]["syncedSources"].is_string()), "{synced:?}");
    let (read, written) = (reads(&scene), served(&scene, "SetSecret"));
    let _controller = scene.start_controller().await;
    scene.apply(manifest(&scene, "later", "source", json!([entry("a", "later")]))).await;
    until_synced(&scene, "later").await;
    look_again(&scene, "later").await;
    for (name, before) in names.into_iter().zip(synced) {
        assert_eq!(scene.get("PushSecret", name).await.unwrap(), before, "{name}");
    }
    assert_eq!((reads(&scene), served(&scene, "SetSecret")), (read, written + 1), "only the new one");

    // It still wakes for what changes.
    secret(&scene, "source", json!({"a": "2"})).await;
    let is_new = || {
        let now = ["plain", "rendered"].map(|name| value(&scene, name));
        now == [Some("2".to_owned()), Some("one 2".to_owned())]
    };
    until_in_vault("the new values", is_new).await;
    scene.delete("PushSecret", "plain").await;
    scene.until_gone("PushSecret", "plain").await;
    assert_eq!(value(&scene, "plain"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_while_the_controller_was_away_is_pushed() {
    let scene = own("push-meanwhile").await;
    {
        let _controller = scene.start_controller().await;
        for name in of_each_kind(&scene).await {
            until_synced(&scene, name).await;
        }
    }
    secret(&scene, "source", json!({"a": "2"})).await;
    {
        let _controller = scene.start_controller().await;
        until_in_vault("the Secret's value", || value(&scene, "plain").as_deref() == Some("2")).await;
        until_in_vault("the rendered value", || value(&scene, "rendered").as_deref() == Some("one 2")).await;
        until_synced(&scene, "rendered").await;
    }
    config_map(&scene, "x: two {{ .a }}").await;
    labeled(&scene, "two").await;
    {
        let _controller = scene.start_controller().await;
        until_in_vault("the new template's value", || value(&scene, "rendered").as_deref() == Some("two 2")).await;
        until_in_vault("the new Secret's value", || value(&scene, "two").as_deref() == Some("value")).await;
    }
    let other = scene.world.sandbox.vault(&format!("{}-2", scene.name())).unwrap();
    let other = other.allow(&scene.application, PERMISSIONS);
    scene
        .merge(scene.store_kind(), scene.name(), json!({"spec": {"provider": {"azurekv": {"vaultUrl": other.url()}}}}))
        .await;
    let _controller = scene.start_controller().await;
    for name in ["plain", "rendered", "one", "two", "minted"] {
        let is_there = || other.object(ObjectKind::Secret, name).is_some();
        until_in_vault(&format!("{name} in the other vault"), is_there).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_a_younger_one_writes_nothing_before_the_older_has_looked() {
    let scene = own("push-unseen").await;
    secret(&scene, "one", json!({"a": "same"})).await;
    secret(&scene, "two", json!({"a": "same"})).await;
    {
        let _controller = scene.start_controller().await;
        scene.apply(manifest(&scene, "z-older", "one", json!([entry("a", "shared")]))).await;
        until_synced(&scene, "z-older").await;
        // Times of creation have whole seconds.
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        scene.apply(manifest(&scene, "a-younger", "two", json!([entry("a", "shared")]))).await;
        until_synced(&scene, "a-younger").await;
        look_again(&scene, "z-older").await;
        look_again(&scene, "a-younger").await;
    }
    let read = scene.reads_of("shared");
    let _controller = scene.start_controller().await;
    scene.apply(manifest(&scene, "later", "one", json!([entry("a", "later")]))).await;
    until_synced(&scene, "later").await;
    assert_eq!(scene.reads_of("shared"), read, "nobody has looked at it yet");
    secret(&scene, "two", json!({"a": "other"})).await;
    until_failed(&scene, "a-younger", "PushSecret \"z-older\", which is older").await;
    assert_eq!((value(&scene, "shared").as_deref(), served(&scene, "SetSecret")), (Some("same"), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_changes_in_nothing_that_is_pushed_asks_the_vault_for_nothing() {
    let scene = scene("push-touched").await;
    secret(&scene, "source", json!({"a": "1"})).await;
    scene.apply(manifest(&scene, "example", "source", json!([entry("a", "a")]))).await;
    until_synced(&scene, "example").await;
    look_again(&scene, "example").await;
    let before = scene.get("PushSecret", "example").await.unwrap();
    let read = scene.reads_of("a");
    for number in 0..10 {
        let note = json!({"metadata": {"annotations": {"touched": number.to_string()}}});
        scene.merge("Secret", "source", note).await;
    }
    scene.apply(manifest(&scene, "later", "source", json!([entry("a", "later")]))).await;
    until_synced(&scene, "later").await;
    look_again(&scene, "later").await;
    assert_eq!(scene.reads_of("a"), read);
    assert_eq!(scene.get("PushSecret", "example").await.unwrap(), before);
    // A change at last is noticed.
    secret(&scene, "source", json!({"a": "2"})).await;
    until_in_vault("the new value", || value(&scene, "a").as_deref() == Some("2")).await;
    let ready: Value = until_synced(&scene, "example").await;
    assert_eq!(ready["metadata"]["generation"], 1);
}
