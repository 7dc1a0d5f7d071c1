//! The controller as the chart deploys it: with its arguments, under its own service account, with no right but the chart's.

use std::path::Path;

use rstest::rstest;
use serde_json::{Value, json};

use crate::cluster_access::condition;
use crate::controller_process::Controller;
use crate::helm::Tools;
use crate::scene::{SERVICE_ACCOUNT, Scene};

/// What gives rights, and to whom.
const ACCESS_KINDS: [&str; 5] = ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];

/// Addresses are left to the test, since others run beside it.
const ADDRESSES: [&str; 2] = ["--metrics-addr=", "--live-addr="];

/// Applies the chart's accounts and rights, and starts the controller for the stores of the scene's class.
async fn deploy(scene: &Scene, values: &[&str]) -> Controller {
    let tools = Tools::of(&scene.world.cluster);
    let class = format!("controllerClass={}", scene.name());
    let arguments = [&["--set", &*class, "--set", "certController.create=false"][..], values].concat();
    let mut objects = tools.render("helm/external-secrets", scene.name(), scene.name(), &arguments);
    let deployed = objects.iter().find(|object| {
        object["kind"] == "Deployment"
            && object["spec"]["template"]["spec"]["containers"][0]["name"] == "external-secrets"
    });
    let pod = deployed.expect("the chart renders the controller")["spec"]["template"]["spec"].clone();
    objects.retain(|object| ACCESS_KINDS.contains(&object["kind"].as_str().unwrap()));
    tools.kubectl(&["apply", "--filename", &tools.manifest(&objects)]).unwrap();

    let account = pod["serviceAccountName"].as_str().unwrap();
    let token = tools.kubectl(&["create", "token", account, "--namespace", scene.name()]).unwrap();
    let kubeconfig = scene.world.cluster.kubeconfig_for(&format!("deployed-{}", scene.name()), token.trim()).unwrap();
    in_namespace(&kubeconfig, scene.name());
    let arguments: Vec<_> =
        pod["containers"][0]["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()).collect();
    let arguments: Vec<_> = arguments
        .into_iter()
        .filter(|argument| !ADDRESSES.iter().any(|address| argument.starts_with(address)))
        .chain(["--loglevel=debug"])
        .collect();
    scene.world.start_controller_with(scene.name(), &arguments, &kubeconfig).await
}

/// Makes a namespace the one of whoever uses a kubeconfig, as that of its pod is.
fn in_namespace(kubeconfig: &Path, namespace: &str) {
    let mut content: Value = serde_json::from_slice(&std::fs::read(kubeconfig).unwrap()).unwrap();
    content["contexts"][0]["context"]["namespace"] = namespace.into();
    std::fs::write(kubeconfig, content.to_string()).unwrap();
}

/// Fails where the API server refused something.
fn nothing_was_forbidden(controller: &Controller) {
    let log = controller.log();
    let refused: Vec<_> = log.lines().filter(|line| line.to_lowercase().contains("forbidden")).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[rstest]
#[case::everywhere(&[])]
#[case::in_one_namespace(&["scopedRBAC=true"])]
#[case::without_stores_of_the_cluster(&["processClusterStore=false"])]
#[case::without_openshift(&["openshiftFinalizers=false"])]
#[case::as_one_of_several(&["leaderElect=true", "leaderElectionID=lease"])]
#[tokio::test(flavor = "multi_thread")]
async fn the_rights_of_the_chart_are_enough(#[case] values: &[&str]) {
    let scene = Scene::with_own_controller("deployed").await;
    scene.set_secret("greeting", "hello");
    let values: Vec<_> = values.iter().flat_map(|value| ["--set", value]).collect();
    let controller = deploy(&scene, &values).await;
    scene.store().await;
    scene.external_secret("example", "1s", &[("greeting", "greeting")]).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
    scene.until_event("example", "Normal Created external-secrets: secret created").await;
    scene.set_secret("greeting", "hello again");
    scene.until_secret("example", json!({"greeting": "hello again"})).await;
    // A Secret that somebody changes is put right.
    scene.merge("Secret", "example", json!({"data": {"greeting": "YmFk"}})).await;
    scene.until_secret("example", json!({"greeting": "hello again"})).await;
    scene.delete("ExternalSecret", "example").await;
    scene.until_gone("Secret", "example").await;
    nothing_was_forbidden(&controller);
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_of_the_cluster_work_with_the_rights_of_the_chart() {
    let scene = Scene::with_own_controller("deployed-css").await;
    scene.set_secret("greeting", "hello");
    let mut store = scene.store_manifest("ClusterSecretStore", scene.name());
    let selector = json!({"matchLabels": {"kubernetes.io/metadata.name": scene.name()}});
    store["spec"]["conditions"] = json!([{"namespaceSelector": selector}]);
    let controller = deploy(&scene, &[]).await;
    scene.apply(store).await;
    let data = [("greeting", "greeting")];
    scene.apply(scene.manifest_for("ClusterSecretStore", scene.name(), "example", "1h", &data)).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
    nothing_was_forbidden(&controller);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_named_service_accounts_give_tokens_where_the_values_name_some() {
    let scene = Scene::with_own_controller("deployed-tokens").await;
    scene.set_secret("greeting", "hello");
    let named = json!([{"namespace": scene.name(), "serviceAccounts": [SERVICE_ACCOUNT]}]);
    let values = format!("rbac.serviceAccountTokenRequests={named}");
    let _controller = deploy(&scene, &["--set-json", &values]).await;
    scene.store().await;
    scene.external_secret("example", "1h", &[("greeting", "greeting")]).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;

    let annotations = scene.get("ServiceAccount", SERVICE_ACCOUNT).await.unwrap()["metadata"]["annotations"].clone();
    let metadata = json!({"name": "another", "annotations": annotations});
    scene.apply(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})).await;
    let mut store = scene.store_manifest("SecretStore", "of-another");
    store["spec"]["provider"]["azurekv"]["serviceAccountRef"]["name"] = "another".into();
    scene.apply(store).await;
    let is_refused = |store: &Value| condition(store, "Authenticated")["reason"] == "ClusterForbidden";
    scene.until("SecretStore", "of-another", "refused", is_refused).await;
}
