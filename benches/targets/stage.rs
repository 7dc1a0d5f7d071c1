//! What a row runs on: a cluster with the custom resources, an emulated Azure, and a store that connects them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use external_secrets::api::crd;
use external_secrets::sandbox::cluster::{Cluster, ClusterConfig, find_assets};
use external_secrets::sandbox::{Application, Config, Fault, IssuerKeys, Sandbox, SecretPermission, Vault};
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};
use test_stage::cluster_access::is_established;

use crate::error::Error;

/// The namespace of all ExternalSecrets.
pub(crate) const NAMESPACE: &str = "default";

const VAULT_LATENCY: Duration = Duration::from_millis(20);
const TOKEN_LATENCY: Duration = Duration::from_millis(50);
const CLIENT_ID: &str = "00000000-0000-0000-0000-00000000c11e";
const ACCOUNT: &str = "reader";
/// How many objects are created at a time.
const CREATORS: usize = 16;

/// A cluster, an emulated Azure that trusts it, a vault and a store that reads it.
pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    pub(crate) sandbox: Sandbox,
    pub(crate) application: Application,
    pub(crate) vault: Vault,
    pub(crate) client: Client,
}

/// An ExternalSecret to create.
pub(crate) struct Wanted {
    /// Its name.
    pub(crate) name: String,
    /// The secrets it reads; the n-th becomes the key `k<n>`.
    pub(crate) secrets: Vec<String>,
    /// Its refreshInterval.
    pub(crate) interval: &'static str,
}

impl Wanted {
    /// `count` ExternalSecrets, each of which reads its own secret.
    pub(crate) fn each_its_own(count: usize, interval: &'static str) -> Vec<Self> {
        (0..count).map(|n| Self { name: format!("e{n}"), secrets: vec![format!("s{n}")], interval }).collect()
    }

    /// `count` ExternalSecrets that all read the same secret.
    pub(crate) fn all_one(count: usize) -> Vec<Self> {
        (0..count).map(|n| Self { name: format!("e{n}"), secrets: vec!["s0".to_owned()], interval: "1h" }).collect()
    }
}

impl Stage {
    /// A stage whose identity has these permissions on the vault's secrets.
    pub(crate) async fn set(permissions: &[SecretPermission]) -> Result<Self, Error> {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_external-secrets"));
        let cluster = Cluster::start(ClusterConfig { program, assets: find_assets().await? }).await?;
        cluster.kill_controller_manager().await?;
        let sandbox = Sandbox::start(Config::default()).await?;
        sandbox.set_issuer(cluster.issuer_url(), IssuerKeys::from_pem(cluster.issuer_public_key_pem())?);
        let subject = format!("system:serviceaccount:{NAMESPACE}:{ACCOUNT}");
        let application = sandbox.default_tenant().application(CLIENT_ID).federate(cluster.issuer_url(), &subject);
        let vault = sandbox.vault("bench")?.allow(&application, permissions);
        vault.fault(Fault::latency(VAULT_LATENCY));
        sandbox.entra_fault(Fault::latency(TOKEN_LATENCY));
        let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig())?;
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let stage = Self { client: Client::try_from(config)?, cluster, sandbox, application, vault };
        stage.apply_definitions().await?;
        stage.apply_store().await?;
        Ok(stage)
    }

    /// The environment that connects a controller to the stage.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let mut environment = self.sandbox.environment();
        environment.push(("KUBECONFIG".to_owned(), self.cluster.kubeconfig().display().to_string()));
        environment
    }

    /// Sets the secrets to read to this value.
    pub(crate) fn fill_vault(&self, wanted: &[Wanted], value: &str) -> Result<(), Error> {
        for name in wanted.iter().flat_map(|wanted| &wanted.secrets) {
            self.vault.set_secret(name, value).map_err(|error| Error::Vault(error.to_string()))?;
        }
        Ok(())
    }

    /// Creates ExternalSecrets.
    pub(crate) async fn create(&self, wanted: &[Wanted]) -> Result<(), Error> {
        self.create_all("external-secrets.io", "v1", "ExternalSecret", wanted.iter().map(manifest).collect()).await
    }

    /// Creates `count` Secrets, and a PushSecret for each.
    pub(crate) async fn create_push_secrets(&self, count: usize, interval: &str) -> Result<(), Error> {
        let secret = |n: usize| {
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": format!("p{n}")},
                "stringData": {"k0": format!("value {n}")},
            })
        };
        self.create_all("", "v1", "Secret", (0..count).map(secret).collect()).await?;
        let push_secret = |n: usize| {
            json!({
                "apiVersion": "external-secrets.io/v1alpha1", "kind": "PushSecret", "metadata": {"name": format!("p{n}")},
                "spec": {
                    "refreshInterval": interval,
                    "secretStoreRefs": [{"name": "vault", "kind": "SecretStore"}],
                    "selector": {"secret": {"name": format!("p{n}")}},
                    "data": [{"match": {"secretKey": "k0", "remoteRef": {"remoteKey": format!("p{n}")}}}],
                },
            })
        };
        let manifests = (0..count).map(push_secret).collect();
        self.create_all("external-secrets.io", "v1alpha1", "PushSecret", manifests).await
    }

    async fn create_all(&self, group: &str, version: &str, kind: &str, manifests: Vec<Value>) -> Result<(), Error> {
        let api = self.api(group, version, kind);
        stream::iter(manifests)
            .map(Ok)
            .try_for_each_concurrent(CREATORS, |manifest| async {
                let object = serde_json::from_value(manifest).map_err(kube::Error::SerdeError)?;
                api.create(&PostParams::default(), &object).await.map(drop)
            })
            .await?;
        Ok(())
    }

    /// Writes one secret.
    pub(crate) fn set_secret(&self, name: &str, value: &str) -> Result<(), Error> {
        self.vault.set_secret(name, value).map(drop).map_err(|error| Error::Vault(error.to_string()))
    }

    /// Creates the namespaces of `count` teams, with a label that selects them.
    pub(crate) async fn create_namespaces(&self, count: usize) -> Result<(), Error> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Namespace"));
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
        let manifests = (0..count).map(|n| {
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace(n), "labels": {"team": "yes"}}})
        });
        stream::iter(manifests.collect::<Vec<_>>())
            .map(Ok)
            .try_for_each_concurrent(CREATORS, |manifest| async {
                let object = serde_json::from_value(manifest).map_err(kube::Error::SerdeError)?;
                api.create(&PostParams::default(), &object).await.map(drop)
            })
            .await?;
        Ok(())
    }

    /// Creates a ClusterExternalSecret for these namespaces that reads one secret.
    pub(crate) async fn create_cluster_external_secret(&self, secret: &str, interval: Duration) -> Result<(), Error> {
        let mut spec = template(secret, &format!("{}s", interval.as_secs()));
        spec["secretStoreRef"] = json!({"name": "vault", "kind": "ClusterSecretStore"});
        let manifest = json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret", "metadata": {"name": "e0"},
            "spec": {"namespaceSelectors": [{"matchLabels": {"team": "yes"}}], "externalSecretSpec": spec},
        });
        self.create_in_cluster("ClusterExternalSecret", manifest).await
    }

    async fn create_in_cluster(&self, kind: &str, manifest: Value) -> Result<(), Error> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("external-secrets.io", "v1", kind));
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
        let object = serde_json::from_value(manifest).map_err(kube::Error::SerdeError)?;
        api.create(&PostParams::default(), &object).await?;
        Ok(())
    }

    fn api(&self, group: &str, version: &str, kind: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(self.client.clone(), NAMESPACE, &resource)
    }

    async fn apply_definitions(&self) -> Result<(), Error> {
        let resource =
            ApiResource::from_gvk(&GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition"));
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
        for definition in crd::all() {
            let name = definition.metadata.name.clone().unwrap_or_default();
            api.patch(&name, &PatchParams::apply("bench").force(), &Patch::Apply(&definition)).await?;
            let limit = Instant::now() + Duration::from_secs(20);
            while !is_established(&json!(api.get(&name).await?)) {
                if Instant::now() > limit {
                    return Err(Error::TooLong { what: "a definition", seconds: 20, log: name });
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    async fn apply_store(&self) -> Result<(), Error> {
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": ACCOUNT, "namespace": NAMESPACE, "annotations": {
                "azure.workload.identity/client-id": CLIENT_ID,
                "azure.workload.identity/tenant-id": self.sandbox.default_tenant().id(),
            }},
        });
        let store = json!({
            "apiVersion": "external-secrets.io/v1", "kind": "SecretStore",
            "metadata": {"name": "vault", "namespace": NAMESPACE},
            "spec": {"provider": {"azurekv": {
                "authType": "WorkloadIdentity", "vaultUrl": self.vault.url(),
                "serviceAccountRef": {"name": ACCOUNT},
            }}},
        });
        let mut of_cluster = store.clone();
        of_cluster["kind"] = "ClusterSecretStore".into();
        of_cluster["metadata"] = json!({"name": "vault"});
        of_cluster["spec"]["provider"]["azurekv"]["serviceAccountRef"]["namespace"] = NAMESPACE.into();
        self.create_in_cluster("ClusterSecretStore", of_cluster).await?;
        for (group, kind, manifest) in [("", "ServiceAccount", account), ("external-secrets.io", "SecretStore", store)]
        {
            let object = serde_json::from_value(manifest).map_err(kube::Error::SerdeError)?;
            self.api(group, "v1", kind).create(&PostParams::default(), &object).await?;
        }
        Ok(())
    }
}

/// The namespace of a team.
pub(crate) fn namespace(n: usize) -> String {
    format!("team-{n}")
}

/// The spec of an ExternalSecret that reads one secret.
pub(crate) fn template(secret: &str, interval: &str) -> Value {
    json!({
        "refreshInterval": interval,
        "secretStoreRef": {"name": "vault", "kind": "SecretStore"},
        "target": {"creationPolicy": "Owner"},
        "data": [{"secretKey": "k0", "remoteRef": {"key": secret}}],
    })
}

fn manifest(wanted: &Wanted) -> Value {
    let data: Vec<_> = wanted
        .secrets
        .iter()
        .enumerate()
        .map(|(n, secret)| json!({"secretKey": format!("k{n}"), "remoteRef": {"key": secret}}))
        .collect();
    json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": wanted.name, "namespace": NAMESPACE},
        "spec": {
            "refreshInterval": wanted.interval,
            "secretStoreRef": {"name": "vault", "kind": "SecretStore"},
            "target": {"creationPolicy": "Owner"},
            "data": data,
        },
    })
}
