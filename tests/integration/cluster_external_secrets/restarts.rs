//! The controller is killed, restarted, or has nothing to do.

use std::time::Duration;

use serde_json::{Value, json};

use super::setting::{OWNER, Setting};
use test_stage::api_proxy::ApiProxy;
use test_stage::controller_process::Controller;
use test_stage::scene::Scene;
use test_stage::world::World;

/// More writes than any of these cases needs; a test that gets here would never end.
const TOO_MANY: usize = 30;

/// A world without a controller, and a proxy in front of its API server.
async fn alone(name: &str) -> (Setting, ApiProxy) {
    let setting = Setting::of_scene(Scene::on(World::without_controller().await, name).await).await;
    let proxy = ApiProxy::start(setting.scene.kubeconfig(), setting.scene.world.cluster.directory()).await;
    (setting, proxy)
}

async fn start(setting: &Setting, proxy: &ApiProxy) -> Controller {
    setting.scene.world.start_controller_with(setting.name(), &[], &proxy.kubeconfig).await
}

/// Whether an object was written since `before`.
async fn is_written(setting: &Setting, team: &str, kind: &str, before: &Value) -> bool {
    let after = setting.of(team).get(kind, setting.name()).await.unwrap();
    after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
}

#[tokio::test(flavor = "multi_thread")]
async fn at_rest_nothing_is_asked_and_after_a_restart_nothing_is_written() {
    let (setting, proxy) = alone("ces-rest").await;
    proxy.pass();
    let teams = ["a", "b", "c", "d"];
    setting.namespaces(&teams).await;
    let taken = setting.scene.manifest_for(
        "ClusterSecretStore",
        setting.scene.name(),
        setting.name(),
        "1h",
        &[("own", "greeting")],
    );
    setting.of("d").apply(taken).await;
    let controller = start(&setting, &proxy).await;
    setting.apply(setting.manifest()).await;
    for team in teams {
        setting.of(team).until_ready(setting.name(), "True", "SecretSynced", "secret synced").await;
    }
    let is_said = |object: &Value| {
        object["status"]["failedNamespaces"].as_array().is_some_and(|failed| failed.len() == 1)
            && test_stage::cluster_access::condition(object, "ExternalSecretsReady")["status"] == "True"
    };
    let before = setting.until("said", is_said).await;
    assert!(proxy.done("patch external-secrets.io/clusterexternalsecrets/status") <= 4);
    let child = setting.of("a").get("ExternalSecret", setting.name()).await.unwrap();

    // The requests to the API server are the same before and after a few idle seconds.
    let asked = || {
        let verbs = ["create", "update", "patch", "delete", "get", "list"];
        let resources = ["externalsecrets", "clusterexternalsecrets", "clusterexternalsecrets/status", "namespaces"];
        let rights = verbs
            .iter()
            .flat_map(|verb| resources.iter().map(move |resource| format!("{verb} external-secrets.io/{resource}")));
        rights.map(|right| proxy.asked(&right)).sum::<u64>()
    };
    let at_rest = asked();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(asked(), at_rest);
    controller.kill().await;

    let writes = proxy.writes();
    let again = format!("{}-again", setting.name());
    let controller = setting.scene.world.start_controller_with(&again, &[], &proxy.kubeconfig).await;
    controller.until_ready().await;
    let labels = format!("name=\"{}\",namespace=\"\"", setting.name());
    for series in [
        format!("clusterexternalsecret_status_condition{{condition=\"Ready\",{labels},status=\"True\"}} 0"),
        format!("clusterexternalsecret_status_condition{{condition=\"Ready\",{labels},status=\"False\"}} 1"),
        format!("clusterexternalsecret_namespaces{{{labels},state=\"provisioned\"}} 3"),
        format!("clusterexternalsecret_namespaces{{{labels},state=\"failed\"}} 1"),
        format!("clusterexternalsecret_reconcile_duration{{{labels}}} "),
    ] {
        controller.until_measured(&series).await;
    }
    // A new one is processed after the old ones.
    let mut later = setting.manifest();
    later["metadata"]["name"] = "later".into();
    setting.apply(later).await;
    setting.of("a").until_ready("later", "True", "SecretSynced", "secret synced").await;
    setting.scene.until(OWNER, "later", "said", |object| object["status"]["provisionedNamespaces"].is_array()).await;
    assert!(!is_written(&setting, "a", "ExternalSecret", &child).await);
    let after = setting.get().await;
    assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
    assert!(proxy.writes() > writes, "the new one was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_provisioned_renamed_and_left_wherever_it_was_cut_off() {
    let (setting, proxy) = alone("ces-kill").await;
    setting.namespaces(&["a"]).await;
    let access = setting.of("a");
    let mut manifest = setting.manifest();
    manifest["spec"]["externalSecretSpec"]["target"] = json!({"name": "shared"});
    for writes in 1.. {
        assert!(writes < TOO_MANY);
        // Created.
        setting.apply(manifest.clone()).await;
        let mut cut_off = killed_after(&setting, &proxy, writes, setting.until_provisioned(&["a"])).await;
        {
            let _controller = start_afresh(&setting).await;
            setting.until_provisioned(&["a"]).await;
            access.until_secret("shared", json!({"greeting": "hello"})).await;
        }
        // Renamed.
        let name = format!("renamed-{writes}");
        setting.merge(json!({"spec": {"externalSecretName": name}})).await;
        cut_off |=
            killed_after(&setting, &proxy, writes, access.until_ready(&name, "True", "SecretSynced", "secret synced"))
                .await;
        {
            let _controller = start_afresh(&setting).await;
            access.until_ready(&name, "True", "SecretSynced", "secret synced").await;
            access.until_gone("ExternalSecret", setting.name()).await;
            access.until_secret("shared", json!({"greeting": "hello"})).await;
        }
        // Changed.
        setting.scene.set_secret("other", &writes.to_string());
        let other = json!([{"secretKey": "greeting", "remoteRef": {"key": "other"}}]);
        setting.merge(json!({"spec": {"externalSecretSpec": {"data": other}}})).await;
        let changed = access.until_secret("shared", json!({"greeting": writes.to_string()}));
        cut_off |= killed_after(&setting, &proxy, writes, changed).await;
        {
            let _controller = start_afresh(&setting).await;
            access.until_secret("shared", json!({"greeting": writes.to_string()})).await;
            setting.until_provisioned(&["a"]).await;
        }
        // Deselected.
        setting.merge(json!({"spec": {"namespaceSelectors": [], "namespaces": []}})).await;
        cut_off |= killed_after(&setting, &proxy, writes, setting.until_provisioned(&[])).await;
        {
            let _controller = start_afresh(&setting).await;
            setting.until_provisioned(&[]).await;
            access.until_gone("ExternalSecret", &name).await;
            access.until_gone("Secret", "shared").await;
        }
        setting.scene.delete(OWNER, setting.name()).await;
        setting.scene.until_gone(OWNER, setting.name()).await;
        if !cut_off {
            assert!(writes > 4, "the ExternalSecret, its Secret, and the status of both kinds are written");
            return;
        }
    }
}

async fn start_afresh(setting: &Setting) -> Controller {
    setting.scene.world.start_controller(setting.name(), &[]).await
}

/// Starts the controller through a proxy that kills it after `writes` writes. Returns whether that happened before
/// `done`.
async fn killed_after<T>(setting: &Setting, proxy: &ApiProxy, writes: usize, done: impl Future<Output = T>) -> bool {
    proxy.killed_after(start(setting, proxy), writes, done).await
}
