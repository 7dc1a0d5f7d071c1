//! What `get` and `why` say of PushSecrets and ClusterPushSecrets.

use azure_sandbox::SecretPermission;
use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

use super::VALUE;
use super::run::Command;

pub fn push_secret(scene: &Scene, name: &str, secret: &str, remote_key: &str) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1alpha1", "kind": "PushSecret", "metadata": {"name": name},
        "spec": {
            "secretStoreRefs": [{"name": scene.name(), "kind": scene.store_kind()}],
            "selector": {"secret": {"name": secret}},
            "data": [{"match": {"secretKey": "a", "remoteRef": {"remoteKey": remote_key}}}],
        },
    })
}

pub async fn until(scene: &Scene, name: &str, cause: &str) {
    let is_so = |object: &Value| match cause {
        "" => condition(object, "Ready")["status"] == "True",
        cause => object["status"]["cause"] == cause,
    };
    scene.until("PushSecret", name, cause, is_so).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn push_secrets_are_listed_and_the_first_broken_link_of_each_is_named_with_its_remedy() {
    let scene = Scene::new("people-push").await;
    let name = scene.name();
    scene.vault.allow(&scene.application, [SecretPermission::Get, SecretPermission::Set]);
    scene.vault.set_secret("taken", "theirs").unwrap();
    scene.store().await;
    let source =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "source"}, "stringData": {"a": VALUE}});
    scene.apply(source).await;
    for (object, secret, remote_key, cause) in [
        ("good", "source", "pushed", ""),
        ("refused", "source", "taken", "Refused"),
        ("sourceless", "missing", "x", "Source"),
    ] {
        scene.apply(push_secret(&scene, object, secret, remote_key)).await;
        until(&scene, object, cause).await;
    }
    let run = Command::of(&scene).run(&["get", "pushsecrets"]).await;
    assert_eq!(run.code, 0, "{}\n{}", run.text, run.errors);
    let line = |object: &str| run.text.lines().find(|line| line.starts_with(object)).unwrap_or_default().to_owned();
    assert!(line("good").contains("  1        True"), "{}", run.text);
    assert!(line("refused").contains("Refused: set secret failed"), "{}", run.text);
    assert!(line("sourceless").contains("Source: could not get source secret"), "{}", run.text);
    run.tells_none_of(&[VALUE]);
    let run = Command::of(&scene).run(&["get", "pushsecrets", "--not-ready", "--cause", "Source", "-o", "name"]).await;
    assert_eq!(run.text, "pushsecret/sourceless\n");
    let run = Command::of(&scene).run(&["get", "ps/good", "ps/nothing", "-o", "json"]).await;
    assert_eq!(run.code, 1, "one is not there");
    let document: Value = serde_json::from_str(&run.text).unwrap();
    let pushed = &document["pushSecrets"][0];
    assert_eq!((&pushed["name"], &pushed["ready"], &pushed["objects"]), (&json!("good"), &json!("True"), &json!(1)));

    scene.until_event_starts("good", "Normal Pushed").await;
    let run = Command::of(&scene).run(&["why", "ps/good"]).await;
    assert_eq!(run.code, 0, "{}\n{}", run.text, run.errors);
    for words in [
        &format!("PushSecret {name}/good: Ready for "),
        "ok    spec          nothing is wrong with it",
        &format!("ok    store         ClusterSecretStore {name:?} has been Ready for "),
        &format!("ok    source        Secret {name}/source is there"),
        "ok    objects       1 object as wanted",
        "Normal Pushed",
    ] {
        assert!(run.text.contains(words), "{words:?} is missing in:\n{}", run.text);
    }
    run.tells_none_of(&[VALUE]);
    let run = Command::of(&scene).run(&["why", "ps/refused"]).await;
    assert_eq!(run.code, 1);
    let words = "FAIL  objects       set secret failed: could not write remote ref a";
    assert!(run.text.contains(words) && run.text.contains("do: Adopt or enable the object"), "{}", run.text);
    let run = Command::of(&scene).run(&["why", "ps/sourceless", "-o", "json"]).await;
    let document: Value = serde_json::from_str(&run.text).unwrap();
    let links = document["links"].as_array().unwrap();
    let of = |link: &str| links.iter().find(|found| found["link"] == link).unwrap();
    assert_eq!((&of("source")["result"], &of("source")["cause"]), (&json!("failed"), &json!("Source")));
    assert_eq!(of("objects")["message"], "not reached");
    assert_eq!(document["pushSecret"]["name"], "sourceless");

    let parent = json!({
        "apiVersion": "external-secrets.io/v1alpha1", "kind": "ClusterPushSecret", "metadata": {"name": "people-push"},
        "spec": {
            "pushSecretName": "good", "pushSecretSpec": push_secret(&scene, "x", "source", "x")["spec"],
            "namespaceSelectors": [{"matchLabels": {"kubernetes.io/metadata.name": name}}],
        },
    });
    scene.apply(parent).await;
    let is_failed = |parent: &Value| condition(parent, "Ready")["status"] == "False";
    scene.until("ClusterPushSecret", "people-push", "failed", is_failed).await;
    let run = Command::of(&scene).run(&["get", "clusterpushsecret/people-push"]).await;
    let words = format!("{name} (push secret already exists in namespace)");
    assert!(run.text.contains("0 of 1") && run.text.contains(&words), "{}\n{}", run.text, run.errors);
    scene.delete("ClusterPushSecret", "people-push").await;
}
