//! What one test works on: a namespace, a vault, an identity that may read it, and stores.

use std::ops::Deref;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use azure_sandbox::{Application, SecretPermission, Vault};
use serde_json::{Value, json};

use crate::api_proxy::ApiProxy;
use crate::cluster_access::{Access, condition};
use crate::controller_process::Controller;
use crate::world::World;

/// The service account, in the test's namespace, whose token is exchanged.
pub const SERVICE_ACCOUNT: &str = "azure-key-vault";

/// What one test works on.
pub struct Scene {
    /// The world it is in.
    pub world: &'static World,
    /// The vault that the store reads.
    pub vault: Vault,
    /// The identity that may read the vault.
    pub application: Application,
    access: Access,
    name: String,
    class: Option<String>,
}

impl Deref for Scene {
    type Target = Access;

    fn deref(&self) -> &Access {
        &self.access
    }
}

impl Scene {
    /// In the shared world, with an identity that may get secrets.
    pub async fn new(name: &str) -> Self {
        Self::on(World::shared(), name).await
    }

    /// In the test's own world.
    pub async fn on(world: &'static World, name: &str) -> Self {
        Self::in_version(world, "external-secrets.io/v1", name).await
    }

    /// With manifests in another version.
    pub async fn in_version(world: &'static World, version: &'static str, name: &str) -> Self {
        let scene = Self::bare(world, version, name).await;
        scene.annotate_service_account().await;
        scene
    }

    /// In the shared world, with a service account without annotations.
    pub async fn without_annotations(name: &str) -> Self {
        Self::bare(World::shared(), "external-secrets.io/v1", name).await
    }

    /// In the shared world, but with SecretStores of its own class, which only a controller started by the test serves.
    pub async fn with_own_controller(name: &str) -> Self {
        Self::with_own_controller_on(World::shared(), name).await
    }

    /// The same in another world.
    pub async fn with_own_controller_on(world: &'static World, name: &str) -> Self {
        let mut scene = Self::on(world, name).await;
        scene.class = Some(scene.name.clone());
        scene
    }

    async fn bare(world: &'static World, version: &'static str, name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Vault names have at most 24 characters; the namespace has the same name.
        let name = format!("{}-{number}", &name[..name.len().min(18)]);
        let access = Access { client: world.client().await, namespace: name.clone(), version };
        access.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})).await;
        access
            .apply(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": SERVICE_ACCOUNT}}))
            .await;
        let client_id = format!("00000000-0000-4000-8000-{number:012}");
        let subject = format!("system:serviceaccount:{name}:{SERVICE_ACCOUNT}");
        let application =
            world.sandbox.default_tenant().application(&client_id).federate(world.cluster.issuer_url(), &subject);
        let vault = world.sandbox.vault(&name).unwrap().allow(&application, SecretPermission::Get);
        Self { world, vault, application, access, name, class: None }
    }

    /// The name of the namespace, of the vault and of the store.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Writes a secret to the vault; returns the version.
    pub fn set_secret(&self, name: &str, value: &str) -> String {
        self.vault.set_secret(name, value).unwrap()
    }

    /// How often a secret was read from the vault.
    pub fn reads_of(&self, secret: &str) -> u64 {
        self.vault.counters().secret_reads(secret)
    }

    /// Annotates the service account with its identity.
    pub async fn annotate_service_account(&self) {
        let annotations = json!({
            "azure.workload.identity/client-id": self.application.client_id(),
            "azure.workload.identity/tenant-id": self.application.tenant().id(),
        });
        self.merge("ServiceAccount", SERVICE_ACCOUNT, json!({"metadata": {"annotations": annotations}})).await;
    }

    /// Deletes the service account and recreates it under the same name, as another identity.
    pub async fn remake_service_account(&self) {
        self.delete("ServiceAccount", SERVICE_ACCOUNT).await;
        self.until_gone("ServiceAccount", SERVICE_ACCOUNT).await;
        self.apply(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": SERVICE_ACCOUNT}})).await;
        self.annotate_service_account().await;
    }

    /// Waits until the store's Ready condition has this reason: the controller notices a changed service account by
    /// itself, but not immediately.
    pub async fn until_store_says(&self, reason: &str) {
        self.until(self.store_kind(), &self.name, reason, |store| condition(store, "Ready")["reason"] == reason).await;
    }

    /// A store of either kind for the vault, with the service account's identity.
    pub fn store_manifest(&self, kind: &str, name: &str) -> Value {
        let mut account = json!({"name": SERVICE_ACCOUNT});
        if kind == "ClusterSecretStore" {
            account["namespace"] = self.name.clone().into();
        }
        let mut store = json!({
            "apiVersion": self.access.version,
            "kind": kind,
            "metadata": {"name": name},
            "spec": {"provider": {"azurekv": {
                "authType": "WorkloadIdentity",
                "vaultUrl": self.vault.url(),
                "serviceAccountRef": account,
            }}},
        });
        if let Some(class) = &self.class {
            store["spec"]["controller"] = class.clone().into();
        }
        store
    }

    /// The kind of the scene's store: ClusterSecretStore, or SecretStore if the test's own controller serves it, so
    /// that controller ignores the stores of other tests.
    pub fn store_kind(&self) -> &'static str {
        if self.class.is_some() { "SecretStore" } else { "ClusterSecretStore" }
    }

    /// Applies the store of the scene.
    pub async fn store(&self) {
        self.apply(self.store_manifest(self.store_kind(), &self.name)).await;
    }

    /// An ExternalSecret on the scene's store; `data` holds pairs of key and secret.
    pub fn manifest(&self, name: &str, interval: &str, data: &[(&str, &str)]) -> Value {
        self.manifest_for(self.store_kind(), &self.name, name, interval, data)
    }

    /// An ExternalSecret on any store.
    pub fn manifest_for(&self, kind: &str, store: &str, name: &str, interval: &str, data: &[(&str, &str)]) -> Value {
        let entry = |(key, secret): &(&str, &str)| json!({"secretKey": key, "remoteRef": {"key": secret}});
        json!({
            "apiVersion": self.access.version,
            "kind": "ExternalSecret",
            "metadata": {"name": name},
            "spec": {
                "refreshInterval": interval,
                "secretStoreRef": {"name": store, "kind": kind},
                "target": {"name": name},
                "data": data.iter().map(entry).collect::<Vec<_>>(),
            },
        })
    }

    /// Applies an ExternalSecret on the scene's store.
    pub async fn external_secret(&self, name: &str, interval: &str, data: &[(&str, &str)]) {
        self.apply(self.manifest(name, interval, data)).await;
    }

    /// Requests a refresh, as a person does.
    pub async fn force_sync(&self, name: &str) {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed).to_string();
        self.merge("ExternalSecret", name, json!({"metadata": {"annotations": {"force-sync": number}}})).await;
    }

    /// Waits for two refreshes, so the second one began after this call.
    pub async fn until_refreshed_twice(&self, name: &str) {
        for _ in 0..2 {
            let before = self.get("ExternalSecret", name).await.unwrap();
            let before = before["status"]["refreshTime"].clone();
            self.until("ExternalSecret", name, "refreshed", |object| object["status"]["refreshTime"] != before).await;
        }
    }

    /// What `kubectl` prints.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let output = Command::new(self.world.cluster.kubectl())
            .args(["--kubeconfig", &self.kubeconfig().display().to_string(), "--namespace", &self.name])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The cluster's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        self.world.cluster.kubeconfig()
    }

    /// Starts a controller for the scene's class.
    pub async fn start_controller(&self) -> Controller {
        self.world.start_controller(&self.name, &self.arguments()).await
    }

    /// Starts a controller for the scene's class with more arguments.
    pub async fn start_controller_with(&self, more: &[&str]) -> Controller {
        let arguments = [&self.arguments()[..], more].concat();
        self.world.start_controller(&self.name, &arguments).await
    }

    /// Starts a controller for the scene's class, behind a proxy in front of the API server.
    pub async fn start_controller_through(&self, proxy: &ApiProxy, more: &[&str]) -> Controller {
        let arguments = [&self.arguments()[..], more].concat();
        self.world.start_controller_with(&self.name, &arguments, &proxy.kubeconfig).await
    }

    /// The environment of the scene's controller.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut environment = self.world.sandbox.environment();
        environment.push(("KUBECONFIG".to_owned(), self.kubeconfig().display().to_string()));
        environment
    }

    /// The arguments of the scene's controller.
    pub fn arguments(&self) -> [&str; 6] {
        let class = self.class.as_deref().expect("a scene with its own controller");
        let all = "--enable-cluster-store-reconciler=false";
        ["--controller-class", class, "--namespace", &self.name, all, "--store-requeue-interval=1h"]
    }

    /// Starts one of several replicas of the scene's controller.
    pub async fn start_replica(&self, name: &str, kubeconfig: &Path, timing: [&str; 3]) -> Controller {
        let lease = format!("--leader-election-id={}", self.name);
        let mut arguments = self.arguments().to_vec();
        arguments.extend(["--enable-leader-election=true", &lease]);
        arguments.extend(timing);
        self.world.start_controller_with(&format!("{}-{name}", self.name), &arguments, kubeconfig).await
    }

    /// Starts the controller through a proxy that kills it after `writes` writes. Returns whether that happened before
    /// `done`.
    pub async fn killed_after<T>(&self, proxy: &ApiProxy, writes: usize, done: impl Future<Output = T>) -> bool {
        let arguments = self.arguments();
        let controller = self.world.start_controller_with(&self.name, &arguments, &proxy.kubeconfig);
        proxy.killed_after(controller, writes, done).await
    }
}
