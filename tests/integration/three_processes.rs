//! The chart's three processes, each as its Deployment runs it, on CRDs shaped like those in ESO's bundles.

use std::collections::BTreeSet;

use base64::Engine;
use external_secrets::api::crd;
use external_secrets::sandbox::Config;
use serde_json::{Value, json};
use test_stage::cluster_access::{Access, DEADLINE, condition};
use test_stage::scene::Scene;
use test_stage::world::World;

use crate::helm::{Tools, repository};
use crate::node::{Node, PAUSE};

pub const CHART: &str = "helm/external-secrets";
pub const RELEASE: &str = "external-secrets-operator";
const NAMESPACE: &str = "qmonus-system";

/// Shapes of ESO's bundles. Each names a conversion webhook with a Service that does not exist.
#[derive(Clone, Copy, Debug)]
enum Bundle {
    /// v0.5.0: v1beta1 is stored and v1alpha1 also served. Its CA for the webhook is invalid, so the API server does
    /// not serve the kinds at all.
    V0_5,
    /// v0.16: v1 is stored and v1beta1 also served. There is no CA.
    V0_16,
}

impl Bundle {
    fn definitions(self) -> Vec<Value> {
        let mut client = json!({"service": {"name": "kubernetes", "namespace": "default", "path": "/convert"}});
        if matches!(self, Self::V0_5) {
            client["caBundle"] = "Cg==".into();
        }
        let webhook = json!({"conversionReviewVersions": ["v1"], "clientConfig": client});
        let definitions = crd::all().into_iter().map(|definition| serde_json::to_value(definition).unwrap());
        let changed = definitions.map(|mut definition| {
            definition["spec"]["conversion"] = json!({"strategy": "Webhook", "webhook": webhook.clone()});
            let versions = definition["spec"]["versions"].as_array_mut().unwrap();
            // Kinds with one version, such as generators, are today's.
            if !matches!(self, Self::V0_16) && versions.len() > 1 {
                versions.retain(|version| version["name"] == "v1beta1");
                versions[0]["storage"] = true.into();
                let mut older = versions[0].clone();
                older["name"] = "v1alpha1".into();
                older["storage"] = false.into();
                versions.push(older);
            }
            definition
        });
        changed.collect()
    }

    /// The versions that the walkthrough uses.
    fn versions(self) -> &'static [&'static str] {
        match self {
            Self::V0_5 => &["external-secrets.io/v1beta1"],
            Self::V0_16 => &["external-secrets.io/v1beta1", "external-secrets.io/v1"],
        }
    }

    /// The version that the controller uses: v1 if it is served.
    fn used(self) -> &'static str {
        match self {
            Self::V0_5 => "external-secrets.io/v1beta1",
            Self::V0_16 => "external-secrets.io/v1",
        }
    }
}

/// Replaces the existing CRDs with a bundle's.
async fn replace_definitions(access: &Access, bundle: Bundle) {
    for definition in bundle.definitions() {
        let name = definition["metadata"]["name"].as_str().unwrap().to_owned();
        if access.get("CustomResourceDefinition", &name).await.is_some() {
            access.delete("CustomResourceDefinition", &name).await;
            access.until_gone("CustomResourceDefinition", &name).await;
        }
        // A CRD may have an invalid CA only from its creation, so it is not patched.
        access.apply(definition).await;
    }
}

/// Waits for the Deployments in a namespace.
pub fn wait_until_available(tools: &Tools, node: &Node, namespace: &str) {
    let wait = ["wait", "--for=condition=Available", "deployment", "--all", "--namespace", namespace, "--timeout=90s"];
    let waited = tools.kubectl(&wait);
    assert!(waited.is_ok(), "{waited:?}\n{}", node.logs());
}

/// Follows the walkthrough; `served` is the version that the controller uses.
pub async fn walk_through(scene: &Scene, served: &str) {
    scene.set_secret("qvs-secret-manager", "Hello, Qmonus Value Stream!");
    scene.store().await;
    let ready = |store: &Value| condition(store, "Ready")["status"] == "True";
    scene.until("ClusterSecretStore", scene.name(), "ready", ready).await;
    scene.until_event(scene.name(), "Normal Valid cluster-secret-store: store validated").await;
    scene.external_secret("example", "0", &[("greeting", "qvs-secret-manager")]).await;
    let secret = scene.until_secret("example", json!({"greeting": "Hello, Qmonus Value Stream!"})).await;
    let owner = &secret["metadata"]["ownerReferences"][0];
    assert_eq!(owner["apiVersion"], served, "the garbage collector must be able to find the owner");
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    let shown = scene.kubectl(&["get", "externalsecret.external-secrets.io/example"]);
    assert!(shown.contains("ClusterSecretStore") && shown.contains("SecretSynced"), "{shown}");
    // The webhook is asked.
    let twice = [("greeting", "one"), ("greeting", "another")];
    let refusal = scene.try_apply(scene.manifest("refused", "0", &twice)).await.unwrap_err().to_string();
    assert!(refusal.contains("validate.externalsecret.external-secrets.io"), "{refusal}");
    assert!(refusal.contains("spec.data[1].secretKey"), "{refusal}");
    scene.delete("ExternalSecret", "example").await;
    scene.until_gone("Secret", "example").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_processes_of_the_chart_do_the_walkthrough_on_crds_of_any_bundle_of_eso() {
    let world = World::empty(Config::default()).await;
    let node = Node::start(world).await;
    let tools = Tools::of(&world.cluster);
    let access =
        Access { client: world.client().await, namespace: NAMESPACE.to_owned(), version: "external-secrets.io/v1" };
    let values = ["--set", "installCRDs=false,leaderElect=true,certController.requeueInterval=1s"];
    for bundle in [Bundle::V0_5, Bundle::V0_16] {
        replace_definitions(&access, bundle).await;
        let install = ["upgrade", "--install", RELEASE, CHART, "--namespace", NAMESPACE, "--create-namespace"];
        tools.helm(&[&install[..], &values].concat()).unwrap();
        // Each process looks up the API version at its start.
        for deployment in ["", "-cert-controller"] {
            let deployment = format!("deployment/{RELEASE}{deployment}");
            tools.kubectl(&["rollout", "restart", &deployment, "--namespace", NAMESPACE]).unwrap();
        }
        node.looked().await;
        wait_until_available(&tools, &node, NAMESPACE);
        // Its garbage collector then knows the new kinds.
        world.cluster.restart_controller_manager().await.unwrap();
        for version in bundle.versions() {
            walk_through(&Scene::in_version(world, version, "bundle").await, bundle.used()).await;
        }
        if matches!(bundle, Bundle::V0_5) {
            let older = tools.kubectl(&["get", "clustersecretstores.v1alpha1.external-secrets.io"]);
            assert!(older.as_ref().is_err_and(|older| older.contains("cannot be converted")), "{older:?}");
        }
    }
    readiness_tells_the_truth(&tools);

    let log = node.logs();
    let refused: Vec<_> = log.lines().filter(|line| line.to_lowercase().contains("forbidden")).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let objects = tools.render(CHART, RELEASE, NAMESPACE, &values);
    for (container, roles) in [
        ("cert-controller", &["external-secrets-operator-cert-controller"][..]),
        ("external-secrets", &["external-secrets-operator-leaderelection"]),
        ("webhook", &["external-secrets-operator-webhook"]),
    ] {
        let used = node.rights_used_by(container);
        let given = rights_of(&objects, roles);
        assert_eq!(given.difference(&used).collect::<Vec<_>>(), Vec::<&String>::new(), "{container} uses {used:?}");
    }
    webhook_works_with_a_certificate_of_cert_manager(world, &access, &tools, &node).await;
}

/// The cert-controller is ready only while the webhook serves.
fn readiness_tells_the_truth(tools: &Tools) {
    let webhook = format!("deployment/{RELEASE}-webhook");
    let certificates = format!("deployment/{RELEASE}-cert-controller");
    for (replicas, available) in [("0", "false"), ("1", "true")] {
        let scale = ["scale", &webhook, "--replicas", replicas, "--namespace", NAMESPACE];
        tools.kubectl(&scale).unwrap();
        let condition = format!("--for=condition=Available={available}");
        tools.kubectl(&["wait", &condition, &certificates, "--namespace", NAMESPACE, "--timeout=90s"]).unwrap();
    }
}

/// With cert-manager's certificate and without the cert-controller.
async fn webhook_works_with_a_certificate_of_cert_manager(
    world: &'static World,
    access: &Access,
    tools: &Tools,
    node: &Node,
) {
    for definition in crd::all() {
        let definition = serde_json::to_value(definition).unwrap();
        let name = definition["metadata"]["name"].as_str().unwrap();
        access.merge("CustomResourceDefinition", name, json!({"spec": {"conversion": null}})).await;
    }
    let values = "webhook.certManager.enabled=true,webhook.certManager.cert.create=false,installCRDs=false";
    tools.helm(&["upgrade", RELEASE, CHART, "--namespace", NAMESPACE, "--set", values]).unwrap();
    let deployments = tools.kubectl(&["get", "deployment", "--namespace", NAMESPACE, "--output=name"]).unwrap();
    assert!(!deployments.contains("cert-controller"), "{deployments}");
    let authority = certify(access, tools).await;
    node.looked().await;
    wait_until_available(tools, node, NAMESPACE);
    until_webhook_is_trusted(access, tools, &authority).await;
    walk_through(&Scene::on(world, "cert-manager").await, "external-secrets.io/v1").await;
}

/// Waits until the webhook serves a certificate of this authority, and the API server trusts it. The Pod runs on with
/// the former certificate: a kubelet brings the new one some time after the API server was told of its authority.
async fn until_webhook_is_trusted(access: &Access, tools: &Tools, authority: &str) {
    let service = format!("{RELEASE}-webhook");
    let slice = access.api_in_version("discovery.k8s.io/v1", "EndpointSlice").get(&service).await.unwrap();
    let port = slice.data["ports"][0]["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap();
    let name = format!("{service}.{NAMESPACE}.svc");
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_pem(authority.as_bytes()).unwrap()])
        .resolve(&name, ([127, 0, 0, 1], port).into())
        .build()
        .unwrap();
    let manifest = repository("examples/walkthrough/02-store.yaml").display().to_string();
    let try_a_store = || tools.kubectl(&["create", "--dry-run=server", "--filename", &manifest]);
    let trusted = tokio::time::timeout(DEADLINE, async {
        while client.get(format!("https://{name}:{port}/")).send().await.is_err() {
            tokio::time::sleep(PAUSE).await;
        }
        while let Err(refusal) = try_a_store() {
            assert!(refusal.contains("x509"), "nothing else may refuse a store: {refusal}");
            tokio::time::sleep(PAUSE).await;
        }
    });
    assert!(trusted.await.is_ok(), "the webhook still serves the former certificate");
}

/// Does what cert-manager does: writes a certificate to the Secret, and its CA to the webhook configurations. Returns
/// the CA as PEM.
async fn certify(access: &Access, tools: &Tools) -> String {
    let engine = base64::engine::general_purpose::STANDARD;
    let service = format!("{RELEASE}-webhook");
    let mut params = rcgen::CertificateParams::new(vec!["an issuer of cert-manager".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let encoded = engine.encode(&authority);
    let issuer = rcgen::Issuer::new(params, key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec![format!("{service}.{NAMESPACE}.svc")]).unwrap();
    let certificate = leaf.signed_by(&key, &issuer).unwrap().pem();
    access.until_gone("Secret", &service).await;
    let data = json!({
        "tls.crt": engine.encode(certificate), "tls.key": engine.encode(key.serialize_pem()), "ca.crt": encoded,
    });
    let metadata = json!({"name": service});
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata, "data": data});
    access.apply(secret).await;
    for (configuration, webhooks) in [("externalsecret-validate", 1), ("secretstore-validate", 2)] {
        let injected = |index| json!({"op": "replace", "path": format!("/webhooks/{index}/clientConfig/caBundle"), "value": encoded});
        let patch = Value::from((0..webhooks).map(injected).collect::<Vec<_>>()).to_string();
        let object = format!("validatingwebhookconfiguration/{configuration}");
        tools.kubectl(&["patch", &object, "--type=json", "--patch", &patch]).unwrap();
    }
    authority
}

/// The rights in roles of both scopes, as `verb group/resource`.
fn rights_of(objects: &[Value], roles: &[&str]) -> BTreeSet<String> {
    let is_one = |object: &&Value| {
        object["kind"].as_str().is_some_and(|kind| kind.ends_with("Role"))
            && roles.contains(&object["metadata"]["name"].as_str().unwrap())
    };
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut rights = BTreeSet::new();
    for rule in objects.iter().filter(is_one).filter_map(|object| object["rules"].as_array()).flatten() {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                rights.extend(texts(&rule["verbs"]).iter().map(|verb| format!("{verb} {group}/{resource}")));
            }
        }
    }
    rights
}
