//! The controller is killed after each of its writes, to the API server and to the vault, and started again: afterwards the vault holds
//! what is wanted, with at most one version more, and nothing is orphaned.

use azure_sandbox::{Effect, Fault, ObjectKind, SecretPermission, Vault};
use serde_json::{Value, json};
use test_stage::api_proxy::ApiProxy;
use test_stage::cluster_access::condition;
use test_stage::controller_process::Controller;
use test_stage::scene::Scene;
use test_stage::world::World;

use super::of_cluster::{parent, until_provisioned};
use super::{OURS, entry, manifest, secret, served, tagged, until_synced, value};

/// More writes than any of these flows needs; a test that gets here would never end.
const TOO_MANY: usize = 32;
const PERMISSIONS: [SecretPermission; 5] = [
    SecretPermission::Get,
    SecretPermission::Set,
    SecretPermission::Delete,
    SecretPermission::Recover,
    SecretPermission::List,
];

/// A scene whose controller is killed.
struct Stage {
    scene: Scene,
    proxy: ApiProxy,
    /// The vaults that are written to.
    vaults: Vec<Vault>,
    /// More arguments of the controller.
    arguments: &'static [&'static str],
}

/// Where the controller is cut off.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// After so many writes to the API server.
    ApiServer(usize),
    /// After so many writes to one of the vaults, before it hears of the last.
    Vault(usize, u32),
}

impl Cut {
    /// The same after one write more.
    fn next(self) -> Self {
        match self {
            Self::ApiServer(writes) => Self::ApiServer(writes + 1),
            Self::Vault(vault, writes) => Self::Vault(vault, writes + 1),
        }
    }
}

impl Stage {
    async fn new(name: &str) -> Self {
        Self::of(Scene::with_own_controller(name).await, &[]).await
    }

    async fn of(scene: Scene, arguments: &'static [&'static str]) -> Self {
        scene.vault.allow(&scene.application, PERMISSIONS);
        scene.store().await;
        let proxy = ApiProxy::start(scene.kubeconfig(), scene.world.cluster.directory()).await;
        Self { vaults: vec![scene.vault.clone()], scene, proxy, arguments }
    }

    async fn start(&self) -> Controller {
        self.scene.start_controller_with(self.arguments).await
    }

    /// Runs a controller until it is cut off. Returns whether that happened before `done`.
    async fn cut_off<T>(&self, cut: Cut, done: impl Future<Output = T>) -> bool {
        let (vault, writes) = match cut {
            Cut::ApiServer(writes) => {
                let controller = self.scene.start_controller_through(&self.proxy, self.arguments);
                return self.proxy.killed_after(controller, writes, done).await;
            }
            Cut::Vault(vault, writes) => (&self.vaults[vault], writes),
        };
        let fault = vault.fault(Fault::new(Effect::HangAfter).on_writes().after(writes - 1).times(1));
        let controller = self.start().await;
        let is_met = async {
            while vault.met(fault) == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let is_cut_off = tokio::select! {
            () = is_met => true,
            _ = done => false,
        };
        controller.kill().await;
        vault.lift(fault);
        is_cut_off
    }

    /// Tries every place where something can be cut off: after each write to the API server, then after each to a vault. `example` makes
    /// one try, and returns whether it was cut off. Returns how many places there are of each kind.
    async fn everywhere(&self, mut example: impl AsyncFnMut(usize, Cut) -> bool) -> Vec<usize> {
        let first = [Cut::ApiServer(1)].into_iter().chain((0..self.vaults.len()).map(|vault| Cut::Vault(vault, 1)));
        let (mut number, mut counts) = (0, Vec::new());
        for mut cut in first {
            let mut count = 0;
            loop {
                number += 1;
                assert!(count < TOO_MANY);
                if !example(number, cut).await {
                    break;
                }
                count += 1;
                cut = cut.next();
            }
            counts.push(count);
        }
        counts
    }

    /// Starts the controller again, and waits until it has gone over a PushSecret from beginning to end.
    async fn restarted(&self, name: &str) -> (Controller, Value) {
        let asked = json!({"metadata": {"annotations": {"force-sync": "after the cut"}}});
        self.scene.merge("PushSecret", name, asked).await;
        let controller = self.start().await;
        let is_over = |object: &Value| {
            object["status"]["lastHandledRefresh"] == "after the cut" && condition(object, "Ready")["status"] == "True"
        };
        let object = self.scene.until("PushSecret", name, "pushed after the cut", is_over).await;
        (controller, object)
    }

    /// Deletes what a try has made, so that the next start of the controller finds nothing else to write.
    async fn tidied(&self, name: &str) {
        self.scene.delete("PushSecret", name).await;
        self.scene.until_gone("PushSecret", name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_with_its_source_ends_well_wherever_it_was_cut_off() {
    let scene = Scene::with_own_controller("push-kill-source").await;
    let stage = Stage::of(scene, &["--push-deletion-grace-period=1s"]).await;
    let scene = &stage.scene;
    let tries = stage.everywhere(async |number, cut| {
        let name = format!("example-{number}");
        let theirs = format!("{name}-theirs");
        secret(scene, &name, json!({"a": "1", "b": "2"})).await;
        scene.vault.set_secret(&theirs, "x").unwrap();
        scene.apply(example(scene, &name)).await;
        {
            let _controller = stage.start().await;
            until_synced(scene, &name).await;
        }
        scene.delete("Secret", &name).await;
        let is_over = |object: &Value| {
            condition(object, "Ready")["reason"] == "SourceDeleted"
                && object["status"]["syncedPushSecrets"].as_object().is_none_or(serde_json::Map::is_empty)
        };
        let over = scene.until("PushSecret", &name, "SourceDeleted", is_over);
        let cut_off = stage.cut_off(cut, over).await;
        let _controller = stage.start().await;
        scene.until("PushSecret", &name, "SourceDeleted after the cut", is_over).await;
        for key in ["a", "b"] {
            assert_eq!(value(scene, &format!("{name}-{key}")), None, "{cut:?}");
        }
        assert_eq!(value(scene, &theirs).as_deref(), Some("x"), "{cut:?}");
        stage.tidied(&name).await;
        cut_off
    });
    let counts = tries.await;
    assert!(counts[0] >= 2 && counts[1] == 2, "a warning and the status; two deletions: {counts:?}");
    assert_eq!(served(scene, "PurgeDeletedSecret"), 0);
}

/// A PushSecret of two keys that are deleted with it; the keys are called after it.
fn example(scene: &Scene, name: &str) -> Value {
    let data = json!([entry("a", &format!("{name}-a")), entry("b", &format!("{name}-b"))]);
    let mut object = manifest(scene, name, name, data);
    object["spec"]["deletionPolicy"] = "Delete".into();
    object
}

/// What a PushSecret has recorded of the store of the scene.
fn records<'a>(scene: &Scene, object: &'a Value) -> &'a Value {
    &object["status"]["syncedPushSecrets"][format!("{}/{}", scene.store_kind(), scene.name())]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_push_ends_well_wherever_it_was_cut_off() {
    let stage = Stage::new("push-kill-first").await;
    let scene = &stage.scene;
    let tries = stage.everywhere(async |number, cut| {
        let name = format!("example-{number}");
        secret(scene, &name, json!({"a": "1", "b": "2"})).await;
        scene.apply(example(scene, &name)).await;
        let cut_off = stage.cut_off(cut, until_synced(scene, &name)).await;
        let (_controller, synced) = stage.restarted(&name).await;
        for (key, wanted) in [("a", "1"), ("b", "2")] {
            let remote = format!("{name}-{key}");
            assert_eq!(value(scene, &remote).as_deref(), Some(wanted), "{cut:?}");
            assert_eq!(scene.vault.versions(ObjectKind::Secret, &remote), 1, "{cut:?}");
            assert!(records(scene, &synced)[&remote].is_object(), "nothing is orphaned: {synced}");
        }
        stage.tidied(&name).await;
        cut_off
    });
    let counts = tries.await;
    assert!(counts[0] >= 3 && counts[1] == 2, "finalizer, intent and status; two values: {counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_value_and_a_new_key_end_well_wherever_they_were_cut_off() {
    let stage = Stage::new("push-kill-value").await;
    let scene = &stage.scene;
    let tries = stage.everywhere(async |number, cut| {
        let name = format!("example-{number}");
        secret(scene, &name, json!({"a": "0", "b": "0"})).await;
        let mut object = example(scene, &name);
        scene.apply(object.clone()).await;
        {
            let _controller = stage.start().await;
            until_synced(scene, &name).await;
        }
        // A new value of the one, and the name of the other is another one.
        secret(scene, &name, json!({"a": "1", "b": "0"})).await;
        object["spec"]["data"][1] = entry("b", &format!("{name}-new"));
        scene.apply(object).await;
        let cut_off = stage.cut_off(cut, until_synced(scene, &name)).await;
        let (_controller, synced) = stage.restarted(&name).await;
        let in_vault = |key: &str| value(scene, &format!("{name}-{key}"));
        let all = (in_vault("a"), in_vault("b"), in_vault("new"));
        assert_eq!(all, (Some("1".to_owned()), None, Some("0".to_owned())), "{cut:?}");
        assert_eq!(scene.vault.versions(ObjectKind::Secret, &format!("{name}-a")), 2, "{cut:?}");
        assert_eq!(scene.vault.versions(ObjectKind::Secret, &format!("{name}-new")), 1, "{cut:?}");
        let keys: Vec<_> = records(scene, &synced).as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, [format!("{name}-a"), format!("{name}-new")], "{cut:?}");
        stage.tidied(&name).await;
        cut_off
    });
    let counts = tries.await;
    assert!(counts[0] >= 2 && counts[1] == 3, "intent and status; two values and a deletion: {counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_ends_well_wherever_it_was_cut_off() {
    let stage = Stage::new("push-kill-deletion").await;
    let scene = &stage.scene;
    let tries = stage.everywhere(async |number, cut| {
        let name = format!("example-{number}");
        secret(scene, &name, json!({"a": "1", "b": "2"})).await;
        scene.vault.set_secret(&format!("{name}-theirs"), "x").unwrap();
        scene.apply(example(scene, &name)).await;
        {
            let _controller = stage.start().await;
            until_synced(scene, &name).await;
        }
        scene.delete("PushSecret", &name).await;
        let cut_off = stage.cut_off(cut, scene.until_gone("PushSecret", &name)).await;
        let _controller = stage.start().await;
        scene.until_gone("PushSecret", &name).await;
        for key in ["a", "b"] {
            assert_eq!(value(scene, &format!("{name}-{key}")), None, "{cut:?}");
        }
        assert_eq!(value(scene, &format!("{name}-theirs")).as_deref(), Some("x"));
        cut_off
    });
    let counts = tries.await;
    assert!(counts[0] >= 2 && counts[1] == 2, "status and finalizer; two deletions: {counts:?}");
    assert_eq!(served(scene, "PurgeDeletedSecret"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_ends_well_wherever_it_was_cut_off() {
    recoveries("push-kill-recovery", "Replace").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_that_leaves_what_is_there_ends_well_wherever_it_was_cut_off() {
    recoveries("push-kill-recovers", "IfNotExists").await;
}

/// Whatever the policy says, what was recovered is then written.
async fn recoveries(name: &str, policy: &str) {
    let stage = Stage::new(name).await;
    let scene = &stage.scene;
    let tries = stage.everywhere(async |number, cut| {
        let name = format!("example-{number}");
        let remote = format!("{name}-a");
        scene.vault.set_secret_with(&remote, "before", tagged(&[("managed-by", OURS)])).unwrap();
        scene.vault.delete_secret(&remote).unwrap();
        secret(scene, &name, json!({"a": "1", "b": "2"})).await;
        let mut object = example(scene, &name);
        object["spec"]["updatePolicy"] = policy.into();
        scene.apply(object).await;
        let cut_off = stage.cut_off(cut, until_synced(scene, &name)).await;
        let (_controller, _) = stage.restarted(&name).await;
        assert_eq!(value(scene, &remote).as_deref(), Some("1"), "{cut:?}");
        assert_eq!(scene.vault.versions(ObjectKind::Secret, &remote), 2, "{cut:?}");
        stage.tidied(&name).await;
        cut_off
    });
    let counts = tries.await;
    assert!(counts[0] >= 3 && counts[1] >= 3, "a try, the recovery and the value, and the other value: {counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_another_vault_ends_well_wherever_it_was_cut_off() {
    let mut stage = Stage::new("push-kill-store").await;
    let other = stage.scene.world.sandbox.vault(&format!("{}-2", stage.scene.name())).unwrap();
    let other = other.allow(&stage.scene.application, PERMISSIONS);
    let mut store = stage.scene.store_manifest("SecretStore", "other");
    store["spec"]["provider"]["azurekv"]["vaultUrl"] = other.url().into();
    stage.scene.apply(store).await;
    stage.vaults.push(other.clone());
    let scene = &stage.scene;
    let tries = stage.everywhere(async |number, cut| {
        let name = format!("example-{number}");
        secret(scene, &name, json!({"a": "1", "b": "2"})).await;
        let mut object = example(scene, &name);
        scene.apply(object.clone()).await;
        {
            let _controller = stage.start().await;
            until_synced(scene, &name).await;
        }
        object["spec"]["secretStoreRefs"] = json!([{"name": "other", "kind": "SecretStore"}]);
        scene.apply(object).await;
        let cut_off = stage.cut_off(cut, until_synced(scene, &name)).await;
        let (_controller, synced) = stage.restarted(&name).await;
        for (key, wanted) in [("a", "1"), ("b", "2")] {
            let remote = format!("{name}-{key}");
            assert_eq!(value(scene, &remote), None, "{cut:?}");
            let is = other.object(ObjectKind::Secret, &remote).unwrap();
            assert_eq!((&is["value"], other.versions(ObjectKind::Secret, &remote)), (&json!(wanted), 1), "{cut:?}");
        }
        let stores: Vec<_> = synced["status"]["syncedPushSecrets"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(stores, ["SecretStore/other"], "{cut:?}");
        stage.tidied(&name).await;
        cut_off
    });
    let counts = tries.await;
    assert!(counts[0] >= 2 && counts[1..] == [2, 2], "intent and status; two deletions, two values: {counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_name_for_what_a_cluster_push_secret_makes_ends_well_wherever_it_was_cut_off() {
    // A controller of one namespace does not work on ClusterPushSecrets, and that of the other tests would.
    let scene = Scene::with_own_controller_on(World::without_controller().await, "push-kill-parent").await;
    let stage = Stage::of(scene, &["--namespace="]).await;
    let scene = &stage.scene;
    let tries = stage.everywhere(async |number, cut| {
        let (first, second) = (format!("first-{number}"), format!("second-{number}"));
        let key = format!("example-{number}");
        secret(scene, "source", json!({"a": "1"})).await;
        let mut spec = manifest(scene, "", "source", json!([entry("a", &key)]))["spec"].clone();
        spec["deletionPolicy"] = "Delete".into();
        scene.apply(parent(scene, &first, &spec)).await;
        {
            let _controller = stage.start().await;
            until_synced(scene, &first).await;
        }
        scene.apply(parent(scene, &second, &spec)).await;
        let handed_on = async || {
            scene.until_gone("PushSecret", &first).await;
            until_synced(scene, &second).await;
            until_provisioned(scene).await
        };
        let cut_off = stage.cut_off(cut, handed_on()).await;
        let _controller = stage.start().await;
        let object = handed_on().await;
        assert_eq!(object["status"]["pushSecretName"], json!(second), "{cut:?}");
        assert_eq!(value(scene, &key).as_deref(), Some("1"), "{cut:?}");
        assert_eq!(scene.vault.versions(ObjectKind::Secret, &key), 1, "{cut:?}");
        scene.delete("ClusterPushSecret", scene.name()).await;
        scene.until_gone("PushSecret", &second).await;
        assert_eq!(value(scene, &key), None, "{cut:?}");
        cut_off
    });
    let counts = tries.await;
    assert!(counts[0] >= 4 && counts[1] == 0, "children, finalizers and statuses; the vault is left alone: {counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minted_value_ends_well_wherever_it_was_cut_off() {
    let stage = Stage::new("push-kill-minted").await;
    let scene = &stage.scene;
    let password = json!({
        "apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password", "metadata": {"name": "p"},
        "spec": {"length": 24, "allowRepeat": true},
    });
    scene.apply(password).await;
    let tries = stage.everywhere(async |number, cut| {
        let name = format!("example-{number}");
        let mut object = example(scene, &name);
        object["spec"]["selector"] = json!({"generatorRef": {"kind": "Password", "name": "p"}});
        for entry in object["spec"]["data"].as_array_mut().unwrap() {
            entry["match"]["secretKey"] = "password".into();
        }
        scene.apply(object).await;
        let cut_off = stage.cut_off(cut, until_synced(scene, &name)).await;
        // A label makes it look at the vault again, and asks for no other value.
        let labeled = scene.merge("PushSecret", &name, json!({"metadata": {"labels": {"again": "yes"}}})).await;
        let before = labeled["status"]["syncedResourceVersion"].clone();
        let controller = stage.start().await;
        let is_over = |object: &Value| {
            object["status"]["syncedResourceVersion"] != before && condition(object, "Ready")["status"] == "True"
        };
        scene.until("PushSecret", &name, "pushed after the cut", is_over).await;
        let remotes = ["a", "b"].map(|key| format!("{name}-{key}"));
        let values = remotes.clone().map(|remote| value(scene, &remote));
        assert!(values[0].is_some() && values[0] == values[1], "both have the same value: {cut:?}");
        for remote in &remotes {
            assert!(scene.vault.versions(ObjectKind::Secret, remote) <= 2, "at most one version more: {cut:?}");
        }
        stage.tidied(&name).await;
        drop(controller);
        cut_off
    });
    let counts = tries.await;
    assert!(counts[0] >= 3 && counts[1] == 2, "finalizer, intent and status; two values: {counts:?}");
}
