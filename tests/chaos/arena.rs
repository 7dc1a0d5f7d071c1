//! What the faults hit: 200 ExternalSecrets, 100 PushSecrets, the controller, the webhook and the cert-controller.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use test_stage::installation::Installation;
use test_stage::scene::Scene;
use test_stage::world::World;

use crate::chance::Chance;
use crate::deployment::{Ends, Replica};
use crate::ledger::{self, COUNT, Ledger};
use crate::memory::{Memory, Role};
use crate::pushes::Pushes;
use crate::witness::{KEY, PROBE, Witness, version_of};

/// How many objects are created at a time.
const CREATORS: usize = 16;

/// How often the values are read again.
const INTERVAL: &str = "10s";

/// The lifetime of access tokens: so short that tokens also expire during every fault.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(10);

/// Leader election of the replicas: a lease of 6 s.
const ELECTION: [&str; 4] = [
    "--enable-leader-election=true",
    "--leader-election-lease-duration=6s",
    "--leader-election-renew-deadline=4s",
    "--leader-election-retry-period=500ms",
];

/// The Lease of the replicas.
pub const LEASE: &str = "chaos";

/// Everything that runs.
pub struct Arena {
    pub scene: Scene,
    pub installation: Arc<Installation>,
    pub ledger: Arc<Ledger>,
    pub pushes: Arc<Pushes>,
    pub witness: Witness,
    pub memory: Memory,
    replicas: Arc<Replicas>,
    /// Violations that a fault noticed.
    notes: Mutex<Vec<String>>,
}

/// The controllers, current and former.
#[derive(Default)]
struct Replicas {
    running: Mutex<Vec<Arc<Replica>>>,
    stopped: Mutex<Vec<Arc<Replica>>>,
}

/// The work done so far.
#[derive(Clone, Copy, Default)]
pub struct Work {
    /// Secrets created or updated.
    pub secrets: u64,
    /// Statuses of ExternalSecrets and PushSecrets written.
    pub statuses: u64,
    /// Secrets read from the vault.
    pub reads: u64,
    /// Versions of secrets that were written to it.
    pub versions: u64,
    /// Tokens requested from Entra ID.
    pub exchanges: u64,
}

impl Arena {
    /// Starts everything, and waits until all Secrets match the vault.
    pub async fn start() -> Self {
        let world = World::without_controller().await;
        world.sandbox.default_tenant().set_token_lifetime(TOKEN_LIFETIME);
        let installation = Arc::new(Installation::on(world, &[]).await);
        let scene = Scene::with_own_controller_on(world, "chaos").await;
        let ledger = Arc::new(Ledger::new());
        let witness = Witness::start(scene.api("Secret"), scene.api("ExternalSecret"), Arc::clone(&ledger));
        let replicas = Arc::new(Replicas::default());
        let memory = Memory::start({
            let (replicas, installation) = (Arc::clone(&replicas), Arc::clone(&installation));
            move || processes(&replicas, &installation)
        });
        let pushes = Pushes::start(&scene, &scene.application, ledger.canary()).await;
        let arena = Self { scene, installation, ledger, pushes, witness, memory, replicas, notes: Mutex::default() };
        arena.fill().await;
        arena.one_controller().await;
        arena.witness.until_equal().await;
        arena.pushes.until_equal().await;
        arena
    }

    async fn fill(&self) {
        self.change(0..COUNT);
        self.scene.store().await;
        let scene = &self.scene;
        scene.set_secret("probe-0", &self.probe_value(0));
        scene.external_secret(PROBE, "1h", &[(KEY, "probe-0")]).await;
        let manifests: Vec<_> =
            (0..COUNT).map(ledger::name).map(|name| scene.manifest(&name, INTERVAL, &[(KEY, &name)])).collect();
        stream::iter(manifests)
            .for_each_concurrent(CREATORS, async |manifest| {
                scene.apply(manifest).await;
            })
            .await;
    }

    /// Gives secrets new values.
    pub fn change(&self, secrets: impl IntoIterator<Item = usize>) {
        for index in secrets {
            self.scene.set_secret(&ledger::name(index), &self.ledger.next(index));
        }
    }

    /// Changes the values in the vault during a fault: about half of them at random times, and later all.
    pub async fn change_within(&self, time: Duration, mut chance: Chance) {
        let first = time.mul_f64(0.1) + chance.duration(0.0..0.4).mul_f64(time.as_secs_f64());
        tokio::time::sleep(first).await;
        self.change((0..COUNT).filter(|_| chance.coin()));
        let rest = time.saturating_sub(first);
        tokio::time::sleep(rest.mul_f64(0.3) + chance.duration(0.0..0.5).mul_f64(rest.as_secs_f64())).await;
        self.change(0..COUNT);
    }

    /// Waits for recovery after a fault: the Secrets match the vault, and it what is pushed, the ExternalSecrets are Ready, a changed
    /// ExternalSecret is synced, and a Secret that somebody changed is corrected.
    pub async fn recovered(&self, round: u64) {
        tokio::join!(self.witness.until_equal(), self.pushes.until_equal(), self.probe(round));
    }

    async fn probe(&self, round: u64) {
        let secret = format!("probe-{round}");
        let value = self.probe_value(round);
        self.scene.set_secret(&secret, &value);
        let data = json!([{"secretKey": KEY, "remoteRef": {"key": secret}}]);
        self.scene.merge("ExternalSecret", PROBE, json!({"spec": {"data": data}})).await;
        self.witness.until_probe(|seen| seen.value == value).await;
        let before = self.scene.get("Secret", PROBE).await.map(|secret| version_of(&secret)).unwrap_or_default();
        let spoiled = self.scene.merge("Secret", PROBE, json!({"stringData": {KEY: "spoiled"}})).await;
        let spoiled = version_of(&spoiled);
        self.witness.until_probe(|seen| seen.value == value && seen.version != before && seen.version != spoiled).await;
    }

    fn probe_value(&self, round: u64) -> String {
        format!("{}.probe.{round}", self.ledger.canary())
    }

    /// Runs one controller, without leader election.
    pub async fn one_controller(&self) {
        self.replace(&["controller"], &[], Ends::Never).await;
    }

    /// Runs two controllers, one of which leads.
    pub async fn two_replicas(&self) {
        let lease = format!("--leader-election-id={LEASE}");
        let election: Vec<_> = ELECTION.into_iter().chain([lease.as_str()]).collect();
        self.replace(&["replica-a", "replica-b"], &election, Ends::WithItsLeadership).await;
    }

    async fn replace(&self, names: &[&str], more: &[&str], ends: Ends) {
        let before = std::mem::take(&mut *self.replicas.running.lock().unwrap());
        for replica in before {
            replica.stop().await;
            self.replicas.stopped.lock().unwrap().push(replica);
        }
        let own = [
            "--controller-class",
            self.scene.name(),
            "--namespace",
            self.scene.name(),
            "--enable-cluster-store-reconciler=false",
        ];
        let arguments: Vec<_> = own.iter().chain(more).map(|&argument| argument.to_owned()).collect();
        for name in names {
            let replica = Replica::start(self.scene.world, name, arguments.clone(), ends).await;
            self.replicas.running.lock().unwrap().push(replica);
        }
    }

    /// The running controllers.
    pub fn replicas(&self) -> Vec<Arc<Replica>> {
        self.replicas.running.lock().unwrap().clone()
    }

    /// Our processes.
    pub fn processes(&self) -> Vec<(Role, u32)> {
        processes(&self.replicas, &self.installation)
    }

    /// The log files of our processes.
    pub fn logs(&self) -> Vec<PathBuf> {
        let names = ["controller", "replica-a", "replica-b", "webhook", "cert-controller"];
        names.iter().map(|name| self.scene.world.log_of(name)).filter(|log| log.exists()).collect()
    }

    /// Records a violation.
    pub fn note(&self, what: impl Into<String>) {
        self.notes.lock().unwrap().push(what.into());
    }

    /// Takes the violations recorded so far.
    pub fn take_violations(&self) -> Vec<String> {
        let mut violations = self.witness.take_violations();
        violations.append(&mut self.notes.lock().unwrap());
        violations.extend(self.memory.violations());
        violations.extend(self.pushes.violations());
        let (running, stopped) = (self.replicas(), self.replicas.stopped.lock().unwrap().clone());
        for replica in running.iter().chain(&stopped) {
            violations.extend(replica.take_surprises());
            let deletions = ["delete /secrets", "deletecollection /secrets"].map(|right| replica.proxy.asked(right));
            if deletions != [0, 0] {
                violations.push(format!("{} tried to delete Secrets", replica.name));
            }
        }
        violations
    }

    /// The work done so far.
    pub fn work(&self) -> Work {
        let (running, stopped) = (self.replicas(), self.replicas.stopped.lock().unwrap().clone());
        let done = |right: &str| running.iter().chain(&stopped).map(|replica| replica.proxy.done(right)).sum::<u64>();
        Work {
            secrets: done("create /secrets") + done("update /secrets"),
            statuses: done("patch external-secrets.io/externalsecrets/status")
                + done("patch external-secrets.io/pushsecrets/status"),
            reads: self.scene.vault.counters().operation("GetSecret"),
            versions: self.scene.vault.counters().operation("SetSecret"),
            exchanges: self.scene.application.counters().exchanges,
        }
    }

    /// Everything people can read in our resources and events, as text.
    pub async fn shown(&self) -> Vec<Value> {
        let mut shown = Vec::new();
        for kind in ["ExternalSecret", "PushSecret", "SecretStore", "Event"] {
            let list = self.scene.api(kind).list(&kube::api::ListParams::default()).await.unwrap();
            shown.extend(list.items.iter().map(|object| serde_json::to_value(object).unwrap()));
        }
        shown
    }
}

fn processes(replicas: &Replicas, installation: &Installation) -> Vec<(Role, u32)> {
    let running = replicas.running.lock().unwrap();
    let controllers = running.iter().map(|replica| (Role::Controller, replica.controller().id()));
    let others = [(Role::Webhook, installation.webhook().id()), (Role::CertController, installation.certificates.id())];
    controllers.chain(others).collect()
}
