//! What the readiness probe reports about a broken connection to the API server, and how the connection recovers.

use serde_json::json;
use test_stage::api_proxy::{ApiProxy, Flow};
use test_stage::controller_process::Controller;
use test_stage::scene::Scene;

/// An API server sends bookmarks about once a minute, too long for a test. With this flag, the controller reopens
/// watches all the time.
const SHORT: &str = "--watch-silence=1s";

async fn started(name: &str) -> (Scene, ApiProxy, Controller) {
    let scene = Scene::with_own_controller(name).await;
    let proxy = ApiProxy::start(scene.kubeconfig(), scene.world.cluster.directory()).await;
    proxy.pass();
    let controller = scene.start_controller_through(&proxy, &[SHORT]).await;
    controller.until_ready().await;
    scene.set_secret("greeting", "hello");
    scene.set_secret("other", "bye");
    scene.store().await;
    scene.external_secret("example", "1s", &[("greeting", "greeting")]).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
    (scene, proxy, controller)
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_watches_are_reopened() {
    let (scene, proxy, controller) = started("watch-frozen").await;
    proxy.freeze_watches();
    scene.external_secret("example", "1s", &[("greeting", "other")]).await;
    scene.until_secret("example", json!({"greeting": "bye"})).await;
    controller.until_ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_watches_are_wedged_is_not_ready_until_they_hear_something_again() {
    let (scene, proxy, controller) = started("watch-wedged").await;
    proxy.let_pass(Flow::NoWatches);
    controller.until_readyz(503, "has shown no sign of life for ").await;
    // Everything else works in the meantime.
    scene.set_secret("greeting", "hello again");
    scene.until_secret("example", json!({"greeting": "hello again"})).await;
    scene.external_secret("example", "1s", &[("greeting", "other")]).await;
    proxy.let_pass(Flow::All);
    scene.until_secret("example", json!({"greeting": "bye"})).await;
    controller.until_ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_the_api_server_does_not_answer_is_not_ready_until_it_does() {
    let (scene, proxy, controller) = started("api-silent").await;
    proxy.let_pass(Flow::Nothing);
    controller.until_readyz(503, "the API server has not answered for ").await;
    proxy.let_pass(Flow::All);
    controller.until_ready().await;
    scene.external_secret("example", "1s", &[("greeting", "other")]).await;
    scene.until_secret("example", json!({"greeting": "bye"})).await;
}
