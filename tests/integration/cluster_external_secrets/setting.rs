//! A ClusterExternalSecret and its selected namespaces.

use external_secrets::api::v1::ClusterExternalSecret;
use serde_json::{Value, json};

use test_stage::cluster_access::{Access, condition};
use test_stage::scene::Scene;

/// The kind.
pub const OWNER: &str = ClusterExternalSecret::KIND;

/// A scene whose ClusterExternalSecret selects namespaces by the label `scene`. Its vault has the secret `greeting`.
pub struct Setting {
    pub scene: Scene,
}

impl Setting {
    /// In the shared world, whose controller works in all namespaces.
    pub async fn new(name: &str) -> Self {
        Self::of_scene(Scene::new(name).await).await
    }

    /// With a scene of another world, and a ClusterSecretStore.
    pub async fn of_scene(scene: Scene) -> Self {
        scene.set_secret("greeting", "hello");
        scene.apply(scene.store_manifest("ClusterSecretStore", scene.name())).await;
        Self { scene }
    }

    /// The name of the ClusterExternalSecret.
    pub fn name(&self) -> &str {
        self.scene.name()
    }

    /// The namespace of a team.
    pub fn namespace(&self, team: &str) -> String {
        format!("{}-{team}", self.scene.name())
    }

    /// Access to a team's namespace.
    pub fn of(&self, team: &str) -> Access {
        Access { client: self.scene.client.clone(), namespace: self.namespace(team), version: self.scene.version }
    }

    /// Creates namespaces that are selected.
    pub async fn namespaces(&self, teams: &[&str]) {
        for team in teams {
            let metadata = json!({"name": self.namespace(team), "labels": {"scene": self.scene.name()}});
            self.scene.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})).await;
        }
    }

    /// Changes the label of a namespace; null removes it.
    pub async fn label(&self, team: &str, value: Value) {
        let labels = json!({"metadata": {"labels": {"scene": value}}});
        self.scene.merge("Namespace", &self.namespace(team), labels).await;
    }

    /// The namespace selectors.
    pub fn selectors(&self) -> Value {
        json!([{"matchLabels": {"scene": self.scene.name()}}])
    }

    /// A ClusterExternalSecret for them.
    pub fn manifest(&self) -> Value {
        json!({
            "apiVersion": self.scene.version,
            "kind": OWNER,
            "metadata": {"name": self.name()},
            "spec": {
                "namespaceSelectors": self.selectors(),
                "externalSecretSpec": {
                    "refreshInterval": "1h",
                    "secretStoreRef": {"name": self.scene.name(), "kind": "ClusterSecretStore"},
                    "data": [{"secretKey": "greeting", "remoteRef": {"key": "greeting"}}],
                },
            },
        })
    }

    pub async fn apply(&self, manifest: Value) {
        self.scene.apply(manifest).await;
    }

    /// Changes the ClusterExternalSecret.
    pub async fn merge(&self, patch: Value) {
        self.scene.merge(OWNER, self.name(), patch).await;
    }

    pub async fn get(&self) -> Value {
        self.scene.get(OWNER, self.name()).await.unwrap()
    }

    pub async fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.scene.until(OWNER, self.name(), what, wanted).await
    }

    /// Waits until the status, for the latest generation, lists exactly these teams and no failures.
    pub async fn until_provisioned(&self, teams: &[&str]) -> Value {
        let expected: Vec<_> = teams.iter().map(|team| Value::from(self.namespace(team))).collect();
        let what = format!("provisioned in {teams:?}");
        self.until(&what, |object| {
            let status = &object["status"];
            let ready = condition(object, "Ready");
            status["provisionedNamespaces"].as_array().cloned().unwrap_or_default() == expected
                && status.get("failedNamespaces").is_none()
                && ready["status"] == "True"
                && ready["observedGeneration"] == object["metadata"]["generation"]
        })
        .await
    }
}
