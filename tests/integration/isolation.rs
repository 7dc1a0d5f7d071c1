//! A tenant whose passes compute or hang does not hold up the others. The deadlines here are many times the usual
//! duration; for figures see `docs/benchmarks.md`.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use external_secrets::sandbox::{Fault, SecretPermission, Vault};
use kube::api::{DynamicObject, ListParams};
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity};
use serde_json::{Value, json};
use test_stage::cluster_access::{DEADLINE, condition};
use test_stage::controller_process::Controller;
use test_stage::scene::Scene;
use test_stage::world::World;

/// How long an ExternalSecret of another namespace may take, in an unoptimized build on a busy machine.
const SOON: Duration = Duration::from_secs(40);

/// Templates that use a lot of processor time within one ExternalSecret's budget.
const COSTLY: [&str; 3] = [
    r#"{{range until 5}}{{$k := genPrivateKey "rsa"}}{{len $k}} {{end}}"#,
    r#"{{range until 20}}{{$h := bcrypt "password"}}{{len $h}} {{end}}"#,
    r#"{{range until 3000}}{{range until 3000}}{{$x := sha512sum "a"}}{{end}}{{end}}"#,
];

/// A tenant with values from the fake provider, whose templates compute all the time.
async fn attack(tenant: &Scene, external_secrets: usize) {
    let fake = json!({"fake": {"data": [{"key": "a", "value": "1"}]}});
    tenant
        .apply(json!({"apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": "fake"},
                       "spec": {"provider": fake}}))
        .await;
    for number in 0..external_secrets {
        let template = COSTLY[number % COSTLY.len()];
        let data: Value =
            (0..4).map(|key| (format!("k{key}"), Value::from(template))).collect::<serde_json::Map<_, _>>().into();
        let name = format!("attack-{number}");
        let mut object = tenant.manifest_for("SecretStore", "fake", &name, "1s", &[("a", "a")]);
        object["spec"]["target"]["template"] = json!({"data": data});
        tenant.apply(object).await;
    }
}

/// Checks that a new ExternalSecret of somebody else syncs soon, and that the endpoints answer.
async fn others_go_on(victim: &Scene, name: &str, controller: &Controller) {
    let synced = async {
        victim.external_secret(name, "1h", &[("value", "secret")]).await;
        victim.until_secret(name, json!({"value": "hello"})).await;
    };
    tokio::time::timeout(SOON, synced).await.expect("the other tenant is not held up");
    let answered = tokio::time::timeout(SOON, async {
        controller.until_ready().await;
        controller.metrics().await
    });
    assert!(answered.await.expect("the endpoints answer").contains("controller_runtime_active_workers"));
}

/// Confines all threads of a process to one processor, now and later.
fn give_one_processor(controller: &Controller) {
    let mut first = CpuSet::new();
    first.set(0);
    for thread in std::fs::read_dir(format!("/proc/{}/task", controller.id())).unwrap() {
        let id: i32 = thread.unwrap().file_name().to_str().unwrap().parse().unwrap();
        match sched_setaffinity(Pid::from_raw(id), &first) {
            // It has ended.
            Err(rustix::io::Errno::SRCH) => {}
            set => set.unwrap(),
        }
    }
}

async fn tenants(name: &str) -> (&'static World, Scene, Scene) {
    let world = World::without_controller().await;
    let (attacker, victim) =
        (Scene::on(world, &format!("{name}-a")).await, Scene::on(world, &format!("{name}-v")).await);
    victim.set_secret("secret", "hello");
    victim.store().await;
    (world, attacker, victim)
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_that_compute_without_end_hold_up_nobody_else_not_even_on_one_processor_or_after_a_restart() {
    let (world, attacker, victim) = tenants("compute").await;
    let controller = world.start_controller("compute", &[]).await;
    attack(&attacker, 12).await;
    controller.until_logged("computes for long; others get its slot").await;
    for name in ["first", "second"] {
        others_go_on(&victim, name, &controller).await;
    }
    give_one_processor(&controller);
    others_go_on(&victim, "one-processor", &controller).await;
    controller.kill().await;

    let controller = world.start_controller("compute-again", &[]).await;
    controller.until_logged("all watches have delivered their first list").await;
    give_one_processor(&controller);
    others_go_on(&victim, "restarted", &controller).await;
    controller.until_logged("computes for long; others get its slot").await;
    others_go_on(&victim, "later", &controller).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_whose_vault_does_not_answer_leaves_places_to_the_others() {
    let (world, attacker, victim) = tenants("hang").await;
    attacker.store().await;
    let controller = world.start_controller("hang", &["--concurrent=8"]).await;
    others_go_on(&victim, "before", &controller).await;
    attacker.vault.fault(Fault::latency(Duration::from_mins(10)));
    for number in 0..40 {
        attacker.external_secret(&format!("hangs-{number}"), "1s", &[("value", &format!("s{number}"))]).await;
    }
    // The most that one namespace gets.
    controller.until_measured("controller_runtime_active_workers{controller=\"externalsecret\"} 7").await;
    others_go_on(&victim, "after", &controller).await;
}

/// How many connections a process has to the proxy that leads to vaults and authorities.
fn connections(world: &World, controller: &Controller) -> usize {
    let environment = world.sandbox.environment();
    let (_, proxy) = environment.iter().find(|(name, _)| name == "HTTPS_PROXY").expect("a proxy");
    let proxy: u16 = proxy.trim_end_matches('/').rsplit(':').next().unwrap().parse().unwrap();
    let process = format!("/proc/{}", controller.id());
    let files = std::fs::read_dir(format!("{process}/fd")).unwrap().filter_map(Result::ok);
    let own: BTreeSet<_> = files.filter_map(|file| std::fs::read_link(file.path()).ok()).collect();
    let sockets = std::fs::read_to_string(format!("{process}/net/tcp")).unwrap();
    let to_proxy = |line: &&str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (remote, inode) = (fields[2], fields[9]);
        remote.ends_with(&format!(":{proxy:04X}")) && own.contains(Path::new(&format!("socket:[{inode}]")))
    };
    sockets.lines().skip(1).filter(to_proxy).count()
}

/// Another vault of the tenant, with a store and an ExternalSecret that reads it.
async fn another_vault(world: &World, tenant: &Scene, name: &str) -> Vault {
    let vault = world.sandbox.vault(name).unwrap();
    vault.set_secret("secret", "hello").unwrap();
    vault.allow(&tenant.application, SecretPermission::Get);
    let mut store = tenant.store_manifest("SecretStore", name);
    store["spec"]["provider"]["azurekv"]["vaultUrl"] = vault.url().into();
    tenant.apply(store).await;
    tenant.apply(tenant.manifest_for("SecretStore", name, name, "1h", &[("value", "secret")])).await;
    vault
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_with_hundreds_of_vaults_that_answer_leaves_few_connections_open() {
    /// The vaults of one namespace whose connections stay open, with one connection each.
    const KEPT: usize = 32;
    /// The vault of the other tenant, and Entra ID.
    const OTHERS: usize = 8;
    let (world, attacker, victim) = tenants("idle").await;
    let controller = world.start_controller("idle", &[]).await;
    others_go_on(&victim, "before", &controller).await;
    for number in 0..200 {
        another_vault(world, &attacker, &format!("answers-{number}")).await;
    }
    for number in 0..200 {
        attacker.until_secret(&format!("answers-{number}"), json!({"value": "hello"})).await;
    }
    others_go_on(&victim, "after", &controller).await;
    let few = async {
        while connections(world, &controller) > KEPT + OTHERS {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // Without a bound they would stay open for a minute and a half.
    let closed = tokio::time::timeout(SOON, few).await;
    assert!(closed.is_ok(), "{} connections", connections(world, &controller));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_with_hundreds_of_vaults_that_do_not_answer_leaves_connections_to_the_others() {
    /// The most that one namespace gets.
    const MOST: usize = 256;
    /// Connections that are closing, and those of the others.
    const MORE: usize = 64;
    let (world, attacker, victim) = tenants("open").await;
    let controller = world.start_controller("open", &["--concurrent=512"]).await;
    others_go_on(&victim, "before", &controller).await;
    for number in 0..400 {
        let vault = another_vault(world, &attacker, &format!("hangs-{number}")).await;
        vault.fault(Fault::latency(Duration::from_mins(10)));
    }
    let is_told = async {
        loop {
            let all = attacker.api("ExternalSecret").list(&ListParams::default()).await.unwrap();
            let is_crowded = |object: &DynamicObject| {
                let message = condition(&object.data, "Ready")["message"].to_string();
                message.contains("too many requests to vaults and authorities are in flight")
            };
            if all.items.iter().any(is_crowded) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(DEADLINE, is_told).await.expect("who has too many is told so");
    let open = connections(world, &controller);
    assert!((MOST / 4..=MOST + MORE).contains(&open), "{open} connections");
    others_go_on(&victim, "after", &controller).await;
}
