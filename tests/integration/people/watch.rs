//! `external-secrets get --watch`.

use serde_json::{Value, json};
use test_stage::scene::Scene;

use super::VALUE;
use super::pushes::push_secret;
use super::run::Command;

#[tokio::test(flavor = "multi_thread")]
async fn each_change_of_an_object_of_any_kind_is_a_line_or_a_document() {
    let scene = Scene::new("people-watch").await;
    let name = scene.name();
    scene.set_secret("one", VALUE);
    scene.store().await;
    let mut all = Command::of(&scene).start(&[
        "get",
        "externalsecrets",
        "pushsecrets",
        "clusterpushsecrets",
        "clusterexternalsecrets",
        "stores",
        "--watch",
        "-o",
        "json",
    ]);
    let document = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let store = document(&all.until(&["\"store\"", name, "\"ready\":\"True\""]).await);
    assert_eq!(store["store"]["kind"], "ClusterSecretStore");
    scene.external_secret("example", "1h", &[("a", "one")]).await;
    let synced = document(&all.until(&["\"externalSecret\"", "\"ready\":\"True\""]).await);
    assert_eq!((&synced["version"], &synced["externalSecret"]["name"]), (&json!(1), &json!("example")));
    scene.apply(push_secret(&scene, "push", "none", "x")).await;
    all.until(&["\"pushSecret\"", "\"cause\":\"Source\""]).await;
    let spec = push_secret(&scene, "x", "none", "x")["spec"].clone();
    scene
        .apply(json!({"apiVersion": "external-secrets.io/v1alpha1", "kind": "ClusterPushSecret", "metadata": {"name": name},
            "spec": {"pushSecretSpec": spec, "namespaceSelectors": [{"matchLabels": {"none": "such"}}]}}))
        .await;
    all.until(&["\"clusterPushSecret\"", name, "\"ready\":\"True\""]).await;
    let selectors = json!([{"matchLabels": {"none": "such"}}]);
    let spec = scene.manifest("x", "1h", &[("a", "one")])["spec"].clone();
    scene
        .apply(json!({"apiVersion": scene.version, "kind": "ClusterExternalSecret", "metadata": {"name": name},
            "spec": {"externalSecretSpec": spec, "namespaceSelectors": selectors}}))
        .await;
    all.until(&["\"clusterExternalSecret\"", name, "\"ready\":\"True\""]).await;
    scene.delete("ClusterExternalSecret", name).await;
    let deleted = document(&all.until(&["\"deleted\"", "ClusterExternalSecret", name]).await);
    assert_eq!(deleted["deleted"], json!({"kind": "ClusterExternalSecret", "namespace": null, "name": name}));

    // As lines, of those alone that are named and fit.
    let mut lines = Command::of(&scene).start(&["get", "example", "ps/push", "--not-ready", "-w"]);
    let line = lines.until(&["push"]).await;
    let begins = format!("{name}/ps/push  css/{name}  objects 0  Ready=False  pushed never  next ");
    assert!(line.starts_with(&begins), "{line}");
    scene.vault.delete_secret("one").unwrap();
    scene.force_sync("example").await;
    let line = lines.until(&["example", "SecretNotFound"]).await;
    assert!(line.starts_with(&format!("{name}/example  css/{name}  Ready=False  synced ")), "{line}");
    scene.delete("ExternalSecret", "example").await;
    assert_eq!(lines.error().await, format!("{name}/example was deleted"));
    scene.delete("ClusterPushSecret", name).await;

    let run = Command::of(&scene).run(&["get", "stores", "pushsecrets", "-o", "json"]).await;
    let document = document(&run.text);
    assert!(
        document["stores"].as_array().is_some_and(|all| !all.is_empty())
            && document["pushSecrets"][0]["name"] == "push"
    );
    let run = Command::of(&scene).run(&["get", "-w", "--as", "nobody"]).await;
    assert!(run.code == 1 && run.errors.contains("a right is missing"), "{}", run.errors);
}
