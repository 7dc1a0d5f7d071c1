//! Two replicas of the controller, one of which leads.

use std::time::Duration;

use serde_json::json;
use test_stage::api_proxy::ApiProxy;
use test_stage::cluster_access::Access;
use test_stage::scene::Scene;

/// Short enough for a test to wait for, and long enough for a busy machine to renew in time.
const SHORT: [&str; 3] = [
    "--leader-election-lease-duration=15s",
    "--leader-election-renew-deadline=10s",
    "--leader-election-retry-period=300ms",
];
/// Longer than any test waits for a leader.
const LONG: [&str; 3] = [
    "--leader-election-lease-duration=10m",
    "--leader-election-renew-deadline=5m",
    "--leader-election-retry-period=300ms",
];

async fn scene(name: &str) -> Scene {
    let scene = Scene::with_own_controller(name).await;
    scene.set_secret("greeting", "first");
    scene.store().await;
    scene.external_secret("example", "1s", &[("greeting", "greeting")]).await;
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_paused_beyond_its_lease_writes_nothing_when_it_resumes() {
    let scene = scene("leader-stopped").await;
    let proxy = ApiProxy::start(scene.kubeconfig(), scene.world.cluster.directory()).await;
    proxy.pass();
    let first = scene.start_replica("first", &proxy.kubeconfig, SHORT).await;
    scene.until_secret("example", json!({"greeting": "first"})).await;
    let second = scene.start_replica("second", scene.kubeconfig(), SHORT).await;
    second.until_logged("another replica leads").await;

    first.pause();
    scene.set_secret("greeting", "second");
    scene.until_secret("example", json!({"greeting": "second"})).await;
    scene.until_refreshed_twice("example").await;
    assert!(
        second.metrics().await.contains("leader_election_master_status{name=\"leader-stopped"),
        "it says that it leads"
    );

    // It has plenty to do: the value has changed, and every refresh is long overdue.
    scene.set_secret("greeting", "third");
    let before = proxy.writes();
    first.resume();
    let (exit, _) = first.ended(Duration::from_secs(40)).await;
    assert_eq!(exit.code, Some(1), "it must be restarted: {}", first.log());
    assert!(first.log().contains("another replica may lead"), "{}", first.log());
    // One request may have been on its way to the socket when it was paused.
    assert!(proxy.writes() <= before + 1, "it wrote although the other leads: {}", first.log());
    scene.until_secret("example", json!({"greeting": "third"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_cannot_renew_its_lease_ends_before_another_may_lead() {
    let scene = scene("leader-cut-off").await;
    let proxy = ApiProxy::start(scene.kubeconfig(), scene.world.cluster.directory()).await;
    proxy.pass();
    let first = scene.start_replica("first", &proxy.kubeconfig, SHORT).await;
    scene.until_secret("example", json!({"greeting": "first"})).await;
    proxy.hold();
    let (exit, took) = first.ended(Duration::from_secs(40)).await;
    assert_eq!(exit.code, Some(1), "{}", first.log());
    assert!(took < Duration::from_secs(25), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_asked_to_stop_releases_its_lease() {
    let scene = scene("leader-leaves").await;
    let first = scene.start_replica("first", scene.kubeconfig(), LONG).await;
    scene.until_secret("example", json!({"greeting": "first"})).await;
    let second = scene.start_replica("second", scene.kubeconfig(), LONG).await;
    second.until_logged("another replica leads").await;
    first.terminate();
    let (exit, _) = first.ended(Duration::from_secs(30)).await;
    assert_eq!(exit.code, Some(0), "{}", first.log());
    scene.set_secret("greeting", "second");
    scene.until_secret("example", json!({"greeting": "second"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_with_times_at_the_end_of_the_calendar_is_taken_over() {
    let scene = scene("leader-odd").await;
    let of_the_controller = Access { namespace: "default".to_owned(), ..(*scene).clone() };
    let last = "9999-12-31T23:59:59.999999Z";
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": scene.name()},
        "spec": {
            "holderIdentity": "gone", "leaseDurationSeconds": 1, "leaseTransitions": i32::MAX,
            "acquireTime": last, "renewTime": last,
        },
    });
    assert_eq!(of_the_controller.apply(lease).await["spec"]["renewTime"], last);
    let controller = scene.start_replica("first", scene.kubeconfig(), SHORT).await;
    scene.until_secret("example", json!({"greeting": "first"})).await;
    controller.terminate();
    assert_eq!(controller.ended(Duration::from_secs(30)).await.0.code, Some(0), "{}", controller.log());
}
