//! Objects that the API server accepts and most libraries cannot parse. Whoever may write one must not hide anybody
//! else's objects, neither while the controller runs nor when it starts.

use external_secrets::sandbox::SecretPermission;
use serde_json::{Value, json};
use test_stage::api_proxy::{ApiFault, ApiProxy};
use test_stage::cluster_access::Access;
use test_stage::controller_process::Controller;
use test_stage::scene::{SERVICE_ACCOUNT, Scene};
use test_stage::world::World;

/// A time valid in Go. `jiff`'s last one is a day earlier.
const NEVER: &str = "9999-12-31T23:59:59Z";
const ARGUMENTS: [&str; 2] = ["--unsafe-allow-generic-targets", "--store-requeue-interval=1h"];

const GENERATORS_VERSION: &str = "generators.external-secrets.io/v1alpha1";
/// The kinds of generators, each with a spec.
const GENERATORS: [(&str, &str); 6] = [
    ("Password", r#"{"length": 12}"#),
    ("UUID", "{}"),
    ("SSHKey", "{}"),
    ("Fake", r#"{"data": {"faked": "value"}}"#),
    ("ClusterGenerator", r#"{"kind": "Fake", "generator": {"fakeSpec": {"data": {"faked-for-all": "value"}}}}"#),
    (
        "ACRAccessToken",
        r#"{"registry": "nobody.azurecr.io", "auth": {"workloadIdentity": {"serviceAccountRef": {"name": "azure-key-vault"}}}}"#,
    ),
];

/// Objects that only this test can read, since its client cannot parse them.
struct Raw<'a> {
    access: &'a Access,
    path: String,
}

impl<'a> Raw<'a> {
    fn of(access: &'a Access, kind: &str, name: &str) -> Self {
        Self { access, path: format!("{}/{name}", access.api(kind).resource_url()) }
    }

    async fn send(&self, method: &str, path: &str, body: Vec<u8>) -> kube::Result<String> {
        let request = http::Request::builder().method(method).uri(path).header("content-type", "application/json");
        self.access.client.request_text(request.body(body).unwrap()).await
    }

    async fn get(&self) -> Value {
        self.get_opt().await.unwrap_or_else(|| panic!("{} does not exist", self.path))
    }

    async fn get_opt(&self) -> Option<Value> {
        match self.send("GET", &self.path, Vec::new()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            answer => Some(serde_json::from_str(&answer.unwrap()).unwrap()),
        }
    }

    /// Replaces the object; returns what the API server stored.
    async fn replace(&self, change: impl Fn(&mut Value)) -> String {
        // The controller or a test may write it at the same time.
        loop {
            let mut object = self.get().await;
            change(&mut object);
            match self.send("PUT", &self.path, object.to_string().into_bytes()).await {
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                answer => return answer.unwrap(),
            }
        }
    }

    /// Gives the object an unreadable `managedFields` entry.
    async fn spoil(&self) {
        let spoil = |object: &mut Value| {
            // For a nonexistent field, so nobody removes it.
            let entry = json!({
                "manager": "odd", "operation": "Update", "apiVersion": object["apiVersion"], "time": NEVER,
                "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": {"f:odd": {}}}},
            });
            object["metadata"]["managedFields"] = json!([entry]);
        };
        let stored = self.replace(spoil).await;
        assert!(stored.contains(NEVER), "{} is as the test needs it: {stored}", self.path);
    }

    /// Gives the object a deeply nested `managedFields` entry that is not text, if the API server accepts it.
    async fn spoil_further(&self) {
        let mut object = self.get().await;
        object["metadata"]["managedFields"] = json!([{
            "manager": "odd", "operation": "Update", "apiVersion": object["apiVersion"], "time": NEVER,
            "fieldsType": "FieldsV1", "fieldsV1": "${fields}",
        }]);
        let deep = format!("{}{{}}{}", r#"{"f:a":"#.repeat(2_000), "}".repeat(2_000));
        for fields in [&br#"{"f:metadata":{"f:labels":{"f:\xff\xfe":{}}}}"#[..], br#"{"f:\ud800":{}}"#, deep.as_bytes()]
        {
            let text = object.to_string();
            let (before, after) = text.split_once(r#""${fields}""#).unwrap();
            let body = [before.as_bytes(), fields, after.as_bytes()].concat();
            // If it refuses, there is no danger. If it accepts, this client cannot read the answer either.
            let _ = self.send("PUT", &self.path, body).await;
        }
    }

    /// Writes a status as anybody with that right can.
    async fn set_status(&self, status: &Value) {
        let path = format!("{}/status", self.path);
        let mut object = self.get().await;
        object["status"] = status.clone();
        let stored = self.send("PUT", &path, object.to_string().into_bytes()).await.unwrap();
        assert!(stored.contains(NEVER), "{stored}");
    }
}

/// A tenant that writes odd objects, and another one.
struct Stage {
    world: &'static World,
    odd: Scene,
    well: Scene,
}

impl Stage {
    async fn build() -> Self {
        let world = World::without_controller().await;
        let (odd, well) = (Scene::on(world, "odd").await, Scene::on(world, "well").await);
        for scene in [&odd, &well] {
            scene.set_secret("greeting", "hello");
            scene.store().await;
        }
        odd.vault.allow(&odd.application, SecretPermission::Set);
        let stage = Self { world, odd, well };
        stage.furnish().await;
        stage
    }

    /// The tenant's objects, of every watched kind.
    async fn furnish(&self) {
        let odd = &self.odd;
        let labels = json!({"reconcile.external-secrets.io/managed": "true"});
        odd.apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "merged", "labels": labels},
            "stringData": {"other": "value"}}))
            .await;
        let mut merged = odd.manifest("merged", "1h", &[("greeting", "greeting")]);
        merged["spec"]["target"]["creationPolicy"] = "Merge".into();
        odd.apply(merged).await;

        odd.apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "templates"},
            "data": {"made": "{{ .greeting }} from a template"}}))
            .await;
        let mut templated = odd.manifest("templated", "1h", &[("greeting", "greeting")]);
        let from = json!([{"configMap": {"name": "templates", "items": [{"key": "made", "templateAs": "Values"}]}}]);
        templated["spec"]["target"]["template"] = json!({"templateFrom": from});
        odd.apply(templated).await;

        odd.apply(json!({"apiVersion": "config.example.com/v1", "kind": "AppConfig",
            "metadata": {"name": "generic", "labels": labels}, "spec": {"mode": "safe"}}))
            .await;
        let mut generic = odd.manifest("generic", "1h", &[("greeting", "greeting")]);
        generic["spec"]["target"]["creationPolicy"] = "Merge".into();
        generic["spec"]["target"]["manifest"] = json!({"apiVersion": "config.example.com/v1", "kind": "AppConfig"});
        odd.apply(generic).await;
        odd.apply(odd.store_manifest("SecretStore", odd.name())).await;
        self.furnish_generators().await;
        self.furnish_further_kinds().await;
    }

    /// Generators of each kind, and an ExternalSecret that uses them: their kinds are watched from their first use on.
    async fn furnish_generators(&self) {
        let odd = &self.odd;
        for (kind, spec) in GENERATORS {
            odd.apply(json!({"apiVersion": GENERATORS_VERSION, "kind": kind, "metadata": {"name": odd.name()},
                "spec": serde_json::from_str::<Value>(spec).unwrap()}))
                .await;
        }
        let from = |kind: &str| json!({"sourceRef": {"generatorRef": {"apiVersion": GENERATORS_VERSION, "kind": kind, "name": odd.name()}}});
        let used: Vec<_> = GENERATORS.iter().map(|(kind, _)| *kind).filter(|kind| *kind != "ACRAccessToken").collect();
        odd.apply(json!({"apiVersion": odd.version, "kind": "ExternalSecret", "metadata": {"name": "generated"},
            "spec": {"dataFrom": used.into_iter().map(from).collect::<Vec<_>>()}}))
            .await;
        odd.apply(json!({"apiVersion": odd.version, "kind": "ExternalSecret", "metadata": {"name": "registry"},
            "spec": {"dataFrom": [from("ACRAccessToken")]}}))
            .await;
    }

    async fn furnish_further_kinds(&self) {
        let odd = &self.odd;
        let selectors = json!([{"matchLabels": {"kubernetes.io/metadata.name": odd.name()}}]);
        odd.apply(json!({"apiVersion": odd.version, "kind": "ClusterExternalSecret", "metadata": {"name": odd.name()},
            "spec": {"externalSecretName": "of-cluster", "namespaceSelectors": selectors,
                "externalSecretSpec": {"refreshInterval": "1h",
                    "secretStoreRef": {"name": odd.name(), "kind": "ClusterSecretStore"},
                    "data": [{"secretKey": "greeting", "remoteRef": {"key": "greeting"}}]}}}))
            .await;
        let push = json!({"refreshInterval": "1h", "secretStoreRefs": [{"name": odd.name(), "kind": "SecretStore"}],
            "selector": {"secret": {"name": "merged"}},
            "data": [{"match": {"secretKey": "other", "remoteRef": {"remoteKey": "odd-other"}}}]});
        odd.apply(json!({"apiVersion": "external-secrets.io/v1alpha1", "kind": "PushSecret",
            "metadata": {"name": "pushed"}, "spec": push}))
            .await;
        let mut of_cluster = push;
        of_cluster["data"][0]["match"]["remoteRef"]["remoteKey"] = "odd-of-cluster".into();
        odd.apply(json!({"apiVersion": "external-secrets.io/v1alpha1", "kind": "ClusterPushSecret",
            "metadata": {"name": odd.name()},
            "spec": {"pushSecretName": "of-cluster", "namespaceSelectors": selectors, "pushSecretSpec": of_cluster}}))
            .await;
    }

    /// Every object that the controller sees.
    fn all(&self) -> Vec<Raw<'_>> {
        let odd = &self.odd;
        let of = |kind, name| Raw::of(odd, kind, name);
        let generators = GENERATORS.iter().map(|(kind, _)| of(kind, odd.name()));
        let mut all = vec![
            of("Secret", "merged"),
            of("ConfigMap", "templates"),
            of("ServiceAccount", SERVICE_ACCOUNT),
            of("Namespace", odd.name()),
            of("AppConfig", "generic"),
            of("ExternalSecret", "merged"),
            of("ExternalSecret", "templated"),
            of("SecretStore", odd.name()),
            of("ClusterSecretStore", odd.name()),
            of("ExternalSecret", "generated"),
            of("ClusterExternalSecret", odd.name()),
            of("PushSecret", "pushed"),
            of("ClusterPushSecret", odd.name()),
        ];
        all.extend(generators);
        all
    }

    async fn start(&self, log: &str) -> Controller {
        self.world.start_controller(log, &ARGUMENTS).await
    }

    /// Checks that a new ExternalSecret of the other tenant is synced, and that a change in its vault arrives.
    async fn others_go_on(&self, controller: &Controller, name: &str) {
        controller.until_ready().await;
        self.well.external_secret(name, "1h", &[("greeting", "greeting")]).await;
        self.well.until_secret(name, json!({"greeting": "hello"})).await;
        let log = controller.log();
        assert!(!log.contains("a watch was interrupted"), "{log}");
        assert!(!log.contains("could not be read"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_hold_what_cannot_be_read_are_worked_on_as_all_others_are() {
    let stage = Stage::build().await;
    for object in stage.all() {
        object.spoil().await;
    }
    let condition = json!({"type": "Ready", "status": "Perhaps", "lastTransitionTime": NEVER});
    let odd = &stage.odd;
    for name in ["merged", "templated"] {
        let status = json!({"refreshTime": NEVER, "syncedResourceVersion": "1-x", "conditions": [condition]});
        Raw::of(odd, "ExternalSecret", name).set_status(&status).await;
    }
    for (kind, name) in
        [("ClusterExternalSecret", odd.name()), ("PushSecret", "pushed"), ("ClusterPushSecret", odd.name())]
    {
        let status = json!({"refreshTime": NEVER, "conditions": [condition]});
        Raw::of(odd, kind, name).set_status(&status).await;
    }
    Raw::of(odd, "SecretStore", odd.name()).set_status(&json!({"conditions": [condition]})).await;
    // The last and the first readable time.
    for (name, time) in [("last", "9999-12-30T21:59:59Z"), ("first", "0000-01-01T00:00:00Z")] {
        odd.external_secret(name, "1h", &[("greeting", "greeting")]).await;
        let status = json!({"refreshTime": time, "syncedResourceVersion": NEVER, "conditions": [condition]});
        Raw::of(odd, "ExternalSecret", name).set_status(&status).await;
    }

    let controller = stage.start("odd").await;
    stage.others_go_on(&controller, "at-the-start").await;
    // The tenant's own objects sync too.
    let merged = Raw::of(odd, "Secret", "merged");
    let is_merged = |secret: &Value| secret["data"]["greeting"] == "aGVsbG8=" && secret["data"]["other"] == "dmFsdWU=";
    let merged = eventually(&merged, is_merged).await;
    assert!(merged["metadata"]["managedFields"].to_string().contains(NEVER), "what others wrote stays: {merged:#}");
    let made = json!({"made": "hello from a template"});
    stage.odd.until_secret("templated", made).await;
    eventually(&Raw::of(odd, "AppConfig", "generic"), |object| object["spec"]["data"]["greeting"] == "hello").await;
    let of_cluster = Raw::of(odd, "ExternalSecret", "of-cluster");
    eventually(&of_cluster, |child| child["metadata"]["ownerReferences"][0]["name"] == odd.name()).await;
    let is_pushed = |object: &Value| {
        test_stage::cluster_access::condition(object, "Ready")["status"] == "True"
            && object["status"]["refreshTime"] != NEVER
    };
    for name in ["pushed", "of-cluster"] {
        eventually(&Raw::of(odd, "PushSecret", name), is_pushed).await;
    }
    for name in ["merged", "templated", "last", "first", "generated"] {
        let is_synced = |object: &Value| {
            let ready = test_stage::cluster_access::condition(object, "Ready");
            ready["status"] == "True"
                && ready["lastTransitionTime"] != NEVER
                && object["status"]["refreshTime"] != NEVER
        };
        eventually(&Raw::of(odd, "ExternalSecret", name), is_synced).await;
    }

    // And while it runs: as watch events.
    for object in stage.all() {
        object.spoil().await;
        object.spoil_further().await;
    }
    stage.others_go_on(&controller, "while-it-runs").await;
    controller.kill().await;
    let again = stage.start("odd-again").await;
    stage.others_go_on(&again, "after-a-restart").await;
    let metrics = again.metrics().await;
    assert!(!metrics.contains("external_secrets_unreadable_objects_total{"), "all of them can be read: {metrics}");
}

/// Waits until an object satisfies `wanted`.
async fn eventually(object: &Raw<'_>, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let found = tokio::time::timeout(test_stage::cluster_access::DEADLINE, async {
        loop {
            // The controller may not have made it yet.
            last = object.get_opt().await.unwrap_or_default();
            if wanted(&last) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    });
    assert!(found.await.is_ok(), "{} did not become as it should: {last:#}", object.path);
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_fail_are_requested_less_and_less_often() {
    let scene = Scene::with_own_controller("list-backoff").await;
    let proxy = ApiProxy::start(scene.kubeconfig(), scene.world.cluster.directory()).await;
    let fault = proxy.fault(ApiFault::RefuseLists(503), 1.0);
    let began = std::time::Instant::now();
    let controller = scene.start_controller_through(&proxy, &[]).await;
    let asked = tokio::time::timeout(test_stage::cluster_access::DEADLINE, async {
        while proxy.asked("list /secrets") < 6 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    assert!(asked.await.is_ok(), "it tries again");
    // Six tries with 0.1, 0.2, 0.4, 0.8 and 1.6 s between them.
    assert!(began.elapsed() >= std::time::Duration::from_secs(3), "after {:?}", began.elapsed());
    for (watch, times) in interruptions(&controller.log()) {
        assert!(times <= 2, "the watch of {watch} says so {times} times: at its first failure and at the eleventh");
    }
    proxy.lift(fault);
    controller.until_ready().await;
}

/// How often each watch was logged as interrupted.
fn interruptions(log: &str) -> std::collections::BTreeMap<String, usize> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let said =
        lines.filter(|line| line["message"].as_str().is_some_and(|text| text.starts_with("a watch was interrupted")));
    let mut times = std::collections::BTreeMap::new();
    for line in said {
        *times.entry(line["watch"].to_string()).or_default() += 1;
    }
    times
}
