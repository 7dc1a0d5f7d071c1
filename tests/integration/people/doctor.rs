//! `external-secrets doctor`.

use external_secrets::sandbox::Config;
use rstest::rstest;
use serde_json::{Value, json};
use test_stage::api_proxy::ApiProxy;
use test_stage::installation::Installation;
use test_stage::scene::Scene;
use test_stage::world::World;

use super::VALUE;
use super::run::{Command, Run};

/// The checks of a run: id, result and text.
fn checks(run: &Run) -> Vec<(String, String, String)> {
    let document: Value = serde_json::from_str(&run.text).unwrap_or_else(|_| panic!("{}\n{}", run.text, run.errors));
    assert_eq!(document["version"], 1);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = document["checks"].as_array().unwrap().iter();
    list.map(|check| (text(&check["id"]), text(&check["result"]), text(&check["message"]))).collect()
}

#[track_caller]
fn assert_came_to(run: &Run, id: &str, result: &str) {
    let checks = checks(run);
    let found = checks.iter().any(|(found, came_to, _)| found == id && came_to == result);
    assert!(found, "{id} did not come to {result}: {checks:#?}");
}

/// The Lease of a leader, as the chart's replicas hold it.
fn lease(renewed: &str) -> Value {
    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "external-secrets-controller"},
        "spec": {"holderIdentity": "external-secrets-1", "leaseDurationSeconds": 3600, "renewTime": renewed}})
}

#[tokio::test(flavor = "multi_thread")]
async fn all_checks_pass_if_a_controller_leads_and_stores_and_external_secrets_are_ready() {
    let world = World::start().await;
    let scene = Scene::on(world, "doctor-well").await;
    scene.set_secret("one", VALUE);
    scene.store().await;
    scene.external_secret("example", "1h", &[("a", "one")]).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    let now = format!("{:.6}", jiff::Timestamp::now());
    scene.apply(lease(&now)).await;
    let proxy = ApiProxy::start(scene.kubeconfig(), world.cluster.directory()).await;
    proxy.pass();
    let run = Command::of(&scene).through(&proxy.kubeconfig).run(&["doctor", "-o", "json"]).await;
    assert_eq!(run.code, 0, "{}\n{}", run.text, run.errors);
    for id in ["api-server", "clock", "crds-there", "crds-served", "crds-whose", "lease-fresh", "store-ready", "synced"]
    {
        assert_came_to(&run, id, "ok");
    }
    assert_came_to(&run, "webhook-answers", "skipped");
    // What a federated credential must have.
    let (_, came_to, federation) = checks(&run).into_iter().find(|(id, ..)| id == "federation").unwrap();
    let subject = format!("system:serviceaccount:{}:azure-key-vault", scene.name());
    let issuer = format!("the issuer {}", world.cluster.issuer_url());
    assert_eq!(came_to, "ok");
    for told in [subject.as_str(), issuer.as_str(), "the audience api://AzureADTokenExchange"] {
        assert!(federation.contains(told), "{told}: {federation}");
    }
    assert_eq!(proxy.writes(), 0, "nothing is written");
    run.tells_none_of(&[VALUE]);
    let run = Command::of(&scene).run(&["doctor"]).await;
    assert!(run.text.starts_with("api server       ok    the API server answers"), "{}", run.text);
    assert!(run.text.contains("\n0 failed, "), "{}", run.text);

    // The leader is gone.
    scene.apply(lease("2020-01-01T00:00:00.000000Z")).await;
    let run = Command::of(&scene).run(&["doctor", "-o", "json"]).await;
    assert_eq!(run.code, 1);
    assert_came_to(&run, "lease-fresh", "failed");
    assert_came_to(&run, "controller-there", "failed");

    // A refresh that nobody answers says so while it waits.
    let mut store = scene.store_manifest("SecretStore", "unserved");
    store["spec"]["controller"] = "nobody".into();
    scene.apply(store).await;
    scene.apply(scene.manifest_for("SecretStore", "unserved", "unserved", "1h", &[("a", "one")])).await;
    let run = Command::of(&scene).run(&["refresh", "unserved", "--wait", "--timeout=20s"]).await;
    assert_eq!(run.code, 3, "{}", run.text);
    let lease =
        format!("no controller leads: the lease {}/external-secrets-controller is external-secrets-1's", scene.name());
    assert!(run.errors.contains(&lease), "{}", run.errors);
    scene.delete("ExternalSecret", "unserved").await;
    scene.delete("SecretStore", "unserved").await;

    // From here on, the vault answers too.
    let run = Command::of(&scene).run(&["doctor", "--probe", "-o", "json"]).await;
    assert_came_to(&run, "probe", "ok");
    scene.vault.fault(external_secrets::sandbox::Fault::status(503));
    let run = Command::of(&scene).run(&["doctor", "--probe", "-o", "json"]).await;
    assert_came_to(&run, "probe", "failed");

    // A check without read access is skipped, not failed.
    let run = Command::of(&scene).run(&["doctor", "-o", "json", "--as", "nobody"]).await;
    let checks = checks(&run);
    assert!(checks.iter().all(|(_, came_to, _)| came_to != "failed"), "{checks:#?}");
    assert!(
        checks.iter().any(|(id, came_to, said)| id == "synced" && came_to == "skipped" && said.contains("no right"))
    );
    assert_eq!(run.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_any_of_it_will_do_for_an_installation() {
    let world = World::empty(Config::default()).await;
    let scene = Scene::on(world, "doctor-empty").await;
    let run = Command::of(&scene).run(&["doctor", "--pre", "-o", "json"]).await;
    assert_eq!(run.code, 0, "{}\n{}", run.text, run.errors);
    assert_came_to(&run, "server-version", "ok");
    assert_came_to(&run, "my-rights", "ok");
    let run = Command::of(&scene).run(&["doctor", "--pre", "-o", "json", "--as", "nobody"]).await;
    assert_came_to(&run, "my-rights", "failed");
    let run = Command::of(&scene).run(&["doctor", "-o", "json"]).await;
    assert_eq!(run.code, 1);
    assert_came_to(&run, "crds-there", "failed");
    let run = Command::of(&scene).run(&["doctor", "--wait", "1s", "-o", "json"]).await;
    assert_eq!(run.code, 3, "waited in vain");
}

#[rstest]
#[case::answers(true, "ok")]
#[case::is_away(false, "failed")]
#[tokio::test(flavor = "multi_thread")]
async fn the_webhook_is_asked_whether_it_refuses_what_it_must(#[case] runs: bool, #[case] expected: &str) {
    let installation = Installation::new(&[]).await;
    installation.until_answered().await;
    if !runs {
        let webhook = installation.webhook();
        webhook.terminate();
        webhook.exited().await;
    }
    let scene = Scene::on(installation.world, "doctor-hook").await;
    let run = Command::of(&scene).run(&["doctor", "-o", "json"]).await;
    assert_came_to(&run, "webhook-answers", expected);
    assert_came_to(&run, "webhook-certificate", "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_away_is_the_only_thing_said() {
    let scene = Scene::new("doctor-away").await;
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let text = std::fs::read_to_string(scene.kubeconfig()).unwrap();
    let server = text.split(['"', '\'', ' ', '\n', ',']).find(|word| word.starts_with("https://")).unwrap().to_owned();
    std::fs::write(&kubeconfig, text.replace(&server, "https://127.0.0.1:1")).unwrap();
    let run = Command::of(&scene).through(&kubeconfig).run(&["doctor", "-o", "json"]).await;
    assert_eq!(run.code, 1);
    let checks = checks(&run);
    assert_eq!((checks.len(), checks[0].0.as_str(), checks[0].1.as_str()), (1, "api-server", "failed"), "{checks:#?}");
}
