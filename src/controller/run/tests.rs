use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::*;
use crate::api::ServedVersion;
use crate::api::v1::StoreKind;
use crate::api::v1::secret_store::StoreType;
use crate::controller::core::controllers::Controller;
use crate::controller::core::kept_fields::KeptFields;
use crate::controller::core::key::ObjectKey;
use crate::controller::core::repeated_writes::RepeatedWrites;
use crate::controller::core::watch;
use crate::controller::external_secret::context::{Context, Watched};
use crate::controller::external_secret::large_specs::LargeSpecs;
use crate::controller::external_secret::target_kinds::TargetKinds;
use crate::controller::generators::watched::WatchedGenerators;
use crate::controller::namespaces::Namespaces;
use crate::controller::options::{FloodGate, GenericTargets, Switch};
use crate::controller::secret_store::watched::WatchedStores;
use crate::controller::template_engines::Templates;
use crate::provider::{
    Caller, Freshness, Provider, ProviderError, Providers, Registries, RegistryToken, RegistryView, SecretsClient,
    StoreView, ValueMemory,
};
use crate::runtime::metrics::ObjectOptions;
use crate::template::Delimiters;

/// A provider with a bug.
struct Broken;

#[async_trait]
impl Provider for Broken {
    async fn client(&self, _: StoreView<'_>, _: Caller<'_>) -> Result<Arc<dyn SecretsClient>, ProviderError> {
        panic!("a bug that speaks of hunter2")
    }

    async fn writer(&self, _: StoreView<'_>, _: Caller<'_>) -> Result<Arc<dyn crate::provider::Writer>, ProviderError> {
        panic!("a bug")
    }
}

#[async_trait]
impl Registries for Broken {
    async fn token(&self, _: RegistryView<'_>, _: Freshness) -> Result<Arc<RegistryToken>, ProviderError> {
        panic!("a bug")
    }
}

/// The patches that an API server received. It accepts all of them.
#[derive(Clone, Default)]
struct Patches(Arc<Mutex<Vec<(String, Value)>>>);

impl Patches {
    fn client(&self) -> Client {
        let patches = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let patches = patches.clone();
            async move {
                let path = request.uri().path().to_owned();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                patches.0.lock().unwrap().push((path, serde_json::from_slice(&body).unwrap_or_default()));
                Ok::<_, std::convert::Infallible>(Response::new(Body::from(object("x", "1").to_string().into_bytes())))
            }
        });
        Client::new(service, "default")
    }

    /// Waits for the status of an ExternalSecret.
    async fn status_of(&self, name: &str) -> Value {
        let path = format!("/externalsecrets/{name}/status");
        let found = async {
            loop {
                let found = self.0.lock().unwrap().iter().find(|(to, _)| to.ends_with(&path)).cloned();
                if let Some((_, patch)) = found {
                    return patch;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), found).await.expect("a status is written")
    }
}

fn object(name: &str, interval: &str) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": name, "namespace": "n", "uid": format!("uid-of-{name}"), "resourceVersion": "1", "generation": 1},
        "spec": {
            "refreshInterval": interval, "secretStoreRef": {"name": "store"},
            "data": [{"secretKey": "a", "remoteRef": {"key": "a"}}],
        },
    })
}

fn store_of<K: watch::Watched>(dyntype: K::DynamicType, objects: Vec<Value>) -> Store<K> {
    let mut writer = Writer::new(dyntype);
    for object in objects {
        writer.apply_watcher_event(&Event::Apply(serde_json::from_value(object).unwrap()));
    }
    writer.as_reader()
}

fn context(client: Client, external_secrets: Vec<Value>) -> Arc<Context> {
    let version = ServedVersion::V1;
    let metrics = Metrics::new(ObjectOptions::default()).unwrap();
    let options = Options {
        namespace: None,
        controller_class: "default".to_owned(),
        concurrency: 4,
        store_requeue_interval: Duration::from_mins(5),
        flood_gate: FloodGate::Open,
        template_delimiters: Delimiters::new("{{", "}}"),
        generic_targets: GenericTargets::Refused,
        secret_stores: Switch::On,
        cluster_secret_stores: Switch::On,
        push_secrets: Switch::Off,
        push_token_secrets: Switch::Off,
        push_grace: Duration::from_mins(1),
        cluster_push_secrets: Switch::Off,
        cluster_external_secrets: Switch::Off,
    };
    let store = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": "store", "namespace": "n", "uid": "s"},
        "spec": {"provider": {"fake": {"data": [{"key": "a", "value": "1"}]}}},
    });
    let of_kind = |kind, stores| store_of(StoreType { kind, version }, stores);
    let watching = Watching {
        client: client.clone(),
        api_health: ApiHealth::new(metrics.api_server().clone(), Duration::from_mins(5)),
        namespace: None,
        metrics: metrics.api_server().clone(),
        vital: Vital::default(),
    };
    let stores = WatchedStores {
        version,
        secret_stores: of_kind(StoreKind::SecretStore, vec![store]),
        cluster_secret_stores: of_kind(StoreKind::ClusterSecretStore, Vec::new()),
        state: Arc::default(),
    };
    Arc::new(Context {
        version,
        templates: Templates::new(options.template_delimiters.clone()),
        options: Arc::new(options),
        providers: Providers {
            azurekv: Arc::new(Broken),
            fake: Arc::new(Broken),
            registries: Arc::new(Broken),
            memory: ValueMemory::default(),
        },
        events: Recorder::start(client.clone(), metrics.clone(), &Vital::default()).0,
        client,
        metrics,
        watched: Watched {
            external_secrets: store_of(version, external_secrets),
            secrets: store_of((), Vec::new()),
            namespaces: Namespaces::unwatched(),
            stores: Arc::new(stores),
            generators: Arc::new(WatchedGenerators::new(watching.clone(), |_| {})),
        },
        kept_fields: KeptFields::default(),
        repeated_writes: RepeatedWrites::default(),
        target_kinds: Arc::new(TargetKinds::new(watching, |_, _, _| {})),
        large_specs: LargeSpecs::default(),
        state: Arc::default(),
    })
}

#[tokio::test]
async fn a_panic_in_a_pass_becomes_a_condition_and_the_controller_carries_on() {
    let patches = Patches::default();
    let context = context(patches.client(), vec![object("panics", "1h"), object("invalid", "no duration")]);
    let controller: Arc<dyn Controller> = Arc::clone(&context) as _;
    let queue = controller.queue();
    let working = tokio::spawn(controller.work(Passes::start(4, context.metrics.clone())));
    context.state.wake(&ObjectKey::new("n", "panics"));
    let patch = patches.status_of("panics").await;
    let ready = &patch["status"]["conditions"][0];
    assert_eq!((&ready["type"], &ready["status"]), (&json!("Ready"), &json!("False")));
    let message = ready["message"].as_str().unwrap();
    assert!(message.contains("which is a bug in it; please report it"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
    assert_eq!(patch["metadata"]["uid"], "uid-of-panics", "it is for this very object");

    context.state.wake(&ObjectKey::new("n", "invalid"));
    patches.status_of("invalid").await;
    queue.close();
    working.await.expect("it ends when its queue does");
}
