//! What a person sees when following the README.

use rstest::rstest;
use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

#[rstest]
#[case("external-secrets.io/v1beta1")]
#[case("external-secrets.io/v1")]
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_travels_from_the_vault_into_the_cluster(#[case] api_version: &str) {
    let scene = Scene::new("walkthrough").await;
    scene.set_secret("qvs-secret-manager", "Hello, Qmonus Value Stream!");
    let store = json!({
        "apiVersion": api_version,
        "kind": "ClusterSecretStore",
        "metadata": {"name": scene.name()},
        "spec": {"provider": {"azurekv": {
            "authType": "WorkloadIdentity",
            "vaultUrl": scene.vault.url(),
            "serviceAccountRef": {"name": "azure-key-vault", "namespace": scene.name()},
        }}},
    });
    scene.apply(store).await;
    let example = json!({
        "apiVersion": api_version,
        "kind": "ExternalSecret",
        "metadata": {"name": "example"},
        "spec": {
            "refreshInterval": "0",
            "secretStoreRef": {"name": scene.name(), "kind": "ClusterSecretStore"},
            "target": {"name": "qvs-kubernetes-secret", "creationPolicy": "Owner"},
            "data": [{"secretKey": "greeting", "remoteRef": {"key": "qvs-secret-manager"}}],
        },
    });
    scene.apply(example).await;

    let secret = scene.until_secret("qvs-kubernetes-secret", json!({"greeting": "Hello, Qmonus Value Stream!"})).await;
    let synced = scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    assert_eq!(synced["status"]["binding"]["name"], "qvs-kubernetes-secret");
    assert!(synced["status"]["refreshTime"].is_string());
    assert_eq!(condition(&synced, "Ready")["observedGeneration"], 1);
    assert_eq!(synced["metadata"]["finalizers"], Value::Null, "the garbage collector needs no finalizer");
    assert_eq!(secret["metadata"]["labels"]["reconcile.external-secrets.io/managed"], "true");
    assert_eq!(secret["metadata"]["ownerReferences"][0]["uid"], synced["metadata"]["uid"]);
    scene.until_event("example", "Normal Created external-secrets: secret created").await;

    let store = scene
        .until("ClusterSecretStore", scene.name(), "valid", |store| condition(store, "Ready")["status"] == "True")
        .await;
    assert_eq!(condition(&store, "Ready")["reason"], "Valid");
    assert_eq!(condition(&store, "Ready")["message"], "store validated");
    assert_eq!(store["status"]["capabilities"], "ReadWrite");
    for type_ in ["Authenticated", "Reachable"] {
        assert_eq!(condition(&store, type_)["status"], "True", "{type_}");
    }
    scene.until_event(scene.name(), "Normal Valid cluster-secret-store: store validated").await;

    scene.delete("ExternalSecret", "example").await;
    scene.until_gone("Secret", "qvs-kubernetes-secret").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_shows_the_columns_of_eso() {
    let scene = Scene::new("columns").await;
    scene.set_secret("one", "1");
    scene.store().await;
    scene.external_secret("example", "0", &[("greeting", "one")]).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;

    let shown = scene.kubectl(&["get", "externalsecret.external-secrets.io/example"]);
    let lines: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        lines[0],
        ["NAME", "STORETYPE", "STORE", "REFRESH", "INTERVAL", "STATUS", "READY", "LAST", "SYNC"],
        "{shown}"
    );
    assert_eq!(lines[1][..6], ["example", "ClusterSecretStore", scene.name(), "0", "SecretSynced", "True"], "{shown}");

    scene.until_event(scene.name(), "Normal Valid cluster-secret-store: store validated").await;
    let described = scene.kubectl(&["describe", "clustersecretstore", scene.name()]);
    let event = described.lines().find(|line| line.contains("store validated") && line.contains("Valid "));
    assert!(event.is_some_and(|line| line.contains("cluster-secret-store")), "{described}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_version_stays_and_the_latest_arrives_at_the_interval() {
    let scene = Scene::new("versions").await;
    let first = scene.set_secret("greeting", "first");
    scene.store().await;
    scene.external_secret("latest", "1s", &[("greeting", "greeting")]).await;
    let mut pinned = scene.manifest("pinned", "1s", &[("greeting", "greeting")]);
    pinned["spec"]["data"][0]["remoteRef"]["version"] = first.into();
    scene.apply(pinned).await;
    scene.until_secret("latest", json!({"greeting": "first"})).await;
    let before = scene.until_ready("pinned", "True", "SecretSynced", "secret synced").await;

    scene.set_secret("greeting", "second");
    scene.until_secret("latest", json!({"greeting": "second"})).await;
    scene
        .until("ExternalSecret", "pinned", "refreshed", |object| {
            object["status"]["refreshTime"] != before["status"]["refreshTime"]
        })
        .await;
    assert_eq!(scene.secret_data("pinned").await, Some(json!({"greeting": "first"})));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_property_is_taken_out_of_a_json_secret() {
    let scene = Scene::new("property").await;
    scene.set_secret("database", r#"{"user": "app", "hosts": ["a", "b"], "tls.mode": "strict"}"#);
    scene.store().await;
    let mut manifest =
        scene.manifest("example", "1h", &[("user", "database"), ("host", "database"), ("mode", "database")]);
    for (index, property) in ["user", "hosts.1", "tls.mode"].into_iter().enumerate() {
        manifest["spec"]["data"][index]["remoteRef"]["property"] = property.into();
    }
    scene.apply(manifest).await;
    scene.until_secret("example", json!({"user": "app", "host": "b", "mode": "strict"})).await;
    assert_eq!(scene.reads_of("database"), 1, "three properties of one secret cost one read");
}
