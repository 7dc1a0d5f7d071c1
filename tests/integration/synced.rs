//! What the program writes to a synced ExternalSecret, computed with the program's own functions.

use external_secrets::sync::hash;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

/// The hashes of a scene's ExternalSecrets.
pub trait Synced {
    /// Waits until the latest generation of an ExternalSecret is synced.
    async fn until_synced(&self, name: &str);

    /// The hash of `namespace/name`, as ESO writes it to a Secret's label.
    fn owner_hash(&self, external_secret: &str) -> String;
}

impl Synced for Scene {
    async fn until_synced(&self, name: &str) {
        let object = self.get("ExternalSecret", name).await.unwrap();
        let meta: ObjectMeta = serde_json::from_value(object["metadata"].clone()).unwrap();
        let wanted = hash::synced_resource_version(&meta);
        self.until("ExternalSecret", name, "synced", |object| {
            object["status"]["syncedResourceVersion"] == wanted && condition(object, "Ready")["status"] == "True"
        })
        .await;
    }

    fn owner_hash(&self, external_secret: &str) -> String {
        hash::owner_label(self.name(), external_secret)
    }
}
