//! When values are read again, and when a Secret is corrected.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use external_secrets::sandbox::{Fault, SecretPermission};
use external_secrets::sync::hash::data_hash;
use serde_json::{Value, json};
use test_stage::api_proxy::ApiProxy;
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn an_interval_of_zero_reads_once_but_follows_force_sync_and_the_spec() {
    let scene = Scene::new("zero").await;
    scene.set_secret("greeting", "first");
    scene.set_secret("other", "else");
    scene.store().await;
    scene.external_secret("example", "0", &[("greeting", "greeting")]).await;
    scene.until_secret("example", json!({"greeting": "first"})).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;

    scene.set_secret("greeting", "second");
    // A second ExternalSecret with an interval shows that enough time has passed for a refresh.
    scene.external_secret("clock", "1s", &[("greeting", "greeting")]).await;
    scene.until_refreshed_twice("clock").await;
    assert_eq!(scene.secret_data("example").await, Some(json!({"greeting": "first"})));

    scene.merge("ExternalSecret", "example", json!({"metadata": {"annotations": {"force-sync": "1"}}})).await;
    let secret = scene.until_secret("example", json!({"greeting": "second"})).await;
    assert!(secret["metadata"]["annotations"]["force-sync"].is_null(), "it speaks of the ExternalSecret alone");

    let data = json!([{"secretKey": "other", "remoteRef": {"key": "other"}}]);
    scene.merge("ExternalSecret", "example", json!({"spec": {"data": data}})).await;
    scene.until_secret("example", json!({"other": "else"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_refresh_sees_a_value_that_was_set_a_moment_ago() {
    let scene = Scene::new("forced").await;
    scene.set_secret("greeting", "0");
    scene.store().await;
    scene.external_secret("example", "1h", &[("greeting", "greeting")]).await;
    scene.until_secret("example", json!({"greeting": "0"})).await;
    for round in ["1", "2", "3"] {
        scene.set_secret("greeting", round);
        scene.merge("ExternalSecret", "example", json!({"metadata": {"annotations": {"force-sync": round}}})).await;
        scene.until_secret("example", json!({"greeting": round})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_finds_the_same_writes_no_secret_and_no_event() {
    let scene = Scene::new("same").await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    scene.external_secret("example", "1s", &[("greeting", "greeting")]).await;
    let before = scene.until_secret("example", json!({"greeting": "hello"})).await;
    scene.until_refreshed_twice("example").await;
    let after = scene.get("Secret", "example").await.unwrap();
    assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
    let created = "Normal Created external-secrets: secret created";
    scene.until_event("example", created).await;
    assert_eq!(scene.events("example").await, [created]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_finds_the_same_does_not_even_read_the_secret_unless_somebody_changed_it() {
    let scene = Scene::with_own_controller("same-unread").await;
    let proxy = ApiProxy::start(scene.kubeconfig(), scene.world.cluster.directory()).await;
    proxy.pass();
    let _controller = scene.start_controller_through(&proxy, &[]).await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    scene.external_secret("example", "1s", &[("greeting", "greeting")]).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
    scene.until_refreshed_twice("example").await;
    let reads = proxy.asked("get /secrets");
    scene.until_refreshed_twice("example").await;
    assert_eq!(proxy.asked("get /secrets"), reads);

    // Makes it look unchanged.
    let hash = data_hash([("greeting", b"forged".as_slice())]);
    let forged = json!({
        "stringData": {"greeting": "forged"},
        "metadata": {"annotations": {"reconcile.external-secrets.io/data-hash": hash}},
    });
    scene.merge("Secret", "example", forged).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;

    scene.until_refreshed_twice("example").await;
    for value in ["other", "hello"] {
        scene.set_secret("greeting", value);
        scene.until_secret("example", json!({"greeting": value})).await;
    }
}

/// A scene whose identity may list secrets, so a list shows what has changed.
async fn with_list(name: &str) -> Scene {
    let scene = Scene::new(name).await;
    scene.vault.allow(&scene.application, [SecretPermission::Get, SecretPermission::List]);
    scene.set_secret("greeting", "hello");
    scene.store().await;
    scene
}

/// Waits until an annotation of a Secret has had this many values.
async fn until_moved(scene: &Scene, secret: &str, times: usize) {
    let values = Mutex::new(BTreeSet::new());
    let moved = |object: &Value| {
        let mut values = values.lock().unwrap();
        values.insert(object["metadata"]["annotations"]["at"].to_string());
        values.len() >= times
    };
    scene.until("Secret", secret, "recreated", moved).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_asks_for_the_time_is_rendered_at_each_refresh_also_with_the_right_to_list() {
    let scene = with_list("volatile").await;
    let at = json!({"at": r#"{{ now | date "150405" }}"#});
    let mut inline = scene.manifest("inline", "2s", &[("greeting", "greeting")]);
    inline["spec"]["target"] = json!({"template": {"metadata": {"annotations": at}}});
    scene.apply(inline).await;

    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "templates"},
        "data": {"at": r#"{{ now | date "150405" }}"#},
    });
    scene.apply(map).await;
    let mut from_map = scene.manifest("from-map", "2s", &[("greeting", "greeting")]);
    let items = json!([{"key": "at", "templateAs": "Values"}]);
    from_map["spec"]["target"] = json!({"template": {
        "templateFrom": [{"configMap": {"name": "templates", "items": items}, "target": "Annotations"}],
    }});
    scene.apply(from_map).await;

    // Long enough for a list to show that nothing has changed.
    tokio::join!(until_moved(&scene, "inline", 5), until_moved(&scene, "from-map", 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_to_read_that_is_taken_away_shows_within_ten_refreshes_although_lists_are_allowed() {
    let scene = with_list("revoked").await;
    scene.external_secret("example", "1s", &[("greeting", "greeting")]).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
    scene.until_refreshed_twice("example").await;
    scene.vault.revoke(&scene.application).allow(&scene.application, SecretPermission::List);
    let refused = |object: &Value| condition(object, "Ready")["status"] == "False";
    let denied = scene.until("ExternalSecret", "example", "refused", refused).await;
    let message = condition(&denied, "Ready")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("get"), "{message}");
    assert_eq!(scene.secret_data("example").await, Some(json!({"greeting": "hello"})));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_or_deleted_secret_is_put_right() {
    let scene = Scene::new("drift").await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    scene.external_secret("example", "0", &[("greeting", "greeting")]).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;

    scene.merge("Secret", "example", json!({"stringData": {"greeting": "changed", "added": "x"}})).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;

    scene
        .merge("Secret", "example", json!({"metadata": {"labels": {"reconcile.external-secrets.io/managed": null}}}))
        .await;
    scene
        .until("Secret", "example", "labeled again", |secret| {
            secret["metadata"]["labels"]["reconcile.external-secrets.io/managed"] == "true"
        })
        .await;

    let before = scene.get("Secret", "example").await.unwrap();
    scene.delete("Secret", "example").await;
    scene
        .until("Secret", "example", "recreated", |secret| secret["metadata"]["uid"] != before["metadata"]["uid"])
        .await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn created_once_means_once() {
    let scene = Scene::new("once").await;
    scene.set_secret("greeting", "first");
    scene.store().await;
    let mut manifest = scene.manifest("example", "1s", &[("greeting", "greeting")]);
    manifest["spec"]["refreshPolicy"] = "CreatedOnce".into();
    scene.apply(manifest).await;
    scene.until_secret("example", json!({"greeting": "first"})).await;
    let synced = scene.until_ready("example", "True", "SecretSynced", "secret synced").await;

    scene.set_secret("greeting", "second");
    scene.merge("ExternalSecret", "example", json!({"metadata": {"annotations": {"force-sync": "1"}}})).await;
    scene.external_secret("clock", "1s", &[("greeting", "greeting")]).await;
    scene.until_refreshed_twice("clock").await;
    assert_eq!(scene.secret_data("example").await, Some(json!({"greeting": "first"})));
    let later = scene.get("ExternalSecret", "example").await.unwrap();
    assert_eq!(condition(&later, "Ready"), condition(&synced, "Ready"));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_vault_is_too_slow_for_all_refreshes_each_external_secret_has_its_turn() {
    let scene = Scene::with_own_controller("turns").await;
    let names: Vec<_> = (0..40).map(|index| format!("es-{index}")).collect();
    for name in &names {
        scene.set_secret(name, "first");
        scene.external_secret(name, "1s", &[("greeting", name)]).await;
    }
    scene.store().await;
    // Two at a time at 200 ms each: ten a second, with four times as many due.
    scene.vault.fault(Fault::latency(Duration::from_millis(200)));
    let _controller = scene.start_controller_with(&["--concurrent=2"]).await;
    for name in &names {
        scene.until_secret(name, json!({"greeting": "first"})).await;
    }
    for name in &names {
        scene.set_secret(name, "second");
    }
    for name in &names {
        scene.until_secret(name, json!({"greeting": "second"})).await;
    }
}
