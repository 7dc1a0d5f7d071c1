//! A real Prometheus scrapes the processes: every panel of the dashboard has data, and alerts stay quiet when all is
//! well and fire when something is wrong.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use external_secrets::sandbox::{AttributeChanges, Fault, SecretPermission, SecretProperties};
use serde_json::{Value, json};
use test_stage::api_proxy::{ApiFault, ApiProxy};
use test_stage::cluster_access::condition;
use test_stage::controller_process::Controller;
use test_stage::installation::Installation;
use test_stage::prometheus::{Prometheus, programs};
use test_stage::scene::Scene;
use test_stage::world::World;

use crate::helm::{Tools, repository};

/// In seconds.
const DAY: f64 = 86_400.0;
const DASHBOARD: &str = "helm/external-secrets/files/monitoring/grafana-dashboard.json";

/// The rules that the chart renders, some of them changed.
fn rules(tools: &Tools, changed: &BTreeMap<String, Value>) -> Value {
    let values = json!({"prometheusRule": {"enabled": true, "renderMode": "alwaysRender", "rules": changed}});
    let file = tools.home.path().join("values.yaml");
    std::fs::write(&file, values.to_string()).unwrap();
    let template = ["template", "release", "helm/external-secrets", "--show-only", "templates/prometheusrule.yaml"];
    let file = file.display().to_string();
    let arguments = [&template[..], &["--values", &file]].concat();
    let rule: Value = serde_saphyr::from_str(&tools.helm(&arguments).unwrap()).unwrap();
    rule["spec"].clone()
}

/// The names of the alerts in these rules.
fn names(rules: &Value) -> Vec<String> {
    let groups = rules["groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    rules.map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect()
}

fn dashboard() -> Value {
    serde_json::from_slice(&std::fs::read(repository(DASHBOARD)).unwrap()).unwrap()
}

/// A query of the dashboard as Grafana sends it.
fn asked(query: &str) -> String {
    query.replace("$namespace", ".*").replace("$__rate_interval", "20s")
}

/// The queries of the dashboard, each with its panel's title.
fn queries() -> Vec<(String, String)> {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| {
        let title = panel["title"].as_str().unwrap();
        panel["targets"].as_array().into_iter().flatten().map(move |target| (title, target["expr"].as_str().unwrap()))
    });
    targets.map(|(title, query)| (title.to_owned(), asked(query))).collect()
}

#[tokio::test]
async fn each_alert_fires_when_it_should_with_a_summary() {
    let tools = Tools::of(&World::shared().cluster);
    let folder = tools.home.path();
    std::fs::write(folder.join("alerts.yaml"), rules(&tools, &BTreeMap::new()).to_string()).unwrap();
    std::fs::copy(repository("tests/monitoring/alerts_test.yaml"), folder.join("alerts_test.yaml")).unwrap();
    for arguments in
        [&["check", "rules", "--lint=all", "--lint-fatal", "alerts.yaml"][..], &["test", "rules", "alerts_test.yaml"]]
    {
        let output = Command::new(programs().join("promtool")).args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    }
    let tests = std::fs::read_to_string(repository("tests/monitoring/alerts_test.yaml")).unwrap();
    for alert in names(&rules(&tools, &BTreeMap::new())) {
        assert_eq!(tests.matches(&format!("alertname: {alert}\n")).count(), 1, "{alert} fires in one test");
        assert_eq!(tests.matches(&format!("alertname: {alert}, ")).count(), 1, "{alert} is quiet before");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The chart's processes in the test's own cluster, and a Prometheus that scrapes them.
struct Watched {
    scene: Scene,
    installation: Installation,
    proxy: ApiProxy,
    leader: Controller,
    standby: Controller,
    prometheus: Prometheus,
}

impl Watched {
    async fn start(rules: &Value) -> Self {
        let world = World::without_controller().await;
        let installation = Installation::on(world, &[]).await;
        let scene = Scene::on(world, "monitored").await;
        let proxy = ApiProxy::start(scene.kubeconfig(), world.cluster.directory()).await;
        proxy.pass();
        let replica = async |name: &str| {
            // Longer than a busy machine delays a process.
            let lease = [
                "--enable-leader-election=true",
                "--leader-election-lease-duration=40s",
                "--leader-election-renew-deadline=35s",
            ];
            let more = ["--enable-remote-expiry-metrics", "--concurrent=2"];
            let arguments = [&lease[..], &more].concat();
            world.start_controller_with(name, &arguments, &proxy.kubeconfig).await
        };
        let leader = replica("leader").await;
        leader.until_ready().await;
        let standby = replica("standby").await;
        standby.until_logged("waiting to lead").await;
        let targets = [
            ("controller", leader.address("metrics-addr")),
            ("standby", standby.address("metrics-addr")),
            ("webhook", installation.webhook().address("metrics-addr")),
            ("cert-controller", installation.certificates.address("metrics-addr")),
        ];
        let prometheus = Prometheus::start(&world.cluster, &targets, rules).await;
        Self { scene, installation, proxy, leader, standby, prometheus }
    }

    /// Waits until these alerts fire.
    async fn until_firing(&self, wanted: &[&str]) {
        for alert in wanted {
            let fires = async || self.prometheus.firing().await.iter().any(|name| name == alert);
            self.prometheus.until(&format!("{alert} fires"), fires).await;
        }
    }

    /// Waits until a query returns something.
    async fn until_given(&self, what: &str, query: &str) {
        self.prometheus
            .until(&format!("{what}: {query}"), async || !self.prometheus.query(query).await.is_empty())
            .await;
    }

    /// Objects that sync, and one whose value expires soon.
    async fn sync(&self) {
        let attributes = AttributeChanges { expires: Some(days_from_now(40)), ..AttributeChanges::default() };
        let properties = SecretProperties { attributes, ..SecretProperties::default() };
        self.scene.vault.set_secret_with("expires", "value", properties).unwrap();
        self.scene.set_secret("greeting", "hello");
        self.scene.store().await;
        for name in ["one", "two", "three"] {
            self.scene.external_secret(name, "1s", &[("a", "greeting"), ("b", "expires")]).await;
        }
        for name in ["one", "two", "three"] {
            self.scene.until_secret(name, json!({"a": "hello", "b": "value"})).await;
        }
    }

    /// Faults of objects, the vault, Entra ID and the API server.
    async fn disturb(&self) {
        let scene = &self.scene;
        for name in ["missing", "missing-too"] {
            scene.external_secret(name, "1s", &[("a", "not-there")]).await;
        }
        scene
            .apply(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody", "annotations": {
                "azure.workload.identity/client-id": "00000000-0000-0000-0000-000000000bad",
                "azure.workload.identity/tenant-id": scene.world.sandbox.default_tenant().id(),
            }}}))
            .await;
        for kind in ["SecretStore", "ClusterSecretStore"] {
            let mut stranger = scene.store_manifest(kind, "stranger");
            stranger["spec"]["provider"]["azurekv"]["serviceAccountRef"]["name"] = "nobody".into();
            scene.apply(stranger).await;
            let refused = |store: &Value| condition(store, "Ready")["status"] == "False";
            scene.until(kind, "stranger", "refused", refused).await;
        }
        // With the name of somebody else's object.
        let spec = json!({"externalSecretName": "one", "namespaces": [scene.name()],
                          "externalSecretSpec": scene.manifest("any", "1h", &[("a", "greeting")])["spec"]});
        let distributed = json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret",
                                 "metadata": {"name": "distributed"}, "spec": spec});
        scene.apply(distributed).await;
    }

    /// Writes everything the dashboard shows since then to the file in `DASHBOARD`, from which `make dashboard` draws a
    /// picture.
    async fn record(&self, since: i64) {
        let Some(file) = std::env::var_os("DASHBOARD") else { return };
        let now = jiff::Timestamp::now().as_second();
        let mut dashboard = dashboard();
        for panel in dashboard["panels"].as_array_mut().unwrap() {
            for target in panel["targets"].as_array_mut().into_iter().flatten() {
                let query = asked(target["expr"].as_str().unwrap());
                target["answer"] = self.prometheus.query_range(&query, since, now).await.into();
            }
        }
        std::fs::write(file, dashboard.to_string()).unwrap();
    }

    /// A vault that does not answer, and more readers than the controller syncs at once.
    async fn hang(&self) {
        let scene = &self.scene;
        let vault = scene.world.sandbox.vault("hangs").unwrap().allow(&scene.application, SecretPermission::Get);
        vault.fault(Fault::latency(Duration::from_mins(10)));
        let mut store = scene.store_manifest("SecretStore", "hangs");
        store["spec"]["provider"]["azurekv"]["vaultUrl"] = vault.url().into();
        scene.apply(store).await;
        for name in ["first", "second", "third", "fourth"] {
            scene.apply(scene.manifest_for("SecretStore", "hangs", name, "1s", &[("a", "any")])).await;
        }
    }
}

fn days_from_now(days: i64) -> i64 {
    jiff::Timestamp::now().as_second() + days * 86_400
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_finds_data_for_each_panel_and_fires_alerts_for_what_is_wrong() {
    let tools = Tools::of(&World::shared().cluster);
    // No test waits for minutes; promtool covers that.
    let names = names(&rules(&tools, &BTreeMap::new()));
    let mut changed: BTreeMap<_, _> = names.into_iter().map(|alert| (alert, json!({"for": "0s"}))).collect();
    let watched = Watched::start(&rules(&tools, &changed)).await;
    let began = jiff::Timestamp::now().as_second();
    watched.sync().await;
    watched.until_given("it is ready", "externalsecret_status_condition{status=\"True\"} == 1").await;
    watched.until_given("it has synced again and again", "externalsecret_sync_calls_total > 5").await;
    watched.prometheus.until("all is calm", async || watched.prometheus.firing().await.is_empty()).await;

    for (alert, threshold) in [
        ("ExternalSecretsQueueGrows", 0.0),
        ("ExternalSecretStale", 0.0),
        ("ExternalSecretsFailAlike", 0.0),
        ("VaultThrottles", 0.0),
        ("VaultCallsFail", 0.0),
        ("KubernetesRequestsFail", 0.0),
        ("ExternalSecretsLeaderChanges", 0.0),
        ("ReconcileStuck", 1.0),
        ("ExternalSecretsWebhookSlow", 0.0001),
        ("RemoteSecretExpires", 60.0 * DAY),
        ("ExternalSecretsWebhookCertificateEnds", 36_500.0 * DAY),
    ] {
        changed.insert(alert.to_owned(), json!({"for": "0s", "threshold": threshold}));
    }
    watched.prometheus.replace_rules(&rules(&tools, &changed)).await;
    watched.disturb().await;
    let of_objects =
        ["ExternalSecretNotReady", "ExternalSecretStale", "ExternalSecretsFailAlike", "ManyExternalSecretsFail"];
    watched.until_firing(&of_objects).await;
    let of_stores = ["ClusterExternalSecretNotReady", "SecretStoreNotReady", "TokenExchangesFail"];
    watched.until_firing(&of_stores).await;
    watched.until_firing(&["RemoteSecretExpires"]).await;
    watched.until_firing(&["ExternalSecretsWebhookCertificateEnds", "ExternalSecretsWebhookSlow"]).await;
    let refused = watched.proxy.fault(ApiFault::Refuse(500, None), 0.2);
    watched.until_firing(&["KubernetesRequestsFail"]).await;
    // It hides why a store fails; the store then counts as usable.
    watched.proxy.lift(refused);
    watched.scene.vault.fault(Fault::throttle(Some(1)));
    watched.until_firing(&["VaultThrottles", "VaultCallsFail", "VaultPaused"]).await;
    for (panel, query) in queries() {
        watched.until_given(&panel, &query).await;
    }

    watched.record(began).await;
    watched.hang().await;
    watched.until_firing(&["ReconcileStuck", "ExternalSecretsQueueGrows"]).await;

    // Nobody can report a hung leader until another one leads.
    watched.leader.pause();
    watched.until_firing(&["ExternalSecretsControllerAbsent", "ExternalSecretsNoLeader"]).await;
    watched.until_firing(&["ExternalSecretsLeaderChanges"]).await;
    watched.standby.until_ready().await;
    drop(watched.installation);
}
