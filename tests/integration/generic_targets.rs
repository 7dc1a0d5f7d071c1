//! Targets other than Secrets: ConfigMaps and custom resources.

use serde_json::{Value, json};
use test_stage::cluster_access::{Access, condition};
use test_stage::custom_resource::definition;
use test_stage::scene::Scene;
use test_stage::world::World;

use crate::deployed::{deploy, nothing_was_forbidden};
use crate::synced::Synced;

/// An ExternalSecret with a target of another kind.
fn manifest(scene: &Scene, interval: &str, api_version: &str, kind: &str, data: &[(&str, &str)]) -> Value {
    let mut manifest = scene.manifest("example", interval, data);
    manifest["spec"]["target"]["manifest"] = json!({"apiVersion": api_version, "kind": kind});
    manifest
}

fn config_map(scene: &Scene, interval: &str) -> Value {
    manifest(scene, interval, "v1", "ConfigMap", &[("greeting", "greeting")])
}

/// One whose template writes the value `host` to `spec.database.host`.
fn database(scene: &Scene, interval: &str) -> Value {
    let mut manifest = manifest(scene, interval, "config.example.com/v1", "AppConfig", &[("host", "host")]);
    let from = json!([{"target": "spec.database", "literal": "host: {{ .host }}"}]);
    manifest["spec"]["target"]["template"] = json!({"templateFrom": from});
    manifest
}

async fn until_data(access: &Access, data: Value) -> Value {
    access.until("ConfigMap", "example", &format!("its data {data}"), |object| object["data"] == data).await
}

async fn until_spec(access: &Access, spec: Value) -> Value {
    access.until("AppConfig", "example", &format!("its spec {spec}"), |object| object["spec"] == spec).await
}

async fn until_refused(access: &Access, reason: &str, message: &str) {
    access.until_ready("example", "False", reason, message).await;
    access.until_event("example", &format!("Warning UpdateFailed external-secrets: {message}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_map_is_made_refreshed_repaired_and_deleted() {
    let scene = Scene::new("config-map").await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    scene.apply(config_map(&scene, "1h")).await;
    let made = until_data(&scene, json!({"greeting": "hello"})).await;
    let object = scene.until_ready("example", "True", "ResourceSynced", "secret synced").await;
    scene.until_event("example", "Normal Created external-secrets: Created ConfigMap example").await;
    assert!(object["status"]["binding"].is_null(), "a binding names a Secret: {object:#}");
    assert!(object["metadata"]["finalizers"].is_null(), "the garbage collector does the work: {object:#}");
    let meta = &made["metadata"];
    let owner = scene.owner_hash("example");
    assert_eq!(meta["labels"]["reconcile.external-secrets.io/managed"], "true");
    assert_eq!(meta["labels"]["reconcile.external-secrets.io/created-by"], owner);
    // ESO's hash of {"greeting": "hello"}.
    let hash = "2e37f258c161a2ba97b268157dff61c073607a841e9988bfc4c8de58";
    assert_eq!(meta["annotations"]["reconcile.external-secrets.io/data-hash"], hash);
    assert_eq!(meta["ownerReferences"][0]["uid"], object["metadata"]["uid"]);

    scene.set_secret("greeting", "hello again");
    scene.force_sync("example").await;
    until_data(&scene, json!({"greeting": "hello again"})).await;
    scene.until_event("example", "Normal Updated external-secrets: Updated ConfigMap example").await;

    scene.merge("ConfigMap", "example", json!({"data": {"greeting": "changed", "added": "x"}})).await;
    until_data(&scene, json!({"greeting": "hello again"})).await;
    let unmarked = json!({"metadata": {"labels": {"reconcile.external-secrets.io/managed": null}}});
    scene.merge("ConfigMap", "example", unmarked).await;
    let is_marked = |object: &Value| object["metadata"]["labels"]["reconcile.external-secrets.io/managed"] == "true";
    let before = scene.until("ConfigMap", "example", "labeled again", is_marked).await;
    scene.delete("ConfigMap", "example").await;
    let is_new = |object: &Value| object["metadata"]["uid"] != before["metadata"]["uid"];
    scene.until("ConfigMap", "example", "recreated", is_new).await;
    until_data(&scene, json!({"greeting": "hello again"})).await;

    scene.delete("ExternalSecret", "example").await;
    scene.until_gone("ConfigMap", "example").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_resource_is_written_in_its_places_and_repaired() {
    let scene = Scene::new("custom").await;
    scene.set_secret("host", "db.example");
    scene.store().await;
    scene.apply(database(&scene, "0")).await;
    let whole = json!({"database": {"host": "db.example"}, "mode": "safe"});
    until_spec(&scene, whole.clone()).await;
    scene.until_ready("example", "True", "ResourceSynced", "secret synced").await;
    let is_phase_kept = |object: &Value| object["status"]["phase"] == "Up";
    let patch = json!({"status": {"phase": "Up"}}).to_string();
    scene.kubectl(&["patch", "appconfig", "example", "--subresource=status", "--type=merge", "--patch", &patch]);
    scene.merge("AppConfig", "example", json!({"spec": {"database": {"host": "changed"}, "mode": "unsafe"}})).await;
    let repaired = until_spec(&scene, whole).await;
    assert!(is_phase_kept(&repaired), "the status is its controller's: {repaired:#}");
    scene.delete("AppConfig", "example").await;
    let is_new = |object: &Value| object["metadata"]["uid"] != repaired["metadata"]["uid"];
    scene.until("AppConfig", "example", "recreated", is_new).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_finds_what_the_api_server_filled_in_writes_nothing() {
    let scene = Scene::new("defaulted").await;
    scene.set_secret("host", "db.example");
    scene.store().await;
    scene.apply(database(&scene, "1s")).await;
    let before = until_spec(&scene, json!({"database": {"host": "db.example"}, "mode": "safe"})).await;
    scene.until_refreshed_twice("example").await;
    let after = scene.get("AppConfig", "example").await.unwrap();
    assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
    let created = "Normal Created external-secrets: Created AppConfig example";
    scene.until_event("example", created).await;
    assert_eq!(scene.events("example").await, [created]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_wrote_into_an_object_that_is_merged_into_stays() {
    let scene = Scene::new("merged").await;
    scene.set_secret("host", "db.example");
    scene.store().await;
    let mut manifest = database(&scene, "1s");
    manifest["spec"]["target"]["creationPolicy"] = "Merge".into();
    scene.apply(manifest.clone()).await;
    let missing = "resource will not be created due to CreationPolicy=Merge";
    scene.until_ready("example", "True", "ResourceMissing", missing).await;
    let theirs = json!({"database": {"name": "shop"}, "mode": "theirs"});
    let object = json!({"apiVersion": "config.example.com/v1", "kind": "AppConfig", "metadata": {"name": "example"}, "spec": theirs});
    scene.apply(object).await;
    until_spec(&scene, json!({"database": {"name": "shop", "host": "db.example"}, "mode": "theirs"})).await;

    let from = json!([{"target": "spec.other", "literal": "host: {{ .host }}"}]);
    manifest["spec"]["target"]["template"]["templateFrom"] = from;
    scene.apply(manifest).await;
    let moved = json!({"database": {"name": "shop"}, "mode": "theirs", "other": {"host": "db.example"}});
    let object = until_spec(&scene, moved).await;
    assert!(object["metadata"]["ownerReferences"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_whose_values_are_gone_follows_its_deletion_policy() {
    let scene = Scene::new("gone").await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    let mut manifest = config_map(&scene, "1s");
    manifest["spec"]["target"]["deletionPolicy"] = "Delete".into();
    scene.apply(manifest).await;
    until_data(&scene, json!({"greeting": "hello"})).await;
    scene.vault.delete_secret("greeting").unwrap();
    scene.until_gone("ConfigMap", "example").await;
    let deleted = "secret deleted due to DeletionPolicy=Delete";
    scene.until_ready("example", "True", "ResourceDeleted", deleted).await;
    scene.until_event("example", "Normal Deleted external-secrets: Deleted ConfigMap example").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_that_is_to_be_deleted_has_a_finalizer_for_it() {
    let scene = Scene::new("finalizer").await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    let mut manifest = config_map(&scene, "1h");
    manifest["spec"]["target"]["creationPolicy"] = "Orphan".into();
    manifest["spec"]["target"]["deletionPolicy"] = "Delete".into();
    scene.apply(manifest).await;
    let made = until_data(&scene, json!({"greeting": "hello"})).await;
    assert!(made["metadata"]["ownerReferences"].is_null());
    let object = scene.until_ready("example", "True", "ResourceSynced", "secret synced").await;
    let finalizer = "externalsecrets.external-secrets.io/externalsecret-cleanup";
    assert_eq!(object["metadata"]["finalizers"], json!([finalizer]));
    scene.delete("ExternalSecret", "example").await;
    scene.until_gone("ExternalSecret", "example").await;
    assert_eq!(scene.get("ConfigMap", "example").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_of_an_earlier_name_or_kind_is_deleted_when_the_new_one_exists() {
    let scene = Scene::new("renamed").await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    let mut manifest = config_map(&scene, "1h");
    scene.apply(manifest.clone()).await;
    until_data(&scene, json!({"greeting": "hello"})).await;
    manifest["spec"]["target"]["name"] = "renamed".into();
    scene.apply(manifest.clone()).await;
    scene.until_gone("ConfigMap", "example").await;
    let renamed = scene.get("ConfigMap", "renamed").await.unwrap();
    assert_eq!(renamed["data"], json!({"greeting": "hello"}));

    manifest["spec"]["target"].as_object_mut().unwrap().remove("manifest");
    scene.apply(manifest.clone()).await;
    scene.until_gone("ConfigMap", "renamed").await;
    assert_eq!(scene.secret_data("renamed").await, Some(json!({"greeting": "hello"})));

    manifest["spec"]["target"]["manifest"] = json!({"apiVersion": "v1", "kind": "ConfigMap"});
    scene.until_synced("example").await;
    scene.apply(manifest).await;
    scene.until_gone("Secret", "renamed").await;
    assert_eq!(scene.get("ConfigMap", "renamed").await.unwrap()["data"], json!({"greeting": "hello"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_somebody_else_controls_is_refused() {
    let scene = Scene::new("foreign-object").await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    scene.apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}})).await;
    let owner = scene.get("ConfigMap", "owner").await.unwrap();
    let reference = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "controller": true,
                            "uid": owner["metadata"]["uid"]}]);
    let metadata = json!({"name": "example", "ownerReferences": reference});
    scene.apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"theirs": "x"}})).await;
    scene.apply(config_map(&scene, "1h")).await;
    let refused = "could not apply template to manifest: ConfigMap \"example\" is controlled by ConfigMap \"owner\"; \
                   give spec.target.name another name";
    until_refused(&scene, "ResourceSyncedError", refused).await;
    assert_eq!(scene.get("ConfigMap", "example").await.unwrap()["data"], json!({"theirs": "x"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_that_cannot_be_targets_are_refused() {
    let scene = Scene::new("kinds").await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    let data = [("greeting", "greeting")];
    scene.apply(manifest(&scene, "1h", "v1", "Secret", &data)).await;
    let of_secret = "the ExternalSecret is invalid: spec.target.manifest.kind: a Secret is written without a manifest; \
                     leave spec.target.manifest out";
    until_refused(&scene, "ResourceSyncedError", of_secret).await;
    scene.apply(manifest(&scene, "1h", "v1", "Namespace", &data)).await;
    let of_cluster = "invalid generic target: spec.target.manifest: objects of the kind Namespace belong to no namespace, \
                      and an ExternalSecret writes only in its own; name a kind of namespaced objects";
    until_refused(&scene, "SecretSyncedError", of_cluster).await;
    assert_eq!(scene.get("Secret", "example").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_comes_later_is_written_then_and_stops_no_other() {
    let scene = Scene::new("later").await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    scene.apply(manifest(&scene, "1h", "config.example.com/v1", "LateConfig", &[("greeting", "greeting")])).await;
    let missing = "could not get target resource: the cluster serves no LateConfig in config.example.com/v1; install its \
                   CustomResourceDefinition, or correct spec.target.manifest";
    until_refused(&scene, "ResourceSyncedError", missing).await;
    scene.external_secret("other", "1h", &[("greeting", "greeting")]).await;
    scene.until_secret("other", json!({"greeting": "hello"})).await;
    scene.apply(definition("LateConfig", "lateconfigs")).await;
    scene.until_ready("example", "True", "ResourceSynced", "secret synced").await;
    let made = scene.api_in_version("config.example.com/v1", "LateConfig").get("example").await.unwrap();
    assert_eq!(made.data["spec"]["data"], json!({"greeting": "hello"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_object_is_reported_without_its_values() {
    let scene = Scene::new("invalid-object").await;
    scene.set_secret("host", "S3CRET!");
    scene.store().await;
    scene.apply(database(&scene, "1h")).await;
    let refused = "could not update secret: the API server could not create AppConfig \"example\": it is not valid in \
                   spec.database.host (FieldValueInvalid); values are not shown";
    until_refused(&scene, "ResourceSyncedError", refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_flag_nothing_is_written_and_the_condition_names_it() {
    let scene = Scene::with_own_controller("flag-off").await;
    scene.set_secret("greeting", "hello");
    let _controller = scene.start_controller().await;
    scene.store().await;
    scene.apply(config_map(&scene, "1h")).await;
    let refused = "invalid generic target: spec.target.manifest: generic targets are disabled; start the controller with \
                   --unsafe-allow-generic-targets, which is genericTargets.enabled in the chart, or omit the field";
    until_refused(&scene, "SecretSyncedError", refused).await;
    assert_eq!(scene.get("ConfigMap", "example").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chart_grants_rights_to_config_maps_and_to_the_listed_kinds() {
    let scene = Scene::with_own_controller_on(World::of_controllers(), "generic-rights").await;
    scene.set_secret("greeting", "hello");
    scene.set_secret("host", "db.example");
    let resources = json!([{"apiGroup": "config.example.com", "resources": ["appconfigs"]}]);
    let values = format!("genericTargets={}", json!({"enabled": true, "resources": resources}));
    let controller = deploy(&scene, &["--set-json", &values]).await;
    scene.store().await;
    scene.apply(config_map(&scene, "1h")).await;
    until_data(&scene, json!({"greeting": "hello"})).await;
    scene.merge("ConfigMap", "example", json!({"data": {"greeting": "changed"}})).await;
    until_data(&scene, json!({"greeting": "hello"})).await;
    scene.delete("ExternalSecret", "example").await;
    scene.until_gone("ConfigMap", "example").await;
    let mut custom = database(&scene, "1h");
    custom["spec"]["target"]["creationPolicy"] = "Orphan".into();
    custom["spec"]["target"]["deletionPolicy"] = "Delete".into();
    scene.apply(custom).await;
    until_spec(&scene, json!({"database": {"host": "db.example"}, "mode": "safe"})).await;
    scene.delete("ExternalSecret", "example").await;
    scene.until_gone("AppConfig", "example").await;
    nothing_was_forbidden(&controller);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_the_controller_has_no_right_to_is_named_with_the_remedy() {
    let scene = Scene::with_own_controller_on(World::of_controllers(), "generic-denied").await;
    scene.set_secret("host", "db.example");
    let _controller = deploy(&scene, &["--set", "genericTargets.enabled=true"]).await;
    scene.store().await;
    scene.apply(database(&scene, "1h")).await;
    let remedy = "allow the controller to get, list, watch, create, update and delete appconfigs of the API group \
                  \"config.example.com\", as the chart does for genericTargets.resources";
    let object = scene
        .until("ExternalSecret", "example", "refused", |object| {
            condition(object, "Ready")["message"].as_str().is_some_and(|message| message.ends_with(remedy))
        })
        .await;
    let ready = condition(&object, "Ready");
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!("ResourceSyncedError")));
    let message = ready["message"].as_str().unwrap();
    let beginning =
        "could not get target resource: the API server could not list objects of the kind AppConfig: appconfigs";
    assert!(message.starts_with(beginning) && message.contains("cannot list resource \"appconfigs\""), "{message}");
}

/// Each kind that a tenant names is watched cluster-wide.
#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_writes_ten_kinds_and_no_more_until_one_is_gone() {
    let world = World::without_controller().await;
    let (greedy, other) = (Scene::on(world, "greedy").await, Scene::on(world, "modest").await);
    let kinds: Vec<_> = (0..=10).map(|number| (format!("Kind{number}"), format!("kind{number}s"))).collect();
    for (kind, plural) in &kinds {
        greedy.apply(definition(kind, plural)).await;
        let is_established = |object: &Value| condition(object, "Established")["status"] == "True";
        let name = format!("{plural}.config.example.com");
        greedy.until("CustomResourceDefinition", &name, "established", is_established).await;
    }
    let _controller = world.start_controller("kinds", &["--unsafe-allow-generic-targets"]).await;
    let of = |scene: &Scene, name: &str, kind: &str| {
        let mut object = manifest(scene, "1h", "config.example.com/v1", kind, &[("greeting", "greeting")]);
        object["metadata"]["name"] = name.into();
        object["spec"]["target"]["name"] = name.into();
        object
    };
    for scene in [&greedy, &other] {
        scene.set_secret("greeting", "hello");
        scene.store().await;
    }
    let synced = ("True", "ResourceSynced", "secret synced");
    for (kind, plural) in &kinds[..10] {
        greedy.apply(of(&greedy, plural, kind)).await;
        greedy.until_ready(plural, synced.0, synced.1, synced.2).await;
    }
    let (kind, plural) = &kinds[10];
    greedy.apply(of(&greedy, plural, kind)).await;
    let refusal = format!(
        "invalid generic target: spec.target.manifest: objects of the kind Kind10 are not written: the ExternalSecrets of namespace \
         {:?} write 10 kinds besides Secrets already, which is the most; use one of those, or write a Secret",
        greedy.name()
    );
    greedy.until_ready(plural, "False", "SecretSyncedError", &refusal).await;
    // Each namespace has its own count.
    other.apply(of(&other, plural, kind)).await;
    other.until_ready(plural, synced.0, synced.1, synced.2).await;
    // The controller retries the failed one without anybody's help.
    greedy.delete("ExternalSecret", &kinds[0].1).await;
    greedy.until_gone("ExternalSecret", &kinds[0].1).await;
    greedy.force_sync(plural).await;
    greedy.until_ready(plural, synced.0, synced.1, synced.2).await;
}
