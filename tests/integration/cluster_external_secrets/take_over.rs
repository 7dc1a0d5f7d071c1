//! What ESO left behind, its CRDs, and a controller told to leave ClusterExternalSecrets alone.

use std::process::Command;

use external_secrets::api::crd;
use kube::api::{DynamicObject, PostParams};
use rstest::rstest;
use serde_json::{Value, json};

use super::setting::{OWNER, Setting};
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;
use test_stage::world::World;

/// ESO's finalizer on ClusterExternalSecrets.
const ON_OWNER: &str = "externalsecrets.external-secrets.io/clusterexternalsecret-cleanup";

/// Creates an object as ESO does: with an update by its field manager.
async fn create_as_eso(setting: &Setting, team: &str, object: Value) -> Value {
    let access = setting.of(team);
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    let params = PostParams { field_manager: Some("external-secrets".to_owned()), ..PostParams::default() };
    let made = access.api("ExternalSecret").create(&params, &object).await.unwrap();
    serde_json::to_value(made).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_eso_made_is_taken_over_without_a_write_to_a_child() {
    let scene = Scene::on(World::without_controller().await, "ces-eso").await;
    let setting = Setting::of_scene(scene).await;
    setting.namespaces(&["a"]).await;
    // As ESO's controller left it: it put a finalizer on the namespaces.
    let held = format!("externalsecrets.external-secrets.io/ces-{}", setting.name());
    let finalizers = json!({"metadata": {"finalizers": [held, "example.com/other"]}});
    setting.scene.merge("Namespace", &setting.namespace("a"), finalizers).await;
    let mut manifest = setting.manifest();
    manifest["metadata"]["finalizers"] = json!([ON_OWNER]);
    manifest["spec"]["externalSecretMetadata"] = json!({"labels": {"team": "data"}});
    setting.apply(manifest.clone()).await;
    let uid = setting.get().await["metadata"]["uid"].clone();
    let spec = setting.get().await["spec"]["externalSecretSpec"].clone();
    let child = create_as_eso(&setting, "a", json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": setting.name(), "namespace": setting.namespace("a"), "labels": {"team": "data"},
            "ownerReferences": [{"apiVersion": "external-secrets.io/v1beta1", "kind": OWNER, "name": setting.name(), "uid": uid,
                "controller": true, "blockOwnerDeletion": true}]},
        "spec": spec,
    }))
    .await;
    let status = json!({"status": {"externalSecretName": setting.name(), "provisionedNamespaces": [setting.namespace("a")],
        "conditions": [{"type": "NotReady", "status": "True", "message": "of an older version"}, {"type": "Ready", "status": "True"}]}});
    let patch = kube::api::Patch::Merge(&status);
    setting.scene.api(OWNER).patch_status(setting.name(), &kube::api::PatchParams::default(), &patch).await.unwrap();

    let _controller = setting.scene.world.start_controller("taking-over", &[]).await;
    setting.of("a").until_secret(setting.name(), json!({"greeting": "hello"})).await;
    let is_said = |object: &Value| condition(object, "ExternalSecretsReady")["status"] == "True";
    let object = setting.until("said", is_said).await;
    assert_eq!(condition(&object, "NotReady"), Value::Null, "what an older ESO said is gone");
    assert_eq!(object["status"]["conditions"].as_array().unwrap().last().unwrap()["type"], "Ready");
    assert_eq!(object["metadata"]["finalizers"], json!([ON_OWNER]), "nothing is written to it, either");
    let after = setting.of("a").get("ExternalSecret", setting.name()).await.unwrap();
    assert_eq!(after["metadata"]["generation"], child["metadata"]["generation"]);
    assert_eq!(after["metadata"]["ownerReferences"], child["metadata"]["ownerReferences"]);
    // A key that ESO wrote is removed like one of our own.
    setting.merge(json!({"spec": {"externalSecretMetadata": null}})).await;
    let is_taken_back = |child: &Value| child["metadata"].get("labels").is_none();
    setting.of("a").until("ExternalSecret", setting.name(), "taken back", is_taken_back).await;

    // The controller reports the finalizer; a person removes it.
    let note = format!(
        "Warning NamespacesHeld cluster-external-secret: 1 namespaces, {:?} among them, have the finalizer {held} of the External \
         Secrets Operator and cannot be deleted: remove it with `external-secrets migrate finalizers`",
        setting.namespace("a")
    );
    setting.scene.until_event(setting.name(), &note).await;
    let migrate = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_external-secrets"))
            .args(["migrate", "finalizers", "--kubeconfig", setting.scene.kubeconfig().to_str().unwrap()])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let name = setting.namespace("a");
    assert_eq!(migrate(&["--dry-run"]), format!("Namespace {name} has {held}\n1 finalizers to remove.\n"));
    assert_eq!(migrate(&[]), format!("Namespace {name}: removed {held}\n1 finalizers removed.\n"));
    assert_eq!(migrate(&[]), "0 finalizers removed.\n");
    let namespace = setting.scene.get("Namespace", &name).await.unwrap();
    assert_eq!(namespace["metadata"]["finalizers"], json!(["example.com/other"]));

    // ESO's finalizer on the object itself does not block it.
    setting.scene.delete(OWNER, setting.name()).await;
    setting.scene.until_gone(OWNER, setting.name()).await;
    setting.of("a").until_gone("Secret", setting.name()).await;
}

#[rstest]
#[case::v1_alone("external-secrets.io/v1", "v1beta1")]
#[case::v1beta1_alone("external-secrets.io/v1beta1", "v1")]
#[tokio::test(flavor = "multi_thread")]
async fn crds_that_serve_one_version_will_do(#[case] served: &'static str, #[case] other: &str) {
    let definitions = crd::all().into_iter().map(|definition| {
        let mut definition = serde_json::to_value(definition).unwrap();
        for version in definition["spec"]["versions"].as_array_mut().unwrap() {
            version["served"] = (version["name"] != other).into();
            version["storage"] = (version["name"] != other).into();
        }
        // ESO's definition, without our additions.
        if definition["spec"]["names"]["kind"] == OWNER {
            for version in definition["spec"]["versions"].as_array_mut().unwrap() {
                let schema = &mut version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"];
                let condition = schema["conditions"]["items"]["properties"].as_object_mut().unwrap();
                condition.retain(|field, _| ["type", "status", "message"].contains(&field.as_str()));
            }
        }
        definition
    });
    let world = World::with_crds(definitions.collect()).await;
    let setting = Setting::of_scene(Scene::in_version(world, served, "ces-served").await).await;
    setting.namespaces(&["a"]).await;
    setting.apply(setting.manifest()).await;
    setting.of("a").until_secret(setting.name(), json!({"greeting": "hello"})).await;
    let is_said = |object: &Value| condition(object, "ExternalSecretsReady")["status"] == "True";
    let one = json!([setting.namespace("a")]);
    setting.until("one", |object| object["status"]["provisionedNamespaces"] == one && is_said(object)).await;
    // A field that this CRD drops is no reason to write it again.
    setting.namespaces(&["b"]).await;
    setting.of("b").until_ready(setting.name(), "True", "SecretSynced", "secret synced").await;
    let both = json!([setting.namespace("a"), setting.namespace("b")]);
    let object =
        setting.until("both", |object| object["status"]["provisionedNamespaces"] == both && is_said(object)).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(setting.get().await["metadata"]["resourceVersion"], object["metadata"]["resourceVersion"]);
}

#[rstest]
#[case::by_its_flag(&["--enable-cluster-external-secret-reconciler=false"])]
#[case::in_one_namespace(&["--namespace=default"])]
#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_to_leave_them_alone_does(#[case] arguments: &[&str]) {
    let setting = Setting::of_scene(Scene::on(World::without_controller().await, "ces-off").await).await;
    setting.namespaces(&["a"]).await;
    setting.apply(setting.manifest()).await;
    let _controller = setting.scene.world.start_controller("off", arguments).await;
    // It does work on what it should.
    let mut own = setting.scene.manifest_for(
        "ClusterSecretStore",
        setting.scene.name(),
        "own",
        "1h",
        &[("greeting", "greeting")],
    );
    own["metadata"]["namespace"] = "default".into();
    let default = test_stage::cluster_access::Access { namespace: "default".to_owned(), ..setting.of("a") };
    default.apply(own).await;
    default.until_secret("own", json!({"greeting": "hello"})).await;
    assert_eq!(setting.of("a").get("ExternalSecret", setting.name()).await, None);
    assert_eq!(setting.get().await["status"], json!({"observedGeneration": -1}), "as the CRD fills it in");
}
