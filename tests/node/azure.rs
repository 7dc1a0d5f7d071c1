//! The emulated Azure, which trusts the node's cluster, and what Pods need to reach it.

use std::time::Duration;

use azure_sandbox::{
    Application, Clock, ClockOffset, Config, IssuerKeys, Sandbox, SecretPermission, TOKEN_EXCHANGE_AUDIENCE, Vault,
};
use base64::Engine;
use serde_json::{Value, json};
use test_stage::cluster_access::{condition, decoded};

use crate::cluster::{DEPLOYMENTS, NAMESPACE, Node, PROGRAM, in_container, processes, restart_kubelet, until};

/// Of the cluster's tokens.
const ISSUER: &str = "https://kubernetes.default.svc";
/// The proxy for Pods; `tests/node/apart` leads its connections to this machine's port 3127.
const PROXY: &str = "http://198.51.100.1:3128";
const PORT: u16 = 3127;
/// The lifetime of the emulated Entra ID's tokens in tests that want renewals.
const LIFETIME: Duration = Duration::from_mins(5);
/// How long after expiry a vault still accepts them.
const CLOCK_SKEW: Duration = Duration::from_mins(5);

/// A vault, and the application that the controller's own service account represents, which may read it.
pub struct Azure {
    pub sandbox: Sandbox,
    clock: ClockOffset,
    pub application: Application,
    pub vault: Vault,
}

impl Azure {
    /// Starts it, and writes its CA certificate where [`Azure::values`] expects it.
    pub async fn start(node: &Node) -> Self {
        let (time, clock) = Clock::adjustable();
        let sandbox = Sandbox::start(Config { port: PORT, clock: time, ..Config::default() }).await.unwrap();
        let keys = std::fs::read_to_string(node.folder.join("pki/service-accounts.pub")).unwrap();
        sandbox.set_issuer(ISSUER, IssuerKeys::from_pem(&keys).unwrap());
        let application = sandbox.default_tenant().application("00000000-0000-0000-0000-00000000c11e");
        let vault = sandbox.vault("my-key-container").unwrap().allow(&application, SecretPermission::Get);
        let (_, bundle) = sandbox.environment().into_iter().find(|(name, _)| name == "SSL_CERT_FILE").unwrap();
        let bundle = std::fs::read_to_string(bundle).unwrap();
        node.apply(&[
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "azure", "namespace": NAMESPACE},
                "data": {"ca.pem": bundle}}),
        ]);
        let azure = Self { sandbox, clock, application, vault };
        azure.trust(NAMESPACE, DEPLOYMENTS[0]);
        azure
    }

    /// Lets a service account act as the application.
    pub fn trust(&self, namespace: &str, account: &str) {
        self.application.federate(ISSUER, &format!("system:serviceaccount:{namespace}:{account}"));
    }

    /// Chart values for a controller that reaches it with its own token. The kubelet projects the token as the workload
    /// identity webhook would ask it to.
    pub fn values(&self) -> Value {
        let variable = |name: &str, value: &str| json!({"name": name, "value": value});
        let token = json!({"serviceAccountToken":
            {"path": "azure-identity-token", "audience": TOKEN_EXCHANGE_AUDIENCE, "expirationSeconds": 600}});
        json!({
            "azureWorkloadIdentity": {
                "use": true, "clientId": self.application.client_id(), "tenantId": self.application.tenant().id(),
            },
            "extraEnv": [
                variable("AZURE_CLIENT_ID", self.application.client_id()),
                variable("AZURE_TENANT_ID", self.application.tenant().id()),
                variable("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/"),
                variable("AZURE_FEDERATED_TOKEN_FILE", "/var/run/secrets/azure/tokens/azure-identity-token"),
                variable("HTTPS_PROXY", PROXY),
                variable("NO_PROXY", "10.96.0.0/16"),
            ],
            "extraArgs": {"azure-ca-bundle": "/etc/azure/ca.pem"},
            "extraVolumes": [
                {"name": "azure", "configMap": {"name": "azure"}},
                {"name": "azure-identity-token", "projected": {"sources": [token]}},
            ],
            "extraVolumeMounts": [
                {"name": "azure", "mountPath": "/etc/azure", "readOnly": true},
                {"name": "azure-identity-token", "mountPath": "/var/run/secrets/azure/tokens", "readOnly": true},
            ],
        })
    }

    /// A store that reads the vault with the controller's identity.
    pub fn store(&self, name: &str) -> Value {
        json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": name},
            "spec": {"provider": {"azurekv": {"authType": "WorkloadIdentity", "vaultUrl": self.vault.url()}}},
        })
    }
}

/// An ExternalSecret for one secret of the vault, in the namespace `default`.
pub fn external_secret(name: &str, store: &str, interval: &str, secret: &str) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "refreshInterval": interval, "secretStoreRef": {"name": store, "kind": "ClusterSecretStore"},
            "target": {"name": name}, "data": [{"secretKey": "value", "remoteRef": {"key": secret}}],
        },
    })
}

/// Waits for a value in a Secret in the namespace `default`.
pub async fn until_value(node: &Node, secret: &str, value: &str) {
    let wanted = json!({"value": value});
    node.access.until("Secret", secret, value, |secret| decoded(secret) == wanted).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn a_secret_travels_into_the_cluster_by_a_token_that_the_kubelet_projects_and_renews() {
    let node = Node::cleared().await;
    let azure = Azure::start(&node).await;
    azure.sandbox.default_tenant().set_token_lifetime(LIFETIME);
    azure.vault.set_secret("greeting", "Hello!").unwrap();
    node.install_with(&azure.values());
    node.apply(&[azure.store("own"), external_secret("greeting", "own", "1s", "greeting")]);
    let ready = |store: &Value| condition(store, "Ready")["status"] == "True";
    node.access.until("ClusterSecretStore", "own", "ready", ready).await;
    until_value(&node, "greeting", "Hello!").await;

    let first = token_of_the_controller();
    assert_eq!(azure.application.counters().last_assertion, Some(first.clone()));
    // The kubelet renews a token after four fifths of its lifetime; a restarted one does so at once.
    restart_kubelet();
    let next = until("a new token", || Some(token_of_the_controller()).filter(|token| *token != first)).await;
    azure.clock.advance(i64::try_from((LIFETIME + CLOCK_SKEW).as_secs()).unwrap() + 1);
    azure.vault.set_secret("greeting", "Hello again!").unwrap();
    until_value(&node, "greeting", "Hello again!").await;
    assert_eq!(azure.application.counters().last_assertion, Some(next));
    assert_eq!(node.pods_of(DEPLOYMENTS[0])[0]["status"]["containerStatuses"][0]["restartCount"], 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn a_secret_travels_into_the_cluster_by_the_token_of_the_stores_service_account() {
    let node = Node::cleared().await;
    let azure = Azure::start(&node).await;
    azure.vault.set_secret("qvs-secret-manager", "Hello, Qmonus Value Stream!").unwrap();
    node.install_with(&azure.values());
    let (client, tenant) = (azure.application.client_id(), azure.application.tenant());
    azure.application.clear_federation();
    azure.trust(NAMESPACE, "azure-key-vault");
    let values = format!(
        "azureKeyContainerName=my-key-container,serviceAccount.create=true,serviceAccount.clientId={client},serviceAccount.tenantId={}",
        tenant.id()
    );
    let chart = "helm/azure-cluster-secret-store";
    node.tools.helm(&["install", "azure-key-vault", chart, "--namespace", NAMESPACE, "--set", &values]).unwrap();
    node.kubectl(&["wait", "--for=condition=Ready", "clustersecretstore/azure-key-vault", "--timeout=60s"]);
    node.kubectl(&["apply", "-f", "examples/walkthrough/03-external-secret.yaml"]);
    node.kubectl(&["wait", "--for=condition=Ready", "externalsecret/example", "--timeout=60s"]);
    let secret = node.access.get("Secret", "qvs-kubernetes-secret").await.unwrap();
    assert_eq!(decoded(&secret), json!({"greeting": "Hello, Qmonus Value Stream!"}));
    // The garbage collector discovers new kinds every 30 s.
    node.kubectl(&["delete", "externalsecret", "example"]);
    node.access.until_gone("Secret", "qvs-kubernetes-secret").await;
}

/// The id of the token that the controller finds in its Pod.
fn token_of_the_controller() -> String {
    let controllers = processes(|arguments| {
        let is_subcommand = |argument: &String| argument == "webhook" || argument == "certcontroller";
        arguments.first().is_some_and(|program| program == PROGRAM) && !arguments.iter().any(is_subcommand)
    });
    assert_eq!(controllers.len(), 1, "one controller runs");
    let file = in_container(controllers[0], "var/run/secrets/azure/tokens/azure-identity-token");
    let token = std::fs::read_to_string(file).unwrap();
    let claims = token.split('.').nth(1).expect("a token has three parts");
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["jti"].as_str().unwrap().to_owned()
}
