//! Starting the watches and the controllers, and stopping them.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use kube::Client;
use kube::runtime::reflector::Store;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::core::work_queue;
use super::{external_secret, secret_store};
use crate::api::ServedVersion;
use crate::api::v1::secret_store::StoreType;
use crate::api::v1::{SecretStore, StoreKind};
use crate::controller::cluster_reader::KubeReader;
use crate::controller::core::discovery::{self, Discovered};
use crate::controller::core::events::Recorder;
use crate::controller::core::key::ObjectKey;
use crate::controller::core::observe::{Controller, Pass, observed};
use crate::controller::core::watch;
use crate::controller::external_secret::context::{Context, Watched, bounded};
use crate::controller::external_secret::state::State;
use crate::controller::external_secret::templates::Templates;
use crate::controller::external_secret::watches::Watches;
use crate::controller::options::Options;
use crate::provider::azure::SetupError;
use crate::provider::{ClusterReader, Providers};
use crate::runtime::api_health::ApiHealth;
use crate::runtime::fair::Executor;
use crate::runtime::health::Readiness;
use crate::runtime::metrics::Metrics;

/// How often discovery is asked again while the CRDs are not there.
const DISCOVERY_PAUSE: Duration = Duration::from_secs(2);
/// How long reconciles and events in progress may take when the process stops.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(4);

/// How often an API server that does not answer is asked for its version, and how often at most its return wakes those who wait for
/// it: where it answers some requests and not others, it seems to return all the time.
const OUTAGE_PROBE: Duration = Duration::from_secs(2);

/// Makes the providers, once the cluster can be read.
pub type MakeProviders = Box<dyn FnOnce(Arc<dyn ClusterReader>) -> Result<Providers, SetupError> + Send>;

/// What the controllers are given by the program.
pub struct Setup {
    /// The API server.
    pub client: Client,
    /// What is known of the connection to it; told of each watch.
    pub api_health: ApiHealth,
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

/// Why the controllers do not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The providers cannot be made.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A bug of ours. The process must start anew.
    #[error("the controller {0} ended by itself, which is a bug; please report it with the log")]
    Ended(&'static str),
}

/// Runs all controllers until `stop`; then what is in progress is finished, for some seconds at most.
///
/// # Errors
/// [`RunError`]
pub async fn run(setup: Setup) -> Result<(), RunError> {
    let Setup { client, api_health, options, providers, metrics, readiness, stop } = setup;
    let version = served_version(&client, &options, &readiness);
    let Some(version) = stop.run_until_cancelled(version).await else { return Ok(()) };
    tracing::info!(version = version.api_version(), "the custom resources are served");

    let state = Arc::new(State::new(version));
    let start =
        Watches { client: &client, api_health: &api_health, options: &options, state: &state, metrics: &metrics };
    let service_accounts = start.service_accounts();
    let secrets = start.secrets();
    let namespaces = start.namespaces();
    let secret_stores = start.stores(StoreKind::SecretStore);
    let cluster_secret_stores = start.stores(StoreKind::ClusterSecretStore);
    start.template_sources();
    // What an ExternalSecret depends on must be known before the first of them is looked at. And of two tasks that wait
    // for one of these at once only one is woken, so nothing else may wait yet.
    let known = async {
        let _ = secrets.wait_until_ready().await;
        let _ = namespaces.wait_until_ready().await;
        let _ = secret_stores.wait_until_ready().await;
        let _ = cluster_secret_stores.wait_until_ready().await;
        let external_secrets = start.external_secrets();
        let _ = external_secrets.wait_until_ready().await;
        external_secrets
    };
    let Some(external_secrets) = stop.run_until_cancelled(known).await else { return Ok(()) };
    let watched = Watched { external_secrets, secrets, namespaces, secret_stores, cluster_secret_stores };
    let reader = Arc::new(KubeReader::new(client.clone(), service_accounts));
    let waking = wake_after_outages(client.clone(), api_health.clone(), Arc::clone(&state));
    tokio::spawn(stop.clone().run_until_cancelled_owned(waking));
    let (events, event_writer) = Recorder::start(client.clone(), metrics.clone());
    let context = Arc::new(Context {
        client,
        api_health,
        templates: Templates::new(options.template_delimiters.clone()),
        options,
        providers: providers(reader)?,
        events,
        metrics,
        watched,
        state: Arc::clone(&state),
    });

    let mut controllers = start_controllers(&context);
    drop(context);
    readiness.set_ready();
    tracing::info!("all watches have delivered their first list");
    let ended = until_ended(&mut controllers, &stop).await;
    finish(&state, controllers, event_writer).await;
    ended
}

/// Waits for `stop`; a controller that ends before is an error.
async fn until_ended(controllers: &mut JoinSet<&'static str>, stop: &CancellationToken) -> Result<(), RunError> {
    match stop.run_until_cancelled(controllers.join_next()).await {
        None => Ok(()),
        // One that panicked cannot say its name.
        Some(ended) => Err(RunError::Ended(ended.and_then(Result::ok).unwrap_or("of which the log tells"))),
    }
}

/// Asks for what failed while the API server was away as soon as it answers again. While it does not, one probe stands for all.
async fn wake_after_outages(client: Client, api_health: ApiHealth, state: Arc<State>) {
    let mut outage = api_health.outage();
    while outage.wait_for(|lasts| *lasts).await.is_ok() {
        loop {
            tokio::time::sleep(OUTAGE_PROBE).await;
            // Whether it was answered is noted where all requests are.
            let _ = bounded(client.apiserver_version()).await;
            if !*outage.borrow() {
                break;
            }
        }
        state.wake_who_await_api_server();
    }
}

/// Starts those that are not switched off.
fn start_controllers(context: &Arc<Context>) -> JoinSet<&'static str> {
    let Context { watched, options, state, .. } = &**context;
    let running = Controller::ALL.into_iter().filter(|controller| options.run(*controller));
    let names: Vec<_> = running.map(Controller::name).collect();
    let waiting = Arc::clone(state);
    context.metrics.controllers().start(&names, options.concurrency, move |name| {
        Controller::named(name).map_or(0, |controller| waiting.requests(controller).waiting())
    });
    let executor = Executor::start();
    let passes = Passes { executor, context: Arc::clone(context) };
    let mut controllers = JoinSet::new();
    controllers.spawn(passes.clone().drive(
        Controller::ExternalSecrets,
        watched.external_secrets.clone(),
        state.version,
        |object, context| external_secret::reconcile(object, context).boxed(),
    ));
    let kinds = [
        (StoreKind::SecretStore, watched.secret_stores.clone()),
        (StoreKind::ClusterSecretStore, watched.cluster_secret_stores.clone()),
    ];
    for (kind, store) in kinds {
        let controller = Controller::Stores(kind);
        if options.run(controller) {
            let reconcile: Reconcile<SecretStore> = match kind {
                StoreKind::SecretStore => {
                    |object, context| secret_store::reconcile(object, StoreKind::SecretStore, context).boxed()
                }
                StoreKind::ClusterSecretStore => {
                    |object, context| secret_store::reconcile(object, StoreKind::ClusterSecretStore, context).boxed()
                }
            };
            let dyntype = StoreType { kind, version: state.version };
            controllers.spawn(passes.clone().drive(controller, store, dyntype, reconcile));
        }
    }
    controllers
}

/// Lets reconciles in progress, and the events they made, come to their end.
async fn finish(state: &State, mut controllers: JoinSet<&'static str>, event_writer: tokio::task::JoinHandle<()>) {
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
type Reconcile<K> = fn(Arc<K>, Arc<Context>) -> BoxFuture<'static, Pass>;

/// What passes run on.
#[derive(Clone)]
struct Passes {
    executor: Executor,
    context: Arc<Context>,
}

impl Passes {
    /// Runs one controller until its queue is closed; gives its name. Each pass is a task of its own, in the lane of its namespace.
    async fn drive<K: watch::Watched>(
        self,
        controller: Controller,
        store: Store<K>,
        dyntype: K::DynamicType,
        reconcile: Reconcile<K>,
    ) -> &'static str {
        let requests = self.context.state.requests(controller);
        let pass = |object: Arc<K>, due| {
            let context = Arc::clone(&self.context);
            let key = ObjectKey::of(object.meta());
            let namespace = key.namespace.clone();
            let work = observed(controller, key, due, Arc::clone(&context), reconcile(object, context));
            self.executor.spawn(&namespace, work)
        };
        work_queue::run(store, dyntype, requests, self.context.options.concurrency, pass).await;
        controller.name()
    }
}

/// The version in which the cluster serves the kinds that are worked on; waits for those of which the CRDs are not there.
async fn served_version(client: &Client, options: &Options, readiness: &Readiness) -> ServedVersion {
    let running = Controller::ALL.into_iter().filter(|controller| options.run(*controller));
    let plurals: Vec<_> = running.map(Controller::plural).collect();
    let mut said = None;
    loop {
        match discovery::discover(client, &plurals).await {
            Ok(Discovered::Served(version)) => {
                if said.is_some() {
                    readiness.set_not_ready(
                        "the CRDs are there since a moment: the watches have not delivered their first list yet",
                    );
                }
                return version;
            }
            Ok(Discovered::Lacking(missing)) if said.as_ref() != Some(&missing) => {
                tracing::error!("{missing}");
                readiness.set_not_ready(missing.to_string());
                said = Some(missing);
            }
            Ok(Discovered::Lacking(_)) => {}
            Err(error) => tracing::warn!(%error, "the API server cannot be asked which resources it serves"),
        }
        tokio::time::sleep(DISCOVERY_PAUSE).await;
    }
}

#[cfg(test)]
mod tests;
