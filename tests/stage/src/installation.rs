//! The webhook and the cert-controller, installed as the chart does it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::cluster_access::{Access, DEADLINE};
use crate::controller_process::Controller;
use crate::world::World;

/// The Service of the webhook.
pub const SERVICE: &str = "webhook";
/// The namespace of the installation.
pub const NAMESPACE: &str = "operators";
/// The name in its certificate.
pub const DNS_NAME: &str = "webhook.operators.svc";
/// The Secret with its certificate.
pub const SECRET: &str = "webhook-certificates";

/// The webhook and the cert-controller in a cluster.
pub struct Installation {
    /// Where it is.
    pub world: &'static World,
    /// The objects of its namespace.
    pub access: Access,
    /// The webhook's port.
    pub port: u16,
    /// The cert-controller's process.
    pub certificates: Controller,
    webhook: Mutex<Option<Arc<Controller>>>,
    folder: PathBuf,
    mount: Mutex<Option<JoinHandle<()>>>,
}

impl Installation {
    /// Installs everything as the chart does, in the test's own cluster. `lifetimes` are flags of the cert-controller.
    pub async fn new(lifetimes: &[&str]) -> Self {
        Self::on(World::start().await, lifetimes).await
    }

    /// The same, in a cluster that has no webhook yet.
    pub async fn on(world: &'static World, lifetimes: &[&str]) -> Self {
        let access =
            Access { client: world.client().await, namespace: NAMESPACE.to_owned(), version: "external-secrets.io/v1" };
        let port = free_port();
        for object in objects(port) {
            access.apply(object).await;
        }
        let folder = world.cluster.directory().join("certificates");
        std::fs::create_dir(&folder).unwrap();
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
        let log = world.log_of("cert-controller");
        let certificates = Controller::start_subcommand(&world.cluster, &arguments, environment, &log).await;
        let (webhook, mount) = (Mutex::default(), Mutex::default());
        let installation = Self { world, access, port, certificates, webhook, folder, mount };
        installation.mount();
        installation.start_webhook().await;
        installation.certificates.until_logged("the webhook serves with the injected certificates").await;
        installation.until_answered().await;
        installation
    }

    /// Mounts the Secret for the webhook, now and whenever it changes.
    pub fn mount(&self) {
        let mounting = mount(self.access.clone(), SECRET.to_owned(), Keys::All, self.folder.clone());
        *self.mount.lock().unwrap() = Some(tokio::spawn(mounting));
    }

    /// Stops updating the webhook's copy of the Secret.
    pub fn hold_mount(&self) {
        if let Some(mount) = self.mount.lock().unwrap().take() {
            mount.abort();
        }
    }

    /// Starts the webhook, replacing one that was killed.
    pub async fn start_webhook(&self) {
        let arguments = [
            "webhook".to_owned(),
            format!("--port={}", self.port),
            format!("--dns-name={DNS_NAME}"),
            format!("--cert-dir={}", self.folder.display()),
        ];
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let log = self.world.log_of("webhook");
        let webhook = Controller::start_subcommand(&self.world.cluster, &arguments, Vec::new(), &log).await;
        *self.webhook.lock().unwrap() = Some(Arc::new(webhook));
    }

    /// The webhook's process.
    pub fn webhook(&self) -> Arc<Controller> {
        self.webhook.lock().unwrap().clone().expect("it was started")
    }

    /// Waits until the webhook answers with a certificate that the API server trusts.
    pub async fn until_answered(&self) {
        let answered = tokio::time::timeout(DEADLINE, async {
            while self.answer(&self.injected().await).await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        assert!(answered.await.is_ok(), "the webhook does not answer\n{}", self.webhook().log());
    }

    /// The CA certificates that the API server is told to trust, in PEM.
    pub async fn injected(&self) -> Vec<u8> {
        let resource = kube::api::ApiResource::erase::<
            k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration,
        >(&());
        let api: kube::Api<kube::api::DynamicObject> = kube::Api::all_with(self.access.client.clone(), &resource);
        let object = api.get("externalsecret-validate").await.unwrap();
        let bundle = object.data["webhooks"][0]["clientConfig"]["caBundle"].as_str().unwrap();
        base64::engine::general_purpose::STANDARD.decode(bundle).unwrap()
    }

    /// The status that the webhook returns on a new connection that trusts only `bundle`.
    pub async fn answer(&self, bundle: &[u8]) -> Result<u16, reqwest::Error> {
        ask(self.port, bundle).await
    }

    /// The same, with the whole answer.
    pub async fn respond(&self, bundle: &[u8]) -> Result<reqwest::Response, reqwest::Error> {
        request(self.port, bundle).await
    }
}

/// The status that a webhook at a port of this machine returns on a new connection that trusts only `bundle`.
pub async fn ask(port: u16, bundle: &[u8]) -> Result<u16, reqwest::Error> {
    Ok(request(port, bundle).await?.status().as_u16())
}

async fn request(port: u16, bundle: &[u8]) -> Result<reqwest::Response, reqwest::Error> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only(reqwest::Certificate::from_pem_bundle(bundle)?)
        .resolve(DNS_NAME, ([127, 0, 0, 1], port).into())
        .build()?;
    let url = format!("https://{DNS_NAME}:{port}/validate-external-secrets-io-v1-externalsecret");
    client.post(url).body("no review").send().await
}

/// A free port. Nothing reserves it, but nobody else asks for a specific port.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A non-loopback address of this machine: an `EndpointSlice` may not have a loopback address. Without a network it is
/// an unused address, which does not affect the webhook.
pub fn own_address() -> String {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let routed = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr());
    routed.map_or_else(|_| "192.0.2.1".to_owned(), |address| address.ip().to_string())
}

/// What the chart creates for the webhook. The API server reaches a Service of type `ExternalName` by name.
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

/// Which keys of a Secret are mounted.
pub enum Keys {
    /// All.
    All,
    /// Those that `items` of a volume name.
    Items(Vec<String>),
}

/// Keeps a folder equal to a Secret, as the kubelet does for a Pod.
pub async fn mount(access: Access, secret: String, keys: Keys, folder: PathBuf) {
    let is_mounted = |key: &String| match &keys {
        Keys::All => true,
        Keys::Items(items) => items.contains(key),
    };
    let mut written = Value::Null;
    loop {
        // While the API server is down, everything stays as it is.
        let found = access.api("Secret").get_opt(&secret).await.ok().flatten();
        let data = found.map(|secret| secret.data["data"].clone()).unwrap_or_default();
        if !data.is_null() && data != written {
            for (key, value) in data.as_object().into_iter().flatten().filter(|(key, _)| is_mounted(key)) {
                let value = base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap();
                std::fs::write(folder.join(key), value).unwrap();
            }
            written = data;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
