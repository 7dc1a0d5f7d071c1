//! The controller as the chart deploys it: with the chart's arguments, service account and rights, and no others.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use azure_sandbox::SecretPermission;
use rstest::rstest;
use serde_json::{Value, json};
use test_stage::api_proxy::ApiProxy;
use test_stage::cluster_access::{DEADLINE, condition};
use test_stage::controller_process::Controller;
use test_stage::scene::{SERVICE_ACCOUNT, Scene};
use test_stage::world::World;

use crate::helm::{Tools, repository};
use crate::node;

/// The kinds that grant rights, and to whom.
const ACCESS_KINDS: [&str; 5] = ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];

/// The test chooses addresses, because other tests run at the same time.
const ADDRESSES: [&str; 2] = ["--metrics-addr=", "--live-addr="];

/// What the chart deploys for stores of the scene's class.
pub struct Deployment {
    pub arguments: Vec<String>,
    /// Its service account.
    pub account: String,
    /// Of that service account.
    pub kubeconfig: PathBuf,
    /// The service account by its name in the API server.
    pub user: String,
}

impl Deployment {
    /// Applies the chart's service accounts and rights.
    pub fn apply(scene: &Scene, values: &[&str]) -> Self {
        Self::apply_in(scene.name(), scene, values)
    }

    /// Applies the chart's service accounts and rights for a release in this namespace.
    pub fn apply_in(namespace: &str, scene: &Scene, values: &[&str]) -> Self {
        let tools = Tools::of(&scene.world.cluster);
        let class = format!("controllerClass={}", scene.name());
        let values = [&["--set", &*class][..], values].concat();
        let mut objects = tools.render("helm/external-secrets", scene.name(), namespace, &values);
        let pods = objects.iter().map(|object| &object["spec"]["template"]["spec"]);
        let pod = pods.clone().find(|pod| pod["containers"][0]["name"] == "external-secrets");
        let pod = pod.expect("the chart renders the controller").clone();
        objects.retain(|object| ACCESS_KINDS.contains(&object["kind"].as_str().unwrap()));
        tools.kubectl(&["apply", "--filename", &tools.manifest(&objects)]).unwrap();

        let account = pod["serviceAccountName"].as_str().unwrap();
        let token = tools.kubectl(&["create", "token", account, "--namespace", namespace]).unwrap();
        let user = format!("deployed-{}", scene.name());
        let kubeconfig = scene.world.cluster.kubeconfig_for(&user, token.trim()).unwrap();
        in_namespace(&kubeconfig, namespace);
        let user = format!("system:serviceaccount:{namespace}:{account}");
        let arguments = node::arguments(&pod["containers"][0], namespace).into_iter();
        let ours = arguments.filter(|argument| !ADDRESSES.iter().any(|address| argument.starts_with(address)));
        let arguments = ours.chain(["--loglevel=debug".to_owned()]).collect();
        Self { arguments, account: account.to_owned(), kubeconfig, user }
    }

    /// Whether the service account may do this.
    pub fn may(&self, scene: &Scene, verb: &str, resource: &str, namespace: &str) -> bool {
        let tools = Tools::of(&scene.world.cluster);
        let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
        let part = format!("--subresource={part}");
        let arguments = ["auth", "can-i", verb, resource, &part, "--namespace", namespace, "--as", &self.user];
        let answer = tools.kubectl(&arguments);
        // kubectl exits with an error if the answer is no.
        answer.is_ok_and(|answer| answer.trim().ends_with("yes"))
    }

    /// Starts the controller under that service account.
    pub async fn start_as_deployed(&self, scene: &Scene) -> Controller {
        self.start(scene, &self.kubeconfig).await
    }

    async fn start(&self, scene: &Scene, kubeconfig: &Path) -> Controller {
        let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        scene.world.start_controller_with(scene.name(), &arguments, kubeconfig).await
    }
}

/// Starts the controller as the chart deploys it.
pub async fn deploy(scene: &Scene, values: &[&str]) -> Controller {
    Deployment::apply(scene, values).start_as_deployed(scene).await
}

/// Sets the kubeconfig's namespace, as a Pod's namespace would be.
pub fn in_namespace(kubeconfig: &Path, namespace: &str) {
    let mut content: Value = serde_json::from_slice(&std::fs::read(kubeconfig).unwrap()).unwrap();
    content["contexts"][0]["context"]["namespace"] = namespace.into();
    std::fs::write(kubeconfig, content.to_string()).unwrap();
}

/// Panics if the API server refused anything.
pub fn nothing_was_forbidden(controller: &Controller) {
    let log = controller.log();
    let refused: Vec<_> = log.lines().filter(|line| line.to_lowercase().contains("forbidden")).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[rstest]
#[case::everywhere(&[])]
#[case::in_one_namespace(&["scopedRBAC=true"])]
#[case::without_stores_of_the_cluster(&["processClusterStore=false"])]
#[case::without_openshift(&["openshiftFinalizers=false"])]
#[case::with_the_tag_of_the_cluster(&["extraArgs.push-owner-tag=true"])]
#[case::as_one_of_several(&["leaderElect=true", "leaderElectionID=lease"])]
#[tokio::test(flavor = "multi_thread")]
async fn the_rights_of_the_chart_are_enough(#[case] values: &[&str]) {
    let scene = Scene::with_own_controller_on(World::of_controllers(), "deployed").await;
    scene.set_secret("greeting", "hello");
    let values: Vec<_> = values.iter().flat_map(|value| ["--set", value]).collect();
    let controller = deploy(&scene, &values).await;
    scene.store().await;
    scene.external_secret("example", "1s", &[("greeting", "greeting")]).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
    scene.until_event("example", "Normal Created external-secrets: secret created").await;
    scene.set_secret("greeting", "hello again");
    scene.until_secret("example", json!({"greeting": "hello again"})).await;
    // A Secret that somebody changes is corrected.
    scene.merge("Secret", "example", json!({"data": {"greeting": "YmFk"}})).await;
    scene.until_secret("example", json!({"greeting": "hello again"})).await;
    scene.delete("ExternalSecret", "example").await;
    scene.until_gone("Secret", "example").await;
    nothing_was_forbidden(&controller);
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_of_the_cluster_work_with_the_rights_of_the_chart() {
    let scene = Scene::with_own_controller_on(World::of_controllers(), "deployed-css").await;
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
    let scene = Scene::with_own_controller_on(World::of_controllers(), "deployed-tokens").await;
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

/// Rights that no request needs, and why the controller has them.
const NEVER_ASKED: [&str; 3] = [
    // Checked by an admission plugin where an owner reference blocks the owner's deletion.
    "update external-secrets.io/clusterexternalsecrets/finalizers",
    "update external-secrets.io/clusterpushsecrets/finalizers",
    "update external-secrets.io/externalsecrets/finalizers",
];

/// All rights in the rules of the chart, as `verb group/resource`.
fn rights_of_the_chart() -> BTreeSet<String> {
    let text = std::fs::read_to_string(repository("helm/external-secrets/files/rules.yaml")).unwrap();
    let rules: Value = serde_saphyr::from_str(&text).unwrap();
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut rights = BTreeSet::new();
    for rule in rules.as_array().unwrap() {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                rights.extend(texts(&rule["verbs"]).iter().map(|verb| format!("{verb} {group}/{resource}")));
            }
        }
    }
    rights
}

/// Has a ClusterExternalSecret create, change and delete an ExternalSecret, with ESO's finalizer.
async fn make_for_many(scene: &Scene) {
    let name = format!("{}-many", scene.name());
    let store = json!({"name": scene.name(), "kind": "ClusterSecretStore"});
    let data = json!([{"secretKey": "greeting", "remoteRef": {"key": "greeting"}}]);
    scene
        .apply(json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret",
            "metadata": {"name": name, "finalizers": ["externalsecrets.external-secrets.io/clusterexternalsecret-cleanup"]},
            "spec": {"namespaces": [scene.name()], "externalSecretSpec": {"secretStoreRef": store, "data": data}},
        }))
        .await;
    scene.until("ExternalSecret", &name, "made", |_| true).await;
    scene
        .merge("ClusterExternalSecret", &name, json!({"spec": {"externalSecretSpec": {"refreshInterval": "2h"}}}))
        .await;
    scene.until("ExternalSecret", &name, "changed", |object| object["spec"]["refreshInterval"] == "2h").await;
    scene.merge("ClusterExternalSecret", &name, json!({"spec": {"namespaces": []}})).await;
    scene.until_gone("ExternalSecret", &name).await;
    let is_said = |object: &Value| condition(object, "Ready")["status"] == "True";
    scene.until("ClusterExternalSecret", &name, "said", is_said).await;
    scene.delete("ClusterExternalSecret", &name).await;
    scene.until_gone("ClusterExternalSecret", &name).await;
}

/// A ClusterPushSecret with everything that happens to its PushSecrets.
async fn push_from_many(scene: &Scene) {
    let name = format!("{}-push", scene.name());
    let all = [SecretPermission::Get, SecretPermission::Set, SecretPermission::Delete, SecretPermission::List];
    scene.vault.allow(&scene.application, all);
    scene
        .apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pushed"}, "stringData": {"a": "1"}}))
        .await;
    let spec = json!({
        "deletionPolicy": "Delete",
        "secretStoreRefs": [{"name": scene.name(), "kind": "ClusterSecretStore"}],
        "selector": {"secret": {"name": "pushed"}},
        "data": [{"match": {"secretKey": "a", "remoteRef": {"remoteKey": "pushed"}}}],
    });
    let here = json!([{"matchLabels": {"kubernetes.io/metadata.name": scene.name()}}]);
    scene
        .apply(json!({
            "apiVersion": "external-secrets.io/v1alpha1", "kind": "ClusterPushSecret", "metadata": {"name": name},
            "spec": {"namespaceSelectors": here, "pushSecretSpec": spec},
        }))
        .await;
    let is_pushed = |object: &Value| condition(object, "Ready")["status"] == "True";
    scene.until("PushSecret", &name, "pushed", is_pushed).await;
    let change = json!({"spec": {"pushSecretSpec": {"refreshInterval": "2h"}}});
    scene.merge("ClusterPushSecret", &name, change).await;
    scene.until("PushSecret", &name, "changed", |object| object["spec"]["refreshInterval"] == "2h").await;
    scene.merge("ClusterPushSecret", &name, json!({"spec": {"namespaceSelectors": []}})).await;
    scene.until_gone("PushSecret", &name).await;
    scene.delete("ClusterPushSecret", &name).await;
    scene.until_gone("ClusterPushSecret", &name).await;
}

/// An ExternalSecret that names a generator of each kind. The registry has no role for it, so it fails after all were looked up.
async fn with_generators_of_all_kinds(scene: &Scene) {
    let account = json!({"workloadIdentity": {"serviceAccountRef": {"name": SERVICE_ACCOUNT}}});
    let kinds = [
        ("Fake", json!({"data": {"key": "value"}})),
        ("Password", json!({"length": 24, "noUpper": false, "allowRepeat": false})),
        ("SSHKey", json!({"keyType": "ed25519"})),
        ("UUID", json!({})),
        ("ClusterGenerator", json!({"kind": "UUID", "generator": {"uuidSpec": {}}})),
        ("ACRAccessToken", json!({"registry": "nobodys.azurecr.io", "auth": account})),
    ];
    let version = "generators.external-secrets.io/v1alpha1";
    let mut entries = Vec::new();
    for (kind, spec) in kinds {
        let name = if kind == "ClusterGenerator" { scene.name() } else { "generator" };
        scene.apply(json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})).await;
        entries.push(json!({"sourceRef": {"generatorRef": {"apiVersion": version, "kind": kind, "name": name}}}));
    }
    let mut manifest = scene.manifest("generated", "1h", &[("greeting", "greeting")]);
    manifest["spec"]["dataFrom"] = entries.into();
    scene.apply(manifest).await;
    scene.until_event_has("generated", "error using generator: ").await;
    scene.delete("ExternalSecret", "generated").await;
    scene.delete("ClusterGenerator", scene.name()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_right_of_the_chart_is_unused() {
    // In a world without a controller, since another one would do its work on ClusterExternalSecrets.
    let scene = Scene::with_own_controller_on(World::without_controller().await, "deployed-rights").await;
    scene.set_secret("greeting", "hello");
    let deployment = Deployment::apply(&scene, &[]);
    let proxy = ApiProxy::start(&deployment.kubeconfig, scene.world.cluster.directory()).await;
    proxy.pass();
    let _controller = deployment.start(&scene, &proxy.kubeconfig).await;
    // With ESO's finalizers, which the controller removes when the objects are deleted.
    for kind in ["SecretStore", "ClusterSecretStore"] {
        let mut store = scene.store_manifest(kind, scene.name());
        store["metadata"]["finalizers"] = json!(["secretstore.externalsecrets.io/finalizer"]);
        scene.apply(store).await;
    }
    // A service account that the watch does not show is fetched.
    let mut store = scene.store_manifest("SecretStore", "of-nobody");
    store["spec"]["provider"]["azurekv"]["serviceAccountRef"]["name"] = "nobody".into();
    scene.apply(store).await;
    scene.until("SecretStore", "of-nobody", "refused", |store| condition(store, "Ready")["status"] == "False").await;
    let mut manifest = scene.manifest("example", "1s", &[("greeting", "greeting")]);
    manifest["metadata"]["finalizers"] = json!(["externalsecrets.external-secrets.io/externalsecret-cleanup"]);
    scene.apply(manifest).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
    for value in ["hello again", "and again"] {
        scene.set_secret("greeting", value);
        scene.until_secret("example", json!({"greeting": value})).await;
        scene.until_refreshed_twice("example").await;
    }
    with_generators_of_all_kinds(&scene).await;
    let template = json!({"greeting": "{{ .greeting }}, all"});
    scene
        .apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "template"}, "data": template}))
        .await;
    // Another target name: the Secret with the old name is deleted.
    let source = json!([{"configMap": {"name": "template", "items": [{"key": "greeting"}]}}]);
    let target = json!({"name": "templated", "template": {"templateFrom": source}});
    scene.merge("ExternalSecret", "example", json!({"spec": {"target": target}})).await;
    scene.until_secret("templated", json!({"greeting": "and again, all"})).await;
    scene.until_gone("Secret", "example").await;
    scene.delete("ExternalSecret", "example").await;
    scene.until_gone("ExternalSecret", "example").await;
    make_for_many(&scene).await;
    push_from_many(&scene).await;
    for kind in ["SecretStore", "ClusterSecretStore"] {
        scene.delete(kind, scene.name()).await;
        scene.until_gone(kind, scene.name()).await;
    }

    let given = rights_of_the_chart();
    let unused = || given.difference(&proxy.rights()).cloned().collect::<Vec<_>>();
    // The effect of a request can be visible before the proxy has its answer.
    let heard = tokio::time::timeout(DEADLINE, async {
        while unused().len() > NEVER_ASKED.len() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let _ = heard.await;
    assert_eq!(unused(), NEVER_ASKED);
}
