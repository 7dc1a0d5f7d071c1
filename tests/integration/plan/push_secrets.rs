//! `plan` of PushSecrets: the action of the table for each object, with the names of what differs, and no value.

use azure_sandbox::{ObjectKind, SecretPermission, SecretProperties};
use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

use super::Plan;

/// A scene whose identity may write secrets, with a store.
async fn scene(name: &str) -> Scene {
    let scene = Scene::new(name).await;
    let all = [SecretPermission::Get, SecretPermission::Set, SecretPermission::Delete, SecretPermission::List];
    scene.vault.allow(&scene.application, all);
    scene.store().await;
    scene
}

/// A PushSecret of the Secret `source`.
fn manifest(scene: &Scene, name: &str, data: &[(&str, &str)]) -> Value {
    let data =
        data.iter().map(|(key, remote)| json!({"match": {"secretKey": key, "remoteRef": {"remoteKey": remote}}}));
    json!({
        "apiVersion": "external-secrets.io/v1alpha1", "kind": "PushSecret",
        "metadata": {"name": name, "namespace": scene.name()},
        "spec": {
            "refreshInterval": "1h",
            "secretStoreRefs": [{"name": scene.name(), "kind": scene.store_kind()}],
            "selector": {"secret": {"name": "source"}},
            "data": data.collect::<Vec<_>>(),
        },
    })
}

async fn source(scene: &Scene, data: Value) {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "source"}, "stringData": data});
    scene.apply(secret).await;
}

fn ours(more: &[(&str, &str)]) -> SecretProperties {
    let tags = more.iter().chain(&[("managed-by", "external-secrets")]);
    let tags = tags.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    SecretProperties { tags: Some(tags), ..SecretProperties::default() }
}

async fn until_synced(scene: &Scene, name: &str) {
    let is_so = |object: &Value| condition(object, "Ready")["reason"] == "Synced";
    scene.until("PushSecret", name, "Synced", is_so).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_action_for_each_object_is_told_with_what_differs_and_nothing_is_written() {
    let scene = scene("plan-push").await;
    let (name, host) = (scene.name(), scene.vault.host().to_owned());
    source(&scene, json!({"a": "canary-of-source"})).await;
    let vault = &scene.vault;
    vault.set_secret_with("same", "canary-of-source", ours(&[("theirs", "x")])).unwrap();
    vault.set_secret_with("other", "canary-of-vault", ours(&[])).unwrap();
    vault.set_secret_with("tagged", "canary-of-source", ours(&[])).unwrap();
    vault.set_secret("theirs", "canary-of-vault").unwrap();
    vault.set_secret_with("gone", "canary-of-vault", ours(&[])).unwrap();
    vault.set_secret("theirs-gone", "canary-of-vault").unwrap();
    vault.delete_secret("gone").unwrap();
    vault.delete_secret("theirs-gone").unwrap();
    let objects = ["new", "same", "other", "tagged", "theirs", "gone", "theirs-gone"].map(|remote| ("a", remote));
    let mut example = manifest(&scene, "example", &objects);
    example["spec"]["data"][3]["metadata"] = json!({
        "apiVersion": "kubernetes.external-secrets.io/v1alpha1", "kind": "PushSecretMetadata",
        "spec": {"tags": {"team": "a"}, "contentType": "text/plain"},
    });
    let owner = format!("PushSecret {name}/example");
    let run = Plan::of(&scene).with(&[&example]).run(&[]).await;
    run.says(
        1,
        &[
            &format!(
                "~ secret/gone in vault {host} would be recovered by {owner}: it is deleted, recoverable, and ours"
            ),
            &format!("+ secret/new in vault {host} would be created by {owner}"),
            &format!("~ secret/other in vault {host} would get a new version from {owner}"),
            "    ~ value",
            &format!("~ secret/tagged in vault {host} would be changed without a new version by {owner}"),
            "    ~ content type",
            "    ~ tag team",
            &format!("! {owner}: secret/theirs in vault {host}: not managed by external-secrets"),
            &format!("! {owner}: secret/theirs-gone in vault {host}: it is deleted, recoverable, and was not managed"),
            &format!("  {owner}: 1 of its objects is as it should be"),
            "Plan: 1 to create, 3 to change, 0 to delete; 1 unchanged, 2 refused.",
        ],
    );
    run.tells_none_of(&["canary-of-source", "canary-of-vault"]);
    let json = Plan::of(&scene).with(&[&example]).run(&["--output=json"]).await;
    json.tells_none_of(&["canary-of-source", "canary-of-vault"]);
    let document: Value = serde_json::from_str(&json.text).unwrap();
    let objects = document["pushSecrets"][0]["objects"].as_array().unwrap();
    let tagged = objects.iter().find(|object| object["name"] == "secret/tagged").unwrap();
    assert_eq!((&tagged["action"], &tagged["what"]), (&json!("update"), &json!("properties")));
    assert_eq!((&tagged["changes"], &tagged["vault"]), (&json!(["content type", "tag team"]), &json!(host)));
    let writes = ["SetSecret", "UpdateSecret", "DeleteSecret", "RecoverDeletedSecret", "PurgeDeletedSecret"];
    assert!(writes.iter().all(|operation| scene.vault.counters().operation(operation) == 0), "nothing is written");

    // With IfNotExists, what is there stays, whoever made it.
    example["spec"]["updatePolicy"] = "IfNotExists".into();
    example["spec"]["data"] = json!([example["spec"]["data"][4], example["spec"]["data"][2]]);
    let stays = format!("  {owner}: secret/theirs in vault {host}: it is there, and updatePolicy is IfNotExists");
    Plan::of(&scene).with(&[&example]).run(&[]).await.says(0, &[&stays, "2 unchanged, 0 refused."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_wanted_any_more_is_told_and_what_is_pushed_already_is_as_it_should_be() {
    let scene = scene("plan-unwanted").await;
    let (name, host) = (scene.name(), scene.vault.host().to_owned());
    source(&scene, json!({"a": "1", "b": "2"})).await;
    let mut example = manifest(&scene, "example", &[("a", "kept"), ("b", "unwanted")]);
    example["spec"]["deletionPolicy"] = "Delete".into();
    scene.apply(example.clone()).await;
    until_synced(&scene, "example").await;
    let owner = format!("PushSecret {name}/example");
    let same = format!("  {owner}: 2 of its objects are as they should be");
    Plan::of(&scene).run(&["example"]).await.says(0, &[&same]);

    example["spec"]["data"].as_array_mut().unwrap().pop();
    let deleted = format!("- secret/unwanted in vault {host} would be deleted by {owner}: it is not wanted any more");
    Plan::of(&scene).with(&[&example]).run(&[]).await.says(2, &[&deleted, "1 to delete; 1 unchanged"]);

    // Without the Secret there is nothing to push; what was pushed goes after a minute.
    scene.vault.update_secret("unwanted", None, SecretProperties::default()).unwrap();
    example["spec"]["selector"] = json!({"secret": {"name": "nothing"}});
    let gone =
        format!("- secret/kept in vault {host} would be deleted by {owner}: Secret \"nothing\" does not exist; it is");
    Plan::of(&scene).with(&[&example]).run(&[]).await.says(2, &["Secret \"nothing\" does not exist", &gone]);
    assert!(scene.vault.object(ObjectKind::Secret, "kept").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_ask_for_one_object_the_younger_is_refused() {
    let scene = scene("plan-conflict").await;
    let (name, host) = (scene.name(), scene.vault.host().to_owned());
    source(&scene, json!({"a": "1", "b": "2"})).await;
    scene.apply(manifest(&scene, "older", &[("a", "shared")])).await;
    until_synced(&scene, "older").await;
    let (older, younger) =
        (manifest(&scene, "older", &[("a", "shared")]), manifest(&scene, "an-other", &[("b", "Shared")]));
    let refused = format!(
        "! PushSecret {name}/an-other: secret/shared in vault {host}: PushSecret \"older\", which is older, writes another value"
    );
    Plan::of(&scene).with(&[&older, &younger]).run(&[]).await.says(1, &[&refused, "1 unchanged, 1 refused."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_worked_out_is_told_in_the_words_of_the_condition() {
    let scene = scene("plan-push-refused").await;
    let name = scene.name();
    source(&scene, json!({"a": "1"})).await;
    let mut lost = manifest(&scene, "lost", &[("a", "x")]);
    lost["spec"]["secretStoreRefs"] = json!([{"name": "nowhere", "kind": "ClusterSecretStore"}]);
    let missing = manifest(&scene, "missing", &[("nothing", "x")]);
    let mut away = manifest(&scene, "away", &[("a", "x")]);
    away["spec"]["selector"] = json!({"secret": {"name": "nothing"}});
    Plan::of(&scene).with(&[&lost, &missing, &away]).run(&[]).await.says(
        1,
        &[
            &format!(
                "! PushSecret {name}/away: Errored: could not get source secret: Secret \"nothing\" does not exist"
            ),
            &format!("! PushSecret {name}/lost: Errored: could not get ClusterSecretStore \"nowhere\", "),
            &format!(
                "! PushSecret {name}/missing: \"x\" of ClusterSecretStore \"{name}\": secret key nothing does not exist"
            ),
            "3 refused.",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn for_a_cluster_push_secret_it_tells_each_push_secret_and_its_objects() {
    let scene = scene("plan-push-cluster").await;
    let (name, host) = (scene.name(), scene.vault.host().to_owned());
    source(&scene, json!({"a": "1"})).await;
    let parent = json!({
        "apiVersion": "external-secrets.io/v1alpha1", "kind": "ClusterPushSecret", "metadata": {"name": name},
        "spec": {
            "pushSecretName": "made",
            "namespaceSelectors": [{"matchLabels": {"kubernetes.io/metadata.name": name}}],
            "pushSecretSpec": manifest(&scene, "", &[("a", "of-cluster")])["spec"],
        },
    });
    let owner = format!("PushSecret {name}/made");
    Plan::of(&scene).with(&[&parent]).run(&[]).await.says(
        2,
        &[
            &format!("+ {owner} would be created by ClusterPushSecret {name}"),
            &format!("+ secret/of-cluster in vault {host} would be created by {owner}"),
            "Plan: 2 to create, 0 to change, 0 to delete; 0 unchanged, 0 refused.",
        ],
    );
    scene.apply(manifest(&scene, "made", &[("a", "own")])).await;
    until_synced(&scene, "made").await;
    let taken = format!("! ClusterPushSecret {name}: {name}: push secret already exists in namespace");
    Plan::of(&scene).with(&[&parent]).run(&[]).await.says(1, &[&taken]);
}
