//! The controller is killed, restarted, or has nothing to do.

use std::time::Duration;

use serde_json::{Value, json};

use super::setting::{OWNER, Setting};
use test_stage::api_proxy::ApiProxy;
use test_stage::cluster_access::condition;
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

/// Waits until so many further passes have ended.
async fn until_compared(controller: &Controller, passes: usize) {
    const SERIES: &str = "controller_runtime_reconcile_total{controller=\"clusterexternalsecret\",result=";
    let count = async || {
        let metrics = controller.metrics().await;
        let series = metrics.lines().filter(|line| line.starts_with(SERIES));
        series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok()).sum::<usize>()
    };
    let wanted = count().await + passes;
    let ended = tokio::time::timeout(Duration::from_mins(2), async {
        while count().await < wanted {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    assert!(ended.await.is_ok(), "{passes} further passes");
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
    let mut manifest = setting.manifest();
    manifest["spec"]["refreshTime"] = "10s".into();
    setting.apply(manifest).await;
    for team in teams {
        setting.of(team).until_ready(setting.name(), "True", "SecretSynced", "secret synced").await;
    }
    let is_said = |object: &Value| {
        object["status"]["failedNamespaces"].as_array().is_some_and(|failed| failed.len() == 1)
            && condition(object, "ExternalSecretsReady")["status"] == "True"
    };
    let before = setting.until("said", is_said).await;
    assert!(proxy.done("patch external-secrets.io/clusterexternalsecrets/status") <= 6);
    let child = setting.of("a").get("ExternalSecret", setting.name()).await.unwrap();

    // The requests to the API server are the same before and after all namespaces were compared again, twice.
    let asked = || {
        let verbs = ["create", "update", "patch", "delete", "get", "list"];
        let resources = ["externalsecrets", "clusterexternalsecrets", "clusterexternalsecrets/status", "namespaces"];
        let rights = verbs
            .iter()
            .flat_map(|verb| resources.iter().map(move |resource| format!("{verb} external-secrets.io/{resource}")));
        rights.map(|right| proxy.asked(&right)).sum::<u64>()
    };
    let at_rest = asked();
    until_compared(&controller, 2 * (teams.len() + 1)).await;
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

/// A policy of the cluster that sets fields of each ExternalSecret in the setting's namespaces, whoever writes it.
async fn overrule(setting: &Setting) {
    let api = "admissionregistration.k8s.io";
    let patch = r#"[
        JSONPatch{op: "add", path: "/metadata/labels/team", value: "policy"},
        JSONPatch{op: "add", path: "/spec/refreshInterval", value: "2h"}
    ]"#;
    let rules = json!([{"apiGroups": ["external-secrets.io"], "apiVersions": ["*"], "resources": ["externalsecrets"],
        "operations": ["CREATE", "UPDATE"]}]);
    let selector = json!({"matchLabels": {"scene": setting.name()}});
    setting
        .apply(json!({
            "apiVersion": format!("{api}/v1"), "kind": "MutatingAdmissionPolicy", "metadata": {"name": setting.name()},
            "spec": {
                "matchConstraints": {"resourceRules": rules, "namespaceSelector": selector},
                "reinvocationPolicy": "Never",
                "failurePolicy": "Fail",
                "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
            },
        }))
        .await;
    setting
        .apply(json!({
            "apiVersion": format!("{api}/v1"), "kind": "MutatingAdmissionPolicyBinding",
            "metadata": {"name": setting.name()}, "spec": {"policyName": setting.name()},
        }))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_of_the_cluster_that_changes_each_write_is_not_fought() {
    let (setting, proxy) = alone("ces-policy").await;
    proxy.pass();
    setting.namespaces(&["a"]).await;
    overrule(&setting).await;
    let (access, name) = (setting.of("a"), setting.name());
    // The API server learns about a new policy through a watch.
    let mut probe = setting.scene.manifest_for("ClusterSecretStore", name, "probe", "1h", &[("own", "greeting")]);
    probe["metadata"]["labels"] = json!({"team": "data"});
    let learned = tokio::time::timeout(Duration::from_mins(1), async {
        while access.apply(probe.clone()).await["metadata"]["labels"]["team"] != "policy" {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    assert!(learned.await.is_ok(), "the policy has no effect");
    let mut manifest = setting.manifest();
    manifest["spec"]["refreshTime"] = "10s".into();
    manifest["spec"]["externalSecretMetadata"] = json!({"labels": {"team": "data"}});
    let writes = || proxy.done("update external-secrets.io/externalsecrets");
    let mut controller = start(&setting, &proxy).await;
    setting.apply(manifest).await;
    access.until_ready(name, "True", "SecretSynced", "secret synced").await;
    let object = setting.until_provisioned(&["a"]).await;
    assert_eq!(condition(&object, "Ready")["status"], "True");
    let child = access.get("ExternalSecret", name).await.unwrap();
    assert_eq!(
        (&child["metadata"]["labels"]["team"], &child["spec"]["refreshInterval"]),
        (&json!("policy"), &json!("2h"))
    );
    let before = writes();
    until_compared(&controller, 4).await;
    assert_eq!(writes(), before, "what became of the last write is known");

    // A process that knows nothing of it writes once more, which changes nothing but what the API server notes of it.
    controller.kill().await;
    let again = format!("{name}-again");
    controller = setting.scene.world.start_controller_with(&again, &[], &proxy.kubeconfig).await;
    controller.until_ready().await;
    until_compared(&controller, 4).await;
    assert!(writes() <= before + 1, "{}", writes());
    let after = access.get("ExternalSecret", name).await.unwrap();
    assert_eq!(after["metadata"]["generation"], child["metadata"]["generation"]);
    assert_eq!(after["metadata"]["labels"], child["metadata"]["labels"]);

    // Changes still arrive, and what somebody else changes is put back.
    setting.scene.set_secret("other", "bye");
    let other = json!([{"secretKey": "greeting", "remoteRef": {"key": "other"}}]);
    setting.merge(json!({"spec": {"externalSecretSpec": {"data": other}}})).await;
    access.until_secret(name, json!({"greeting": "bye"})).await;
    let greeting = json!([{"secretKey": "greeting", "remoteRef": {"key": "greeting"}}]);
    access.merge("ExternalSecret", name, json!({"spec": {"data": greeting}})).await;
    let is_back = |object: &Value| object["spec"]["data"][0]["remoteRef"]["key"] == "other";
    access.until("ExternalSecret", name, "put back", is_back).await;
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
