//! The way back: 100 PushSecrets beside the ExternalSecrets. What the cluster has must be in the vault, with no version that nobody
//! asked for, and what others have there must stay as it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use azure_sandbox::{Application, ObjectKind, SecretPermission, Vault};
use futures::{StreamExt, stream};
use kube::api::{Patch, PatchParams};
use serde_json::json;
use test_stage::scene::Scene;

use crate::chance::Chance;
use crate::witness::KEY;

/// How many PushSecrets there are.
pub const COUNT: usize = 100;
/// So many of them, the last ones, ask for objects that are somebody else's.
const REFUSED: usize = 5;
/// What those objects hold.
const THEIRS: &str = "somebody else's";
/// How many objects are changed at once.
const AT_ONCE: usize = 16;
/// What the identity may do.
pub const RIGHTS: [SecretPermission; 5] = [
    SecretPermission::Get,
    SecretPermission::Set,
    SecretPermission::Delete,
    SecretPermission::Recover,
    SecretPermission::List,
];

/// The PushSecrets, and which values their Secrets have had.
pub struct Pushes {
    vault: Vault,
    canary: String,
    latest: Vec<AtomicU32>,
}

fn name(index: usize) -> String {
    format!("ps-{index:03}")
}

impl Pushes {
    /// Lets the identity write, and creates all.
    pub async fn start(scene: &Scene, application: &Application, canary: &str) -> Arc<Self> {
        let vault = scene.vault.clone();
        vault.allow(application, RIGHTS);
        for index in COUNT - REFUSED..COUNT {
            vault.set_secret(&name(index), THEIRS).unwrap();
        }
        let latest = (0..COUNT).map(|_| AtomicU32::new(0)).collect();
        let pushes = Arc::new(Self { vault, canary: canary.to_owned(), latest });
        stream::iter(0..COUNT)
            .for_each_concurrent(AT_ONCE, async |index| {
                let name = name(index);
                let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
                scene.apply(secret).await;
                pushes.change_one(scene, index).await;
                scene.apply(manifest(scene, &name)).await;
            })
            .await;
        pushes
    }

    /// Gives Secrets new values, also while the API server is away.
    pub async fn change(&self, scene: &Scene, secrets: impl IntoIterator<Item = usize>) {
        let secrets: Vec<_> = secrets.into_iter().collect();
        stream::iter(secrets).for_each_concurrent(AT_ONCE, async |index| self.change_one(scene, index).await).await;
    }

    async fn change_one(&self, scene: &Scene, index: usize) {
        let number = self.latest[index].fetch_add(1, Ordering::SeqCst) + 1;
        let patch = Patch::Merge(json!({"stringData": {KEY: self.text(index, number)}}));
        while scene.api("Secret").patch(&name(index), &PatchParams::default(), &patch).await.is_err() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Changes the values while a fault lasts: about half of them, and later all.
    pub async fn change_within(&self, scene: &Scene, time: Duration, mut chance: Chance) {
        tokio::time::sleep(chance.duration(0.0..0.5).mul_f64(time.as_secs_f64())).await;
        self.change(scene, (0..COUNT).filter(|_| chance.coin())).await;
        tokio::time::sleep(chance.duration(0.0..0.5).mul_f64(time.as_secs_f64())).await;
        self.change(scene, 0..COUNT).await;
    }

    fn text(&self, index: usize, number: u32) -> String {
        format!("{}.pushed.{index}.{number}", self.canary)
    }

    /// Waits until the vault has the values of the Secrets.
    pub async fn until_equal(&self) {
        while !self.lagging().is_empty() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What the vault does not have yet.
    pub fn lagging(&self) -> Vec<String> {
        let is_there = |index: &usize| {
            let latest = self.latest[*index].load(Ordering::SeqCst);
            let object = self.vault.object(ObjectKind::Secret, &name(*index));
            object.is_some_and(|object| object["value"] == self.text(*index, latest))
        };
        (0..COUNT - REFUSED)
            .filter(|index| !is_there(index))
            .map(|index| format!("the vault does not have the value of Secret {}", name(index)))
            .collect()
    }

    /// What must never be in a vault: more versions than values, and anything of ours in what is somebody else's.
    pub fn violations(&self) -> Vec<String> {
        let mut violations = Vec::new();
        for index in 0..COUNT {
            let (name, written) = (name(index), self.latest[index].load(Ordering::SeqCst) as usize);
            let versions = self.vault.versions(ObjectKind::Secret, &name);
            if index < COUNT - REFUSED {
                if versions > written {
                    violations.push(format!("{name} has {versions} versions of {written} values"));
                }
                continue;
            }
            let object = self.vault.object(ObjectKind::Secret, &name);
            if versions != 1 || object.is_none_or(|object| object["value"] != THEIRS || !object["tags"].is_null()) {
                violations.push(format!("{name} is somebody else's, and was touched"));
            }
        }
        let deleted =
            ["DeleteSecret", "PurgeDeletedSecret"].map(|operation| self.vault.counters().operation(operation));
        if deleted != [0, 0] {
            violations.push(format!("{deleted:?} objects were deleted and purged"));
        }
        violations
    }
}

fn manifest(scene: &Scene, name: &str) -> serde_json::Value {
    json!({
        "apiVersion": "external-secrets.io/v1alpha1", "kind": "PushSecret", "metadata": {"name": name},
        "spec": {
            "refreshInterval": "30s",
            "deletionPolicy": "Delete",
            "secretStoreRefs": [{"name": scene.name(), "kind": scene.store_kind()}],
            "selector": {"secret": {"name": name}},
            "data": [{"match": {"secretKey": KEY, "remoteRef": {"remoteKey": name}}}],
        },
    })
}
