//! What `why` says of PushSecrets, ClusterPushSecrets and ClusterExternalSecrets, and whether the cause is over.

use azure_sandbox::{ObjectKind, SecretPermission};
use serde_json::{Value, json};
use test_stage::cluster_access::{Access, condition};
use test_stage::scene::Scene;

use super::VALUE;
use super::pushes::{push_secret, until};
use super::run::Command;

/// What `why --check` finds now.
async fn check(scene: &Scene, name: &str) -> Value {
    let run = Command::of(scene).run(&["why", name, "--check", "-o", "json"]).await;
    run.tells_none_of(&[VALUE]);
    let document: Value = serde_json::from_str(&run.text).unwrap_or_else(|_| panic!("{}\n{}", run.text, run.errors));
    document["check"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn why_tells_whether_a_push_secret_could_be_pushed_by_now() {
    let scene = Scene::new("why-check-push").await;
    scene.vault.allow(&scene.application, [SecretPermission::Get, SecretPermission::Set]);
    scene.vault.set_secret("taken", "theirs").unwrap();
    scene.store().await;
    let source =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "source"}, "stringData": {"a": VALUE}});
    scene.apply(source.clone()).await;
    for (object, secret, remote_key, cause) in [
        ("good", "source", "pushed", ""),
        ("refused", "source", "taken", "Refused"),
        ("sourceless", "missing", "x", "Source"),
    ] {
        scene.apply(push_secret(&scene, object, secret, remote_key)).await;
        until(&scene, object, cause).await;
    }
    assert_eq!(check(&scene, "ps/good").await["result"], "ok");
    let refused = check(&scene, "ps/refused").await;
    assert_eq!(refused["cause"], "Refused");
    assert!(refused["message"].as_str().unwrap().contains("not managed by external-secrets"), "{refused}");
    let run = Command::of(&scene).run(&["why", "ps/refused", "--check"]).await;
    assert!(run.code == 1 && run.text.contains("checked from here: still fails: \"taken\" of "), "{}", run.text);
    assert_eq!(check(&scene, "ps/sourceless").await["cause"], "Source");

    // Somebody gives the object up.
    scene.vault.delete_secret("taken").unwrap();
    scene.vault.purge(ObjectKind::Secret, "taken").unwrap();
    assert_eq!(check(&scene, "ps/refused").await["result"], "ok");

    // An older one takes precedence.
    scene
        .apply(
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "other"}, "stringData": {"a": "other"}}),
        )
        .await;
    scene.apply(push_secret(&scene, "younger", "other", "pushed")).await;
    until(&scene, "younger", "Conflict").await;
    let conflict = check(&scene, "ps/younger").await;
    assert_eq!(conflict["cause"], "Conflict", "{conflict}");
    scene.delete("PushSecret", "good").await;
    scene.until_gone("PushSecret", "good").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn why_names_the_namespaces_that_fail_and_what_was_made_in_the_others() {
    let scene = Scene::new("why-parents").await;
    let name = scene.name();
    scene.set_secret("greeting", "hello");
    scene.apply(scene.store_manifest("ClusterSecretStore", name)).await;
    let namespace = |team: &str| format!("{name}-{team}");
    let access =
        |team: &str| Access { client: scene.client.clone(), namespace: namespace(team), version: scene.version };
    for team in ["a", "b"] {
        let metadata = json!({"name": namespace(team), "labels": {"scene": name}});
        scene.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})).await;
    }
    let spec = json!({"refreshInterval": "1h", "secretStoreRef": {"name": name, "kind": "ClusterSecretStore"},
        "data": [{"secretKey": "greeting", "remoteRef": {"key": "greeting"}}]});
    let theirs =
        json!({"apiVersion": scene.version, "kind": "ExternalSecret", "metadata": {"name": name}, "spec": spec});
    access("b").apply(theirs).await;
    let parent = json!({"apiVersion": scene.version, "kind": "ClusterExternalSecret", "metadata": {"name": name},
        "spec": {"namespaceSelectors": [{"matchLabels": {"scene": name}}], "externalSecretSpec": spec}});
    scene.apply(parent).await;
    let is_failed = |object: &Value| {
        condition(object, "Ready")["status"] == "False" && condition(object, "ExternalSecretsReady")["status"] == "True"
    };
    scene.until("ClusterExternalSecret", name, "one failed", is_failed).await;
    let why = format!("ces/{name}");
    scene.until_event_starts(name, "Warning NamespacesFailed").await;
    let run = Command::of(&scene).run(&["why", &why, "--check"]).await;
    assert_eq!(run.code, 1, "{}\n{}", run.text, run.errors);
    let taken = format!("namespace {}: external secret already exists in namespace", namespace("b"));
    for words in [
        &format!("ClusterExternalSecret {name}: not Ready for "),
        "1 of 2 namespaces provisioned",
        "ok    spec          nothing is wrong with it",
        &format!("FAIL  namespaces    {taken}"),
        "do: Correct what the message names; where ExternalSecret ",
        "ok    children      each ExternalSecret is Ready",
        &format!("checked from here: still fails: {taken}"),
        "Warning NamespacesFailed",
    ] {
        assert!(run.text.contains(words), "{words:?} is missing in:\n{}", run.text);
    }

    // With the other one gone, one that it made fails.
    access("b").delete("ExternalSecret", name).await;
    scene.vault.delete_secret("greeting").unwrap();
    let asked = json!({"metadata": {"annotations": {"force-sync": "1"}}});
    access("a").merge("ExternalSecret", name, asked).await;
    let is_failed = |object: &Value| {
        condition(object, "Ready")["status"] == "True" && condition(object, "ExternalSecretsReady")["status"] == "False"
    };
    scene.until("ClusterExternalSecret", name, "its ExternalSecrets fail", is_failed).await;
    let has_failed = |object: &Value| object["status"]["cause"] == "SecretNotFound";
    access("a").until("ExternalSecret", name, "failed", has_failed).await;
    let run = Command::of(&scene).run(&["why", &why]).await;
    let child = format!("FAIL  children      {}/{name}: SecretNotFound: ", namespace("a"));
    assert!(run.code == 1 && run.text.contains(&child), "{}", run.text);
    assert!(run.text.contains(&format!("See `external-secrets why {name} -n {}`", namespace("a"))), "{}", run.text);
    let checked = check(&scene, &why).await;
    assert_eq!(checked["cause"], "NotReady");
    assert!(checked["message"].as_str().unwrap().contains("SecretNotFound: "), "{checked}");
    scene.vault.recover_secret("greeting").unwrap();
    assert_eq!(check(&scene, &why).await["result"], "ok");
    scene.delete("ClusterExternalSecret", name).await;

    // The same of a ClusterPushSecret.
    let pushes = json!({"apiVersion": "external-secrets.io/v1alpha1", "kind": "ClusterPushSecret", "metadata": {"name": name},
        "spec": {"pushSecretName": "made", "pushSecretSpec": push_secret(&scene, "x", "none", "x")["spec"],
            "namespaceSelectors": [{"matchLabels": {"kubernetes.io/metadata.name": name}}]}});
    scene.apply(pushes).await;
    until(&scene, "made", "Source").await;
    let is_failed = |object: &Value| condition(object, "PushSecretsReady")["status"] == "False";
    scene.until("ClusterPushSecret", name, "its PushSecrets fail", is_failed).await;
    let run = Command::of(&scene).run(&["why", &format!("cps/{name}"), "--check"]).await;
    let child = format!("FAIL  children      {name}/made: Source: could not get source secret");
    assert!(run.code == 1 && run.text.contains(&child), "{}\n{}", run.text, run.errors);
    assert!(run.text.contains(&format!("checked from here: still fails: {name}/made: Source: ")), "{}", run.text);
    scene.delete("ClusterPushSecret", name).await;
}
