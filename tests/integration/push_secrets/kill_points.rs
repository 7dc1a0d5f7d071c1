//! The controller is killed after each of its writes, to the API server and to the vault, and started again: afterwards the vault holds
//! what is wanted, with at most one version more, and nothing is orphaned.

use azure_sandbox::{Effect, Fault, ObjectKind, SecretPermission};
use serde_json::{Value, json};
use test_stage::api_proxy::ApiProxy;
use test_stage::cluster_access::condition;
use test_stage::controller_process::Controller;
use test_stage::scene::Scene;

use super::{OURS, entry, manifest, secret, served, tagged, until_synced, value};

/// More writes than any of these flows needs; a test that gets here would never end.
const TOO_MANY: usize = 32;

async fn scene(name: &str) -> Scene {
    let scene = Scene::with_own_controller(name).await;
    let all = [
        SecretPermission::Get,
        SecretPermission::Set,
        SecretPermission::Delete,
        SecretPermission::Recover,
        SecretPermission::List,
    ];
    scene.vault.allow(&scene.application, all);
    scene.store().await;
    scene
}

/// A PushSecret of two keys that are deleted with it; the keys are called after it.
fn example(scene: &Scene, name: &str) -> Value {
    let data = json!([entry("a", &format!("{name}-a")), entry("b", &format!("{name}-b"))]);
    let mut object = manifest(scene, name, name, data);
    object["spec"]["deletionPolicy"] = "Delete".into();
    object
}

/// Where the controller is cut off.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// After so many writes to the API server.
    ApiServer(usize),
    /// After so many writes to the vault, before it hears of the last.
    Vault(u32),
}

impl Cut {
    /// The same after one write more.
    fn next(self) -> Self {
        match self {
            Self::ApiServer(writes) => Self::ApiServer(writes + 1),
            Self::Vault(writes) => Self::Vault(writes + 1),
        }
    }

    /// Runs a controller until it is cut off. Returns whether that happened before `done`.
    async fn run<T>(self, scene: &Scene, proxy: &ApiProxy, done: impl Future<Output = T>) -> bool {
        let writes = match self {
            Self::ApiServer(writes) => return scene.killed_after(proxy, writes, done).await,
            Self::Vault(writes) => writes,
        };
        let fault = scene.vault.fault(Fault::new(Effect::HangAfter).on_writes().after(writes - 1).times(1));
        let controller = scene.start_controller().await;
        let is_met = async {
            while scene.vault.met(fault) == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let is_cut_off = tokio::select! {
            () = is_met => true,
            _ = done => false,
        };
        controller.kill().await;
        scene.vault.lift(fault);
        is_cut_off
    }
}

/// Every place where something can be cut off: after each write to the API server, then after each to the vault. `example` makes one try,
/// and returns whether it was cut off.
async fn everywhere(mut example: impl AsyncFnMut(usize, Cut) -> bool) -> [usize; 2] {
    let mut number = 0;
    let mut counts = [0, 0];
    for (place, mut cut) in [Cut::ApiServer(1), Cut::Vault(1)].into_iter().enumerate() {
        loop {
            number += 1;
            assert!(counts[place] < TOO_MANY);
            if !example(number, cut).await {
                break;
            }
            counts[place] += 1;
            cut = cut.next();
        }
    }
    counts
}

/// Starts the controller again, and waits until it has gone over a PushSecret from beginning to end.
async fn restarted(scene: &Scene, name: &str) -> (Controller, Value) {
    let asked = json!({"metadata": {"annotations": {"force-sync": "after the cut"}}});
    scene.merge("PushSecret", name, asked).await;
    let controller = scene.start_controller().await;
    let is_over = |object: &Value| {
        object["status"]["lastHandledRefresh"] == "after the cut" && condition(object, "Ready")["status"] == "True"
    };
    let object = scene.until("PushSecret", name, "pushed after the cut", is_over).await;
    (controller, object)
}

/// Deletes what a try has made, so that the next start of the controller finds nothing else to write.
async fn tidied(scene: &Scene, name: &str) {
    scene.delete("PushSecret", name).await;
    scene.until_gone("PushSecret", name).await;
}

/// What a PushSecret has recorded of the store of the scene.
fn records<'a>(scene: &Scene, object: &'a Value) -> &'a Value {
    &object["status"]["syncedPushSecrets"][format!("{}/{}", scene.store_kind(), scene.name())]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_push_ends_well_wherever_it_was_cut_off() {
    let scene = scene("push-kill-first").await;
    let proxy = ApiProxy::start(scene.kubeconfig(), scene.world.cluster.directory()).await;
    let counts = everywhere(async |number, cut| {
        let name = format!("example-{number}");
        secret(&scene, &name, json!({"a": "1", "b": "2"})).await;
        scene.apply(example(&scene, &name)).await;
        let cut_off = cut.run(&scene, &proxy, until_synced(&scene, &name)).await;
        let (_controller, synced) = restarted(&scene, &name).await;
        for (key, wanted) in [("a", "1"), ("b", "2")] {
            let remote = format!("{name}-{key}");
            assert_eq!(value(&scene, &remote).as_deref(), Some(wanted), "{cut:?}");
            assert_eq!(scene.vault.versions(ObjectKind::Secret, &remote), 1, "{cut:?}");
            assert!(records(&scene, &synced)[&remote].is_object(), "nothing is orphaned: {synced}");
        }
        tidied(&scene, &name).await;
        cut_off
    })
    .await;
    assert!(counts[0] >= 3 && counts[1] == 2, "finalizer, intent and status; two values: {counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_value_and_a_new_key_end_well_wherever_they_were_cut_off() {
    let scene = scene("push-kill-value").await;
    let proxy = ApiProxy::start(scene.kubeconfig(), scene.world.cluster.directory()).await;
    let counts = everywhere(async |number, cut| {
        let name = format!("example-{number}");
        secret(&scene, &name, json!({"a": "0", "b": "0"})).await;
        let mut object = example(&scene, &name);
        scene.apply(object.clone()).await;
        {
            let _controller = scene.start_controller().await;
            until_synced(&scene, &name).await;
        }
        // A new value of the one, and the name of the other is another one.
        secret(&scene, &name, json!({"a": "1", "b": "0"})).await;
        object["spec"]["data"][1] = entry("b", &format!("{name}-new"));
        scene.apply(object).await;
        let cut_off = cut.run(&scene, &proxy, until_synced(&scene, &name)).await;
        let (_controller, synced) = restarted(&scene, &name).await;
        let in_vault = |key: &str| value(&scene, &format!("{name}-{key}"));
        let all = (in_vault("a"), in_vault("b"), in_vault("new"));
        assert_eq!(all, (Some("1".to_owned()), None, Some("0".to_owned())), "{cut:?}");
        assert_eq!(scene.vault.versions(ObjectKind::Secret, &format!("{name}-a")), 2, "{cut:?}");
        assert_eq!(scene.vault.versions(ObjectKind::Secret, &format!("{name}-new")), 1, "{cut:?}");
        let keys: Vec<_> = records(&scene, &synced).as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, [format!("{name}-a"), format!("{name}-new")], "{cut:?}");
        tidied(&scene, &name).await;
        cut_off
    })
    .await;
    assert!(counts[0] >= 2 && counts[1] == 3, "intent and status; two values and a deletion: {counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_ends_well_wherever_it_was_cut_off() {
    let scene = scene("push-kill-deletion").await;
    let proxy = ApiProxy::start(scene.kubeconfig(), scene.world.cluster.directory()).await;
    let counts = everywhere(async |number, cut| {
        let name = format!("example-{number}");
        secret(&scene, &name, json!({"a": "1", "b": "2"})).await;
        scene.vault.set_secret(&format!("{name}-theirs"), "x").unwrap();
        scene.apply(example(&scene, &name)).await;
        {
            let _controller = scene.start_controller().await;
            until_synced(&scene, &name).await;
        }
        scene.delete("PushSecret", &name).await;
        let cut_off = cut.run(&scene, &proxy, scene.until_gone("PushSecret", &name)).await;
        let _controller = scene.start_controller().await;
        scene.until_gone("PushSecret", &name).await;
        for key in ["a", "b"] {
            assert_eq!(value(&scene, &format!("{name}-{key}")), None, "{cut:?}");
        }
        assert_eq!(value(&scene, &format!("{name}-theirs")).as_deref(), Some("x"));
        cut_off
    })
    .await;
    assert!(counts[0] >= 2 && counts[1] == 2, "status and finalizer; two deletions: {counts:?}");
    assert_eq!(served(&scene, "PurgeDeletedSecret"), 0);
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
    let scene = scene(name).await;
    let proxy = ApiProxy::start(scene.kubeconfig(), scene.world.cluster.directory()).await;
    let counts = everywhere(async |number, cut| {
        let name = format!("example-{number}");
        let remote = format!("{name}-a");
        scene.vault.set_secret_with(&remote, "before", tagged(&[("managed-by", OURS)])).unwrap();
        scene.vault.delete_secret(&remote).unwrap();
        secret(&scene, &name, json!({"a": "1", "b": "2"})).await;
        let mut object = example(&scene, &name);
        object["spec"]["updatePolicy"] = policy.into();
        scene.apply(object).await;
        let cut_off = cut.run(&scene, &proxy, until_synced(&scene, &name)).await;
        let (_controller, _) = restarted(&scene, &name).await;
        assert_eq!(value(&scene, &remote).as_deref(), Some("1"), "{cut:?}");
        assert_eq!(scene.vault.versions(ObjectKind::Secret, &remote), 2, "{cut:?}");
        tidied(&scene, &name).await;
        cut_off
    })
    .await;
    assert!(counts[0] >= 3 && counts[1] >= 3, "a try, the recovery and the value, and the other value: {counts:?}");
}
