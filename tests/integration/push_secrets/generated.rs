//! Values of generators: nobody can give them again, so they are made only when they are due or asked for.

use azure_sandbox::{Fault, ObjectKind};
use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

use super::{OURS, entry, look_again, manifest, scene, tagged, until_failed, until_synced, value};

/// A PushSecret of what the Password of this name makes.
fn example(scene: &Scene, name: &str, password: &str, data: Value) -> Value {
    let mut object = manifest(scene, name, "", data);
    object["spec"]["selector"] = json!({"generatorRef": {"kind": "Password", "name": password}});
    object
}

async fn password(scene: &Scene, name: &str) {
    let object = json!({
        "apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password", "metadata": {"name": name},
        "spec": {"length": 24, "allowRepeat": true},
    });
    scene.apply(object).await;
}

fn versions(scene: &Scene, name: &str) -> usize {
    scene.vault.versions(ObjectKind::Secret, name)
}

/// Changes a label, which makes the controller look, and waits until it has.
async fn label(scene: &Scene, name: &str, text: &str) {
    let before = scene.get("PushSecret", name).await.unwrap()["status"]["syncedResourceVersion"].clone();
    scene.merge("PushSecret", name, json!({"metadata": {"labels": {"looked": text}}})).await;
    let is_so = |object: &Value| {
        object["status"]["syncedResourceVersion"] != before && condition(object, "Ready")["status"] == "True"
    };
    scene.until("PushSecret", name, "a look after a label", is_so).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minted_value_is_pushed_once_and_made_anew_only_where_that_is_asked_for() {
    let scene = scene("push-minted").await;
    password(&scene, "p").await;
    scene.apply(example(&scene, "example", "p", json!([entry("password", "minted")]))).await;
    let pushed = until_synced(&scene, "example").await;
    let first = value(&scene, "minted").unwrap();
    assert_eq!((first.len(), versions(&scene, "minted")), (24, 1));
    assert!(pushed["status"]["generated"]["madeAt"].is_string() && !pushed.to_string().contains(&first), "{pushed}");

    // What is only looked at stays.
    label(&scene, "example", "once").await;
    assert_eq!((value(&scene, "minted").as_deref(), versions(&scene, "minted")), (Some(&*first), 1));

    // A person asks for another.
    look_again(&scene, "example").await;
    let second = value(&scene, "minted").unwrap();
    assert_eq!(versions(&scene, "minted"), 2);
    assert_ne!(first, second);

    // A new entry needs a value, and nobody can give the same again.
    let data = json!([entry("password", "minted"), entry("password", "copy")]);
    scene.apply(example(&scene, "example", "p", data)).await;
    until_synced(&scene, "example").await;
    assert_eq!((versions(&scene, "minted"), value(&scene, "copy")), (3, value(&scene, "minted")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_pushes_the_value_that_was_made_and_makes_no_other() {
    let scene = scene("push-minted-retry").await;
    password(&scene, "p").await;
    scene.vault.fault(Fault::status(500).on("SetSecret").of("second").times(2));
    let data = json!([entry("password", "first"), entry("password", "second")]);
    scene.apply(example(&scene, "example", "p", data)).await;
    until_synced(&scene, "example").await;
    assert_eq!((versions(&scene, "first"), versions(&scene, "second")), (1, 1));
    assert_eq!(value(&scene, "first"), value(&scene, "second"));

    // One is gone: both get another, and the one that was deleted is recovered for it.
    scene.vault.delete_secret("second").unwrap();
    label(&scene, "example", "once").await;
    assert_eq!((versions(&scene, "first"), versions(&scene, "second")), (2, 2));
    assert_eq!(value(&scene, "first"), value(&scene, "second"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_already_is_not_replaced_by_a_first_push_or_with_if_not_exists() {
    let scene = scene("push-minted-there").await;
    password(&scene, "p").await;
    // As after a restored cluster, whose objects have no status.
    scene.vault.set_secret_with("restored", "before", tagged(&[("managed-by", OURS)])).unwrap();
    scene.apply(example(&scene, "restored", "p", json!([entry("password", "restored")]))).await;
    until_synced(&scene, "restored").await;
    assert_eq!((value(&scene, "restored").as_deref(), versions(&scene, "restored")), (Some("before"), 1));

    scene.vault.set_secret("theirs", "theirs").unwrap();
    let mut object = example(&scene, "seed", "p", json!([entry("password", "theirs"), entry("password", "seed")]));
    object["spec"]["updatePolicy"] = "IfNotExists".into();
    scene.apply(object).await;
    until_synced(&scene, "seed").await;
    look_again(&scene, "seed").await;
    assert_eq!((versions(&scene, "theirs"), versions(&scene, "seed")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generator_that_is_not_there_is_named_and_wakes_the_push_when_it_comes() {
    let scene = scene("push-no-generator").await;
    scene.apply(example(&scene, "example", "later", json!([entry("password", "a")]))).await;
    let failed = until_failed(&scene, "example", "not found; create it, or correct the reference").await;
    let message = condition(&failed, "Ready")["message"].as_str().unwrap().to_owned();
    let words = "could not get source secret: unable to get generator: passwords.generators.external-secrets.io \"later\" not found";
    assert!(message.starts_with(words), "{message}");
    password(&scene, "later").await;
    until_synced(&scene, "example").await;
    assert_eq!(versions(&scene, "a"), 1);

    let mut wrong = example(&scene, "wrong", "x", json!([entry("password", "b")]));
    wrong["spec"]["selector"]["generatorRef"]["kind"] = "ECRAuthorizationToken".into();
    scene.apply(wrong).await;
    until_failed(&scene, "wrong", "spec.selector.generatorRef").await;
}
