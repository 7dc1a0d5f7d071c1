//! A cluster with a controller as its chart installs it, as far as `doctor` looks at it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use test_stage::api_proxy::ApiProxy;
use test_stage::cluster_access::{Access, condition};
use test_stage::scene::Scene;
use test_stage::world::{World, our_crds};

use crate::helm::repository;
use crate::people::VALUE;

/// The namespace of the controller.
const OPERATORS: &str = "external-secrets";
/// The namespace of another controller.
const OTHERS: &str = "others";
/// The release of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A cluster in which all is well.
pub struct Stage {
    pub scene: Scene,
    /// The namespace of the controller.
    pub operators: Access,
    /// That of another controller.
    pub others: Access,
    /// In front of the API server.
    pub proxy: ApiProxy,
}

impl Stage {
    pub async fn new() -> Self {
        let world = World::start().await;
        let scene = Scene::on(world, "checks").await;
        let mut accesses = Vec::new();
        for namespace in [OPERATORS, OTHERS] {
            let access =
                Access { client: world.client().await, namespace: namespace.to_owned(), version: scene.version };
            access.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})).await;
            accesses.push(access);
        }
        let (others, operators) = (accesses.pop().unwrap(), accesses.pop().unwrap());
        let proxy = ApiProxy::start(scene.kubeconfig(), world.cluster.directory()).await;
        proxy.pass();
        let stage = Self { scene, operators, others, proxy };
        let rules = std::fs::read_to_string(repository("helm/external-secrets/files/rules.yaml")).unwrap();
        let rules: Value = serde_saphyr::from_str(&rules).unwrap();
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "controller"}, "rules": rules});
        stage.operators.apply(role).await;
        stage.bind(true).await;
        stage.deployment(&stage.operators, VERSION, 2).await;
        stage.pod(0).await;
        stage.lease(Timestamp::now()).await;
        stage.scene.set_secret("one", VALUE);
        stage.scene.store().await;
        stage.scene.external_secret("example", "1h", &[("a", "one")]).await;
        stage.scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
        stage
    }

    pub async fn status(access: &Access, api_version: &str, kind: &str, name: &str, status: Value) {
        let patch = Patch::Merge(json!({"status": status}));
        access.api_in_version(api_version, kind).patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// A controller's Deployment with two replicas.
    pub async fn deployment(&self, access: &Access, version: &str, ready: u32) {
        let labels = json!({"app.kubernetes.io/name": "external-secrets", "app.kubernetes.io/version": version});
        let pod = json!({"containers": [{"name": "controller", "image": "i", "args": ["--concurrent=5"]}]});
        access
            .apply(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "external-secrets", "labels": labels},
                "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "controller"}},
                    "template": {"metadata": {"labels": {"app": "controller"}}, "spec": pod}}}))
            .await;
        Self::status(
            access,
            "apps/v1",
            "Deployment",
            "external-secrets",
            json!({"replicas": 2, "readyReplicas": ready}),
        )
        .await;
    }

    pub async fn pod(&self, restarts: u32) {
        self.operators
            .apply(json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "external-secrets-1", "labels": {"app.kubernetes.io/name": "external-secrets"}},
                "spec": {"automountServiceAccountToken": false, "containers": [{"name": "controller", "image": "i"}]}}))
            .await;
        let container =
            json!({"name": "controller", "image": "i", "imageID": "i", "ready": true, "restartCount": restarts});
        Self::status(&self.operators, "v1", "Pod", "external-secrets-1", json!({"containerStatuses": [container]}))
            .await;
    }

    pub async fn lease(&self, renewed: Timestamp) {
        let spec = json!({"holderIdentity": "external-secrets-1", "leaseDurationSeconds": 3600, "renewTime": format!("{renewed:.6}")});
        let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "external-secrets-controller"}, "spec": spec});
        self.operators.apply(lease).await;
    }

    /// Gives the controllers their rights, or takes them away.
    pub async fn bind(&self, is_bound: bool) {
        let group = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:serviceaccounts"});
        let subjects = if is_bound { json!([group]) } else { json!([]) };
        self.operators
            .apply(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "controller"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "controller"}, "subjects": subjects}))
            .await;
    }

    /// A webhook that cannot be called, and does not matter to the API server.
    pub async fn webhook(&self, expires: i32) {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(expires, 1, 1);
        let bundle = STANDARD.encode(parameters.self_signed(&key).unwrap().pem());
        self.operators
            .apply(json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
                "metadata": {"name": "externalsecret-validate"}, "webhooks": [{
                    "name": "validate.externalsecret.external-secrets.io", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                    "failurePolicy": "Ignore", "timeoutSeconds": 1, "clientConfig": {"url": "https://127.0.0.1:1/", "caBundle": bundle},
                    "rules": [{"apiGroups": ["external-secrets.io"], "apiVersions": ["v1"], "operations": ["CREATE"],
                        "resources": ["externalsecrets"], "scope": "Namespaced"}]}]}))
            .await;
    }

    /// Changes one of our CRDs.
    pub async fn definition(&self, plural: &str, change: impl Fn(&mut Value)) {
        let name = format!("{plural}.external-secrets.io");
        let mut definition = our_crds().into_iter().find(|one| one["metadata"]["name"] == name.as_str()).unwrap();
        for version in definition["spec"]["versions"].as_array_mut().unwrap() {
            change(version);
        }
        self.operators.apply(definition).await;
    }

    pub async fn store_for(&self, name: &str, class: Option<&str>, account: Option<&str>) {
        let mut store = self.scene.store_manifest("SecretStore", name);
        if let Some(class) = class {
            store["spec"]["controller"] = class.into();
        }
        if let Some(account) = account {
            store["spec"]["provider"]["azurekv"]["serviceAccountRef"]["name"] = account.into();
        }
        self.scene.apply(store).await;
    }

    pub async fn until_store_fails(&self, name: &str) {
        let fails = |store: &Value| condition(store, "Ready")["status"] == "False";
        self.scene.until("SecretStore", name, "not Ready", fails).await;
    }
}
