//! Minted values over restarts: what the controller knows of a target must not depend on what a process remembers.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use test_stage::cluster_access::decoded;
use test_stage::scene::Scene;

use crate::generators::{changed, entry, generator, synced, values_of};
use crate::synced::Synced;

/// A scene with a generator `p` and the controller that the test starts.
async fn scene(name: &str) -> Scene {
    let scene = Scene::with_own_controller(name).await;
    scene.set_secret("greeting", "hello");
    generator(&scene, "Password", "p", json!({"symbols": 0, "noUpper": true})).await;
    scene.store().await;
    scene
}

/// An ExternalSecret with a password. Its store has the scene's class.
fn minting(scene: &Scene, name: &str, more: &Value, target: &Value) -> Value {
    let mut manifest = scene.manifest(name, "1h", &[("greeting", "greeting")]);
    let spec = manifest["spec"].as_object_mut().unwrap();
    spec.insert("dataFrom".to_owned(), json!([entry("Password", "p", "")]));
    spec.extend(more.as_object().unwrap().clone());
    spec["target"].as_object_mut().unwrap().extend(target.as_object().unwrap().clone());
    manifest
}

async fn config_map(scene: &Scene, name: &str, text: &str) {
    let meta = json!({ "name": name });
    scene.apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"text": text}})).await;
}

fn of_config_map(name: &str) -> Value {
    json!({"template": {"templateFrom": [{"configMap": {"name": name, "items": [{"key": "text"}]}}]}})
}

/// Waits until the controller has handled everything that it was shown before this call.
async fn settled(scene: &Scene, examples: &[&str]) {
    static ROUND: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let round = ROUND.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string();
    // Its watch reports this change after all earlier ones.
    config_map(scene, "clock", &round).await;
    let mut clock = scene.manifest("clock", "1h", &[("greeting", "greeting")]);
    clock["spec"]["target"]["template"] = of_config_map("clock")["template"].clone();
    scene.apply(clock).await;
    scene.until_secret("clock", json!({"text": round})).await;
    // So does the pass over each of them that this causes.
    for example in examples {
        scene.merge("ExternalSecret", example, json!({"metadata": {"labels": {"round": round}}})).await;
        scene.until_synced(example).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_from_another_object_regenerates_only_when_its_text_changes() {
    let scene = scene("minted-from").await;
    config_map(&scene, "texts", "of {{ .password }}").await;
    scene
        .apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "texts"},
            "stringData": {"other": "{{ .password }} it is"}}))
        .await;
    let mut from = of_config_map("texts");
    let secret = json!({"secret": {"name": "texts", "items": [{"key": "other"}]}});
    from["template"]["templateFrom"].as_array_mut().unwrap().push(secret);
    let names = ["periodic", "on-change"];
    scene.apply(minting(&scene, "periodic", &json!({}), &from)).await;
    scene.apply(minting(&scene, "on-change", &json!({"refreshPolicy": "OnChange"}), &from)).await;
    let controller = scene.start_controller().await;
    let mut before = Vec::new();
    for name in names {
        before
            .push((scene.until_ready(name, "True", "SecretSynced", "secret synced").await, synced(&scene, name).await));
        assert!(before.last().unwrap().1["text"].as_str().unwrap().starts_with("of "));
    }
    settled(&scene, &[]).await;
    controller.kill().await;

    let _controller = scene.start_controller().await;
    settled(&scene, &[]).await;
    settled(&scene, &[]).await;
    for (name, (object, data)) in names.iter().zip(&before) {
        assert_eq!(scene.secret_data(name).await.as_ref(), Some(data), "a restart");
        let status = &scene.get("ExternalSecret", name).await.unwrap()["status"];
        assert_eq!(status["refreshTime"], object["status"]["refreshTime"], "nothing was due");
    }
    scene
        .merge("ConfigMap", "texts", json!({"metadata": {"labels": {"some": "label"}}, "data": {"unused": "x"}}))
        .await;
    scene.merge("Secret", "texts", json!({"metadata": {"annotations": {"some": "note"}}})).await;
    settled(&scene, &names).await;
    for (name, (_, data)) in names.iter().zip(&before) {
        assert_eq!(scene.secret_data(name).await.as_ref(), Some(data), "another part of the object");
    }
    config_map(&scene, "texts", "from {{ .password }}").await;
    for (name, (_, data)) in names.iter().zip(&before) {
        let after = changed(&scene, name, "text", data).await;
        assert!(after["text"].as_str().unwrap().starts_with("from "), "the template itself");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_what_is_in_an_object_whose_kind_has_defaults() {
    let scene = scene("minted-object").await;
    let generic = "--unsafe-allow-generic-targets";
    let manifest = json!({"apiVersion": "config.example.com/v1", "kind": "AppConfig"});
    let template = json!({"templateFrom": [{"target": "spec.database", "literal": "name: {{ .password }}"}]});
    let target = json!({"manifest": manifest, "template": template});
    let names = ["periodic", "once"];
    scene.apply(minting(&scene, "periodic", &json!({}), &target)).await;
    scene.apply(minting(&scene, "once", &json!({"refreshPolicy": "CreatedOnce"}), &target)).await;
    let mut controller = scene.start_controller_with(&[generic]).await;
    let password = |object: &Value| object["spec"]["database"]["name"].clone();
    let mut minted = Vec::new();
    for name in names {
        scene.until_ready(name, "True", "ResourceSynced", "secret synced").await;
        let object = scene.get("AppConfig", name).await.unwrap();
        assert_eq!(object["spec"]["mode"], "safe", "the API server has set a default");
        minted.push(password(&object));
    }
    let mut versions = Vec::new();
    for _ in 0..2 {
        controller.kill().await;
        controller = scene.start_controller_with(&[generic]).await;
        settled(&scene, &["periodic"]).await;
        let mut objects = Vec::new();
        for name in names {
            objects.push(scene.get("AppConfig", name).await.unwrap());
        }
        assert_eq!(objects.iter().map(password).collect::<Vec<_>>(), minted);
        versions.push(objects[1]["metadata"]["resourceVersion"].clone());
    }
    assert_eq!(versions[0], versions[1], "what the API server stored is known from the first restart on");
    for name in names {
        let events = scene.events(name).await;
        assert!(events.iter().all(|event| !event.contains("Regenerated")), "{events:?}");
    }
    controller.kill().await;
    scene.merge("AppConfig", "periodic", json!({"spec": {"database": {"name": "mine"}}})).await;
    let _controller = scene.start_controller_with(&[generic]).await;
    scene.until("AppConfig", "periodic", "repaired", |object| password(object) != "mine").await;
    scene.until_event_has("periodic", "somebody had changed or removed them").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_without_data_keeps_a_password_whatever_changes_in_it() {
    let scene = Scene::new("minted-labels").await;
    generator(&scene, "Password", "p", json!({})).await;
    generator(&scene, "UUID", "u", json!({})).await;
    let template = |label: &str| json!({"spec": {"target": {"template": {"metadata": {"labels": {"app": label}}}}}});
    let mut example = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "example"},
        "spec": {"refreshInterval": "1h", "dataFrom": [entry("Password", "p", "")]},
    });
    scene.apply(example.clone()).await;
    let minted = synced(&scene, "example").await["password"].clone();
    for label in ["one", "two"] {
        scene.merge("ExternalSecret", "example", template(label)).await;
        assert_eq!(synced(&scene, "example").await["password"], minted);
        assert_eq!(scene.get("Secret", "example").await.unwrap()["metadata"]["labels"]["app"], label);
    }
    let more = json!({"spec": {"dataFrom": [entry("UUID", "u", ""), entry("Password", "p", "")]}});
    scene.merge("ExternalSecret", "example", more).await;
    let data = synced(&scene, "example").await;
    assert!(data["password"] == minted && data["uuid"].is_string(), "one more entry");

    // Somebody else's Secret with all keys.
    let foreign = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "foreign"}, "stringData": {"password": "theirs"}});
    scene.apply(foreign).await;
    example["metadata"]["name"] = "foreign".into();
    example["spec"]["refreshPolicy"] = "CreatedOnce".into();
    example["spec"]["target"] = template("one")["spec"]["target"].clone();
    scene.apply(example).await;
    scene.until_ready("foreign", "True", "SecretSynced", "secret synced").await;
    let secret = scene.get("Secret", "foreign").await.unwrap();
    assert_eq!(decoded(&secret), json!({"password": "theirs"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_eso_0_16_1_has_minted_and_reported_is_kept() {
    let scene = scene("minted-md5").await;
    let md5 = "0123456789abcdef0123456789abcdef";
    let template = json!({"template": {"data": {"password": "{{ .password }}", "greeting": "{{ .greeting }}"}}});
    let names = ["plain", "templated"];
    for (name, target) in names.into_iter().zip([json!({}), template]) {
        let labels = json!({
            "reconcile.external-secrets.io/created-by": scene.owner_hash(name),
            "reconcile.external-secrets.io/managed": "true",
        });
        scene
            .apply(json!({
                "apiVersion": "v1", "kind": "Secret", "stringData": {"password": "minted by ESO", "greeting": "hello"},
                "metadata": {"name": name, "labels": labels, "annotations": {"reconcile.external-secrets.io/data-hash": md5}},
            }))
            .await;
        let object = scene.apply(minting(&scene, name, &json!({}), &target)).await;
        let generation = object["metadata"]["generation"].as_i64().unwrap();
        let synced =
            json!({"refreshTime": jiff::Timestamp::now(), "syncedResourceVersion": format!("{generation}-{md5}")});
        let (params, status) = (kube::api::PatchParams::default(), json!({ "status": synced }));
        scene.api("ExternalSecret").patch_status(name, &params, &kube::api::Patch::Merge(&status)).await.unwrap();
    }
    let _controller = scene.start_controller().await;
    for name in names {
        assert_eq!(synced(&scene, name).await, json!({"password": "minted by ESO", "greeting": "hello"}), "{name}");
    }
}

/// Writes a Secret as another controller does that takes over whatever it lists.
async fn write_by_force(scene: &Scene, data: &Value, labels: &Value) {
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "example", "labels": labels}, "data": data});
    let params = PatchParams::apply("gitops").force();
    scene.api("Secret").patch("example", &params, &Patch::Apply(&secret)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_owner_of_the_data_changes_no_password_that_it_leaves_as_it_is() {
    const ROUNDS: usize = 10;
    let scene = Scene::new("minted-forced").await;
    generator(&scene, "Password", "p", json!({"symbols": 0})).await;
    let mut manifest = scene.manifest("example", "1h", &[]);
    manifest["spec"].as_object_mut().unwrap().remove("data");
    manifest["spec"]["dataFrom"] = json!([entry("Password", "p", "")]);
    scene.apply(manifest).await;
    let minted = synced(&scene, "example").await;
    let values = values_of((*scene).clone(), "example", "password");

    // It becomes the owner of the value that is there, again and again, while the ExternalSecret changes: both write,
    // and one of them meets a conflict now and then.
    let encoded = scene.get("Secret", "example").await.unwrap()["data"].clone();
    let others = async {
        for round in 0..ROUNDS {
            write_by_force(&scene, &encoded, &json!({"theirs": round.to_string()})).await;
        }
    };
    let ours = async {
        for round in 0..ROUNDS {
            let label = json!({"metadata": {"labels": {"round": round.to_string()}}});
            scene.merge("ExternalSecret", "example", label).await;
        }
    };
    tokio::join!(others, ours);
    scene.until_synced("example").await;
    let last = (ROUNDS - 1).to_string();
    let has_both = |secret: &Value| {
        let labels = &secret["metadata"]["labels"];
        labels["round"] == last.as_str() && decoded(secret) == minted
    };
    scene.until("Secret", "example", "labelled by both", has_both).await;
    let one = BTreeSet::from([minted["password"].as_str().unwrap().to_owned()]);
    assert_eq!(*values.lock().unwrap(), one);
    assert!(!scene.events("example").await.iter().any(|event| event.contains("Regenerated")));

    // What it changes is lost, and so is made again, however often it does that.
    for round in 0..3 {
        let before = json!({"password": format!("theirs {round}")});
        let theirs = json!({"password": STANDARD.encode(format!("theirs {round}"))});
        write_by_force(&scene, &theirs, &json!({"theirs": "x"})).await;
        let after = changed(&scene, "example", "password", &before).await;
        assert_ne!(after["password"], before["password"]);
    }
    scene.until_event_has("example", "somebody had changed or removed them").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_adds_keys_is_rendered_again_with_the_same_password() {
    let scene = Scene::new("minted-merge").await;
    generator(&scene, "Password", "p", json!({"symbols": 0})).await;
    let template = |host: &str| {
        let url = format!("db://{{{{ .password }}}}@{host}");
        json!({"target": {"name": "example", "template": {"mergePolicy": "Merge", "data": {"url": url}}}})
    };
    let mut manifest = scene.manifest("example", "1h", &[]);
    manifest["spec"].as_object_mut().unwrap().remove("data");
    manifest["spec"]["dataFrom"] = json!([entry("Password", "p", "")]);
    manifest["spec"].as_object_mut().unwrap().extend(template("one").as_object().unwrap().clone());
    scene.apply(manifest).await;
    let first = synced(&scene, "example").await;
    let password = first["password"].as_str().unwrap();
    assert_eq!(first["url"], format!("db://{password}@one"));
    scene.merge("ExternalSecret", "example", json!({"spec": template("two")})).await;
    let second = json!({"password": password, "url": format!("db://{password}@two")});
    scene.until_secret("example", second).await;
    // A new one reaches both keys.
    scene.force_sync("example").await;
    let third = changed(&scene, "example", "password", &first).await;
    assert_eq!(third["url"], format!("db://{}@two", third["password"].as_str().unwrap()));
}
