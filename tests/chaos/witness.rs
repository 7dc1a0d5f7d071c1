//! Watches all Secrets and ExternalSecrets the whole time, bypassing the proxy, and records what must never happen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::api::DynamicObject;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use serde_json::Value;
use test_stage::cluster_access::{condition, decoded};
use tokio::sync::watch;

use crate::ledger::{self, COUNT, Ledger};

/// The ExternalSecret that is changed after each fault, to check that the controller's watches work.
pub const PROBE: &str = "probe";
/// The key in every Secret.
pub const KEY: &str = "value";

/// What was seen.
#[derive(Clone)]
pub struct Witness {
    seen: watch::Sender<Seen>,
    ledger: Arc<Ledger>,
}

/// The last known state, and the violations.
#[derive(Default)]
pub struct Seen {
    secrets: BTreeMap<String, SecretSeen>,
    /// Objects of a list in progress.
    listed: BTreeSet<String>,
    ready: BTreeMap<String, bool>,
    violations: Vec<String>,
}

/// A Secret at its last change.
#[derive(Clone, Debug, Default)]
pub struct SecretSeen {
    uid: String,
    /// Its `resourceVersion`.
    pub version: String,
    /// The number of its value.
    number: u32,
    /// The value itself, for the probe only.
    pub value: String,
}

impl Witness {
    /// Starts watching.
    pub fn start(secrets: Api<DynamicObject>, external_secrets: Api<DynamicObject>, ledger: Arc<Ledger>) -> Self {
        let witness = Self { seen: watch::Sender::default(), ledger };
        tokio::spawn(follow(secrets, witness.clone(), Self::secret));
        tokio::spawn(follow(external_secrets, witness.clone(), Self::external_secret));
        witness
    }

    /// Waits until all Secrets have the vault's latest values and all ExternalSecrets are Ready.
    pub async fn until_equal(&self) {
        let _ = self.seen.subscribe().wait_for(|seen| seen.lagging(&self.ledger).is_empty()).await;
    }

    /// Waits until the probe's Secret satisfies `wanted`.
    pub async fn until_probe(&self, wanted: impl Fn(&SecretSeen) -> bool) {
        let _ = self.seen.subscribe().wait_for(|seen| seen.secrets.get(PROBE).is_some_and(&wanted)).await;
    }

    /// What is not up to date yet.
    pub fn lagging(&self) -> Vec<String> {
        self.seen.borrow().lagging(&self.ledger)
    }

    /// Takes the violations recorded so far.
    pub fn take_violations(&self) -> Vec<String> {
        let mut taken = Vec::new();
        self.seen.send_modify(|seen| taken = std::mem::take(&mut seen.violations));
        taken
    }

    fn secret(&self, event: Event<DynamicObject>) {
        self.seen.send_modify(|seen| match event {
            Event::Init => seen.listed.clear(),
            Event::InitApply(secret) => {
                seen.listed.insert(secret.name_any());
                seen.apply(&secret, &self.ledger);
            }
            Event::InitDone => {
                let gone: Vec<_> = seen.secrets.keys().filter(|name| !seen.listed.contains(*name)).cloned().collect();
                for name in gone {
                    seen.deleted(&name);
                }
            }
            Event::Apply(secret) => seen.apply(&secret, &self.ledger),
            Event::Delete(secret) => seen.deleted(&secret.name_any()),
        });
    }

    fn external_secret(&self, event: Event<DynamicObject>) {
        if let Event::Apply(object) | Event::InitApply(object) = event {
            let is_ready = condition(&serde_json::to_value(&object).unwrap(), "Ready")["status"] == "True";
            self.seen.send_modify(|seen| {
                seen.ready.insert(object.name_any(), is_ready);
            });
        }
    }
}

async fn follow(api: Api<DynamicObject>, witness: Witness, tell: fn(&Witness, Event<DynamicObject>)) {
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()));
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => tell(&witness, event),
            // The API server is down; the watch is reopened.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

impl Seen {
    fn lagging(&self, ledger: &Ledger) -> Vec<String> {
        let mut lagging = Vec::new();
        for index in 0..COUNT {
            let name = ledger::name(index);
            let (latest, found) = (ledger.latest(index), self.secrets.get(&name).map(|secret| secret.number));
            if found != Some(latest) {
                lagging.push(format!("Secret {name} has value {found:?}, the vault {latest}"));
            } else if self.ready.get(&name) != Some(&true) {
                lagging.push(format!("ExternalSecret {name} is not Ready"));
            }
        }
        lagging
    }

    fn apply(&mut self, secret: &DynamicObject, ledger: &Ledger) {
        let name = secret.name_any();
        let data = decoded(&serde_json::to_value(secret).unwrap());
        let keys = data.as_object().map(serde_json::Map::len);
        let value = data[KEY].as_str().unwrap_or_default().to_owned();
        let uid = secret.uid().unwrap_or_default();
        let version = secret.resource_version().unwrap_or_default();
        let before = self.secrets.get(&name).cloned();
        if before.as_ref().is_some_and(|before| before.version == version) {
            return;
        }
        if before.as_ref().is_some_and(|before| before.uid != uid) {
            self.violations.push(format!("Secret {name} was deleted and recreated"));
        }
        let Some(index) = ledger::index(&name) else {
            if name == PROBE {
                self.secrets.insert(name, SecretSeen { uid, version, number: 0, value });
            }
            return;
        };
        let number = ledger.number_of(index, &value).filter(|_| keys == Some(1));
        let last = before.map_or(0, |before| before.number);
        match number {
            None => self.violations.push(format!("Secret {name} was blanked or spoiled at version {version}")),
            Some(number) if number < last => {
                self.violations.push(format!("Secret {name} went back from value {last} to {number}"));
            }
            Some(number) if number == last => {
                self.violations.push(format!("Secret {name} was written again with value {number} that it had"));
            }
            Some(_) => {}
        }
        let seen = SecretSeen { uid, version, number: number.unwrap_or_default(), value: String::new() };
        self.secrets.insert(name, seen);
    }

    fn deleted(&mut self, name: &str) {
        if self.secrets.remove(name).is_some() {
            self.violations.push(format!("Secret {name} was deleted"));
        }
    }
}

/// Waits for something; returns the time it took, or what was still missing.
pub async fn within(
    patience: Duration,
    what: impl Future<Output = ()>,
    missing: impl Fn() -> Vec<String>,
) -> Result<Duration, Vec<String>> {
    let started = Instant::now();
    match tokio::time::timeout(patience, what).await {
        Ok(()) => Ok(started.elapsed()),
        Err(_) => Err(missing()),
    }
}

/// The `resourceVersion` of an object.
pub fn version_of(object: &Value) -> String {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()
}
