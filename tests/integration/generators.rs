//! Values from generators: each is generated once, and stays until somebody asks for another or its time is over.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use external_secrets::sync::hash;
use futures::{StreamExt, TryStreamExt};
use kube::runtime::watcher;
use rstest::rstest;
use serde_json::{Value, json};

use test_stage::api_proxy::ApiProxy;
use test_stage::cluster_access::{Access, DEADLINE, condition, decoded};
use test_stage::scene::Scene;

use crate::synced::Synced;

const API_VERSION: &str = "generators.external-secrets.io/v1alpha1";
const SYNCED: (&str, &str) = ("SecretSynced", "secret synced");
/// More writes than any of these cases needs; a test that gets here would never end.
const TOO_MANY: usize = 20;

/// Applies a generator.
pub async fn generator(scene: &Scene, kind: &str, name: &str, spec: Value) {
    scene.apply(json!({"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec})).await;
}

/// A `dataFrom` entry that names a generator and prefixes its keys.
pub fn entry(kind: &str, name: &str, prefix: &str) -> Value {
    let rewrite = json!([{"regexp": {"source": "^(.*)$", "target": format!("{prefix}$1")}}]);
    json!({
        "sourceRef": {"generatorRef": {"apiVersion": API_VERSION, "kind": kind, "name": name}},
        "rewrite": if prefix.is_empty() { json!([]) } else { rewrite },
    })
}

/// An ExternalSecret without a store.
fn manifest(name: &str, interval: &str, entries: &[Value]) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": name},
        "spec": {"refreshInterval": interval, "target": {"name": name}, "dataFrom": entries},
    })
}

/// Waits until an ExternalSecret is synced; returns the data of its Secret.
pub async fn synced(scene: &Scene, name: &str) -> Value {
    scene.until_synced(name).await;
    scene.secret_data(name).await.expect("the Secret of a synced ExternalSecret")
}

/// Waits until a key of a Secret has another value, and returns that value.
pub async fn changed(scene: &Scene, name: &str, key: &str, before: &Value) -> Value {
    let is_other = |secret: &Value| decoded(secret)[key].is_string() && decoded(secret)[key] != before[key];
    decoded(&scene.until("Secret", name, &format!("{key} made anew"), is_other).await)
}

/// Removes the status of an ExternalSecret, as a restored backup does, and triggers a sync.
async fn lose_status(scene: &Scene, name: &str) {
    let status = json!({"status": {"refreshTime": null, "syncedResourceVersion": null, "conditions": null}});
    let params = kube::api::PatchParams::default();
    scene.api("ExternalSecret").patch_status(name, &params, &kube::api::Patch::Merge(&status)).await.unwrap();
    scene.merge("ExternalSecret", name, json!({"metadata": {"annotations": {"restored": "yes"}}})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_gives_its_keys_and_rewrites_tell_several_apart() {
    let scene = Scene::new("kinds").await;
    generator(
        &scene,
        "Password",
        "p",
        json!({"length": 12, "digits": 12, "symbols": 0, "noUpper": false, "allowRepeat": true}),
    )
    .await;
    generator(&scene, "UUID", "u", json!({})).await;
    generator(&scene, "SSHKey", "s", json!({"keyType": "ed25519", "comment": "it's me"})).await;
    generator(&scene, "Fake", "f", json!({"data": {"fixed": "value"}})).await;
    let of_cluster = json!({"kind": "UUID", "generator": {"uuidSpec": {}}});
    generator(&scene, "ClusterGenerator", scene.name(), of_cluster).await;
    let entries = [
        entry("Password", "p", ""),
        entry("UUID", "u", ""),
        entry("SSHKey", "s", ""),
        entry("Fake", "f", ""),
        entry("ClusterGenerator", scene.name(), "cluster-"),
    ];
    scene.apply(manifest("example", "1h", &entries)).await;
    let data = synced(&scene, "example").await;
    let keys: Vec<_> = data.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["cluster-uuid", "fixed", "password", "privateKey", "publicKey", "uuid"]);
    let password = data["password"].as_str().unwrap();
    assert!(password.len() == 12 && password.bytes().all(|byte| byte.is_ascii_digit()));
    assert_eq!(data["uuid"].as_str().unwrap().len(), 36);
    assert_ne!(data["uuid"], data["cluster-uuid"]);
    assert!(data["publicKey"].as_str().unwrap().starts_with("ssh-ed25519 "));
    assert!(data["publicKey"].as_str().unwrap().ends_with(" it's me\n"));
    assert!(data["privateKey"].as_str().unwrap().starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
    // Nothing outside the Secret reveals it.
    let told =
        [scene.get("ExternalSecret", "example").await.unwrap().to_string(), scene.events("example").await.join("\n")];
    let annotations = scene.get("Secret", "example").await.unwrap()["metadata"].to_string();
    for key in ["password", "uuid", "cluster-uuid"] {
        let value = data[key].as_str().unwrap();
        assert!(told.iter().chain([&annotations]).all(|text| !text.contains(value)), "{key}");
    }
    scene.delete("ClusterGenerator", scene.name()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn minted_values_stay_whatever_happens_to_the_external_secret() {
    let scene = Scene::new("stay").await;
    generator(&scene, "UUID", "u", json!({})).await;
    generator(&scene, "Fake", "f", json!({"data": {"more": "value"}})).await;
    scene.apply(manifest("example", "1h", &[entry("UUID", "u", "")])).await;
    let minted = synced(&scene, "example").await["uuid"].clone();

    let label =
        json!({"metadata": {"labels": {"kustomize.toolkit.fluxcd.io/name": "flux"}, "annotations": {"some": "note"}}});
    scene.merge("ExternalSecret", "example", label).await;
    assert_eq!(synced(&scene, "example").await, json!({"uuid": minted}), "a label and an annotation");

    let entries = json!({"spec": {"dataFrom": [entry("Fake", "f", ""), entry("UUID", "u", "")]}});
    scene.merge("ExternalSecret", "example", entries).await;
    assert_eq!(synced(&scene, "example").await, json!({"more": "value", "uuid": minted}), "one more entry");

    lose_status(&scene, "example").await;
    assert_eq!(synced(&scene, "example").await["uuid"], minted, "the status is lost");

    scene.merge("Secret", "example", json!({"stringData": {"more": "forged", "uninvited": "guest"}})).await;
    let restored = json!({"more": "value", "uuid": minted});
    scene.until_secret("example", restored.clone()).await;

    scene.merge("UUID", "u", json!({"metadata": {"labels": {"changed": "yes"}}})).await;
    assert_eq!(synced(&scene, "example").await, restored, "the generator itself");

    // As after a restored backup, or when an ExternalSecret is deleted and created again.
    let orphan = json!({"spec": {"target": {"creationPolicy": "Orphan"}}});
    scene.merge("ExternalSecret", "example", orphan).await;
    scene.until_synced("example").await;
    scene.delete("ExternalSecret", "example").await;
    scene.until_gone("ExternalSecret", "example").await;
    let mut again = manifest("example", "1h", &[entry("Fake", "f", ""), entry("UUID", "u", "")]);
    again["spec"]["target"]["creationPolicy"] = "Orphan".into();
    scene.apply(again).await;
    assert_eq!(synced(&scene, "example").await, restored, "made anew");
}

#[rstest]
#[case::interval_of_zero(json!({"refreshInterval": "0"}))]
#[case::created_once(json!({"refreshPolicy": "CreatedOnce"}))]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_once_stays_under_any_change(#[case] policy: Value) {
    let scene = Scene::new("once").await;
    generator(&scene, "Password", "p", json!({})).await;
    let mut once = manifest("example", "1h", &[entry("Password", "p", "")]);
    once["spec"].as_object_mut().unwrap().extend(policy.as_object().unwrap().clone());
    scene.apply(once).await;
    scene.until_ready("example", "True", SYNCED.0, SYNCED.1).await;
    let minted = scene.secret_data("example").await.unwrap();
    let patches = [
        json!({"metadata": {"labels": {"some": "label"}}}),
        json!({"spec": {"target": {"template": {"metadata": {"labels": {"some": "label"}}}}}}),
        json!({"metadata": {"annotations": {"some": "note"}}}),
    ];
    // A second one with an interval shows that enough time has passed.
    scene.apply(manifest("clock", "1s", &[entry("Password", "p", "")])).await;
    scene.until_ready("clock", "True", SYNCED.0, SYNCED.1).await;
    for patch in patches {
        scene.merge("ExternalSecret", "example", patch).await;
        scene.until_refreshed_twice("clock").await;
        assert_eq!(scene.secret_data("example").await.unwrap(), minted);
    }
    lose_status(&scene, "example").await;
    scene.until_ready("example", "True", SYNCED.0, SYNCED.1).await;
    assert_eq!(scene.secret_data("example").await.unwrap(), minted);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_values_come_with_the_interval_with_force_sync_and_with_another_entry() {
    let scene = Scene::new("anew").await;
    generator(&scene, "UUID", "u", json!({})).await;
    scene.apply(manifest("often", "1s", &[entry("UUID", "u", "")])).await;
    let mut before = synced(&scene, "often").await;
    for _ in 0..2 {
        before = changed(&scene, "often", "uuid", &before).await;
    }

    scene.apply(manifest("example", "1h", &[entry("UUID", "u", "")])).await;
    let first = synced(&scene, "example").await;
    scene.force_sync("example").await;
    let second = changed(&scene, "example", "uuid", &first).await;
    let renamed = json!({"spec": {"dataFrom": [entry("UUID", "u", "my-")]}});
    scene.merge("ExternalSecret", "example", renamed).await;
    let third = synced(&scene, "example").await;
    assert!(third["uuid"].is_null() && third["my-uuid"].is_string() && third["my-uuid"] != second["uuid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_somebody_removed_or_changed_is_the_only_one_regenerated_and_an_event_says_so() {
    let scene = Scene::new("lost").await;
    generator(&scene, "UUID", "u", json!({})).await;
    generator(&scene, "Password", "p", json!({})).await;
    scene.apply(manifest("example", "1h", &[entry("UUID", "u", ""), entry("Password", "p", "")])).await;
    let first = synced(&scene, "example").await;
    scene.merge("Secret", "example", json!({"data": {"password": null}})).await;
    let second = changed(&scene, "example", "password", &first).await;
    assert_eq!(second["uuid"], first["uuid"]);
    let event = "Warning Regenerated external-secrets: the values of spec.dataFrom[1] were regenerated, \
                 because somebody had changed or removed them in the target";
    scene.until_event("example", event).await;
    scene.merge("Secret", "example", json!({"stringData": {"password": "mine"}})).await;
    let third = changed(&scene, "example", "password", &json!({"password": "mine"})).await;
    assert_ne!(third["password"], second["password"]);
    assert_eq!(third["uuid"], first["uuid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_rendered_from_minted_values_which_stay_with_it() {
    let scene = Scene::new("rendered").await;
    generator(&scene, "Password", "p", json!({})).await;
    let mut templated = manifest("example", "1h", &[entry("Password", "p", "")]);
    templated["spec"]["target"]["template"] = json!({"data": {"url": "postgres://shop:{{ .password | urlquery }}@db"}});
    scene.apply(templated).await;
    let first = synced(&scene, "example").await;
    assert!(first["url"].as_str().unwrap().starts_with("postgres://shop:"));
    assert!(first["password"].is_null());
    scene.merge("ExternalSecret", "example", json!({"metadata": {"labels": {"some": "label"}}})).await;
    assert_eq!(synced(&scene, "example").await, first);
    lose_status(&scene, "example").await;
    assert_eq!(synced(&scene, "example").await, first);
    // The input of the template is stored nowhere, so another template needs another password.
    let template = json!({"data": {"url": "mysql://shop:{{ .password | urlquery }}@db"}});
    scene.merge("ExternalSecret", "example", json!({"spec": {"target": {"template": template}}})).await;
    let second = synced(&scene, "example").await;
    assert!(second["url"].as_str().unwrap().starts_with("mysql://shop:"));
}

#[rstest]
#[case::by_eso_0_16_1("0123456789abcdef0123456789abcdef".to_owned())]
#[case::by_eso_2_9_0(hash::data_hash([("password", b"minted by ESO".as_slice())]))]
#[tokio::test(flavor = "multi_thread")]
async fn what_eso_has_minted_is_taken_over_unchanged(#[case] data_hash: String) {
    let scene = Scene::new("taken").await;
    generator(&scene, "Password", "p", json!({})).await;
    let labels = json!({
        "reconcile.external-secrets.io/created-by": scene.owner_hash("example"),
        "reconcile.external-secrets.io/managed": "true",
    });
    scene
        .apply(json!({
            "apiVersion": "v1", "kind": "Secret", "stringData": {"password": "minted by ESO"},
            "metadata": {"name": "example", "labels": labels,
                "annotations": {"reconcile.external-secrets.io/data-hash": data_hash}},
        }))
        .await;
    scene.apply(manifest("example", "1h", &[entry("Password", "p", "")])).await;
    assert_eq!(synced(&scene, "example").await, json!({"password": "minted by ESO"}));
    // From now on the record says so, and the values survive changes.
    scene.merge("ExternalSecret", "example", json!({"metadata": {"labels": {"some": "label"}}})).await;
    assert_eq!(synced(&scene, "example").await, json!({"password": "minted by ESO"}));
    let secret = scene.get("Secret", "example").await.unwrap();
    let annotations = secret["metadata"]["annotations"].as_object().unwrap();
    assert!(
        annotations.keys().any(|name| name.starts_with("generators.external-secrets.io/record-")),
        "{annotations:?}"
    );
    let expected = hash::data_hash([("password", b"minted by ESO".as_slice())]);
    assert_eq!(annotations["reconcile.external-secrets.io/data-hash"], expected);
    scene.force_sync("example").await;
    changed(&scene, "example", "password", &json!({"password": "minted by ESO"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generator_that_appears_or_is_fixed_wakes_those_that_failed_over_it() {
    let scene = Scene::new("wakes").await;
    scene.apply(manifest("missing", "1h", &[entry("UUID", "u", "")])).await;
    let message = "could not get secret data from provider";
    scene.until_ready_starts("missing", message).await;
    let event = "Warning UpdateFailed external-secrets: could not get secret data from provider: error processing spec.dataFrom[0].sourceRef.generatorRef, err: \
                 unable to get generator: uuids.generators.external-secrets.io \"u\" not found";
    scene.until_event_starts("missing", event).await;
    generator(&scene, "UUID", "u", json!({})).await;
    scene.until_ready("missing", "True", SYNCED.0, SYNCED.1).await;

    // This one is not retried.
    let other = json!({"kind": "ECRAuthorizationToken", "generator": {"ecrAuthorizationTokenSpec": {"region": "eu"}}});
    generator(&scene, "ClusterGenerator", scene.name(), other).await;
    // Fields that ESO knows and this controller does not serve are preserved.
    let kept = scene.get("ClusterGenerator", scene.name()).await.unwrap();
    assert_eq!(kept["spec"]["generator"]["ecrAuthorizationTokenSpec"]["region"], "eu");
    scene.apply(manifest("unserved", "1h", &[entry("ClusterGenerator", scene.name(), "")])).await;
    scene.until_ready_starts("unserved", message).await;
    let mended = json!({"kind": "UUID", "generator": {"uuidSpec": {}}});
    generator(&scene, "ClusterGenerator", scene.name(), mended).await;
    scene.until_ready("unserved", "True", SYNCED.0, SYNCED.1).await;
    scene.delete("ClusterGenerator", scene.name()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_specs_and_values_of_generators_are_bounded_in_total() {
    let scene = Scene::new("bounded").await;
    let fails_with = async |name: &str, words: &str| {
        scene.until_ready_starts(name, "could not get secret data from provider").await;
        scene.until_event_has(name, words).await;
    };
    // Each one is small, but is read as often as it is named.
    generator(&scene, "Fake", "large", json!({"data": {"k": "x".repeat(2_000)}})).await;
    let entries: Vec<_> = (0..150).map(|number| entry("Fake", "large", &format!("k{number}-"))).collect();
    scene.apply(manifest("texts", "1h", &entries)).await;
    fails_with("texts", "at most 256 KiB together").await;

    let keys: Vec<_> = (0..100).map(|number| format!("k{number}")).collect();
    let spec =
        json!({"length": 4096, "digits": 0, "symbols": 0, "noUpper": false, "allowRepeat": true, "secretKeys": keys});
    generator(&scene, "Password", "long", spec).await;
    let entries: Vec<_> = (0..15).map(|number| entry("Password", "long", &format!("p{number}-"))).collect();
    scene.apply(manifest("values", "1h", &entries)).await;
    fails_with("values", "may read 4 MiB").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_record_that_names_a_large_value_for_each_entry_is_bounded_too() {
    let scene = Scene::new("forged").await;
    generator(&scene, "UUID", "id", json!({})).await;
    scene.apply(manifest("forged", "1h", &vec![entry("UUID", "id", ""); 6])).await;
    synced(&scene, "forged").await;
    let secret = scene.get("Secret", "forged").await.unwrap();
    let annotations = secret["metadata"]["annotations"].as_object().unwrap();
    let (name, record) = annotations.iter().find(|(name, _)| name.contains("/record-")).unwrap();
    let mut record: Value = serde_json::from_str(record.as_str().unwrap()).unwrap();
    for recorded in record["entries"].as_array_mut().unwrap() {
        recorded["keys"] = json!(["large"]);
    }
    let data = json!({"large": "x".repeat(900_000)});
    let forged = json!({"metadata": {"annotations": {name: record.to_string()}}, "stringData": data});
    let params = kube::api::PatchParams { field_manager: Some(hash::field_manager("forged")), ..Default::default() };
    scene.api("Secret").patch("forged", &params, &kube::api::Patch::Merge(&forged)).await.unwrap();
    scene.until_ready_starts("forged", "could not get secret data from provider").await;
    scene.until_event_has("forged", "may read 4 MiB").await;
}

#[rstest]
#[case::webhook("Webhook", "generatorRef names a Webhook, which is not served by this controller")]
#[case::mfa("MFA", "generatorRef names the kind MFA, which is not served")]
#[case::unknown("Nonsense", "generatorRef references unknown GVK")]
#[tokio::test(flavor = "multi_thread")]
async fn kinds_that_are_not_served_are_named_in_an_event(#[case] kind: &str, #[case] words: &str) {
    let scene = Scene::new("unserved").await;
    let refused = scene.try_apply(manifest("example", "1h", &[entry(kind, "g", "")])).await;
    if let Err(error) = refused {
        // The schema lists the kinds.
        assert!(error.to_string().contains(kind), "{error}");
        return;
    }
    scene.until_ready_starts("example", "could not get secret data from provider").await;
    let is_it = |event: &str| event.contains("terminal error: ") && event.contains(words);
    scene.until_event_is("example", words, is_it).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_secret_with_a_fake_of_another_class_is_left_alone() {
    let scene = Scene::new("class").await;
    generator(&scene, "Fake", "other", json!({"controller": "another", "data": {"key": "value"}})).await;
    generator(&scene, "Fake", "ours", json!({"data": {"key": "value"}})).await;
    scene.apply(manifest("other", "1h", &[entry("Fake", "other", "")])).await;
    scene.apply(manifest("ours", "1h", &[entry("Fake", "ours", "")])).await;
    scene.until_ready("ours", "True", SYNCED.0, SYNCED.1).await;
    let other = scene.get("ExternalSecret", "other").await.unwrap();
    assert!(other["status"]["conditions"].is_null() && scene.get("Secret", "other").await.is_none());
}

/// An ExternalSecret for the scene's own controller, whose store has its class.
fn own(scene: &Scene, name: &str) -> Value {
    let mut own = scene.manifest(name, "1h", &[("greeting", "greeting")]);
    own["spec"]["dataFrom"] = json!([entry("UUID", "u", "")]);
    own
}

/// Every value that a key of a Secret has from now on.
pub fn values_of(access: Access, secret: &str, key: &'static str) -> Arc<Mutex<BTreeSet<String>>> {
    let (values, name) = (Arc::new(Mutex::new(BTreeSet::new())), secret.to_owned());
    let seen = Arc::clone(&values);
    tokio::spawn(async move {
        let mut objects = watcher::watch_object(access.api("Secret"), &name).boxed();
        while let Ok(object) = objects.try_next().await {
            let value = object.flatten().map(|object| decoded(&serde_json::to_value(&object).unwrap())[key].clone());
            seen.lock().unwrap().extend(value.and_then(|value| value.as_str().map(str::to_owned)));
        }
    });
    values
}

/// Waits until the watch of [`values_of`] has shown a value.
async fn until_any(values: &Mutex<BTreeSet<String>>) {
    let shown = async {
        while values.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, shown).await.expect("the watch shows a value");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_minted_survives_a_controller_that_is_killed_after_any_write() {
    let scene = Scene::with_own_controller("kill-minted").await;
    let proxy = ApiProxy::start(scene.kubeconfig(), scene.world.cluster.directory()).await;
    scene.set_secret("greeting", "hello");
    generator(&scene, "UUID", "u", json!({})).await;
    scene.store().await;
    for writes in 1.. {
        assert!(writes < TOO_MANY);
        let name = format!("example-{writes}");
        scene.apply(own(&scene, &name)).await;
        let values = values_of((*scene).clone(), &name, "uuid");
        let cut_off = scene.killed_after(&proxy, writes, scene.until_ready(&name, "True", SYNCED.0, SYNCED.1)).await;
        let _controller = scene.start_controller().await;
        scene.until_ready(&name, "True", SYNCED.0, SYNCED.1).await;
        let data = scene.secret_data(&name).await.unwrap();
        assert_eq!(data["greeting"], "hello");
        let expected = data["uuid"].as_str().unwrap().to_owned();
        until_any(&values).await;
        assert_eq!(*values.lock().unwrap(), BTreeSet::from([expected]), "after {writes} writes");
        if !cut_off {
            assert!(writes > 2, "the Secret and the ExternalSecret's status are written");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_controllers_at_once_agree_on_what_is_minted() {
    let scene = Scene::with_own_controller("two-minted").await;
    scene.set_secret("greeting", "hello");
    generator(&scene, "UUID", "u", json!({})).await;
    scene.store().await;
    let kubeconfig = scene.kubeconfig();
    let first = scene.world.start_controller_with(&format!("{}-a", scene.name()), &scene.arguments(), kubeconfig).await;
    let second =
        scene.world.start_controller_with(&format!("{}-b", scene.name()), &scene.arguments(), kubeconfig).await;
    for round in 0..5 {
        let name = format!("example-{round}");
        let values = values_of((*scene).clone(), &name, "uuid");
        scene.apply(own(&scene, &name)).await;
        scene.until_synced(&name).await;
        // Both have seen it once they have seen a later change.
        scene.merge("ExternalSecret", &name, json!({"metadata": {"labels": {"round": "yes"}}})).await;
        scene.until_synced(&name).await;
        let value = scene.secret_data(&name).await.unwrap()["uuid"].as_str().unwrap().to_owned();
        until_any(&values).await;
        assert_eq!(*values.lock().unwrap(), BTreeSet::from([value]), "{name}");
    }
    drop((first, second));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_minted_where_nothing_is_written() {
    let scene = Scene::new("unwritten").await;
    generator(&scene, "UUID", "u", json!({})).await;
    let mut none = manifest("none", "1h", &[entry("UUID", "u", "")]);
    none["spec"]["target"]["creationPolicy"] = "None".into();
    scene.apply(none).await;
    scene.until("ExternalSecret", "none", "synced", |object| condition(object, "Ready")["status"] == "True").await;
    assert!(scene.get("Secret", "none").await.is_none());

    let mut immutable = manifest("immutable", "1s", &[entry("UUID", "u", "")]);
    immutable["spec"]["target"]["immutable"] = true.into();
    scene.apply(immutable).await;
    let first = synced(&scene, "immutable").await;
    scene.until_refreshed_twice("immutable").await;
    assert_eq!(scene.secret_data("immutable").await, Some(first));
}
