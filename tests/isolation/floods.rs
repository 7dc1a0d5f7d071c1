//! One tenant cannot stop, flood or slow the others: a neighbor of a tenant that tries everything it can write.
//!
//! `make bench ARGS="--row neighbors"` measures how little the neighbor notices. The bounds here hold even on a busy
//! machine and for an unoptimized build, and fail by a wide margin if a tenant holds up another.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use rstest::rstest;
use serde_json::{Value, json};
use test_stage::cluster_access::busiest_object;
use test_stage::controller_process::Controller;
use test_stage::neighbors::{self, Flood, Ground};
use test_stage::scene::Scene;
use test_stage::world::World;

use crate::walk;

/// How long a new ExternalSecret of a neighbor may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a probe may take; the kubelet's default timeout is a second.
const PROBE: Duration = Duration::from_secs(20);
/// Per object and minute.
const MOST_EVENTS: u64 = 30;
/// Resident memory of an unoptimized build, in MiB: the limit of `make bench` plus the larger code.
const MOST_MEMORY: u64 = 250;
/// The floods that are put in place together in full. All of them keep the API server busy for too long;
/// `make bench` measures each of them alone.
const IN_FULL: usize = 24;
/// How many groups the other floods form: all together, they keep the API server busy, not the controller.
const GROUPS: usize = 3;
/// The most copies of each object of these.
const COPIES: u64 = 20;
/// How many objects are created at a time.
const CREATORS: usize = 8;

/// A controller, a neighbor that only wants a secret now and then, and a tenant.
struct Stage {
    victim: Scene,
    began: Instant,
    _alone: tokio::sync::MutexGuard<'static, ()>,
}

/// Held by the test that runs.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl Stage {
    async fn build() -> Self {
        let alone = ALONE.lock().await;
        let victim = Scene::on(World::without_controller().await, "victim").await;
        victim.apply(victim.store_manifest("SecretStore", "own")).await;
        victim.set_secret("secret", "hello");
        Self { victim, began: Instant::now(), _alone: alone }
    }

    async fn start(&self, log: &str) -> Controller {
        let world = self.victim.world;
        world.start_controller(log, &["--unsafe-allow-generic-targets", "--loglevel=info"]).await
    }

    /// Checks that the neighbor's new ExternalSecrets get their Secrets, and that the probes answer.
    async fn goes_on(&self, controller: &Controller, when: &str) {
        for number in 0..3 {
            let name = format!("{when}-{number}");
            let began = Instant::now();
            self.victim.apply(self.victim.manifest_for("SecretStore", "own", &name, "1h", &[("k", "secret")])).await;
            self.victim.until_secret(&name, json!({"k": "hello"})).await;
            let took = began.elapsed();
            assert!(took < PATIENCE, "{when}: a fresh ExternalSecret took {took:?}");
            let asked = Instant::now();
            controller.until_ready().await;
            let took = asked.elapsed();
            assert!(took < PROBE, "{when}: the probe took {took:?}");
        }
    }

    /// Checks that no object has more Events than people can read.
    async fn few_events(&self) {
        let minutes = self.began.elapsed().as_secs() / 60 + 1;
        let events = kube::Api::all(self.victim.client.clone());
        let (object, most) = busiest_object(&events).await.unwrap().expect("an Event");
        assert!(most <= MOST_EVENTS * minutes, "{object} has {most} Events in {minutes} minutes");
    }

    /// Creates objects of a tenant; returns how many the API server accepted.
    async fn create(&self, namespace: &str, objects: Vec<Value>) -> usize {
        let client = &self.victim.client;
        let create = |object| async move { neighbors::create(client, namespace, object).await.unwrap() };
        let refusals = stream::iter(objects).map(create).buffer_unordered(CREATORS);
        refusals.filter(|refusal| std::future::ready(refusal.is_none())).count().await
    }

    /// A tenant with a store of values, a store that leads to its own vault, a Secret, and nothing else.
    async fn tenant(&self, name: &str) {
        let world = self.victim.world;
        let ground = Ground {
            client: &self.victim.client,
            sandbox: &world.sandbox,
            issuer: world.cluster.issuer_url(),
            neighbors_vault: self.victim.vault.url(),
        };
        drop(Flood::of_nothing(name).place(&ground).await.unwrap());
        let store = json!({
            "apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": "own"},
            "spec": {"provider": {"fake": {"data": [{"key": "own", "value": "own value"}, {"key": "a", "value": "{}"}]}}},
        });
        let vault = world.sandbox.vault(name).unwrap().url();
        let azure = json!({
            "authType": "WorkloadIdentity", "vaultUrl": vault, "serviceAccountRef": {"name": neighbors::ACCOUNT},
        });
        let written_to = json!({
            "apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": "vault"},
            "spec": {"provider": {"azurekv": azure}},
        });
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "own"}, "stringData": {"value": "own value"},
        });
        self.create(name, vec![store, written_to, secret]).await;
    }
}

/// The peak memory of a process, in MiB.
fn peak_memory(controller: &Controller) -> u64 {
    test_stage::process::peak_memory(controller.id()).unwrap() >> 20
}

/// Checks the neighbor with everything in place, and after a restart in the middle of it.
async fn the_neighbor_goes_on(stage: &Stage, controller: Controller) {
    stage.goes_on(&controller, "during").await;
    stage.few_events().await;
    let first = peak_memory(&controller);
    controller.kill().await;
    let again = stage.start("again").await;
    again.until_ready().await;
    stage.goes_on(&again, "after").await;
    let most = first.max(peak_memory(&again));
    assert!(most <= MOST_MEMORY, "the controller held {most} MiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_one_tenant_do_not_hold_up_another() {
    let floods = neighbors::all().unwrap().into_iter().take(IN_FULL);
    beside(floods.collect(), "flooded").await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn smaller_floods_of_further_kinds_do_not_hold_up_another(#[values(0, 1, 2)] group: usize) {
    let floods = neighbors::all().unwrap().into_iter().skip(IN_FULL + group).step_by(GROUPS);
    beside(floods.map(|flood| flood.with_at_most(COPIES)).collect(), &format!("flooded-{group}")).await;
}

/// Puts all of these floods in place, and checks the neighbor beside them.
async fn beside(floods: Vec<Flood>, log: &str) {
    let stage = Stage::build().await;
    let controller = stage.start(log).await;
    stage.goes_on(&controller, "before").await;
    let world = stage.victim.world;
    let ground = Ground {
        client: &stage.victim.client,
        sandbox: &world.sandbox,
        issuer: world.cluster.issuer_url(),
        neighbors_vault: stage.victim.vault.url(),
    };
    let mut all = Vec::new();
    for flood in floods {
        let placed = flood.place(&ground).await.unwrap();
        assert!(placed.refused.is_empty(), "{} does not reach the controller: {:?}", flood.name, placed.refused);
        all.push(placed.changing);
    }
    the_neighbor_goes_on(&stage, controller).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_and_large_values_in_any_field_do_not_hold_up_another_tenant() {
    let stage = Stage::build().await;
    let controller = stage.start("walked").await;
    stage.goes_on(&controller, "before").await;
    stage.tenant("walker").await;
    let kinds = walk::kinds();
    let users = walk::users_of_generators(&kinds);
    for (kind, objects) in kinds {
        let count = objects.len();
        let taken = stage.create("walker", objects).await;
        assert!(taken * 5 > count, "of {count} objects of kind {kind}, {taken} were taken");
    }
    assert_eq!(stage.create("walker", users.clone()).await, users.len());
    the_neighbor_goes_on(&stage, controller).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_function_of_templates_holds_up_another_tenant() {
    let stage = Stage::build().await;
    let controller = stage.start("computed").await;
    stage.goes_on(&controller, "before").await;
    stage.tenant("walker").await;
    let objects = walk::functions();
    let count = objects.len();
    assert_eq!(stage.create("walker", objects).await, count);
    the_neighbor_goes_on(&stage, controller).await;
}
