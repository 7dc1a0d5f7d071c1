//! What happens to a Secret over time under its policies, and who owns which part.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use rstest::rstest;
use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

use crate::synced::Synced;

const MANAGED: &str = "reconcile.external-secrets.io/managed";
const DATA_HASH: &str = "reconcile.external-secrets.io/data-hash";
const CREATED_BY: &str = "reconcile.external-secrets.io/created-by";

/// A scene with a store whose vault holds the secrets `one` and `two` with these values.
async fn scene(name: &str) -> Scene {
    let scene = Scene::new(name).await;
    scene.set_secret("one", "1");
    scene.set_secret("two", "2");
    scene.store().await;
    scene
}

/// An ExternalSecret named `example` with this target; its keys have the secrets' names.
fn example(scene: &Scene, target: &Value, secrets: &[&str]) -> Value {
    let pairs: Vec<_> = secrets.iter().map(|secret| (*secret, *secret)).collect();
    let mut manifest = scene.manifest("example", "1h", &pairs);
    for (field, value) in target.as_object().into_iter().flatten() {
        manifest["spec"]["target"][field] = value.clone();
    }
    manifest
}

/// Creates somebody else's Secret, with a key, a label and an annotation.
async fn of_others(scene: &Scene, name: &str) -> Value {
    let metadata = json!({"name": name, "labels": {"theirs": "l"}, "annotations": {"theirs": "a"}});
    scene
        .apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"theirs": "t"}}))
        .await
}

#[rstest]
#[case("Merge")]
#[case("CreateOrMerge")]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_wanted_is_removed_and_what_others_wrote_stays(#[case] policy: &str) {
    let scene = scene("managed").await;
    of_others(&scene, "example").await;
    let mut manifest = example(&scene, &json!({"creationPolicy": policy}), &["one", "two"]);
    manifest["metadata"]["labels"] = json!({"ours": "l", "kept": "l"});
    manifest["metadata"]["annotations"] = json!({"ours": "a", "kept": "a"});
    scene.apply(manifest.clone()).await;
    scene.until_secret("example", json!({"theirs": "t", "one": "1", "two": "2"})).await;

    let later =
        json!({"stringData": {"later": "x"}, "metadata": {"labels": {"later": "l"}, "annotations": {"later": "a"}}});
    scene.merge("Secret", "example", later).await;
    manifest["spec"]["data"].as_array_mut().unwrap().remove(1);
    manifest["metadata"]["labels"] = json!({"kept": "l"});
    manifest["metadata"]["annotations"] = json!({"kept": "a"});
    scene.apply(manifest).await;
    let secret = scene.until_secret("example", json!({"theirs": "t", "one": "1", "later": "x"})).await;
    assert_eq!(secret["metadata"]["labels"], json!({"theirs": "l", "later": "l", "kept": "l", MANAGED: "true"}));
    let mut annotations = secret["metadata"]["annotations"].clone();
    annotations.as_object_mut().unwrap().remove(DATA_HASH);
    assert_eq!(annotations, json!({"theirs": "a", "later": "a", "kept": "a"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_and_annotations_of_a_template_go_with_it_and_those_of_others_stay() {
    let scene = scene("template-labels").await;
    let metadata = json!({"labels": {"made": "{{ .one }}", "more": "m"}, "annotations": {"made": "{{ .one }}"}});
    scene.apply(example(&scene, &json!({"template": {"metadata": metadata}}), &["one"])).await;
    scene.until("Secret", "example", "labeled", |secret| secret["metadata"]["labels"]["made"] == "1").await;
    scene
        .merge("Secret", "example", json!({"metadata": {"labels": {"theirs": "l"}, "annotations": {"theirs": "a"}}}))
        .await;
    let metadata = json!({"labels": {"more": "m"}});
    scene.apply(example(&scene, &json!({"template": {"metadata": metadata}}), &["one"])).await;
    let secret = scene
        .until("Secret", "example", "without the label", |secret| secret["metadata"]["labels"]["made"].is_null())
        .await;
    let labels = json!({"more": "m", "theirs": "l", MANAGED: "true", CREATED_BY: scene.owner_hash("example")});
    assert_eq!(secret["metadata"]["labels"], labels);
    assert!(secret["metadata"]["annotations"]["made"].is_null());
    assert_eq!(secret["metadata"]["annotations"]["theirs"], "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_is_added_and_removed_leaves_the_secret_unchanged() {
    let scene = scene("template-gone").await;
    let labeled = |target: &Value| {
        let mut manifest = example(&scene, target, &["one"]);
        manifest["metadata"]["labels"] = json!({"team": "a", "both": "of-the-manifest"});
        manifest["metadata"]["annotations"] = json!({"note": "n"});
        manifest
    };
    let part = |secret: &Value| {
        let mut annotations = secret["metadata"]["annotations"].clone();
        annotations.as_object_mut().unwrap().remove(DATA_HASH);
        let mut labels = secret["metadata"]["labels"].clone();
        labels.as_object_mut().unwrap().retain(|name, _| name != MANAGED && name != CREATED_BY);
        json!({"labels": labels, "annotations": annotations, "data": secret["data"]})
    };
    let plain = json!({
        "labels": {"team": "a", "both": "of-the-manifest"}, "annotations": {"note": "n"}, "data": {"one": "MQ=="},
    });
    let templates = [
        json!({
            "metadata": {"labels": {"made": "{{ .one }}", "both": "of-the-template"}, "annotations": {"made": "m"}},
            "data": {"text": "{{ .one }}{{ .one }}"},
        }),
        json!({"mergePolicy": "Merge", "data": {"text": "{{ .one }}{{ .one }}"}}),
        // One that writes nothing.
        json!({}),
    ];
    let rendered = [
        json!({
            "labels": {"made": "1", "both": "of-the-template"}, "annotations": {"made": "m"}, "data": {"text": "MTE="},
        }),
        json!({"labels": {}, "annotations": {}, "data": {"one": "MQ==", "text": "MTE="}}),
        json!({"labels": {}, "annotations": {}, "data": {"one": "MQ=="}}),
    ];
    for (template, rendered) in templates.into_iter().zip(rendered) {
        scene.apply(labeled(&json!({}))).await;
        scene.until("Secret", "example", "as without a template", |secret| part(secret) == plain).await;
        scene.apply(labeled(&json!({"template": template}))).await;
        scene.until("Secret", "example", &format!("{rendered}"), |secret| part(secret) == rendered).await;
    }
    scene.apply(labeled(&json!({}))).await;
    scene.until("Secret", "example", "as without a template", |secret| part(secret) == plain).await;
}

/// Writes the Secret `example` as ESO 2.9.0 does under this policy, over the existing one.
async fn write_as_eso(scene: &Scene, policy: &str, existing: Option<Value>) -> Value {
    let mut data = json!({"one": "MQ==", "two": "Mg=="});
    if existing.is_some() {
        data["theirs"] = "dA==".into();
    }
    let decoded = [("one", b"1".as_slice()), ("theirs", b"t".as_slice()), ("two", b"2".as_slice())];
    let decoded = decoded.into_iter().filter(|(key, _)| !data[key].is_null());
    let hash = external_secrets::sync::hash::data_hash(decoded);
    let mut secret = existing.clone().unwrap_or_else(|| {
        json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": "example", "namespace": scene.name()}})
    });
    secret["data"] = data;
    secret["metadata"]["labels"][MANAGED] = "true".into();
    secret["metadata"]["labels"]["team"] = "a".into();
    secret["metadata"]["annotations"][DATA_HASH] = hash.into();
    if policy == "Owner" {
        let owner = scene.get("ExternalSecret", "example").await.unwrap();
        secret["metadata"]["labels"][CREATED_BY] = scene.owner_hash("example").into();
        secret["metadata"]["ownerReferences"] = json!([{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "name": "example", "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true}]);
    }
    let params =
        PostParams { dry_run: false, field_manager: Some("externalsecrets.external-secrets.io/example".to_owned()) };
    let object: DynamicObject = serde_json::from_value(secret).unwrap();
    let api = scene.api("Secret");
    let written = match existing {
        Some(_) => api.replace("example", &params, &object).await.unwrap(),
        None => api.create(&params, &object).await.unwrap(),
    };
    serde_json::to_value(written).unwrap()
}

#[rstest]
#[case("Owner", false)]
#[case("Orphan", false)]
#[case("CreateOrMerge", false)]
#[case("CreateOrMerge", true)]
#[case("Merge", true)]
#[tokio::test(flavor = "multi_thread")]
async fn what_eso_wrote_is_taken_over_without_a_write_and_what_is_removed_later_goes(
    #[case] policy: &str,
    #[case] is_of_others: bool,
) {
    let scene = Scene::new("eso-takeover").await;
    scene.set_secret("one", "1");
    scene.set_secret("two", "2");
    // The store comes last, so nothing syncs before ESO's Secret exists.
    let existing = if is_of_others { Some(of_others(&scene, "example").await) } else { None };
    let mut manifest = example(&scene, &json!({"creationPolicy": policy}), &["one", "two"]);
    manifest["metadata"]["labels"] = json!({"team": "a"});
    scene.apply(manifest.clone()).await;
    let before = write_as_eso(&scene, policy, existing).await;
    scene.store().await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    let after = scene.get("Secret", "example").await.unwrap();
    assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"], "no write was needed");

    manifest["spec"]["data"].as_array_mut().unwrap().remove(0);
    manifest["metadata"]["labels"] = json!({});
    scene.apply(manifest).await;
    let theirs = if is_of_others { json!({"two": "2", "theirs": "t"}) } else { json!({"two": "2"}) };
    let secret = scene.until_secret("example", theirs).await;
    assert!(secret["metadata"]["labels"]["team"].is_null());
    let theirs = if is_of_others { json!("l") } else { Value::Null };
    assert_eq!(secret["metadata"]["labels"]["theirs"], theirs);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_writer_loses_nothing_however_often_both_write() {
    const ROUNDS: usize = 25;
    let scene = scene("writers").await;
    of_others(&scene, "example").await;
    scene.apply(example(&scene, &json!({"creationPolicy": "Merge"}), &["one"])).await;
    scene.until_secret("example", json!({"theirs": "t", "one": "1"})).await;
    let api = scene.api("Secret");
    let others = async {
        for round in 0..ROUNDS {
            let (key, value) = (format!("theirs-{round}"), round.to_string());
            let patch = json!({"stringData": {key.clone(): value}, "metadata": {"labels": {key: "l"}}});
            api.patch("example", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
        }
    };
    let ours = async {
        for round in 0..ROUNDS {
            scene.set_secret("one", &format!("round {round}"));
            scene.force_sync("example").await;
        }
    };
    tokio::join!(others, ours);
    let mut expected = json!({"theirs": "t", "one": format!("round {}", ROUNDS - 1)});
    for round in 0..ROUNDS {
        expected[format!("theirs-{round}")] = round.to_string().into();
    }
    let secret = scene.until_secret("example", expected).await;
    let labels = secret["metadata"]["labels"].as_object().unwrap();
    assert_eq!(labels.keys().filter(|key| key.starts_with("theirs-")).count(), ROUNDS);
    scene.until_synced("example").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_another_target_name_the_earlier_secret_is_deleted_and_an_abandoned_one_stays() {
    let scene = scene("renamed").await;
    scene.apply(example(&scene, &json!({"name": "first"}), &["one"])).await;
    scene.until_secret("first", json!({"one": "1"})).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    // It has our label, but is not ours.
    let labels = json!({CREATED_BY: scene.owner_hash("example")});
    scene.apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "others", "labels": labels}})).await;
    scene.apply(example(&scene, &json!({"name": "second"}), &["one"])).await;
    scene.until_secret("second", json!({"one": "1"})).await;
    scene.until_gone("Secret", "first").await;
    scene.until_synced("example").await;
    assert!(scene.get("Secret", "others").await.is_some());
    let object = scene.get("ExternalSecret", "example").await.unwrap();
    assert_eq!(object["status"]["binding"]["name"], "second");

    scene.apply(example(&scene, &json!({"name": "second", "creationPolicy": "Orphan"}), &["one"])).await;
    scene.until_synced("example").await;
    scene.apply(example(&scene, &json!({"name": "third", "creationPolicy": "Orphan"}), &["one"])).await;
    scene.until_secret("third", json!({"one": "1"})).await;
    scene.until_synced("example").await;
    assert!(scene.get("Secret", "second").await.is_some(), "an orphan stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_creation_policy_abandons_the_secret_and_takes_it_back() {
    let scene = scene("policy").await;
    scene.apply(example(&scene, &json!({}), &["one"])).await;
    scene.until_secret("example", json!({"one": "1"})).await;
    let owners = |secret: &Value| secret["metadata"]["ownerReferences"].as_array().map_or(0, Vec::len);
    for policy in ["Orphan", "Owner", "Merge", "Owner", "CreateOrMerge"] {
        scene.apply(example(&scene, &json!({"creationPolicy": policy}), &["one"])).await;
        let owned = usize::from(policy == "Owner");
        let secret = scene.until("Secret", "example", policy, |secret| owners(secret) == owned).await;
        assert_eq!(secret["metadata"]["labels"][CREATED_BY].is_string(), policy == "Owner", "{policy}");
        assert_eq!(secret["metadata"]["labels"][MANAGED], "true", "{policy}");
    }
    scene.until_synced("example").await;
    scene.delete("ExternalSecret", "example").await;
    scene.until_gone("ExternalSecret", "example").await;
    assert_eq!(scene.secret_data("example").await, Some(json!({"one": "1"})), "it stays with what it has");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_deletion_policy_delete_a_secret_is_deleted_with_its_last_value_and_comes_back() {
    let scene = scene("deletion").await;
    scene.apply(example(&scene, &json!({"deletionPolicy": "Delete"}), &["one", "two"])).await;
    scene.until_secret("example", json!({"one": "1", "two": "2"})).await;
    scene.vault.delete_secret("one").unwrap();
    scene.force_sync("example").await;
    scene.until_secret("example", json!({"two": "2"})).await;
    let missing = "secret does not exist at provider using spec.data[0] (key=one)";
    scene.until_event("example", &format!("Normal MissingProviderSecret external-secrets: {missing}")).await;
    scene.vault.delete_secret("two").unwrap();
    scene.force_sync("example").await;
    scene.until_gone("Secret", "example").await;
    scene.until_ready("example", "True", "SecretDeleted", "secret deleted due to DeletionPolicy=Delete").await;
    scene.until_event("example", "Normal Deleted external-secrets: secret deleted due to DeletionPolicy=Delete").await;
    scene.vault.recover_secret("one").unwrap();
    scene.force_sync("example").await;
    scene.until_secret("example", json!({"one": "1"})).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_deletion_policy_merge_keys_go_and_the_secret_and_others_keys_stay() {
    let scene = scene("deletion-merge").await;
    of_others(&scene, "example").await;
    scene.apply(example(&scene, &json!({"creationPolicy": "Merge", "deletionPolicy": "Merge"}), &["one", "two"])).await;
    scene.until_secret("example", json!({"theirs": "t", "one": "1", "two": "2"})).await;
    for (gone, left) in [("one", json!({"theirs": "t", "two": "2"})), ("two", json!({"theirs": "t"}))] {
        scene.vault.delete_secret(gone).unwrap();
        scene.force_sync("example").await;
        scene.until_secret("example", left).await;
    }
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_certainty_of_absence_nothing_is_deleted() {
    let scene = scene("uncertain").await;
    scene.apply(example(&scene, &json!({"deletionPolicy": "Delete"}), &["one"])).await;
    scene.until_secret("example", json!({"one": "1"})).await;
    scene.vault.enable_secret("one", false).unwrap();
    scene.force_sync("example").await;
    scene
        .until("ExternalSecret", "example", "not ready", |object| condition(object, "Ready")["status"] == "False")
        .await;
    scene.vault.enable_secret("one", true).unwrap();
    scene.vault.revoke(&scene.application);
    scene.force_sync("example").await;
    scene
        .until("ExternalSecret", "example", "told of the permission", |object| {
            let ready = condition(object, "Ready");
            ready["status"] == "False" && ready["message"].as_str().is_some_and(|message| message.contains("ermission"))
        })
        .await;
    assert_eq!(scene.secret_data("example").await, Some(json!({"one": "1"})));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_immutable_target_keeps_its_values_and_is_recreated_when_it_is_deleted() {
    let scene = scene("immutable").await;
    scene.apply(example(&scene, &json!({"immutable": true}), &["one"])).await;
    let secret = scene.until_secret("example", json!({"one": "1"})).await;
    assert_eq!(secret["immutable"], true);
    scene.set_secret("one", "changed");
    scene.force_sync("example").await;
    scene.until_synced("example").await;
    assert_eq!(scene.secret_data("example").await, Some(json!({"one": "1"})));
    scene.delete("Secret", "example").await;
    scene.until_secret("example", json!({"one": "changed"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_with_templates_are_watched() {
    let scene = scene("sources").await;
    let from = json!([{"configMap": {"name": "map", "items": [{"key": "a"}]}},
                      {"secret": {"name": "source", "items": [{"key": "b", "templateAs": "KeysAndValues"}]}}]);
    scene.apply(example(&scene, &json!({"template": {"templateFrom": from}}), &["one"])).await;
    scene
        .until("ExternalSecret", "example", "told what is missing", |object| {
            condition(object, "Ready")["message"].as_str().is_some_and(|message| message.contains("\"map\""))
        })
        .await;
    let map =
        |text: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "map"}, "data": {"a": text}});
    let source = |text: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "source"}, "stringData": {"b": text}});
    scene.apply(source("made: b{{ .one }}")).await;
    scene.apply(map("a{{ .one }}")).await;
    scene.until_secret("example", json!({"a": "a1", "made": "b1"})).await;
    scene.apply(map("{{ .one }}a")).await;
    scene.until_secret("example", json!({"a": "1a", "made": "b1"})).await;
    scene.apply(source("other: {{ .one }}b")).await;
    scene.until_secret("example", json!({"a": "1a", "other": "1b"})).await;
    scene.delete("ConfigMap", "map").await;
    scene
        .until("ExternalSecret", "example", "not ready", |object| condition(object, "Ready")["status"] == "False")
        .await;
    assert_eq!(scene.secret_data("example").await, Some(json!({"a": "1a", "other": "1b"})));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_render_what_the_other_wrote_soon_wait_for_each_other() {
    let scene = scene("circle").await;
    // Each renders a text of the other, and writes a text that differs each time.
    let reads_secret_of = |name: &str, other: &str| {
        let from = json!([{"secret": {"name": other, "items": [{"key": format!("{other}-text")}]}}]);
        let data = json!({format!("{name}-text"): "{{ randAlphaNum 8 }}"});
        let template = json!({"templateFrom": from, "data": data, "mergePolicy": "Merge"});
        let mut manifest =
            example(&scene, &json!({"name": name, "creationPolicy": "Merge", "template": template}), &["one"]);
        manifest["metadata"]["name"] = name.into();
        manifest
    };
    // With separate keys, or each would wait for the other.
    for name in ["left", "right"] {
        let text = json!({format!("{name}-text"): "words"});
        scene
            .apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": text}))
            .await;
    }
    // 20 writes at once, and four more five seconds apart.
    let (began, seen) = (Instant::now(), Mutex::new(BTreeSet::new()));
    let written_often = |secret: &Value| {
        let mut seen = seen.lock().unwrap();
        seen.insert(secret["data"]["left-text"].to_string());
        seen.len() > 24
    };
    tokio::join!(scene.until("Secret", "left", "written again and again", written_often), async {
        for (name, other) in [("left", "right"), ("right", "left")] {
            scene.apply(reads_secret_of(name, other)).await;
        }
    });
    assert!(began.elapsed() > Duration::from_secs(15), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_windows_hold_back_periodic_refreshes_and_no_others() {
    let scene = scene("windows").await;
    let every_minute =
        json!([{"schedule": "* * * * *", "duration": "1h"}, {"schedule": "0 0 1 1 *", "duration": "1s"}]);
    let windowed = |kind: &str| {
        let mut manifest = example(&scene, &json!({}), &["one"]);
        manifest["spec"]["refreshInterval"] = "1s".into();
        manifest["spec"]["syncWindows"] = json!({"kind": kind, "windows": every_minute});
        manifest
    };
    scene.apply(windowed("deny")).await;
    scene.until_secret("example", json!({"one": "1"})).await;
    scene.until_synced("example").await;
    scene.set_secret("one", "later");
    // Another one shows that enough time has passed for a refresh.
    scene.external_secret("clock", "1s", &[("one", "one")]).await;
    scene.until_refreshed_twice("clock").await;
    assert_eq!(scene.secret_data("example").await, Some(json!({"one": "1"})));
    scene.force_sync("example").await;
    scene.until_secret("example", json!({"one": "later"})).await;
    scene.delete("Secret", "example").await;
    scene.until_secret("example", json!({"one": "later"})).await;
    scene.apply(windowed("allow")).await;
    scene.until_synced("example").await;
    scene.set_secret("one", "last");
    scene.until_secret("example", json!({"one": "last"})).await;
}
