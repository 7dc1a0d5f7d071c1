//! What tests share: a cluster, a sandbox and a controller.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use azure_sandbox::{Clock, ClockOffset, Config, IssuerKeys, Sandbox};
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use test_cluster::{Cluster, ClusterConfig, find_assets};

use crate::cluster_access::{Access, is_established};
use crate::controller_process::Controller;
use crate::custom_resource;

/// A cluster whose issuer the sandbox's Entra ID trusts, with our CRDs and a controller.
pub struct World {
    /// The cluster.
    pub cluster: Cluster,
    /// The emulated Azure.
    pub sandbox: Sandbox,
    /// Shifts the sandbox's clock against that of the controllers and the cluster.
    pub clock: ClockOffset,
    controller: Mutex<Option<Controller>>,
}

impl World {
    /// The world that most tests share. The first of them starts it, on a separate runtime, since a test's runtime ends
    /// with the test. The cluster's processes end with this process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<World> = OnceLock::new();
        Self::in_background(&SHARED)
    }

    /// A second one, for tests whose controllers work in all namespaces: they serve every store without a class, and
    /// would disturb tests that count requests to Azure.
    pub fn of_controllers() -> &'static Self {
        static OTHER: OnceLock<World> = OnceLock::new();
        Self::in_background(&OTHER)
    }

    fn in_background(cell: &'static OnceLock<Self>) -> &'static Self {
        cell.get_or_init(|| {
            let (sender, receiver) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                let runtime =
                    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
                runtime.block_on(async {
                    sender.send(Self::make(our_crds()).await).unwrap();
                    std::future::pending::<()>().await;
                });
            });
            receiver.recv().expect("the cluster, the sandbox and the controller start")
        })
    }

    /// A world for one test.
    pub async fn start() -> &'static Self {
        Self::with_crds(our_crds()).await
    }

    /// A world for one test, with other CRDs.
    pub async fn with_crds(crds: Vec<Value>) -> &'static Self {
        Self::make(crds).await.of_this_test()
    }

    /// A world for one test, in which only the test starts controllers.
    pub async fn without_controller() -> &'static Self {
        Self::prepare(our_crds()).await.of_this_test()
    }

    /// A world for one test with nothing of ours in it: no CRDs, no controller.
    pub async fn empty(config: Config) -> &'static Self {
        Self::bare(config).await.of_this_test()
    }

    /// Keeps a world as long as the calling test's runtime; its processes end with it. An idle API server takes a few
    /// hundredths of a processor, and dozens of tests have one.
    fn of_this_test(self) -> &'static Self {
        struct End(&'static World);
        impl Drop for End {
            fn drop(&mut self) {
                self.0.cluster.stop();
            }
        }
        let world: &'static Self = Box::leak(Box::new(self));
        let end = End(world);
        tokio::spawn(async move {
            let _end = end;
            std::future::pending::<()>().await;
        });
        world
    }

    async fn make(crds: Vec<Value>) -> Self {
        let world = Self::prepare(crds).await;
        let controller = world.start_controller("shared", &["--unsafe-allow-generic-targets"]).await;
        *world.controller.lock().unwrap() = Some(controller);
        world
    }

    async fn bare(config: Config) -> Self {
        let program = crate::program();
        let cluster = Cluster::start(ClusterConfig { program, assets: find_assets().await.unwrap() }).await.unwrap();
        let (time, clock) = Clock::adjustable();
        let sandbox = Sandbox::start(Config { clock: time, ..config }).await.unwrap();
        let keys = IssuerKeys::from_pem(cluster.issuer_public_key_pem()).unwrap();
        sandbox.set_issuer(cluster.issuer_url(), keys);
        Self { cluster, sandbox, clock, controller: Mutex::default() }
    }

    async fn prepare(crds: Vec<Value>) -> Self {
        let world = Self::bare(Config::default()).await;
        let access =
            Access { client: world.client().await, namespace: "default".to_owned(), version: "external-secrets.io/v1" };
        for definition in crds.into_iter().chain([custom_resource::app_config()]) {
            let name = definition["metadata"]["name"].as_str().unwrap().to_owned();
            access.apply(definition).await;
            access.until("CustomResourceDefinition", &name, "established", is_established).await;
        }
        // The garbage collector discovers new kinds every 30 s; a restarted one knows them.
        world.cluster.restart_controller_manager().await.unwrap();
        world
    }

    /// A client on the caller's runtime.
    pub async fn client(&self) -> Client {
        Client::try_from(self.config().await).unwrap()
    }

    /// A client for a user with only the rights granted to that name.
    pub async fn client_as(&self, user: &str) -> Client {
        let mut config = self.config().await;
        config.auth_info.impersonate = Some(user.to_owned());
        config.auth_info.impersonate_groups = Some(vec!["system:authenticated".to_owned()]);
        Client::try_from(config).unwrap()
    }

    async fn config(&self) -> kube::Config {
        let kubeconfig = Kubeconfig::read_from(self.cluster.kubeconfig()).unwrap();
        kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap()
    }

    /// Starts another controller.
    pub async fn start_controller(&self, name: &str, arguments: &[&str]) -> Controller {
        self.start_controller_with(name, arguments, self.cluster.kubeconfig()).await
    }

    /// Starts another controller with another kubeconfig.
    pub async fn start_controller_with(&self, name: &str, arguments: &[&str], kubeconfig: &Path) -> Controller {
        self.start_controller_in(name, arguments, kubeconfig, &[]).await
    }

    /// Starts another controller with another kubeconfig and additional environment variables.
    pub async fn start_controller_in(
        &self,
        name: &str,
        arguments: &[&str],
        kubeconfig: &Path,
        more: &[(&str, &str)],
    ) -> Controller {
        let mut environment = self.sandbox.environment();
        environment.push(("KUBECONFIG".to_owned(), kubeconfig.display().to_string()));
        environment.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Controller::start(&self.cluster, arguments, environment, &self.log_of(name)).await
    }

    /// The path of a controller's log.
    pub fn log_of(&self, name: &str) -> PathBuf {
        self.cluster.directory().join(format!("{name}.log"))
    }
}

/// The CRDs that the program prints.
pub fn our_crds() -> Vec<Value> {
    let output = Command::new(crate::program()).arg("crds").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_saphyr::from_multiple(std::str::from_utf8(&output.stdout).unwrap()).unwrap()
}

/// Our CRDs without our additions to ESO's statuses.
pub fn crds_of_eso() -> Vec<Value> {
    let mut definitions = our_crds();
    for definition in &mut definitions {
        for version in definition["spec"]["versions"].as_array_mut().unwrap() {
            let status = version.pointer_mut("/schema/openAPIV3Schema/properties/status");
            let Some(status) = status.and_then(Value::as_object_mut) else { continue };
            status.remove("default");
            if let Some(fields) = status["properties"].as_object_mut() {
                fields
                    .retain(|name, _| !["observedGeneration", "lastHandledRefresh", "cause"].contains(&name.as_str()));
            }
            let condition = &mut status["properties"]["conditions"]["items"]["properties"];
            if let Some(fields) = condition.as_object_mut() {
                fields.remove("observedGeneration");
            }
        }
    }
    definitions
}
