//! The webhook and the cert-controller as their own processes: a real API server calls the one with the certificates of the
//! other.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use external_secrets::api::crd;
use external_secrets::sandbox::cluster::Cluster;
use serde_json::{Value, json};

use crate::cluster_access::{Access, DEADLINE};
use crate::controller_process::Controller;
use crate::scene::Scene;
use crate::world::World;

const SERVICE: &str = "webhook";
const NAMESPACE: &str = "operators";
const DNS_NAME: &str = "webhook.operators.svc";
const SECRET: &str = "webhook-certificates";

/// The webhook, installed in a cluster of the test's own.
struct Installation {
    world: &'static World,
    access: Access,
    port: u16,
    certificates: Controller,
    webhook: Controller,
}

impl Installation {
    /// Installs all as the chart does. `lifetimes` are flags of the cert-controller.
    async fn new(lifetimes: &[&str]) -> Self {
        let world = World::start().await;
        let access =
            Access { client: world.client().await, namespace: NAMESPACE.to_owned(), version: "external-secrets.io/v1" };
        let port = free_port();
        for object in objects(port) {
            access.apply(object).await;
        }
        let folder = world.cluster.directory().join("certificates");
        std::fs::create_dir(&folder).unwrap();
        tokio::spawn(mount(access.clone(), folder.clone()));
        let environment = vec![("KUBECONFIG".to_owned(), world.cluster.kubeconfig().display().to_string())];
        let mut arguments = vec![
            "certcontroller",
            "--service-name=webhook",
            "--service-namespace=operators",
            "--secret-name=webhook-certificates",
            "--secret-namespace=operators",
            "--crd-requeue-interval=1s",
            "--settle-interval=2s",
        ];
        arguments.extend(lifetimes);
        let start = async |arguments: &[&str], environment: Vec<(String, String)>, log: &str| {
            Controller::start_subcommand(&world.cluster, arguments, environment, &world.log_of(log)).await
        };
        let certificates = start(&arguments, environment, "cert-controller").await;
        let arguments = [
            "webhook".to_owned(),
            format!("--port={port}"),
            format!("--dns-name={DNS_NAME}"),
            format!("--cert-dir={}", folder.display()),
        ];
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let webhook = start(&arguments, Vec::new(), "webhook").await;
        certificates.until_logged("the webhook serves with the injected certificates").await;
        let installation = Self { world, access, port, certificates, webhook };
        installation.until_answered().await;
        installation
    }

    /// Waits until the webhook answers with a certificate that the API server trusts.
    async fn until_answered(&self) {
        let answered = tokio::time::timeout(DEADLINE, async {
            while self.answer(&self.injected().await).await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        assert!(answered.await.is_ok(), "the webhook does not answer\n{}", self.webhook.log());
    }

    /// The authorities that the API server is told to trust, in PEM.
    async fn injected(&self) -> Vec<u8> {
        let resource = kube::api::ApiResource::erase::<
            k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration,
        >(&());
        let api: kube::Api<kube::api::DynamicObject> = kube::Api::all_with(self.access.client.clone(), &resource);
        let object = api.get("externalsecret-validate").await.unwrap();
        let bundle = object.data["webhooks"][0]["clientConfig"]["caBundle"].as_str().unwrap();
        base64::engine::general_purpose::STANDARD.decode(bundle).unwrap()
    }

    /// What the webhook answers on a new connection that trusts only `bundle`.
    async fn answer(&self, bundle: &[u8]) -> Result<u16, reqwest::Error> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only(reqwest::Certificate::from_pem_bundle(bundle)?)
            .resolve(DNS_NAME, ([127, 0, 0, 1], self.port).into())
            .build()?;
        let url = format!("https://{DNS_NAME}:{}/validate-external-secrets-io-v1-externalsecret", self.port);
        Ok(client.post(url).body("no review").send().await?.status().as_u16())
    }
}

/// A port that nobody has; it is not kept, but nobody else asks for a certain one.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An address of this machine that is not the loopback's, which an `EndpointSlice` may not have. Without a network it is one that
/// nobody has, which says nothing of the webhook.
fn own_address() -> String {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let routed = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr());
    routed.map_or_else(|_| "192.0.2.1".to_owned(), |address| address.ip().to_string())
}

/// What the chart makes of the webhook. The API server reaches a Service of type `ExternalName` by its name.
fn objects(port: u16) -> Vec<Value> {
    let webhook = |kind: &str, scope: &str| {
        json!({
            "name": format!("validate.{kind}.external-secrets.io"),
            "rules": [{"apiGroups": ["external-secrets.io"], "apiVersions": ["v1", "v1beta1"], "operations": ["CREATE", "UPDATE"],
                "resources": [format!("{kind}s")], "scope": scope}],
            "clientConfig": {"service": {"name": "elsewhere", "namespace": NAMESPACE, "port": port,
                "path": format!("/validate-external-secrets-io-v1-{kind}")}},
            "admissionReviewVersions": ["v1"], "sideEffects": "None", "timeoutSeconds": 5, "failurePolicy": "Fail",
        })
    };
    let configuration = |name: &str, webhooks: Value| {
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": name, "labels": {"external-secrets.io/component": "webhook"}}, "webhooks": webhooks})
    };
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": SERVICE},
            "spec": {"type": "ExternalName", "externalName": "localhost"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": SERVICE, "labels": {"kubernetes.io/service-name": SERVICE}},
            "endpoints": [{"addresses": [own_address()], "conditions": {"ready": true}}],
            "ports": [{"name": "webhook", "port": port, "protocol": "TCP"}]}),
        configuration("externalsecret-validate", json!([webhook("externalsecret", "Namespaced")])),
        configuration(
            "secretstore-validate",
            json!([webhook("secretstore", "Namespaced"), webhook("clustersecretstore", "Cluster")]),
        ),
    ]
}

/// Keeps a folder equal to the Secret, as the kubelet does for a Pod.
async fn mount(access: Access, folder: PathBuf) {
    let mut written = Value::Null;
    loop {
        let data = access.get("Secret", SECRET).await.map(|secret| secret["data"].clone()).unwrap_or_default();
        if data != written {
            for (key, value) in data.as_object().into_iter().flatten() {
                let value = base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap();
                std::fs::write(folder.join(key), value).unwrap();
            }
            written = data;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn external_secret(change: Value) -> Value {
    let mut object = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "example"},
        "spec": {"refreshInterval": "1h", "secretStoreRef": {"name": "vault"},
            "data": [{"secretKey": "a", "remoteRef": {"key": "a"}}]},
    });
    merge(&mut object["spec"], change);
    object
}

fn store(kind: &str, change: Value) -> Value {
    let mut object = json!({
        "apiVersion": "external-secrets.io/v1", "kind": kind, "metadata": {"name": "vault"},
        "spec": {"provider": {"azurekv": {
            "authType": "WorkloadIdentity", "vaultUrl": "https://team.vault.azure.net", "serviceAccountRef": {"name": "reader"},
        }}},
    });
    merge(&mut object["spec"], change);
    object
}

fn merge(into: &mut Value, change: Value) {
    match change {
        Value::Object(fields) if into.is_object() => {
            fields.into_iter().for_each(|(name, value)| merge(&mut into[name], value));
        }
        other => *into = other,
    }
}

/// What `kubectl create` prints about an object on standard error.
async fn create(cluster: &Cluster, folder: &Path, object: &Value) -> String {
    let file = folder.join("object.json");
    std::fs::write(&file, object.to_string()).unwrap();
    let output = tokio::process::Command::new(cluster.kubectl())
        .args(["create", "--dry-run=server", "--namespace", NAMESPACE, "--filename"])
        .arg(&file)
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("KUBECACHEDIR", folder.join("kubectl"))
        .output()
        .await
        .unwrap();
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_work_is_refused_at_its_creation_and_what_is_unwise_is_warned_of() {
    let installation = Installation::new(&[]).await;
    let cluster = &installation.world.cluster;
    let folder = cluster.directory();
    let template = |template: Value| external_secret(json!({"target": {"template": template}}));
    let refused = [
        (
            external_secret(json!({"data": null, "dataFrom": [{"find": {"name": {"regexp": "a("}}}]})),
            "spec.dataFrom[0].find.name.regexp: ",
        ),
        (
            external_secret(json!({"target": {"deletionPolicy": "Delete", "creationPolicy": "Merge"}})),
            "spec.target.deletionPolicy: ",
        ),
        (
            external_secret(
                json!({"data": [{"secretKey": "a", "remoteRef": {"key": "a"}}, {"secretKey": "a", "remoteRef": {"key": "b"}}]}),
            ),
            "spec.data[1].secretKey: ",
        ),
        (external_secret(json!({"refreshInterval": "soon"})), "spec.refreshInterval"),
        (template(json!({"type": "bootstrap.kubernetes.io/token"})), "spec.target.template.type: "),
        (template(json!({"data": {"a": "{{ .a "}})), "spec.target.template.data[\"a\"]: "),
        (
            template(json!({"templateFrom": [{"literal": "a", "target": "Spec"}]})),
            "spec.target.template.templateFrom[0].target: ",
        ),
        (
            store("SecretStore", json!({"provider": {"azurekv": {"vaultUrl": "https://team.example.com"}}})),
            "spec.provider.azurekv.vaultUrl: ",
        ),
        (
            store(
                "SecretStore",
                json!({"provider": {"azurekv": {"serviceAccountRef": {"name": "reader", "namespace": "other"}}}}),
            ),
            "spec.provider.azurekv.serviceAccountRef.namespace: ",
        ),
        (
            store("ClusterSecretStore", json!({"provider": {"azurekv": {"environmentType": "GermanCloud"}}})),
            "spec.provider.azurekv.environmentType: ",
        ),
        (
            store("ClusterSecretStore", json!({"conditions": [{"namespaceRegexes": ["("]}]})),
            "spec.conditions[0].namespaceRegexes[0]: ",
        ),
        (
            store("SecretStore", json!({"provider": {"azurekv": {"authType": "ManagedIdentity"}}})),
            "spec.provider.azurekv.authType: ",
        ),
        (store("SecretStore", json!({"refreshInterval": "soon"})), "spec.refreshInterval: "),
    ];
    let mut wrong = Vec::new();
    for (object, problem) in refused {
        for version in ["v1", "v1beta1"] {
            let mut object = object.clone();
            object["apiVersion"] = format!("external-secrets.io/{version}").into();
            let said = create(cluster, folder, &object).await;
            if !said.contains(problem) {
                wrong.push(format!("{object}\n{said}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let warned = [
        (external_secret(json!({"refreshInterval": "1s"})), "Warning: spec.refreshInterval: is very often"),
        (
            external_secret(json!({"data": [{"secretKey": "a", "remoteRef": {"key": "my secret"}}]})),
            "Warning: spec.data[0].remoteRef: ",
        ),
        (
            store("ClusterSecretStore", json!({"conditions": [{"namespaceRegexes": ["team"]}]})),
            "Warning: spec.conditions[0].namespaceRegexes[0]: ",
        ),
    ];
    for (object, warning) in warned {
        let said = create(cluster, folder, &object).await;
        assert!(said.contains(warning) && !said.contains("denied"), "{object}\n{said}");
    }
    for good in [external_secret(json!({})), store("SecretStore", json!({})), store("ClusterSecretStore", json!({}))] {
        assert_eq!(create(cluster, folder, &good).await, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_and_their_authority_change_under_load_and_no_request_fails() {
    let installation = Arc::new(Installation::new(&["--ca-validity=60s", "--certificate-validity=30s"]).await);
    let first = installation.access.get("Secret", SECRET).await.unwrap()["data"].clone();
    let started = Instant::now();
    let mut requests = 0;
    loop {
        // As the API server, with what it is told at this moment; and through it.
        let bundle = installation.injected().await;
        let answer = installation.answer(&bundle).await;
        assert_eq!(
            answer.as_ref().ok(),
            Some(&400),
            "{answer:?} after {requests} requests\n{}",
            installation.webhook.log()
        );
        let stored = store("SecretStore", json!({"refreshInterval": format!("{}s", 300 + requests)}));
        let applied = installation.access.try_apply(stored).await;
        assert!(applied.is_ok(), "{applied:?} after {requests} requests\n{}", installation.certificates.log());
        requests += 1;
        let now = installation.access.get("Secret", SECRET).await.unwrap()["data"].clone();
        let new_authority = now["ca.key"] != first["ca.key"];
        // Signed by the new authority alone.
        let used = external_secrets::runtime::tls::verify(
            &first_certificate(&now["ca.crt"]),
            &decoded(&now["tls.crt"]),
            DNS_NAME,
            jiff::Timestamp::now(),
        )
        .is_ok();
        if new_authority && used && installation.answer(&first_certificate(&now["ca.crt"])).await.is_ok() {
            break;
        }
        assert!(
            started.elapsed() < 4 * DEADLINE,
            "no new authority after {requests} requests\n{}",
            installation.certificates.log()
        );
    }
    assert!(requests > 20, "{requests}");
}

fn decoded(value: &Value) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap()
}

/// The newest authority of a bundle.
fn first_certificate(bundle: &Value) -> Vec<u8> {
    const END: &str = "-----END CERTIFICATE-----\n";
    let bundle = String::from_utf8(decoded(bundle)).unwrap();
    let end = bundle.find(END).unwrap() + END.len();
    bundle.as_bytes()[..end].to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn crds_of_eso_that_name_a_conversion_webhook_with_a_placeholder_work() {
    let installation = Installation::new(&[]).await;
    let access = &installation.access;
    let client = json!({"caBundle": "Cg==", "service": {
        "name": "kubernetes", "namespace": "default", "path": "/convert", "port": installation.port}});
    let conversion =
        json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": client}});
    for definition in crd::all() {
        let mut definition = serde_json::to_value(definition).unwrap();
        let name = definition["metadata"]["name"].as_str().unwrap().to_owned();
        definition["spec"]["conversion"] = conversion.clone();
        // Only when it is made may a CRD have such a bundle.
        access.delete("CustomResourceDefinition", &name).await;
        access.until_gone("CustomResourceDefinition", &name).await;
        access.apply(definition).await;
        access
            .until("CustomResourceDefinition", &name, "injected", |definition| {
                let client = &definition["spec"]["conversion"]["webhook"]["clientConfig"];
                client["caBundle"] != "Cg==" && client["service"]["name"] == SERVICE
            })
            .await;
    }
    for version in ["external-secrets.io/v1beta1", "external-secrets.io/v1"] {
        let scene = Scene::in_version(installation.world, version, "converted").await;
        scene.set_secret("greeting", "hello");
        scene.store().await;
        scene.external_secret("example", "1h", &[("greeting", "greeting")]).await;
        scene.until_secret("example", json!({"greeting": "hello"})).await;
        scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    }
}
