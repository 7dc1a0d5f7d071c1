//! `external-secrets why`.

use serde_json::{Value, json};
use test_stage::scene::Scene;

use super::VALUE;
use super::run::Command;

#[tokio::test(flavor = "multi_thread")]
async fn all_links_hold_if_all_is_well_and_the_first_broken_one_is_named() {
    let scene = Scene::new("people-why").await;
    let name = scene.name();
    scene.set_secret("one", VALUE);
    scene.store().await;
    scene.external_secret("example", "1h", &[("a", "one")]).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    let pod = json!({"containers": [{"name": "c", "image": "i", "envFrom": [{"secretRef": {"name": "example"}}]}]});
    scene
        .apply(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "mail"}, "spec": {
            "replicas": 0, "selector": {"matchLabels": {"app": "mail"}},
            "template": {"metadata": {"labels": {"app": "mail"}}, "spec": pod},
        }}))
        .await;

    scene.until_event("example", "Normal Created external-secrets: secret created").await;
    let run = Command::of(&scene).run(&["why", "es/example"]).await;
    assert_eq!(run.code, 0, "{}\n{}", run.text, run.errors);
    for words in [
        &format!("ExternalSecret {name}/example: Ready for "),
        "ok    spec          nothing is wrong with it",
        &format!("ok    store         ClusterSecretStore {name:?} has been Ready for "),
        &format!("ok    identity      workload identity of service account \"azure-key-vault\" in {name}"),
        "ok    entry         1 entry read",
        &format!("ok    target        Secret {name}/example is there, synced "),
        "used by Deployment mail",
        "Normal Created",
    ] {
        assert!(run.text.contains(words), "{words:?} is missing in:\n{}", run.text);
    }
    run.tells_none_of(&[VALUE]);

    scene.vault.delete_secret("one").unwrap();
    scene.force_sync("example").await;
    scene.until("ExternalSecret", "example", "failed", |es| es["status"]["cause"] == "SecretNotFound").await;
    let run = Command::of(&scene).run(&["explain", "example"]).await;
    assert_eq!(run.code, 1);
    assert!(run.text.contains("FAIL  spec.data[0]  could not get secret data"), "{}", run.text);
    assert!(run.text.contains("                      do: "), "{}", run.text);

    // Somebody else writes to the Secret, which the controller cannot put right.
    assert!(!run.text.contains("wrote data"), "{}", run.text);
    scene.kubectl(&["patch", "secret", "example", "--patch", r#"{"stringData": {"a": "other", "b": "more"}}"#]);
    let run = Command::of(&scene).run(&["why", "example"]).await;
    let written = "                      \"kubectl-patch\" wrote data.a, data.b last";
    assert!(run.text.contains(&format!("warn  target        Secret {name}/example is there")), "{}", run.text);
    assert!(run.text.contains(written), "{written:?} is missing in:\n{}", run.text);
    let run = Command::of(&scene).run(&["why", "example", "-o", "json"]).await;
    let document: Value = serde_json::from_str(&run.text).unwrap();
    let target = document["links"].as_array().unwrap().iter().find(|link| link["link"] == "target").unwrap();
    assert_eq!(target["writers"], json!([{"manager": "kubectl-patch", "keys": ["a", "b"]}]));

    // What the vault answers now, without the controller.
    let check = async || {
        let run = Command::of(&scene).run(&["why", "example", "--check", "-o", "json"]).await;
        serde_json::from_str::<Value>(&run.text).unwrap_or_else(|_| panic!("{}\n{}", run.text, run.errors))["check"]
            .clone()
    };
    assert_eq!(check().await["cause"], "SecretNotFound");
    scene.vault.recover_secret("one").unwrap();
    assert_eq!(check().await["result"], "ok");

    let run = Command::of(&scene).run(&["why", "gone"]).await;
    assert_eq!(run.code, 1);
    assert!(run.errors.contains(&format!("no ExternalSecret {name}/gone")), "{}", run.errors);
}
