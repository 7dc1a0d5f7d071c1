//! A cluster whose CRDs came from an older ESO.

use external_secrets::api::crd;
use serde_json::{Value, json};

use crate::scene::Scene;
use crate::world::World;

/// Our CRDs in the shape of ESO v0.9.0's: `v1beta1` is served and stored, and there is no `v1`.
fn v1beta1_alone() -> Vec<Value> {
    let definitions = crd::all().into_iter().map(|definition| serde_json::to_value(definition).unwrap());
    definitions
        .map(|mut definition| {
            let versions = definition["spec"]["versions"].as_array_mut().unwrap();
            versions.retain(|version| version["name"] == "v1beta1");
            versions[0]["storage"] = true.into();
            definition
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_v1beta1_alone_is_served_everything_works_in_it() {
    let world = World::with_crds(v1beta1_alone()).await;
    let scene = Scene::in_version(world, "external-secrets.io/v1beta1", "old-crds").await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    scene.external_secret("example", "1h", &[("greeting", "greeting")]).await;
    let secret = scene.until_secret("example", json!({"greeting": "hello"})).await;
    assert_eq!(
        secret["metadata"]["ownerReferences"][0]["apiVersion"], "external-secrets.io/v1beta1",
        "the garbage collector must be able to find the owner"
    );
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    scene.delete("ExternalSecret", "example").await;
    scene.until_gone("Secret", "example").await;
}
