//! What the chart renders, moved to another namespace by kustomize.

use external_secrets::sandbox::Config;

use crate::helm::Tools;
use crate::node::Node;
use crate::scene::Scene;
use crate::three_processes::{CHART, RELEASE, wait_until_available, walk_through};
use crate::world::World;

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
}
