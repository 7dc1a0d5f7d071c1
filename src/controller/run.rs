//! Starting the watches and the controllers, and stopping them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::{self, UnboundedReceiver};
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt};
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use kube::core::{NamespaceResourceScope, PartialObjectMeta};
use kube::runtime::controller::{self, Action, ReconcileRequest, applier};
use kube::runtime::reflector::{Store, store::Writer};
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::cluster_reader::KubeReader;
use super::context::{Context, Watched};
use super::events::Recorder;
use super::key::{ObjectKey, StoreKey};
use super::options::{Options, Reconciler};
use super::state::{Queues, State};
use super::watch::{self, Change, strip_metadata};
use super::{external_secret, secret_store};
use crate::api::v1::secret_store::StoreType;
use crate::api::v1::{ExternalSecret, SecretStore, StoreKind};
use crate::api::{GROUP, LABEL_MANAGED, LABEL_MANAGED_VALUE, ServedVersion};
use crate::provider::azure::SetupError;
use crate::provider::{ClusterReader, Providers};
use crate::runtime::health::Readiness;
use crate::runtime::metrics::Metrics;

/// How often discovery is asked again while the CRDs are not there.
const DISCOVERY_PAUSE: Duration = Duration::from_secs(2);
/// How long reconciles and events in progress may take when the process stops.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(4);

/// Makes the providers, once the cluster can be read.
pub type MakeProviders = Box<dyn FnOnce(Arc<dyn ClusterReader>) -> Result<Providers, SetupError> + Send>;

/// What the controllers are given by the program.
pub struct Setup {
    /// The API server.
    pub client: Client,
    /// The operator's settings.
    pub options: Options,
    /// Makes the providers, once the cluster can be read.
    pub providers: MakeProviders,
    /// Where metrics go.
    pub metrics: Metrics,
    /// Told when all watches have delivered their first list.
    pub readiness: Readiness,
    /// Ends the controllers.
    pub stop: CancellationToken,
}

/// Runs all controllers until `stop`; then what is in progress is finished, for some seconds at most.
///
/// # Errors
/// [`SetupError`], where the providers cannot be made.
pub async fn run(setup: Setup) -> Result<(), SetupError> {
    let Setup { client, options, providers, metrics, readiness, stop } = setup;
    let Some(version) = stop.run_until_cancelled(served_version(&client)).await else { return Ok(()) };
    tracing::info!(version = version.api_version(), "the custom resources are served");

    let (external_secrets, external_secret_queue) = mpsc::unbounded();
    let (secret_stores, secret_store_queue) = mpsc::unbounded();
    let (cluster_secret_stores, cluster_secret_store_queue) = mpsc::unbounded();
    let queues = Queues { external_secrets, secret_stores, cluster_secret_stores };
    let state = Arc::new(State::new(version, queues));
    let start = Watches { client: &client, options: &options, state: &state, metrics: &metrics };
    let service_accounts = start.service_accounts();
    let secrets = start.secrets();
    let namespaces = start.namespaces();
    let secret_stores = start.stores(StoreKind::SecretStore);
    let cluster_secret_stores = start.stores(StoreKind::ClusterSecretStore);
    // What an ExternalSecret depends on must be known before the first of them is looked at. And of two tasks that wait
    // for one of these at once only one is woken, so nothing else may wait yet.
    let known = async {
        let _ = secrets.wait_until_ready().await;
        let _ = secret_stores.wait_until_ready().await;
        let _ = cluster_secret_stores.wait_until_ready().await;
        let external_secrets = start.external_secrets();
        let _ = external_secrets.wait_until_ready().await;
        external_secrets
    };
    let Some(external_secrets) = stop.run_until_cancelled(known).await else { return Ok(()) };
    let watched = Watched { external_secrets, secrets, namespaces, secret_stores, cluster_secret_stores };
    let reader = Arc::new(KubeReader::new(client.clone(), service_accounts));
    let (events, event_writer) = Recorder::start(client.clone());
    let concurrency = options.concurrency;
    let objects = watched.external_secrets.clone();
    let stores = (watched.secret_stores.clone(), watched.cluster_secret_stores.clone());
    let context = Arc::new(Context {
        client,
        options,
        providers: providers(reader)?,
        events,
        metrics,
        watched,
        state: Arc::clone(&state),
    });

    let mut controllers = JoinSet::new();
    controllers.spawn(drive(objects.clone(), external_secret_queue, concurrency, &context, |object, context| {
        external_secret::reconcile(object, context).boxed()
    }));
    if context.options.secret_stores == Reconciler::Enabled {
        controllers.spawn(drive(stores.0, secret_store_queue, concurrency, &context, |object, context| {
            secret_store::reconcile(object, StoreKind::SecretStore, context).boxed()
        }));
    }
    if context.options.cluster_secret_stores == Reconciler::Enabled {
        controllers.spawn(drive(stores.1, cluster_secret_store_queue, concurrency, &context, |object, context| {
            secret_store::reconcile(object, StoreKind::ClusterSecretStore, context).boxed()
        }));
    }
    drop(context);
    readiness.set_ready();
    tracing::info!("all watches have delivered their first list");
    stop.cancelled().await;
    finish(&state, controllers, event_writer).await;
    Ok(())
}

/// Lets reconciles in progress, and the events they made, come to their end.
async fn finish(state: &State, mut controllers: JoinSet<()>, event_writer: tokio::task::JoinHandle<()>) {
    state.close_queues();
    let finished = async {
        while controllers.join_next().await.is_some() {}
        // The recorders are gone with the controllers, so the writer ends when its queue is empty.
        let _ = event_writer.await;
    };
    if tokio::time::timeout(SHUTDOWN_GRACE, finished).await.is_err() {
        tracing::warn!("stopping although some work is still in progress; it is done again at the next start");
    }
}

/// One pass over one object.
type Reconcile<K> = fn(Arc<K>, Arc<Context>) -> BoxFuture<'static, Result<Action, Infallible>>;

/// Runs one controller until its queue is closed.
fn drive<K>(
    store: Store<K>,
    queue: UnboundedReceiver<ReconcileRequest<K>>,
    concurrency: u16,
    context: &Arc<Context>,
    reconcile: Reconcile<K>,
) -> impl Future<Output = ()> + Send + 'static
where
    K: watch::Watched,
    K::DynamicType: Send + Sync,
{
    let config = controller::Config::default().concurrency(concurrency);
    let never = |_: Arc<K>, error: &Infallible, _: Arc<Context>| match *error {};
    let results = applier(reconcile, never, Arc::clone(context), store, fallible(queue), config);
    // An error here says that an object was deleted before its turn came.
    results.for_each(|_| std::future::ready(()))
}

fn fallible<T>(stream: impl Stream<Item = T>) -> impl Stream<Item = Result<T, Infallible>> {
    stream.map(Ok)
}

/// The version in which the cluster serves our resources; waits for the CRDs if they are not there.
async fn served_version(client: &Client) -> ServedVersion {
    let mut said = false;
    loop {
        for version in [ServedVersion::V1, ServedVersion::V1beta1] {
            match client.list_api_group_resources(version.api_version()).await {
                Ok(list) if list.resources.iter().any(|resource| resource.name == ExternalSecret::PLURAL) => {
                    return version;
                }
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => tracing::warn!(%error, "the API server cannot be asked which resources it serves"),
            }
        }
        if !said {
            tracing::error!(
                "the CRDs of {GROUP} are not installed; apply the files in crds/, or what `external-secrets crds` prints"
            );
            said = true;
        }
        tokio::time::sleep(DISCOVERY_PAUSE).await;
    }
}

/// Starts the watches; each tells the state what changed.
struct Watches<'a> {
    client: &'a Client,
    options: &'a Options,
    state: &'a Arc<State>,
    metrics: &'a Metrics,
}

impl Watches<'_> {
    fn namespaced<K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>>(&self) -> Api<K> {
        match &self.options.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    fn external_secrets(&self) -> Store<ExternalSecret> {
        let (state, metrics) = (Arc::clone(self.state), self.metrics.clone());
        let version = state.version;
        let api = match &self.options.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &version),
            None => Api::all_with(self.client.clone(), &version),
        };
        let on_change = move |change: Change<'_, ExternalSecret>| match change {
            Change::Applied(object) => external_secret_applied(object, &state),
            Change::Deleted(object) => {
                let key = ObjectKey::of(&object.metadata);
                state.index.remove(&key);
                state.memos().remove(&key);
                metrics.external_secret_deleted(&key.namespace, &key.name);
            }
        };
        watch::objects(
            api,
            watcher::Config::default(),
            version,
            |object| strip_metadata(&mut object.metadata),
            on_change,
        )
    }

    fn stores(&self, kind: StoreKind) -> Store<SecretStore> {
        let (state, metrics) = (Arc::clone(self.state), self.metrics.clone());
        let dyntype = StoreType { kind, version: state.version };
        let api = match (&self.options.namespace, kind) {
            (Some(namespace), StoreKind::SecretStore) => Api::namespaced_with(self.client.clone(), namespace, &dyntype),
            _ => Api::all_with(self.client.clone(), &dyntype),
        };
        if kind == StoreKind::ClusterSecretStore && self.options.cluster_secret_stores == Reconciler::Disabled {
            // Not watched at all: the controller may lack the right to.
            let mut none = Writer::new(dyntype);
            none.apply_watcher_event(&watcher::Event::InitDone);
            return none.as_reader();
        }
        let mut usability = std::collections::HashMap::new();
        let on_change = move |change: Change<'_, SecretStore>| match change {
            Change::Applied(object) => {
                let key = StoreKey { kind, object: ObjectKey::of(&object.metadata) };
                let usable = secret_store::usability(object);
                if usability.insert(key.clone(), usable) != Some(usable) {
                    state.wake_readers_of(&key);
                }
                store_applied(object, &key, &state);
            }
            Change::Deleted(object) => {
                let key = StoreKey { kind, object: ObjectKey::of(&object.metadata) };
                usability.remove(&key);
                state.store_memos().remove(&key);
                metrics.store_deleted(secret_store::subsystem(kind), &key.object.namespace, &key.object.name);
            }
        };
        watch::objects(
            api,
            watcher::Config::default(),
            dyntype,
            |object| strip_metadata(&mut object.metadata),
            on_change,
        )
    }

    fn secrets(&self) -> Store<PartialObjectMeta<Secret>> {
        let state = Arc::clone(self.state);
        let config = watcher::Config::default().labels(&format!("{LABEL_MANAGED}={LABEL_MANAGED_VALUE}"));
        let on_change = move |change: Change<'_, PartialObjectMeta<Secret>>| match change {
            Change::Applied(secret) => secret_applied(secret, &state),
            Change::Deleted(secret) => {
                for writer in state.index.writers_of(&ObjectKey::of(&secret.metadata)) {
                    state.wake_external_secret(&writer);
                }
            }
        };
        let strip = |secret: &mut PartialObjectMeta<Secret>| {
            strip_metadata(&mut secret.metadata);
            secret.types = None;
            // What is needed of the content is read from the Secret itself.
            secret.metadata.labels = None;
            secret.metadata.annotations = None;
            secret.metadata.owner_references = None;
        };
        watch::objects(self.namespaced(), config, (), strip, on_change)
    }

    fn namespaces(&self) -> Store<PartialObjectMeta<Namespace>> {
        let strip = |namespace: &mut PartialObjectMeta<Namespace>| {
            strip_metadata(&mut namespace.metadata);
            namespace.metadata.annotations = None;
        };
        let mut config = watcher::Config::default();
        if let Some(namespace) = &self.options.namespace {
            config = config.fields(&format!("metadata.name={namespace}"));
        }
        watch::objects(Api::all(self.client.clone()), config, (), strip, |_| {})
    }

    fn service_accounts(&self) -> Store<PartialObjectMeta<ServiceAccount>> {
        let state = Arc::clone(self.state);
        let strip = |account: &mut PartialObjectMeta<ServiceAccount>| {
            strip_metadata(&mut account.metadata);
            account.types = None;
            account.metadata.labels = None;
            account.metadata.owner_references = None;
        };
        // A changed annotation is another identity: the stores that use the account are validated again.
        let on_change = move |change: Change<'_, PartialObjectMeta<ServiceAccount>>| {
            let (Change::Applied(account) | Change::Deleted(account)) = change;
            for store in state.stores_with_service_account(&ObjectKey::of(&account.metadata)) {
                state.wake_store(&store);
            }
        };
        watch::objects(self.namespaced(), watcher::Config::default(), (), strip, on_change)
    }
}

fn external_secret_applied(object: &ExternalSecret, state: &State) {
    let key = ObjectKey::of(&object.metadata);
    let fingerprint = external_secret::fingerprint(object);
    let changed = {
        let mut memos = state.memos();
        let memo = memos.entry(key.clone()).or_default();
        // The watch shows another version than the one the last status was written on.
        if memo.ahead.as_ref().is_some_and(|(base, _)| Some(base) != object.metadata.resource_version.as_ref()) {
            memo.ahead = None;
        }
        std::mem::replace(&mut memo.fingerprint, fingerprint) != fingerprint
    };
    if changed {
        state.index.insert(object);
        state.wake_external_secret(&key);
    }
}

fn store_applied(object: &SecretStore, key: &StoreKey, state: &State) {
    let fingerprint = secret_store::fingerprint(object);
    let changed = {
        let mut memos = state.store_memos();
        let memo = memos.entry(key.clone()).or_default();
        memo.service_account = secret_store::service_account(object, key);
        std::mem::replace(&mut memo.fingerprint, fingerprint) != fingerprint
    };
    if changed {
        state.wake_store(key);
    }
}

/// Wakes those who write a Secret, unless it is at the very version that they wrote or verified.
fn secret_applied(secret: &PartialObjectMeta<Secret>, state: &State) {
    let version = external_secret::ObjectVersion::of(&secret.metadata);
    for writer in state.index.writers_of(&ObjectKey::of(&secret.metadata)) {
        let known = state.memos().get(&writer).is_some_and(|memo| memo.verified.as_ref() == Some(&version));
        if !known {
            state.wake_external_secret(&writer);
        }
    }
}
