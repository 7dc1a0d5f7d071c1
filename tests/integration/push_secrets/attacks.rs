//! What tenants may try: with a PushSecret, with its status, with stores that are not theirs.

use std::time::{Duration, Instant};

use azure_sandbox::{Effect, Fault, ObjectKind, SecretPermission};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use test_stage::api_proxy::{Alteration, ApiFault, ApiProxy};
use test_stage::cluster_access::condition;
use test_stage::leaks::Leaks;
use test_stage::scene::Scene;

use super::{
    OURS, entry, look_again, manifest, scene, secret, served, tagged, until_failed, until_in_vault, until_synced,
    value, writable_store,
};

/// Has the status say that this was written.
async fn forge(scene: &Scene, name: &str, records: Value) {
    let patch = json!({"status": {"syncedPushSecrets": records}});
    scene.api("PushSecret").patch_status(name, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_a_store_does_not_admit_neither_writes_nor_deletes_nor_holds_it() {
    let scene = scene("push-a-excluded").await;
    scene.vault.set_secret_with("theirs", "x", tagged(&[("managed-by", OURS)])).unwrap();
    let closed = format!("{}-closed", scene.name());
    let mut store = scene.store_manifest("ClusterSecretStore", &closed);
    store["spec"]["conditions"] = json!([{"namespaces": ["somewhere-else"]}]);
    scene.apply(store).await;
    secret(&scene, "source", json!({"a": "1"})).await;
    let mut object = manifest(&scene, "example", "source", json!([entry("a", "a")]));
    object["spec"]["secretStoreRefs"] = json!([{"name": closed, "kind": "ClusterSecretStore"}]);
    object["spec"]["deletionPolicy"] = "Delete".into();
    scene.apply(object).await;
    until_failed(&scene, "example", "may not be used from namespace").await;
    forge(&scene, "example", json!({format!("ClusterSecretStore/{closed}"): {"theirs": entry("", "theirs")}})).await;

    // It says that it has written something there, and so would hold the store.
    scene.merge("PushSecret", "example", json!({"metadata": {"annotations": {"force-sync": "now"}}})).await;
    let is_handled = |object: &Value| object["status"]["lastHandledRefresh"] == "now";
    scene.until("PushSecret", "example", "handled", is_handled).await;
    scene.merge("ClusterSecretStore", &closed, json!({"spec": {"refreshInterval": "1m"}})).await;
    let is_validated =
        |store: &Value| condition(store, "Ready")["observedGeneration"] == store["metadata"]["generation"];
    let store = scene.until("ClusterSecretStore", &closed, "validated", is_validated).await;
    assert!(store["metadata"]["finalizers"].is_null(), "{store}");
    scene.delete("ClusterSecretStore", &closed).await;
    scene.until_gone("ClusterSecretStore", &closed).await;
    assert_eq!((value(&scene, "theirs").as_deref(), value(&scene, "a")), (Some("x"), None));
    assert_eq!((served(&scene, "DeleteSecret"), served(&scene, "SetSecret")), (0, 0));
    scene.merge("PushSecret", "example", json!({"spec": {"deletionPolicy": "None"}})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_status_deletes_nothing_that_is_not_ours() {
    let scene = scene("push-a-forged").await;
    scene.vault.set_secret_with("foreign", "x", tagged(&[("owner", "somebody")])).unwrap();
    scene.vault.set_secret_with("wanted", "1", tagged(&[("managed-by", OURS)])).unwrap();
    secret(&scene, "source", json!({"a": "1"})).await;
    let mut object = manifest(&scene, "example", "source", json!([entry("a", "a")]));
    object["spec"]["deletionPolicy"] = "Delete".into();
    scene.apply(object).await;
    until_synced(&scene, "example").await;
    // Another one wants it.
    scene.apply(manifest(&scene, "other", "source", json!([entry("a", "wanted")]))).await;
    until_synced(&scene, "other").await;
    let store = format!("{}/{}", scene.store_kind(), scene.name());
    let records = json!({
        &store: {
            "foreign": entry("", "foreign"), "wanted": entry("", "wanted"), "../keys/x": entry("", "../keys/x"),
            "a%2fb": entry("", "a%2fb"), "": {"match": {"remoteRef": {"remoteKey": ""}}},
        },
        "Secret/x": {"y": entry("", "y")}, "x": {"y": entry("", "y")}, "SecretStore/": {"y": entry("", "y")},
    });
    forge(&scene, "example", records).await;
    scene.delete("PushSecret", "example").await;
    scene.until_gone("PushSecret", "example").await;
    assert_eq!((value(&scene, "foreign").as_deref(), value(&scene, "wanted").as_deref()), (Some("x"), Some("1")));
    assert_eq!((value(&scene, "a"), served(&scene, "DeleteSecret")), (None, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_secret_with_many_versions_of_which_one_is_foreign_is_left() {
    let scene = scene("push-a-versions").await;
    secret(&scene, "source", json!({"a": "0"})).await;
    let mut object = manifest(&scene, "example", "source", json!([entry("a", "a")]));
    object["spec"]["deletionPolicy"] = "Delete".into();
    scene.apply(object).await;
    until_synced(&scene, "example").await;
    // More versions of ours than a page has; then somebody takes it over and disables it.
    for number in 0..30 {
        scene.vault.set_secret_with("a", &number.to_string(), tagged(&[("managed-by", OURS)])).unwrap();
    }
    scene.vault.set_secret_with("a", "theirs", tagged(&[("owner", "somebody")])).unwrap();
    scene.vault.enable_secret("a", false).unwrap();
    scene.delete("PushSecret", "example").await;
    scene.until_gone("PushSecret", "example").await;
    assert_eq!((scene.vault.deleted_object(ObjectKind::Secret, "a"), served(&scene, "DeleteSecret")), (None, 0));
    scene.until_event_has("example", "left a at the provider").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_costly_expression_fails_alone_and_soon() {
    let scene = scene("push-a-costly").await;
    let keys: serde_json::Map<String, Value> = (0..300).map(|key| (format!("k{key}"), json!("v"))).collect();
    secret(&scene, "many", Value::Object(keys)).await;
    secret(&scene, "source", json!({"a": "1"})).await;
    let store = json!({"name": scene.name(), "kind": scene.store_kind()});
    let mut object = manifest(&scene, "costly", "many", json!([]));
    let expression = "((((a?){50}){50}){10}k)*$";
    object["spec"]["dataTo"] = json!([{"storeRef": store, "match": {"regexp": expression}}]);
    scene.apply(object).await;
    until_failed(&scene, "costly", "regular expression").await;
    scene.apply(manifest(&scene, "example", "source", json!([entry("a", "a")]))).await;
    until_synced(&scene, "example").await;
    look_again(&scene, "example").await;
    assert_eq!(served(&scene, "SetSecret"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_pushed_is_shown_nowhere_at_any_level() {
    const CANARY: &str = "canary8d41e7f0";
    let scene = Scene::with_own_controller("push-shown").await;
    let all = [SecretPermission::Get, SecretPermission::Set, SecretPermission::Delete, SecretPermission::List];
    scene.vault.allow(&scene.application, all);
    scene.store().await;
    let proxy = ApiProxy::start(scene.kubeconfig(), scene.world.cluster.directory()).await;
    proxy.pass();
    secret(&scene, "source", json!({"value": format!("{CANARY} 0")})).await;
    secret(&scene, "templates", json!({"template": format!("{CANARY} {{{{ .value }}}}")})).await;
    let mut example = manifest(&scene, "example", "source", json!([entry("value", "pushed"), entry("made", "made")]));
    let from = json!([{"secret": {"name": "templates", "items": [{"key": "template", "templateAs": "Values"}]}}]);
    example["spec"]["template"] = json!({"data": {"made": "{{ .value | b64enc }}"}, "templateFrom": from});
    scene.apply(example).await;
    let log = scene.name().to_owned();
    let environment = [("RUST_LOG", "trace")];
    let controller = scene.world.start_controller_in(&log, &scene.arguments(), &proxy.kubeconfig, &environment).await;
    until_synced(&scene, "example").await;

    let faults = [
        Fault::new(Effect::Repeat).on("SetSecret"),
        Fault::status(403).on("SetSecret"),
        Fault::new(Effect::LargeValue(2 << 20)).on("GetSecret"),
    ];
    for (round, fault) in faults.into_iter().enumerate() {
        let id = scene.vault.fault(fault);
        secret(&scene, "source", json!({"value": format!("{CANARY} {}", round + 1)})).await;
        scene
            .merge("PushSecret", "example", json!({"metadata": {"annotations": {"force-sync": round.to_string()}}}))
            .await;
        until_failed(&scene, "example", "set secret failed").await;
        scene.vault.lift(id);
        look_again(&scene, "example").await;
    }
    for alteration in [Alteration::CutShort, Alteration::NoJson, Alteration::OtherTypes, Alteration::AsError] {
        let fault = proxy.fault(ApiFault::Alter(alteration), 1.0);
        let annotation = json!({"metadata": {"annotations": {"force-sync": format!("{alteration:?}")}}});
        scene.merge("PushSecret", "example", annotation).await;
        until_failed(&scene, "example", "the API server could not read").await;
        proxy.lift(fault);
        look_again(&scene, "example").await;
    }
    let leaks = Leaks::of(CANARY);
    for event in scene.events("example").await {
        assert!(!leaks.is_in(event.as_bytes()), "{event}");
    }
    let status = scene.get("PushSecret", "example").await.unwrap()["status"].to_string();
    assert!(!leaks.is_in(status.as_bytes()), "{status}");
    assert!(!leaks.is_in(controller.metrics().await.as_bytes()));
    let path = scene.world.log_of(&log);
    assert_eq!(Leaks::of(CANARY).in_logs([std::path::Path::new(&path)]), Vec::<String>::new());
    assert!(controller.log().contains("\"level\":\"TRACE\""), "libraries are heard");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_with_long_metadata_are_selected_in_several_pages() {
    const COUNT: usize = 12;
    let scene = scene("push-pages").await;
    for number in 0..COUNT {
        let meta = json!({"name": format!("part-{number}"), "labels": {"long": "metadata"}, "annotations": {"long": "a".repeat(100_000)}});
        let key = format!("key-{number}");
        scene
            .apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {key: "value"}}))
            .await;
    }
    let mut example = manifest(&scene, "example", "", json!([]));
    example["spec"]["selector"] = json!({"secret": {"selector": {"matchLabels": {"long": "metadata"}}}});
    example["spec"]["dataTo"] = json!([{"storeRef": {"name": scene.name(), "kind": scene.store_kind()}}]);
    scene.apply(example).await;
    until_synced(&scene, "example").await;
    for number in 0..COUNT {
        assert_eq!(value(&scene, &format!("key-{number}")).as_deref(), Some("value"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_cannot_look_at_an_object_does_not_hold_up_those_that_write_it() {
    const HANGING: Duration = Duration::from_mins(10);
    const SOON: Duration = Duration::from_secs(20);
    let victim = scene("push-a-held").await;
    let tenant = Scene::new("push-a-holds").await;
    tenant.application.fault(Fault::latency(HANGING));
    let mut store = tenant.store_manifest("SecretStore", "theirs");
    store["spec"]["provider"]["azurekv"]["vaultUrl"] = victim.vault.url().into();
    tenant.apply(store).await;
    let mut example = manifest(&tenant, "example", "none", json!([entry("a", "wanted")]));
    example["spec"]["secretStoreRefs"] = json!([{"name": "theirs"}]);
    example["spec"]["deletionPolicy"] = "Delete".into();
    tenant.apply(example).await;
    until_failed(&tenant, "example", "does not exist").await;
    forge(&tenant, "example", json!({"SecretStore/theirs": {"wanted": entry("", "wanted")}})).await;
    tenant.delete("PushSecret", "example").await;
    let is_leaving = |object: &Value| object["metadata"]["deletionTimestamp"].is_string();
    tenant.until("PushSecret", "example", "being deleted", is_leaving).await;

    for round in 0..3 {
        let began = Instant::now();
        secret(&victim, "source", json!({"a": format!("value {round}")})).await;
        victim.apply(manifest(&victim, &format!("example-{round}"), "source", json!([entry("a", "wanted")]))).await;
        until_synced(&victim, &format!("example-{round}")).await;
        victim.delete("PushSecret", &format!("example-{round}")).await;
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    }
    assert!(tenant.get("PushSecret", "example").await.is_some(), "it still waits for its token");
    tenant.merge("PushSecret", "example", json!({"spec": {"deletionPolicy": "None"}})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_changes_all_the_time_is_looked_at_now_and_then() {
    const CHANGES: usize = 150;
    let scene = Scene::with_own_controller("push-a-restless").await;
    writable_store(&scene).await;
    secret(&scene, "source", json!({"a": "1"})).await;
    scene.apply(manifest(&scene, "example", "source", json!([entry("a", "a")]))).await;
    // This one fails, and so is due each time.
    scene.apply(manifest(&scene, "failing", "source", json!([entry("absent", "b")]))).await;
    let proxy = ApiProxy::start(scene.kubeconfig(), scene.world.cluster.directory()).await;
    proxy.pass();
    let _controller = scene.start_controller_through(&proxy, &[]).await;
    until_synced(&scene, "example").await;
    until_failed(&scene, "failing", "does not exist").await;
    let reads = || proxy.asked("get /secrets");
    let (began, before) = (Instant::now(), reads());
    for number in 0..CHANGES {
        scene.merge("Secret", "source", json!({"metadata": {"annotations": {"number": number.to_string()}}})).await;
    }
    let read = reads() - before;
    // 20 at once, and one more every five seconds, for each of the two.
    let most = 2 * (23 + began.elapsed().as_secs() / 5);
    assert!(read <= most, "{read} reads of at most {most}");
    // What it is changed to in the end is pushed all the same.
    secret(&scene, "source", json!({"a": "2"})).await;
    until_in_vault("the new value", || value(&scene, "a").as_deref() == Some("2")).await;
}
