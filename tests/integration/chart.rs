//! The Helm charts on a real API server: it accepts what they render, and they install, upgrade and work.

use std::path::{Path, PathBuf};
use std::process::Command;

use external_secrets::sandbox::cluster::{Cluster, ClusterConfig, find_assets};
use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

use crate::helm::{Tools, repository};

const CHART: &str = "helm/external-secrets";
const RELEASE: &str = "external-secrets-operator";

/// Third-party kinds that the test cluster does not have.
const UNKNOWN_KINDS: [&str; 2] = ["ServiceMonitor", "Certificate"];

/// The files in this folder, each with the chart it holds values for.
fn value_files() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for chart in ["external-secrets", "azure-cluster-secret-store"] {
        for entry in std::fs::read_dir(repository(&format!("tests/chart/values/{chart}"))).unwrap() {
            found.push((format!("helm/{chart}"), entry.unwrap().path().display().to_string()));
        }
    }
    found
}

async fn cluster() -> Cluster {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_external-secrets"));
    Cluster::start(ClusterConfig { program, assets: find_assets().await.unwrap() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_object_of_the_charts_is_one_that_the_api_server_accepts() {
    let scene = Scene::new("charts").await;
    let tools = Tools::of(&scene.world.cluster);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop-system"}});
    scene.apply(namespace).await;
    let files = value_files();
    assert!(files.len() > 6, "{files:?}");
    for (chart, values) in files {
        let mut objects = tools.render(&chart, RELEASE, scene.name(), &["--values", &values]);
        objects.retain(|object| !UNKNOWN_KINDS.contains(&object["kind"].as_str().unwrap()));
        assert!(!objects.is_empty(), "{values}");
        let manifest = tools.manifest(&objects);
        let dry_run = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--filename", &manifest];
        let answer = tools.kubectl(&dry_run);
        assert!(answer.is_ok(), "{chart} with {values}: {}", answer.unwrap_err());
    }
}

/// The Pods that a chart's Deployments would create.
fn pods(objects: &[Value]) -> Vec<Value> {
    let deployments = objects.iter().filter(|object| object["kind"] == "Deployment");
    deployments
        .map(|deployment| {
            let mut pod = deployment["spec"]["template"].clone();
            pod["apiVersion"] = "v1".into();
            pod["kind"] = "Pod".into();
            pod["metadata"]["name"] = deployment["metadata"]["name"].clone();
            pod
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pods_of_the_chart_may_run_where_pod_security_is_restricted() {
    let scene = Scene::new("restricted").await;
    let tools = Tools::of(&scene.world.cluster);
    let labels = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    scene.merge("Namespace", scene.name(), labels).await;
    let create = |arguments: &[&str]| {
        let pods = pods(&tools.render(CHART, RELEASE, scene.name(), arguments));
        assert_eq!(pods.len(), 3);
        let manifest = tools.manifest(&pods);
        tools.kubectl(&["create", "--dry-run=server", "--namespace", scene.name(), "-f", &manifest])
    };
    create(&[]).unwrap();
    let refusal = create(&["--set", "securityContext.enabled=false"]).unwrap_err();
    assert!(refusal.contains("violates PodSecurity \"restricted"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_knows_every_argument_that_the_chart_gives_it() {
    let scene = Scene::new("arguments").await;
    let tools = Tools::of(&scene.world.cluster);
    let twice =
        ["extraArgs", "webhook.extraArgs", "certController.extraArgs"].map(|values| format!("{values}.loglevel=debug"));
    let twice = ["--set", &*twice.join(",")];
    let files = value_files().into_iter().filter(|(chart, _)| chart == CHART);
    for values in files.map(|(_, values)| values) {
        let objects = tools.render(CHART, RELEASE, scene.name(), &[&["--values", &*values][..], &twice].concat());
        let pods = pods(&objects);
        for pod in &pods {
            let arguments = pod["spec"]["containers"][0]["args"].as_array().unwrap();
            let output = Command::new(env!("CARGO_BIN_EXE_external-secrets"))
                .args(arguments.iter().map(|argument| argument.as_str().unwrap()))
                // The program prints its help only after it has parsed everything before it.
                .arg("--help")
                .output()
                .unwrap();
            assert!(output.status.success(), "{values}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

/// A chart that looks like ESO's from outside: a Deployment with its labels, and the definition of a kind that ours
/// lacks.
fn write_former_chart(folder: &Path) {
    std::fs::create_dir_all(folder.join("templates")).unwrap();
    std::fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: external-secrets\nversion: 2.9.0\n").unwrap();
    let labels = json!({"app.kubernetes.io/name": "external-secrets", "app.kubernetes.io/instance": RELEASE});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": RELEASE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "external-secrets", "image": "former", "args": ["--concurrent=1"]}]},
            },
        },
    });
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.generators.external-secrets.io"},
        "spec": {
            "group": "generators.external-secrets.io", "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget"},
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}},
            }],
        },
    });
    std::fs::write(folder.join("templates/deployment.yaml"), deployment.to_string()).unwrap();
    std::fs::write(folder.join("templates/definition.yaml"), definition.to_string()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_of_eso_is_upgraded_in_place_and_no_object_is_lost() {
    let cluster = cluster().await;
    let tools = Tools::of(&cluster);
    let former = tools.home.path().join("former");
    write_former_chart(&former);
    let upgrade = |chart: &str| tools.helm(&["upgrade", "--install", RELEASE, chart]);
    upgrade(&former.display().to_string()).unwrap();
    let uid = || tools.kubectl(&["get", "deployment", RELEASE, "--output=jsonpath={.metadata.uid}"]).unwrap();
    let before = uid();
    tools.until_established(&["gadgets.generators.external-secrets.io"]);
    let gadget = json!({
        "apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Gadget",
        "metadata": {"name": "kept", "namespace": "default"},
    });
    tools.kubectl(&["apply", "-f", &tools.manifest(&[gadget])]).unwrap();

    let refusal = upgrade(CHART).unwrap_err();
    let remedy = "kubectl annotate crd gadgets.generators.external-secrets.io helm.sh/resource-policy=keep";
    assert!(refusal.contains(remedy), "{refusal}");
    tools.kubectl(&remedy.split(' ').skip(1).collect::<Vec<_>>()).unwrap();
    upgrade(CHART).unwrap();

    assert_eq!(uid(), before, "the Deployment is the same");
    let arguments = "--output=jsonpath={.spec.template.spec.containers[*].args}";
    let arguments = tools.kubectl(&["get", "deployment", RELEASE, arguments]).unwrap();
    assert!(!arguments.contains("--concurrent"), "and runs our program: {arguments}");
    tools.kubectl(&["get", "gadget", "kept"]).unwrap();
    tools.until_established(&["externalsecrets.external-secrets.io"]);

    tools.helm(&["uninstall", RELEASE]).unwrap();
    tools.kubectl(&["get", "crd/externalsecrets.external-secrets.io"]).unwrap();
    assert!(tools.kubectl(&["get", "deployment", RELEASE]).unwrap_err().contains("NotFound"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_stage_of_the_pipeline_waits_and_fails_with_the_words_of_the_condition() {
    let cluster = cluster().await;
    let tools = Tools::of(&cluster);
    let stage = |step, timeout| {
        let environment =
            [("RELEASE", RELEASE), ("NAMESPACE", "qmonus-system"), ("VALUES", "/dev/null"), ("TIMEOUT", timeout)];
        tools.run_step("external-secrets-operator", step, &environment)
    };
    stage("install", "1m").unwrap();
    // Nothing runs Pods here, so the test sets the status of the Deployments.
    let say = |deployment: &str, status: &str| {
        let condition = json!({"type": "Available", "status": status, "message": "Deployment has an answer."});
        let patch = json!({"status": {"conditions": [condition]}}).to_string();
        let patch = ["patch", "deployment", deployment, "--subresource=status", "--patch", &patch];
        tools.kubectl(&[&patch[..], &["--namespace", "qmonus-system"]].concat()).unwrap();
    };
    for suffix in ["", "-webhook", "-cert-controller"] {
        say(&format!("{RELEASE}{suffix}"), "True");
    }
    stage("wait", "1m").unwrap();
    say(RELEASE, "False");
    let refusal = stage("wait", "1s").unwrap_err();
    assert!(refusal.contains(&format!("{RELEASE}: Deployment has an answer.")), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_stage_of_the_pipeline_makes_a_store_that_is_ready() {
    let scene = Scene::without_annotations("pipeline").await;
    scene.set_secret("greeting", "hello");
    let tools = Tools::of(&scene.world.cluster);
    let tenant = scene.application.tenant();
    let (client_id, tenant_id) = (scene.application.client_id(), tenant.id());
    let environment = [
        ("VAULT", scene.name()),
        ("STORE", scene.name()),
        ("ACCOUNT", "azure-key-vault"),
        ("NAMESPACE", scene.name()),
        ("CREATE_ACCOUNT", "true"),
        ("CLIENT_ID", client_id),
        ("TENANT_ID", tenant_id),
        ("TIMEOUT", "90s"),
    ];
    // Helm does not adopt objects that somebody else created.
    scene.delete("ServiceAccount", "azure-key-vault").await;
    scene.until_gone("ServiceAccount", "azure-key-vault").await;
    for step in ["install", "wait"] {
        tools.run_step("azure-cluster-secret-store", step, &environment).unwrap();
    }
    scene.external_secret("example", "1h", &[("greeting", "greeting")]).await;
    let wait = ["wait", "--for=condition=Ready", "--timeout=90s", "--namespace", scene.name()];
    tools.kubectl(&[&wait[..], &["externalsecret/example"]].concat()).unwrap();
    scene.until_secret("example", json!({"greeting": "hello"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_stage_of_the_pipeline_fails_with_the_words_of_the_condition() {
    let scene = Scene::new("pipeline-fails").await;
    let tools = Tools::of(&scene.world.cluster);
    let tenant = scene.application.tenant();
    let environment = [
        ("VAULT", scene.name()),
        ("STORE", scene.name()),
        ("ACCOUNT", "whom-entra-id-does-not-trust"),
        ("NAMESPACE", scene.name()),
        ("CREATE_ACCOUNT", "true"),
        ("CLIENT_ID", scene.application.client_id()),
        ("TENANT_ID", tenant.id()),
        ("TIMEOUT", "1s"),
    ];
    tools.run_step("azure-cluster-secret-store", "install", &environment).unwrap();
    let store = scene
        .until("ClusterSecretStore", scene.name(), "not ready", |store| condition(store, "Ready")["status"] == "False")
        .await;
    let refusal = tools.run_step("azure-cluster-secret-store", "wait", &environment).unwrap_err();
    let ready = condition(&store, "Ready");
    let words = format!("{}: {}", ready["reason"].as_str().unwrap(), ready["message"].as_str().unwrap());
    assert!(refusal.contains(&words), "{refusal}\nlacks: {words}");
}
