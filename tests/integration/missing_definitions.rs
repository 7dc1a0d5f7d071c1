//! A cluster without some of the CRDs, as with `installCRDs: false`.

use external_secrets::api::crd;
use external_secrets::sandbox::Config;
use serde_json::json;
use test_stage::cluster_access::Access;
use test_stage::scene::Scene;
use test_stage::world::World;

const LACKS_ALL: &str = "the API server does not serve externalsecrets.external-secrets.io, \
     clusterexternalsecrets.external-secrets.io, secretstores.external-secrets.io, clustersecretstores.external-secrets.io in version v1: apply the files in crds/, or what `external-secrets crds` prints";
const LACKS_ONE: &str = "the API server does not serve clustersecretstores.external-secrets.io in version v1: apply the files in \
     crds/, or what `external-secrets crds` prints";

async fn define(access: &Access, wanted: impl Fn(&str) -> bool) {
    for definition in crd::all() {
        let definition = serde_json::to_value(definition).unwrap();
        if wanted(definition["metadata"]["name"].as_str().unwrap()) {
            access.apply(definition).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_that_are_missing_are_named_with_the_remedy_and_work_begins_when_they_are_there() {
    let world = World::empty(Config::default()).await;
    let access =
        Access { client: world.client().await, namespace: "default".to_owned(), version: "external-secrets.io/v1" };
    let scene = Scene::on(world, "definitions").await;
    scene.set_secret("greeting", "hello");
    let controller = world.start_controller("definitions", &[]).await;
    controller.until_readyz(503, LACKS_ALL).await;
    define(&access, |name| name != "clustersecretstores.external-secrets.io").await;
    controller.until_readyz(503, LACKS_ONE).await;
    for words in [LACKS_ALL, LACKS_ONE] {
        assert_eq!(controller.log().matches(words).count(), 1, "it is said once: {}", controller.log());
    }

    // A controller without ClusterSecretStores does not need their CRD.
    let without = world.start_controller("no-cluster-stores", &["--enable-cluster-store-reconciler=false"]).await;
    without.until_ready().await;
    without.kill().await;

    define(&access, |_| true).await;
    controller.until_ready().await;
    scene.store().await;
    scene.external_secret("example", "1h", &[("greeting", "greeting")]).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
}
