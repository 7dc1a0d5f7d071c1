//! What tools read in a status: kstatus, which Flux and Helm use, and `kubectl wait`.

use std::time::Duration;

use azure_sandbox::SecretPermission;
use go_oracle::Module;
use serde_json::{Value, json};
use test_stage::api_proxy::ApiProxy;
use test_stage::cluster_access::{DEADLINE, condition};
use test_stage::controller_process::Controller;
use test_stage::scene::Scene;
use test_stage::world::{World, crds_of_eso};

const TOOLS: Module = Module::of(env!("CARGO_MANIFEST_DIR"));

/// kstatus's verdict on objects of a scene.
async fn verdicts<const N: usize>(scene: &Scene, objects: [(&str, &str); N]) -> [String; N] {
    let mut input = String::new();
    for (kind, name) in objects {
        input += &scene.get(kind, name).await.unwrap().to_string();
    }
    let printed = tokio::task::spawn_blocking(|| TOOLS.run_on("kstatus", &[], input.into_bytes())).await.unwrap();
    let verdicts: Vec<_> = printed.lines().map(str::to_owned).collect();
    verdicts.try_into().unwrap()
}

/// Waits with kubectl itself.
fn wait(scene: &Scene, resource: &str, condition: &str) {
    scene.kubectl(&["wait", resource, &format!("--for=condition={condition}"), "--timeout=90s"]);
}

/// A PushSecret of a key of a Secret, to the store of the scene.
fn push_secret(scene: &Scene, name: &str, secret: &str) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1alpha1", "kind": "PushSecret", "metadata": {"name": name},
        "spec": {
            "secretStoreRefs": [{"name": scene.name(), "kind": scene.store_kind()}],
            "selector": {"secret": {"name": secret}},
            "data": [{"match": {"secretKey": "a", "remoteRef": {"remoteKey": format!("pushed-{name}")}}}],
        },
    })
}

fn generation(object: &Value) -> i64 {
    object["metadata"]["generation"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_in_progress_from_their_creation_until_they_were_worked_on() {
    let world = World::without_controller().await;
    let scene = Scene::on(world, "status-new").await;
    let name = scene.name();
    scene.set_secret("one", "value");
    scene.apply(scene.store_manifest("SecretStore", "own")).await;
    scene.store().await;
    scene.external_secret("good", "1h", &[("a", "one")]).await;
    scene.external_secret("bad", "1h", &[("a", "missing")]).await;
    let mut parent =
        json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret", "metadata": {"name": name}});
    parent["spec"] =
        json!({"namespaces": [name], "externalSecretSpec": scene.manifest("x", "1h", &[("a", "one")])["spec"]});
    parent["spec"]["externalSecretSpec"]["target"] = json!({"name": "from-parent"});
    scene.apply(parent).await;
    scene.apply(push_secret(&scene, "good", "exists")).await;
    scene.apply(push_secret(&scene, "bad", "missing")).await;
    let mut stalled = push_secret(&scene, "stalled", "exists");
    stalled["spec"]["dataTo"] = json!([{"storeRef": {"name": "another"}}]);
    scene.apply(stalled).await;
    scene
        .apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "exists"}, "stringData": {"a": "1"}}))
        .await;
    let mut parent = json!({
        "apiVersion": "external-secrets.io/v1alpha1", "kind": "ClusterPushSecret", "metadata": {"name": name},
    });
    let selector = json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
    let child = push_secret(&scene, "x", "exists")["spec"].clone();
    parent["spec"] = json!({"namespaceSelectors": [selector], "pushSecretSpec": child});
    scene.apply(parent).await;
    scene.vault.allow(&scene.application, [SecretPermission::Get, SecretPermission::Set, SecretPermission::List]);
    let all = [
        ("SecretStore", "own"),
        ("ClusterSecretStore", name),
        ("ExternalSecret", "good"),
        ("ExternalSecret", "bad"),
        ("ClusterExternalSecret", name),
        ("PushSecret", "good"),
        ("PushSecret", "bad"),
        ("PushSecret", "stalled"),
        ("ClusterPushSecret", name),
    ];
    assert_eq!(verdicts(&scene, all).await, ["InProgress"; 9]);

    let _controller = world.start_controller("status-new", &[]).await;
    for resource in ["secretstore/own", &format!("css/{name}"), "externalsecret/good", &format!("ces/{name}")] {
        wait(&scene, resource, "Ready");
    }
    wait(&scene, "externalsecret/bad", "Ready=False");
    for resource in ["pushsecret/good", &format!("clusterpushsecret/{name}")] {
        wait(&scene, resource, "Ready");
    }
    wait(&scene, "pushsecret/bad", "Ready=False");
    wait(&scene, "pushsecret/stalled", "Stalled");
    let of_pushes = ["Current", "InProgress", "Failed", "Current"];
    let expected = [["Current", "Current", "Current", "InProgress", "Current"].as_slice(), &of_pushes].concat();
    assert_eq!(verdicts(&scene, all).await.as_slice(), expected);
    for (kind, name) in all {
        let object = scene.get(kind, name).await.unwrap();
        assert_eq!(object["status"]["observedGeneration"], generation(&object), "{kind} {name}");
    }
    let bad = scene.get("ExternalSecret", "bad").await.unwrap();
    assert_eq!(bad["status"]["cause"], "SecretNotFound");
    for (kind, name, cause) in [
        ("ExternalSecret", "good", None),
        ("PushSecret", "good", None),
        ("PushSecret", "bad", Some("Source")),
        ("PushSecret", "stalled", Some("DataToStore")),
    ] {
        let object = scene.get(kind, name).await.unwrap();
        assert_eq!(object["status"].get("cause").and_then(Value::as_str), cause, "{kind} {name}");
    }
    scene.set_secret("missing", "value");
    scene.force_sync("bad").await;
    let mended = scene.until("ExternalSecret", "bad", "ready", |es| condition(es, "Ready")["status"] == "True").await;
    assert_eq!(mended["status"].get("cause"), None, "the cause goes with the failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_generation_is_observed_even_if_it_changes_nothing() {
    let scene = Scene::new("status-generation").await;
    scene.set_secret("one", "value");
    scene.store().await;
    let policies = [
        ("once", json!({"refreshPolicy": "CreatedOnce"})),
        ("on-change", json!({"refreshPolicy": "OnChange"})),
        ("never", json!({"refreshInterval": "0"})),
        ("periodic", json!({})),
    ];
    for (name, policy) in &policies {
        let mut manifest = scene.manifest(name, "1h", &[("a", "one")]);
        manifest["spec"].as_object_mut().unwrap().extend(policy.as_object().unwrap().clone());
        scene.apply(manifest).await;
        scene.until_ready(name, "True", "SecretSynced", "secret synced").await;
    }
    let reads = scene.reads_of("one");
    for (name, _) in &policies {
        scene.merge("ExternalSecret", name, json!({"spec": {"target": {"deletionPolicy": "Delete"}}})).await;
        // It ignores conditions of an older generation.
        wait(&scene, &format!("externalsecret/{name}"), "Ready");
        scene.kubectl(&[
            "wait",
            &format!("externalsecret/{name}"),
            "--for=jsonpath={.status.observedGeneration}=2",
            "--timeout=90s",
        ]);
    }
    assert!(scene.reads_of("one") <= reads + 3, "what is created once is not read again");
    let objects = policies.each_ref().map(|(name, _)| ("ExternalSecret", *name));
    assert_eq!(verdicts(&scene, objects).await, ["Current"; 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_was_asked_for_is_known_by_its_text_when_it_is_over() {
    let scene = Scene::new("status-refresh").await;
    scene.store().await;
    scene.external_secret("bad", "1h", &[("a", "missing")]).await;
    let ask = async |text: &str| {
        scene.merge("ExternalSecret", "bad", json!({"metadata": {"annotations": {"force-sync": text}}})).await;
    };
    let failed = scene.until("ExternalSecret", "bad", "failed", |es| es["status"]["cause"] == "SecretNotFound").await;
    for text in ["2026-11-30T04:00:00.000000001Z", "2026-11-30T04:00:00.000000002Z"] {
        ask(text).await;
        let again = scene.until("ExternalSecret", "bad", text, |es| es["status"]["lastHandledRefresh"] == text).await;
        assert_eq!(condition(&again, "Ready"), condition(&failed, "Ready"), "the second failure says the same");
    }
    scene.set_secret("missing", "value");
    ask("third").await;
    let synced =
        scene.until("ExternalSecret", "bad", "third", |es| es["status"]["lastHandledRefresh"] == "third").await;
    assert_eq!(condition(&synced, "Ready")["status"], "True");
    scene.apply(push_secret(&scene, "push", "missing")).await;
    scene.until("PushSecret", "push", "failed", |object| object["status"]["cause"] == "Source").await;
    scene.merge("PushSecret", "push", json!({"metadata": {"annotations": {"force-sync": "again"}}})).await;
    scene.until("PushSecret", "push", "again", |object| object["status"]["lastHandledRefresh"] == "again").await;
    // Text that is not one short line is not repeated.
    ask(&"x".repeat(65)).await;
    scene.until("ExternalSecret", "bad", "too long", |es| es["status"].get("lastHandledRefresh").is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_only_a_change_can_fix_has_failed() {
    let scene = Scene::new("status-stalled").await;
    let mut store = scene.store_manifest("SecretStore", "own");
    let url = store["spec"]["provider"]["azurekv"]["vaultUrl"].clone();
    store["spec"]["provider"]["azurekv"]["vaultUrl"] = "https://example.com".into();
    scene.apply(store.clone()).await;
    wait(&scene, "secretstore/own", "Stalled");
    let stalled = scene.get("SecretStore", "own").await.unwrap();
    let (ready, condition_) = (condition(&stalled, "Ready"), condition(&stalled, "Stalled"));
    assert_eq!((&condition_["message"], &ready["status"]), (&ready["message"], &json!("False")));
    assert_eq!(verdicts(&scene, [("SecretStore", "own")]).await, ["Failed"]);
    store["spec"]["provider"]["azurekv"]["vaultUrl"] = url;
    scene.apply(store).await;
    wait(&scene, "secretstore/own", "Ready");
    assert_eq!(verdicts(&scene, [("SecretStore", "own")]).await, ["Current"]);
    let mended = scene.get("SecretStore", "own").await.unwrap();
    assert_eq!(condition(&mended, "Stalled"), Value::Null);
}

/// Waits until a counter is at least this high. The controller retries by itself, too.
async fn until_at_least(controller: &Controller, counter: &str, times: u64) {
    let reached = async {
        while controller.until_measured(counter).await.trim().parse::<u64>().unwrap() < times {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(DEADLINE, reached).await.is_ok(), "{counter}{times}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_crds_of_eso_do_not_keep_is_not_written_again_and_again() {
    let world = World::with_crds(crds_of_eso()).await;
    let scene = Scene::with_own_controller_on(world, "status-eso").await;
    let proxy = ApiProxy::start(scene.kubeconfig(), world.cluster.directory()).await;
    proxy.pass();
    let controller = scene.start_controller_through(&proxy, &[]).await;
    scene.store().await;
    scene.external_secret("bad", "1h", &[("a", "missing")]).await;
    let failures = "external_secrets_sync_failures_total{cause=\"SecretNotFound\"} ";
    until_at_least(&controller, failures, 1).await;
    for retry in 2..=11 {
        scene.force_sync("bad").await;
        until_at_least(&controller, failures, retry).await;
    }
    let patches = proxy.done("patch external-secrets.io/externalsecrets/status");
    assert!(patches <= 2, "{patches} patches in ten retries");
    let bad = scene.get("ExternalSecret", "bad").await.unwrap();
    assert_eq!(bad["status"].get("cause"), None, "the CRD does not keep it");
    scene.apply(push_secret(&scene, "push", "missing")).await;
    for retry in 1..=4 {
        until_at_least(&controller, "external_secrets_push_failures_total{cause=\"Source\"} ", retry).await;
    }
    let patches = proxy.done("patch external-secrets.io/pushsecrets/status");
    assert!(patches <= 2, "{patches} patches in four tries");
    // Fields that it does keep are still written.
    scene.set_secret("missing", "value");
    scene.force_sync("bad").await;
    scene.until_ready("bad", "True", "SecretSynced", "secret synced").await;
}
