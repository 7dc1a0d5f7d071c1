//! What a cluster does to Pods: rolling updates, evictions, deletions, a power cut. No write may be refused, lost or
//! repeated.

use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};
use test_stage::cluster_access::decoded;
use tokio::time::Instant;

use crate::azure::{Azure, external_secret};
use crate::cluster::{
    CHART, DEPLOYMENTS, NAMESPACE, Node, PROGRAM, RELEASE, WEBHOOK, in_container, power, processes, until,
};
use crate::installing::fake_store;
use crate::load::Load;

const CONTROLLER: &str = DEPLOYMENTS[0];

/// How many ExternalSecrets follow the vault.
const FOLLOWERS: usize = 20;

fn restart(node: &Node, deployment: &str) {
    node.of_release(&["rollout", "restart", "deployment", deployment]);
    node.of_release(&["rollout", "status", "deployment", deployment, "--timeout=60s"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn a_rolling_update_of_the_webhook_refuses_no_write() {
    let node = Node::cleared().await;
    node.install(&[]).unwrap();
    node.apply(&[fake_store()]);
    let load = Load::start(&node.access, 150);
    restart(&node, WEBHOOK);
    restart(&node, WEBHOOK);
    node.install(&["--set", "webhook.podAnnotations.changed=yes,webhook.replicaCount=2"]).unwrap();
    node.install(&["--set", "webhook.podAnnotations.changed=again"]).unwrap();
    // A Pod that is going keeps serving until nobody calls it any more.
    until("the Pods of before gone", || (all_pods(&node) == DEPLOYMENTS.len()).then_some(())).await;
    load.end_without_refusal().await;
}

/// The number of Pods, including those that are going.
fn all_pods(node: &Node) -> usize {
    node.of_release(&["get", "pods", "--output=name"]).lines().count()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn an_emptied_or_replaced_certificate_secret_refuses_no_write() {
    let node = Node::cleared().await;
    node.install(&[]).unwrap();
    node.apply(&[fake_store()]);
    let first = node.json(&["get", "secret", WEBHOOK])["data"].clone();
    let before = served_certificate();
    let load = Load::start(&node.access, 20);
    let change = |value: Value| {
        let patch = json!([{"op": "replace", "path": "/data", "value": value}]).to_string();
        node.of_release(&["patch", "secret", WEBHOOK, "--type=json", "--patch", &patch]);
    };
    change(json!({}));
    until_all_use_another_certificate(&node, &before).await;
    // As from a backup: still valid, but not what the webhook serves now.
    let before = served_certificate();
    change(first);
    until_all_use_another_certificate(&node, &before).await;
    load.end_without_refusal().await;
}

/// Waits until the Secret and the webhook's Pod have another certificate than this, and the API server trusts its
/// authority alone.
async fn until_all_use_another_certificate(node: &Node, before: &str) {
    until("another certificate in the Secret", || {
        let secret = node.json(&["get", "secret", WEBHOOK]);
        let certificate = decoded(&secret)["tls.crt"].as_str()?.to_owned();
        (certificate != before).then_some(())
    })
    .await;
    // The kubelet checks mounted Secrets once a minute, and when a Pod changes.
    let pod = node.pods_of(WEBHOOK)[0]["metadata"]["name"].as_str().unwrap().to_owned();
    let now = format!("changed={:?}", std::time::SystemTime::now());
    node.of_release(&["annotate", "--overwrite", "pod", &pod, &now]);
    until("the new certificate in the Pod", || (served_certificate() != before).then_some(())).await;
    until("the former authority gone from the webhook's configuration", || {
        let configuration =
            node.kubectl(&["get", "validatingwebhookconfiguration", "externalsecret-validate", "--output=json"]);
        let configuration: Value = serde_json::from_str(&configuration).unwrap();
        let bundle = configuration["webhooks"][0]["clientConfig"]["caBundle"].as_str().unwrap().to_owned();
        let bundle = base64::engine::general_purpose::STANDARD.decode(bundle).unwrap();
        let authority = decoded(&node.json(&["get", "secret", WEBHOOK]))["ca.crt"].as_str().unwrap().to_owned();
        (String::from_utf8(bundle).unwrap().trim() == authority.trim()).then_some(())
    })
    .await;
}

/// The certificate in the webhook's Pod.
fn served_certificate() -> String {
    let webhooks = processes(|arguments| arguments.get(1).is_some_and(|argument| argument == "webhook"));
    std::fs::read_to_string(in_container(webhooks[0], "tmp/certs/tls.crt")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn the_other_replica_leads_once_the_leaders_pod_is_deleted() {
    let node = Node::cleared().await;
    node.install(&["--set", "replicaCount=2,leaderElect=true"]).unwrap();
    node.apply(&[fake_store(), external_secret("before", "fake", "1h", "greeting")]);
    node.kubectl(&["wait", "--for=condition=Ready", "externalsecret/before", "--timeout=60s"]);
    let leader = leader(&node);
    let begin = Instant::now();
    node.of_release(&["delete", "pod", &leader, "--wait=false"]);
    until("another leader", || (self::leader(&node) != leader).then_some(())).await;
    println!("another led after {:.1} s", begin.elapsed().as_secs_f32());
    // Well before the lease would have expired.
    assert!(begin.elapsed() < Duration::from_secs(10), "it took {:?}", begin.elapsed());
    node.apply(&[external_secret("after", "fake", "1h", "greeting")]);
    node.kubectl(&["wait", "--for=condition=Ready", "externalsecret/after", "--timeout=60s"]);
    assert_eq!(node.writes_of_secrets("default").iter().filter(|name| *name == "before").count(), 1);
}

/// The Pod that holds the lease; empty if nobody does.
fn leader(node: &Node) -> String {
    let lease = node.json(&["get", "lease", "external-secrets-controller"]);
    let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
    let pods = node.pods_of(CONTROLLER);
    let names = pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str());
    names.filter(|name| holder.starts_with(name)).map(str::to_owned).next().unwrap_or_default()
}

/// ExternalSecrets that follow one secret of a vault, and how often their Secrets may have been written.
struct Followers {
    node: Node,
    azure: Azure,
    versions: usize,
}

impl Followers {
    async fn start() -> Self {
        let node = Node::cleared().await;
        let azure = Azure::start(&node).await;
        node.install_with(&azure.values());
        let mut followers = Self { node, azure, versions: 0 };
        followers.change();
        let names = (0..FOLLOWERS).map(|index| format!("follower-{index}"));
        let objects = names.map(|name| external_secret(&name, "own", "1s", "greeting"));
        let objects: Vec<_> = std::iter::once(followers.azure.store("own")).chain(objects).collect();
        followers.node.apply(&objects);
        followers.until_all_have_it("they were made").await;
        followers
    }

    /// Writes a new version to the vault.
    fn change(&mut self) {
        self.versions += 1;
        self.azure.vault.set_secret("greeting", &self.value()).unwrap();
    }

    fn value(&self) -> String {
        format!("version {}", self.versions)
    }

    /// Waits until all Secrets have the vault's version, each stored once per version, and not written more often.
    async fn until_all_have_it(&self, after: &str) {
        let wanted = base64::engine::general_purpose::STANDARD.encode(self.value());
        let begin = Instant::now();
        until(&format!("the vault's version in all Secrets after {after}"), || {
            // After a power cut, the API server is down for a while.
            let values =
                self.node.tools.kubectl(&["get", "secrets", "--output=jsonpath={.items[*].data.value}"]).ok()?;
            let values: Vec<_> = values.split(' ').collect();
            (values.len() == FOLLOWERS && values.iter().all(|value| *value == wanted)).then_some(())
        })
        .await;
        println!("{after}: all had the vault's version after {:.1} s", begin.elapsed().as_secs_f32());
        let writes = self.node.writes_of_secrets("default");
        for index in 0..FOLLOWERS {
            let name = format!("follower-{index}");
            assert_eq!(self.node.times_stored(&name).await, self.versions, "after {after}, {name}");
            // The log lacks writes that a power cut has come between; etcd does not.
            let count = writes.iter().filter(|written| **written == name).count();
            assert!(count <= self.versions, "after {after}, {count} writes of {name}");
        }
    }

    fn controller_pod(&self) -> String {
        self.node.pods_of(CONTROLLER)[0]["metadata"]["name"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn pods_that_are_replaced_deleted_and_evicted_lose_and_double_no_write() {
    let mut followers = Followers::start().await;
    followers.change();
    restart(&followers.node, CONTROLLER);
    followers.until_all_have_it("a rolling update").await;

    followers.change();
    let pod = followers.controller_pod();
    followers.node.of_release(&["delete", "pod", &pod]);
    followers.until_all_have_it("its Pod was deleted").await;

    followers.change();
    let pod = followers.controller_pod();
    followers.node.of_release(&["delete", "pod", &pod, "--force", "--grace-period=0"]);
    followers.until_all_have_it("its Pod was deleted by force").await;

    followers.node.kubectl(&["drain", "node0", "--timeout=60s"]);
    followers.change();
    followers.node.kubectl(&["uncordon", "node0"]);
    followers.until_all_have_it("the node was drained").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn a_power_cut_loses_and_doubles_no_write() {
    let mut followers = Followers::start().await;
    // During the writes.
    followers.change();
    let before = followers.node.writes_of_secrets("default").len();
    until("a write", || (followers.node.writes_of_secrets("default").len() > before).then_some(())).await;
    power("off");
    assert!(processes(|arguments| arguments.first().is_some_and(|program| program == PROGRAM)).is_empty());
    power("on");
    followers.until_all_have_it("a power cut").await;

    // The vault changes during the power cut.
    power("off");
    followers.change();
    power("on");
    followers.until_all_have_it("a change in the dark").await;
    let begin = Instant::now();
    until("the webhook's answer", || {
        let trial = ["annotate", "externalsecret", "follower-0", "after=power-cut", "--dry-run=server"];
        followers.node.tools.kubectl(&trial).ok()
    })
    .await;
    println!("the webhook answered {:.1} s later", begin.elapsed().as_secs_f32());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a node: make test-node"]
async fn an_upgrade_by_force_refuses_writes_for_a_moment_at_most() {
    let node = Node::cleared().await;
    node.install(&[]).unwrap();
    node.apply(&[fake_store()]);
    let load = Load::start(&node.access, 20);
    // This replaces the Secret and the webhook configurations, which have no CA until the cert-controller injects one.
    let changed = "podAnnotations.changed=yes,webhook.podAnnotations.changed=yes";
    let arguments = ["upgrade", RELEASE, CHART, "--namespace", NAMESPACE, "--force", "--set", changed];
    node.tools.helm(&arguments).unwrap();
    node.of_release(&["rollout", "status", "deployment", WEBHOOK, "--timeout=60s"]);
    until("the Pods of before gone", || (all_pods(&node) == DEPLOYMENTS.len()).then_some(())).await;
    let refusals = load.end().await;
    let (Some(first), Some(last)) = (refusals.first(), refusals.last()) else { return };
    println!("refused for {:.1} s", (last.at - first.at).as_secs_f32());
    assert!(last.at - first.at < Duration::from_secs(3), "{}", last.message);
}
