//! What the chart renders, moved to another namespace by kustomize.

use external_secrets::sandbox::Config;
use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;
use test_stage::world::World;

use crate::helm::{Tools, repository};
use crate::node::Node;
use crate::three_processes::{CHART, RELEASE, wait_until_available, walk_through};

#[tokio::test(flavor = "multi_thread")]
async fn what_kustomize_moves_to_another_namespace_works_there() {
    let world = World::empty(Config::default()).await;
    let node = Node::start(world).await;
    let tools = Tools::of(&world.cluster);
    let folder = tools.home.path().join("moved");
    std::fs::create_dir(&folder).unwrap();
    let values = ["--set", "leaderElect=true,certController.requeueInterval=1s,crds.keep=false"];
    let rendered = [&["template", RELEASE, CHART, "--namespace", "qmonus-system"][..], &values].concat();
    std::fs::write(folder.join("rendered.yaml"), tools.helm(&rendered).unwrap()).unwrap();
    let kustomization = "namespace: platform\nresources: [rendered.yaml]\n";
    std::fs::write(folder.join("kustomization.yaml"), kustomization).unwrap();

    tools.kubectl(&["create", "namespace", "platform"]).unwrap();
    tools.kubectl(&["apply", "--server-side", "--kustomize", &folder.display().to_string()]).unwrap();
    node.looked().await;
    wait_until_available(&tools, &node, "platform");
    let leader = ["get", "lease", "external-secrets-controller", "--namespace", "platform"];
    tools.kubectl(&leader).unwrap();
    world.cluster.restart_controller_manager().await.unwrap();
    walk_through(&Scene::on(world, "moved").await, "external-secrets.io/v1").await;
    let log = node.logs();
    assert!(!log.to_lowercase().contains("forbidden"), "{log}");
    a_store_that_kustomize_moved_says_what_it_left_behind(world, &tools).await;
}

/// kustomize moves service accounts, but does not know the references to them in custom resources.
async fn a_store_that_kustomize_moved_says_what_it_left_behind(world: &'static World, tools: &Tools) {
    let folder = tools.home.path().join("walkthrough");
    std::fs::create_dir(&folder).unwrap();
    for file in ["01-identity.yaml", "02-store.yaml"] {
        std::fs::copy(repository("examples/walkthrough").join(file), folder.join(file)).unwrap();
    }
    let apply = |more: &str| {
        let kustomization = format!("namespace: team\nresources: [01-identity.yaml, 02-store.yaml]\n{more}");
        std::fs::write(folder.join("kustomization.yaml"), kustomization).unwrap();
        tools.kubectl(&["apply", "--kustomize", &folder.display().to_string()]).unwrap();
    };
    let scene = Scene::on(world, "moved-store").await;
    let says = async |words: &str| {
        let is_said =
            |store: &Value| condition(store, "Ready")["message"].as_str().is_some_and(|text| text.contains(words));
        scene.until("ClusterSecretStore", "azure-key-vault", words, is_said).await;
    };
    apply("");
    says(
        "ServiceAccount \"azure-key-vault\" in namespace \"qmonus-system\" does not exist: create it, or correct \
         the serviceAccountRef that names it",
    )
    .await;
    let reference = "/spec/provider/azurekv/serviceAccountRef/namespace";
    let operation = json!([{"op": "replace", "path": reference, "value": "team"}]).to_string();
    apply(&format!("patches: [{{target: {{kind: ClusterSecretStore}}, patch: '{operation}'}}]\n"));
    // The account is found, but the sandbox does not know its tenant.
    says("AADSTS90002").await;
}
