//! `docs/diagnosis.md`: what makes each check of `doctor` fail, and what it says to do.

mod stage;

use std::collections::BTreeSet;

use external_secrets::sandbox::Fault;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use test_stage::api_proxy::ApiFault;
use test_stage::cluster_access::{Access, condition};
use test_stage::scene::Scene;

use super::VALUE;
use super::run::Command;
use crate::helm::repository;
use stage::{Stage, VERSION};

/// What is broken, the flags of `doctor`, and the checks that then come to something else than `ok` or `skipped`. The first is
/// what this is about. The last row takes what cannot be mended.
const BROKEN: [(&str, &[&str], &[&str]); 30] = [
    ("the API server does not answer", &[], &["api-server"]),
    ("the API server's clock is two minutes ahead", &[], &["clock"]),
    ("the cluster is of Kubernetes 1.24", &["--pre"], &["server-version"]),
    ("you may not create CRDs", &["--pre", "--as=nobody"], &["my-rights"]),
    ("a CRD serves v1beta1 alone", &[], &["crds-served"]),
    ("objects may be stored as v1beta1", &[], &["crds-stored-versions"]),
    ("the CRDs are ESO's", &[], &["crds-whose"]),
    ("no controller is installed", &[], &["controller-there"]),
    ("no pod of the controller is ready", &[], &["controller-ready"]),
    ("a pod of the controller restarts again and again", &[], &["controller-restarts"]),
    ("the controller is of another release", &[], &["controller-version"]),
    ("two controllers serve one class", &[], &["one-controller"]),
    ("no replica leads", &[], &["lease-fresh"]),
    ("the controller lost its rights", &[], &["controller-rights"]),
    ("a NetworkPolicy keeps the controller from Azure", &[], &["network-policy"]),
    ("the webhook is not called", &[], &["webhook-answers"]),
    ("the webhook's certificate has expired", &[], &["webhook-certificate", "webhook-answers"]),
    ("a store is not Ready", &[], &["store-ready", "service-account"]),
    ("a store is for another controller", &[], &["store-class"]),
    ("a service account lacks its annotation", &[], &["service-account", "store-ready"]),
    ("the issuer of tokens is internal", &[], &["federation"]),
    ("the vault does not answer from here", &["--probe"], &["probe"]),
    ("an ExternalSecret is not synced", &[], &["synced"]),
    ("nobody serves an ExternalSecret", &[], &["stale", "store-class"]),
    ("two ExternalSecrets write one Secret", &[], &["two-owners", "synced"]),
    ("a manifest is applied as v1beta1", &[], &["old-versions"]),
    ("a PushSecret is not pushed", &[], &["pushed"]),
    ("nobody serves a PushSecret", &[], &["push-stale", "store-class"]),
    ("a ClusterPushSecret meets a PushSecret of its name", &[], &["push-namespaces", "pushed"]),
    ("a CRD is missing", &[], &["crds-there"]),
];

impl Stage {
    async fn break_it(&self, broken: &str) {
        let Self { operators, others, proxy, .. } = self;
        match broken {
            "the API server does not answer" => drop(proxy.fault(ApiFault::Cut, 1.0)),
            "the API server's clock is two minutes ahead" => {
                let ahead = Timestamp::now() + SignedDuration::from_mins(2);
                proxy.set_date(Some(jiff::fmt::rfc2822::to_string(&ahead.in_tz("UTC").unwrap()).unwrap()));
            }
            "the cluster is of Kubernetes 1.24" => {
                let text = |name: &str| (name.to_owned(), json!("x"));
                let mut info: serde_json::Map<_, _> =
                    ["gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform"]
                        .map(text)
                        .into_iter()
                        .collect();
                info.extend(
                    [("major", "1"), ("minor", "24+"), ("gitVersion", "v1.24.17")]
                        .map(|(name, value)| (name.to_owned(), json!(value))),
                );
                proxy.answer("/version", Some(info.into()));
            }
            "you may not create CRDs" => {}
            "a CRD serves v1beta1 alone" => {
                self.definition("clusterexternalsecrets", |version| {
                    version["served"] = (version["name"] != "v1").into();
                })
                .await;
            }
            "objects may be stored as v1beta1" => {
                let versions = json!({"storedVersions": ["v1beta1", "v1"]});
                let name = "clusterexternalsecrets.external-secrets.io";
                Self::status(operators, "apiextensions.k8s.io/v1", "CustomResourceDefinition", name, versions).await;
            }
            "the CRDs are ESO's" => {
                self.definition("externalsecrets", |version| {
                    let status = &mut version["schema"]["openAPIV3Schema"]["properties"]["status"];
                    status.as_object_mut().unwrap().remove("default");
                    let fields = status["properties"].as_object_mut().unwrap();
                    for ours in ["observedGeneration", "cause", "lastHandledRefresh"] {
                        fields.remove(ours);
                    }
                })
                .await;
            }
            "no controller is installed" => {
                remove(operators, "apps/v1", "Deployment", "external-secrets").await;
                remove(operators, "coordination.k8s.io/v1", "Lease", "external-secrets-controller").await;
            }
            "no pod of the controller is ready" => self.deployment(operators, VERSION, 0).await,
            "a pod of the controller restarts again and again" => self.pod(12).await,
            "the controller is of another release" => self.deployment(operators, "99.0.0", 2).await,
            "two controllers serve one class" => self.deployment(others, VERSION, 2).await,
            "no replica leads" => self.lease("2020-01-01T00:00:00Z".parse().unwrap()).await,
            "the controller lost its rights" => self.bind(false).await,
            "a NetworkPolicy keeps the controller from Azure" => {
                let spec = json!({"podSelector": {}, "policyTypes": ["Egress"]});
                let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "closed"}, "spec": spec});
                operators.apply(policy).await;
            }
            "the webhook is not called" => self.webhook(4096).await,
            "the webhook's certificate has expired" => self.webhook(2020).await,
            "a CRD is missing" => {
                let name = "secretstores.external-secrets.io";
                operators.delete("CustomResourceDefinition", name).await;
                operators.until_gone("CustomResourceDefinition", name).await;
            }
            other => self.break_objects(other).await,
        }
    }

    /// Breaks a store or an ExternalSecret, or what it reads.
    async fn break_objects(&self, broken: &str) {
        let Self { scene, proxy, .. } = self;
        match broken {
            "a store is not Ready" => {
                self.store_for("broken", None, Some("nobody")).await;
                self.until_store_fails("broken").await;
            }
            "a store is for another controller" => self.store_for("other", Some("other"), None).await,
            "a service account lacks its annotation" => {
                scene.apply(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "plain"}})).await;
                self.store_for("plain", None, Some("plain")).await;
                self.until_store_fails("plain").await;
            }
            "the issuer of tokens is internal" => {
                let answer = json!({"issuer": "https://kubernetes.default.svc.cluster.local"});
                proxy.answer("/.well-known/openid-configuration", Some(answer));
            }
            "the vault does not answer from here" => drop(scene.vault.fault(Fault::status(503))),
            "an ExternalSecret is not synced" => {
                scene.external_secret("bad", "1h", &[("a", "missing")]).await;
                scene.until("ExternalSecret", "bad", "failed", |es| es["status"]["cause"] == "SecretNotFound").await;
            }
            "nobody serves an ExternalSecret" => {
                self.store_for("other", Some("other"), None).await;
                scene.apply(scene.manifest_for("SecretStore", "other", "unserved", "1h", &[("a", "one")])).await;
            }
            "two ExternalSecrets write one Secret" => {
                let mut second = scene.manifest("second", "1h", &[("a", "one")]);
                second["spec"]["target"]["name"] = "example".into();
                scene.apply(second).await;
                scene
                    .until("ExternalSecret", "second", "failed", |es| es["status"]["cause"] == "OwnedByExternalSecret")
                    .await;
            }
            "a manifest is applied as v1beta1" => {
                let mut old = scene.manifest("old", "1h", &[("a", "one")]);
                old["apiVersion"] = "external-secrets.io/v1beta1".into();
                let access = Access {
                    client: scene.client.clone(),
                    namespace: scene.name().to_owned(),
                    version: "external-secrets.io/v1beta1",
                };
                access.apply(old).await;
                scene.until_ready("old", "True", "SecretSynced", "secret synced").await;
            }
            "a PushSecret is not pushed" => {
                scene.apply(push_secret(scene, "unpushed")).await;
                scene.until("PushSecret", "unpushed", "failed", |ps| ps["status"]["cause"] == "Source").await;
            }
            "nobody serves a PushSecret" => {
                self.store_for("other", Some("other"), None).await;
                let mut unserved = push_secret(scene, "unserved");
                unserved["spec"]["secretStoreRefs"] = json!([{"name": "other"}]);
                scene.apply(unserved).await;
            }
            "a ClusterPushSecret meets a PushSecret of its name" => {
                scene.apply(push_secret(scene, "taken")).await;
                scene.until("PushSecret", "taken", "failed", |ps| ps["status"]["cause"] == "Source").await;
                let parent = json!({
                    "apiVersion": "external-secrets.io/v1alpha1", "kind": "ClusterPushSecret", "metadata": {"name": "taken"},
                    "spec": {
                        "pushSecretSpec": push_secret(scene, "taken")["spec"],
                        "namespaceSelectors": [{"matchLabels": {"kubernetes.io/metadata.name": scene.name()}}],
                    },
                });
                scene.apply(parent).await;
                let is_failed = |parent: &Value| condition(parent, "Ready")["status"] == "False";
                scene.until("ClusterPushSecret", "taken", "failed", is_failed).await;
            }
            other => panic!("nothing breaks {other:?}"),
        }
    }

    /// Makes all well again.
    async fn mend(&self, broken: &str) {
        let Self { scene, operators, others, proxy } = self;
        match broken {
            "the API server does not answer" => proxy.lift_all(),
            "the API server's clock is two minutes ahead" => proxy.set_date(None),
            "the cluster is of Kubernetes 1.24" => proxy.answer("/version", None),
            "a CRD serves v1beta1 alone" => self.definition("clusterexternalsecrets", |_| {}).await,
            "objects may be stored as v1beta1" => {
                let versions = json!({"storedVersions": ["v1"]});
                let name = "clusterexternalsecrets.external-secrets.io";
                Self::status(operators, "apiextensions.k8s.io/v1", "CustomResourceDefinition", name, versions).await;
            }
            "the CRDs are ESO's" => {
                self.definition("externalsecrets", |_| {}).await;
                scene.force_sync("example").await;
                let seen = |es: &Value| es["status"]["observedGeneration"] == es["metadata"]["generation"];
                scene.until("ExternalSecret", "example", "observed", seen).await;
            }
            "no controller is installed"
            | "no pod of the controller is ready"
            | "the controller is of another release"
            | "no replica leads" => {
                self.deployment(operators, VERSION, 2).await;
                self.lease(Timestamp::now()).await;
            }
            "a pod of the controller restarts again and again" => self.pod(0).await,
            "two controllers serve one class" => remove(others, "apps/v1", "Deployment", "external-secrets").await,
            "the controller lost its rights" => self.bind(true).await,
            "a NetworkPolicy keeps the controller from Azure" => {
                remove(operators, "networking.k8s.io/v1", "NetworkPolicy", "closed").await;
            }
            "the webhook is not called" | "the webhook's certificate has expired" => {
                let name = "externalsecret-validate";
                remove(operators, "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", name).await;
            }
            "a store is not Ready" => scene.delete("SecretStore", "broken").await,
            "a store is for another controller" => scene.delete("SecretStore", "other").await,
            "a service account lacks its annotation" => scene.delete("SecretStore", "plain").await,
            "the issuer of tokens is internal" => proxy.answer("/.well-known/openid-configuration", None),
            "the vault does not answer from here" => scene.vault.lift_all(),
            "an ExternalSecret is not synced" => scene.delete("ExternalSecret", "bad").await,
            "nobody serves an ExternalSecret" => {
                scene.delete("ExternalSecret", "unserved").await;
                scene.delete("SecretStore", "other").await;
            }
            "two ExternalSecrets write one Secret" => scene.delete("ExternalSecret", "second").await,
            "a manifest is applied as v1beta1" => scene.delete("ExternalSecret", "old").await,
            "a PushSecret is not pushed" => scene.delete("PushSecret", "unpushed").await,
            "nobody serves a PushSecret" => {
                scene.delete("PushSecret", "unserved").await;
                scene.delete("SecretStore", "other").await;
            }
            "a ClusterPushSecret meets a PushSecret of its name" => {
                scene.delete("ClusterPushSecret", "taken").await;
                scene.delete("PushSecret", "taken").await;
            }
            _ => {}
        }
    }

    /// The checks that did not come to `ok` or `skipped`, and the whole answer.
    async fn complaints(&self, flags: &[&str]) -> (BTreeSet<String>, Vec<Value>) {
        let arguments = [&["doctor", "-o", "json"], flags].concat();
        let run = Command::of(&self.scene).through(&self.proxy.kubeconfig).run_as_is(&arguments).await;
        run.tells_none_of(&[VALUE]);
        let document: Value =
            serde_json::from_str(&run.text).unwrap_or_else(|_| panic!("{}\n{}", run.text, run.errors));
        let checks = document["checks"].as_array().unwrap().clone();
        let wrong = checks.iter().filter(|check| !["ok", "skipped"].contains(&check["result"].as_str().unwrap()));
        (wrong.map(|check| check["id"].as_str().unwrap().to_owned()).collect(), checks)
    }
}

/// A PushSecret of a Secret that is not there.
fn push_secret(scene: &Scene, name: &str) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1alpha1", "kind": "PushSecret", "metadata": {"name": name},
        "spec": {
            "secretStoreRefs": [{"name": scene.name(), "kind": scene.store_kind()}],
            "selector": {"secret": {"name": "missing"}},
            "data": [{"match": {"secretKey": "a", "remoteRef": {"remoteKey": "pushed"}}}],
        },
    })
}

async fn remove(access: &Access, api_version: &str, kind: &str, name: &str) {
    access.api_in_version(api_version, kind).delete(name, &kube::api::DeleteParams::default()).await.unwrap();
}

/// The ids of all checks, as the code has them.
fn ids() -> BTreeSet<String> {
    let files = std::fs::read_dir(repository("src/cli/doctor")).unwrap();
    let mut ids: BTreeSet<_> = ["api-server".to_owned()].into();
    for file in files {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let checks = text.split("Check::new(\"").skip(1);
        ids.extend(checks.filter_map(|check| Some(check.split_once("\", \"")?.1.split_once('"')?.0.to_owned())));
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn each_check_fails_where_what_it_looks_at_is_broken_and_says_what_to_do() {
    let stage = Stage::new().await;
    assert_eq!(stage.complaints(&[]).await.0, BTreeSet::new(), "all is well");
    let mut rows = Vec::new();
    for (broken, flags, expected) in BROKEN {
        stage.break_it(broken).await;
        let (complaints, checks) = stage.complaints(flags).await;
        let wanted: BTreeSet<_> = expected.iter().map(|id| (*id).to_owned()).collect();
        assert_eq!(complaints, wanted, "{broken}: {checks:#?}");
        let about = |check: &&Value| {
            check["id"] == expected[0] && !["ok", "skipped"].contains(&check["result"].as_str().unwrap())
        };
        let check = checks.iter().find(about).unwrap();
        let remedy = check["remedy"].as_str().unwrap_or_else(|| panic!("{broken} has no remedy: {check:#}"));
        assert!(check["see"].is_string(), "{broken}: {check:#}");
        let flags = flags.iter().filter(|flag| !flag.starts_with("--as"));
        let command = std::iter::once(&"doctor").chain(flags).copied().collect::<Vec<_>>().join(" ");
        rows.push(format!(
            "| {broken} | `{command}` | `{}` | {} | {remedy} |",
            expected[0],
            check["result"].as_str().unwrap()
        ));
        stage.mend(broken).await;
    }
    let told: BTreeSet<_> = BROKEN.iter().map(|(_, _, expected)| expected[0].to_owned()).collect();
    assert_eq!(told, ids(), "each check has a row");

    let page = std::fs::read_to_string(repository("docs/diagnosis.md")).unwrap();
    let (before, rest) = page.split_once("<!-- checks -->\n").expect("the page has a place for the table");
    let (_, after) = rest.split_once("<!-- end of checks -->").expect("the table ends");
    let head = "| what is broken | command | check | result | what to do |\n|---|---|---|---|---|\n";
    let wanted = format!("{before}<!-- checks -->\n{head}{}\n<!-- end of checks -->{after}", rows.join("\n"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(repository("docs/diagnosis.md"), &wanted).unwrap();
        return;
    }
    assert!(page == wanted, "docs/diagnosis.md is not what doctor says: run this test with UPDATE_DOCS=1\n{wanted}");
}
