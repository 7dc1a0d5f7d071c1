//! Modes with a smaller scope, each with the smaller rights that the chart grants for it.

use serde_json::{Value, json};
use test_stage::cluster_access::{Access, condition};
use test_stage::scene::Scene;
use test_stage::world::World;

use crate::deployed::{Deployment, nothing_was_forbidden};

async fn scene(name: &str) -> Scene {
    let scene = Scene::with_own_controller_on(World::of_controllers(), name).await;
    scene.set_secret("greeting", "hello");
    scene
}

/// A second namespace besides the scene's.
async fn another(scene: &Scene) -> Access {
    let namespace = format!("{}-other", scene.name());
    scene.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})).await;
    Access { namespace, client: scene.client.clone(), version: scene.version }
}

/// Whether nobody has written a status to an object.
fn is_untouched(object: &Value) -> bool {
    object["status"]["conditions"].as_array().is_none_or(Vec::is_empty)
}

/// The values as helm arguments.
fn set<'a>(values: &[&'a str]) -> Vec<&'a str> {
    values.iter().flat_map(|value| ["--set", value]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_one_namespace_it_has_rights_only_there_and_leaves_the_others_alone() {
    let scene = scene("scoped").await;
    let other = another(&scene).await;
    // The release's namespace grants it nothing but its Lease.
    let release = format!("{}-release", scene.name());
    scene.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": release}})).await;
    let scope = format!("scopedNamespace={}", scene.name());
    let deployment = Deployment::apply_in(&release, &scene, &set(&[&*scope, "scopedRBAC=true", "leaderElect=true"]));
    let controller = deployment.start_as_deployed(&scene).await;
    scene.store().await;
    scene.external_secret("example", "1s", &[("greeting", "greeting")]).await;
    other.apply(scene.manifest("example", "1s", &[("greeting", "greeting")])).await;
    other.apply(scene.store_manifest("SecretStore", scene.name())).await;
    // Templates, credentials and another controller's changes need their own rights.
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "template"}, "data": {"greeting": "{{ .greeting }}!"}});
    scene.apply(config).await;
    let source = json!([{"configMap": {"name": "template", "items": [{"key": "greeting"}]}}]);
    scene.merge("ExternalSecret", "example", json!({"spec": {"target": {"template": {"templateFrom": source}}}})).await;
    scene.until_secret("example", json!({"greeting": "hello!"})).await;
    scene.until_event("example", "Normal Created external-secrets: secret created").await;
    scene.until_refreshed_twice("example").await;

    for (verb, resource) in
        [("get", "secrets"), ("list", "secrets"), ("list", "configmaps"), ("create", "serviceaccounts/token")]
    {
        assert!(deployment.may(&scene, verb, resource, scene.name()), "{verb} {resource}");
        for namespace in [other.namespace.as_str(), release.as_str()] {
            assert!(!deployment.may(&scene, verb, resource, namespace), "{verb} {resource} in {namespace}");
        }
    }
    for resource in ["namespaces", "clustersecretstores.external-secrets.io"] {
        assert!(!deployment.may(&scene, "list", resource, scene.name()), "{resource}");
    }
    for kind in ["ExternalSecret", "SecretStore"] {
        let name = if kind == "SecretStore" { scene.name() } else { "example" };
        assert!(is_untouched(&other.get(kind, name).await.unwrap()), "{kind}");
    }
    assert!(other.get("Secret", "example").await.is_none());
    nothing_was_forbidden(&controller);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_one_namespace_with_the_rights_of_the_cluster_stores_of_the_cluster_work() {
    let scene = scene("scoped-css").await;
    let other = another(&scene).await;
    let scope = format!("scopedNamespace={}", scene.name());
    let controller = Deployment::apply_in(scene.name(), &scene, &set(&[&*scope])).start_as_deployed(&scene).await;
    let mut store = scene.store_manifest("ClusterSecretStore", scene.name());
    let selector = json!({"matchLabels": {"kubernetes.io/metadata.name": scene.name()}});
    store["spec"]["conditions"] = json!([{"namespaceSelector": selector}]);
    scene.apply(store).await;
    let data = [("greeting", "greeting")];
    let manifest = scene.manifest_for("ClusterSecretStore", scene.name(), "example", "1s", &data);
    other.apply(manifest.clone()).await;
    scene.apply(manifest).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
    scene.until_refreshed_twice("example").await;
    assert!(is_untouched(&other.get("ExternalSecret", "example").await.unwrap()));
    nothing_was_forbidden(&controller);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_cluster_stores_it_may_not_read_them_and_leaves_objects_that_use_them_alone() {
    let scene = scene("no-css").await;
    let deployment = Deployment::apply_in(scene.name(), &scene, &set(&["processClusterStore=false"]));
    let controller = deployment.start_as_deployed(&scene).await;
    let data = [("greeting", "greeting")];
    scene.apply(scene.store_manifest("ClusterSecretStore", scene.name())).await;
    scene.apply(scene.manifest_for("ClusterSecretStore", scene.name(), "left-alone", "1s", &data)).await;
    scene.store().await;
    scene.external_secret("example", "1s", &data).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
    scene.until_refreshed_twice("example").await;
    assert!(is_untouched(&scene.get("ExternalSecret", "left-alone").await.unwrap()));
    assert!(is_untouched(&scene.get("ClusterSecretStore", scene.name()).await.unwrap()));
    for verb in ["list", "watch", "patch"] {
        assert!(!deployment.may(&scene, verb, "clustersecretstores.external-secrets.io", scene.name()), "{verb}");
    }
    nothing_was_forbidden(&controller);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_namespaced_stores_it_may_not_read_them_and_leaves_objects_that_use_them_alone() {
    let scene = scene("no-ss").await;
    let deployment = Deployment::apply_in(scene.name(), &scene, &set(&["processSecretStore=false"]));
    let controller = deployment.start_as_deployed(&scene).await;
    let data = [("greeting", "greeting")];
    scene.store().await;
    scene.external_secret("left-alone", "1s", &data).await;
    scene.apply(scene.store_manifest("ClusterSecretStore", scene.name())).await;
    scene.apply(scene.manifest_for("ClusterSecretStore", scene.name(), "example", "1s", &data)).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
    scene.until_refreshed_twice("example").await;
    assert!(is_untouched(&scene.get("ExternalSecret", "left-alone").await.unwrap()));
    assert!(is_untouched(&scene.get("SecretStore", scene.name()).await.unwrap()));
    for verb in ["list", "watch", "patch"] {
        assert!(!deployment.may(&scene, verb, "secretstores.external-secrets.io", scene.name()), "{verb}");
    }
    nothing_was_forbidden(&controller);
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_of_another_class_and_objects_that_use_them_are_left_alone() {
    let scene = scene("classes").await;
    let deployment = Deployment::apply_in(scene.name(), &scene, &[]);
    let controller = deployment.start_as_deployed(&scene).await;
    let mut foreign = scene.store_manifest("SecretStore", "foreign");
    foreign["spec"]["controller"] = "nobody".into();
    scene.apply(foreign).await;
    let data = [("greeting", "greeting")];
    scene.apply(scene.manifest_for("SecretStore", "foreign", "left-alone", "1s", &data)).await;
    scene.store().await;
    scene.external_secret("example", "1s", &data).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
    scene.until_refreshed_twice("example").await;
    assert!(is_untouched(&scene.get("ExternalSecret", "left-alone").await.unwrap()));
    assert!(is_untouched(&scene.get("SecretStore", "foreign").await.unwrap()));
    // A store that changes to our class becomes ours.
    scene.merge("SecretStore", "foreign", json!({"spec": {"controller": scene.name()}})).await;
    let is_valid = |store: &Value| condition(store, "Ready")["status"] == "True";
    scene.until("SecretStore", "foreign", "valid", is_valid).await;
    scene.until_secret("left-alone", json!({"greeting": "hello"})).await;
    nothing_was_forbidden(&controller);
}
