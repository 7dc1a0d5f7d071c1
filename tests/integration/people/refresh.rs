//! `external-secrets refresh` of PushSecrets, of stores, and of what makes objects in many namespaces.

use azure_sandbox::SecretPermission;
use external_secrets::sandbox::Fault;
use serde_json::{Value, json};
use test_stage::cluster_access::{Access, condition};
use test_stage::scene::Scene;
use test_stage::world::{World, crds_of_eso};

use super::VALUE;
use super::pushes::{push_secret, until};
use super::run::Command;

/// The results of a refresh, by kind and name.
async fn results(scene: &Scene, arguments: &[&str], code: i32) -> Vec<(String, String, Value)> {
    let run = Command::of(scene).run(&[&["refresh", "-o", "json"], arguments].concat()).await;
    run.tells_none_of(&[VALUE]);
    assert_eq!(run.code, code, "{arguments:?}: {}\n{}", run.text, run.errors);
    let document: Value = serde_json::from_str(&run.text).unwrap();
    let results = document["results"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    results.into_iter().map(|one| (text(&one["kind"]), text(&one["result"]), one)).collect()
}

fn kinds_and_results(results: &[(String, String, Value)]) -> Vec<(&str, &str)> {
    results.iter().map(|(kind, result, _)| (kind.as_str(), result.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_secret_and_its_cluster_push_secret_are_pushed_again_and_say_how_it_went() {
    let scene = Scene::new("refresh-push").await;
    let name = scene.name();
    scene.vault.allow(&scene.application, [SecretPermission::Get, SecretPermission::Set]);
    scene.store().await;
    let source =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "source"}, "stringData": {"a": VALUE}});
    scene.apply(source).await;
    scene.apply(push_secret(&scene, "one", "source", "pushed")).await;
    let parent = json!({
        "apiVersion": "external-secrets.io/v1alpha1", "kind": "ClusterPushSecret", "metadata": {"name": name},
        "spec": {
            "pushSecretName": "made", "pushSecretSpec": push_secret(&scene, "x", "source", "made")["spec"],
            "namespaceSelectors": [{"matchLabels": {"kubernetes.io/metadata.name": name}}],
        },
    });
    scene.apply(parent).await;
    for object in ["one", "made"] {
        until(&scene, object, "").await;
    }
    let all = results(&scene, &["ps/one", &format!("cps/{name}"), "--wait"], 0).await;
    let refreshed = [("PushSecret", "refreshed"), ("PushSecret", "refreshed"), ("ClusterPushSecret", "refreshed")];
    assert_eq!(kinds_and_results(&all), refreshed, "what it made is refreshed, too");
    let parent = scene.get("ClusterPushSecret", name).await.unwrap();
    let asked = &parent["metadata"]["annotations"]["force-sync"];
    assert!(asked.is_string() && *asked == parent["status"]["lastHandledRefresh"], "{parent:#}");

    let run = Command::of(&scene).run(&["refresh", "ps/one", "ps/gone", "--wait"]).await;
    assert_eq!(run.code, 1, "{}", run.text);
    assert!(run.text.contains(&format!("{name}/ps/one   refreshed in ")), "{}", run.text);
    assert!(run.text.contains(&format!("{name}/ps/gone  failed: it does not exist")), "{}", run.text);
    scene.vault.fault(Fault::status(503));
    let failed = results(&scene, &["pushsecrets", "--all", "--wait"], 1).await;
    assert_eq!(kinds_and_results(&failed), [("PushSecret", "failed"); 2]);
    let message = failed[0].2["message"].as_str().unwrap();
    assert!(message.starts_with("VaultUnavailable: "), "{message}");
    scene.delete("ClusterPushSecret", name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_external_secret_is_refreshed_with_the_external_secrets_that_it_made() {
    let scene = Scene::new("refresh-ces").await;
    let name = scene.name();
    scene.set_secret("greeting", "hello");
    scene.apply(scene.store_manifest("ClusterSecretStore", name)).await;
    let namespace = |team: &str| format!("{name}-{team}");
    let access =
        |team: &str| Access { client: scene.client.clone(), namespace: namespace(team), version: scene.version };
    for team in ["a", "b", "c"] {
        let metadata = json!({"name": namespace(team), "labels": {"scene": name}});
        scene.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})).await;
    }
    // In one of them, somebody else has the name.
    let store = json!({"name": name, "kind": "ClusterSecretStore"});
    let spec = json!({"refreshInterval": "1h", "secretStoreRef": store,
        "data": [{"secretKey": "greeting", "remoteRef": {"key": "greeting"}}]});
    let theirs =
        json!({"apiVersion": scene.version, "kind": "ExternalSecret", "metadata": {"name": name}, "spec": spec});
    access("c").apply(theirs).await;
    let parent = json!({"apiVersion": scene.version, "kind": "ClusterExternalSecret", "metadata": {"name": name},
        "spec": {"namespaceSelectors": [{"matchLabels": {"scene": name}}], "externalSecretSpec": spec}});
    scene.apply(parent).await;
    for team in ["a", "b", "c"] {
        access(team).until_ready(name, "True", "SecretSynced", "secret synced").await;
    }
    scene
        .until("ClusterExternalSecret", name, "one failed", |object| {
            object["status"]["provisionedNamespaces"].as_array().is_some_and(|all| all.len() == 2)
                && condition(object, "Ready")["status"] == "False"
        })
        .await;
    scene.set_secret("greeting", "hi");

    let all = results(&scene, &[&format!("ces/{name}"), "--wait"], 1).await;
    let expected =
        [("ExternalSecret", "refreshed"), ("ExternalSecret", "refreshed"), ("ClusterExternalSecret", "failed")];
    assert_eq!(kinds_and_results(&all), expected);
    for (_, _, one) in &all[..2] {
        assert_eq!(one["secretChanged"], true, "{one}");
    }
    let message = all[2].2["message"].as_str().unwrap();
    assert!(message.contains(&format!("1 of 3: {} (external secret already exists", namespace("c"))), "{message}");
    for team in ["a", "b"] {
        assert_eq!(access(team).secret_data(name).await, Some(json!({"greeting": "hi"})), "it is there at the end");
    }
    assert_eq!(access("c").secret_data(name).await, Some(json!({"greeting": "hello"})), "that is not one of its own");

    // It is well as soon as the other one is gone, without waiting for the next try.
    access("c").delete("ExternalSecret", name).await;
    let all = results(&scene, &[&format!("ces/{name}"), "--wait"], 0).await;
    assert_eq!(
        all.last().map(|(kind, result, _)| (kind.as_str(), result.as_str())),
        Some(("ClusterExternalSecret", "refreshed"))
    );

    let stores = results(&scene, &["clustersecretstores", "-l", "none=such"], 0).await;
    assert!(stores.is_empty(), "{stores:?}");
    scene.delete("ClusterExternalSecret", name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_crds_that_keep_no_answer_a_result_that_cannot_be_known_is_not_guessed() {
    let world = World::with_crds(crds_of_eso()).await;
    let scene = Scene::on(world, "refresh-eso").await;
    scene.set_secret("one", "one");
    scene.store().await;
    scene.external_secret("good", "1h", &[("a", "one")]).await;
    scene.external_secret("bad", "1h", &[("a", "missing")]).await;
    scene.until_ready("good", "True", "SecretSynced", "secret synced").await;
    scene.until_ready_starts("bad", "could not get secret data from provider").await;
    let good = results(&scene, &["good", "--wait"], 0).await;
    assert_eq!(good[0].1, "refreshed");
    let bad = results(&scene, &["bad", "--wait", "--timeout=5s"], 3).await;
    let message = bad[0].2["message"].as_str().unwrap();
    assert!(message.contains("a failure cannot be told") && message.contains("SecretNotFound"), "{message}");
    let store = results(&scene, &[&format!("css/{}", scene.name()), "--wait"], 0).await;
    let message = store[0].2["message"].as_str().unwrap();
    assert!(store[0].1 == "asked" && message.contains("the result cannot be told"), "{store:?}");
}
