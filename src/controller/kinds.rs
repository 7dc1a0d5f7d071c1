//! The kinds of objects that have controllers. No other file names all of them; `CONTRIBUTING.md` has the steps to add
//! one.

use std::sync::Arc;

use kube::Client;
use kube::runtime::reflector::Store;

use super::cluster_reader::KubeReader;
use super::core::controllers::Controller;
use super::core::events::Recorder;
use super::core::kept_fields::KeptFields;
use super::core::kind::Kind;
use super::core::watching::{Watching, nothing};
use super::external_secret::target_kinds::TargetKinds;
use super::generators::key::GeneratorKey;
use super::generators::watched::WatchedGenerators;
use super::namespaces::Namespaces;
use super::options::{Options, Switch};
use super::secret_store::reconcile::StoreController;
use super::secret_store::watched::WatchedStores;
use super::store_access::key::StoreKey;
use super::store_access::roles::StoreReaders;
use super::template_engines::Templates;
use super::{cluster_external_secret, cluster_push_secret, external_secret, push_secret, secret_store};
use crate::api::ServedVersion;
use crate::api::v1::StoreKind;
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};
use crate::provider::azure::SetupError;
use crate::provider::{ClusterReader, Providers};
use crate::runtime::metrics::Metrics;

/// Builds the providers as soon as the cluster can be read.
pub(crate) type MakeProviders = Box<dyn FnOnce(Arc<dyn ClusterReader>) -> Result<Providers, SetupError> + Send>;

/// All kinds, and whether each is enabled.
fn all(options: &Options) -> [(Kind, Switch); 6] {
    [
        (external_secret::KIND, Switch::On),
        (cluster_external_secret::KIND, options.cluster_external_secrets),
        (push_secret::KIND, options.push_secrets),
        (cluster_push_secret::KIND, options.cluster_push_secrets),
        (secret_store::kind(StoreKind::SecretStore), options.secret_stores),
        (secret_store::kind(StoreKind::ClusterSecretStore), options.cluster_secret_stores),
    ]
}

/// The kinds without which nothing is begun: all that are enabled in the version that is discovered.
pub(super) fn needed(options: &Options) -> Vec<Kind> {
    let alone = [push_secret::KIND, cluster_push_secret::KIND];
    worked_on(options).into_iter().filter(|kind| !alone.contains(kind)).collect()
}

/// The kinds that are enabled.
fn worked_on(options: &Options) -> Vec<Kind> {
    let all = all(options).into_iter();
    all.filter(|(_, switch)| *switch == Switch::On).map(|(kind, _)| kind).collect()
}

/// What the controllers are built from.
pub(super) struct Parts {
    pub(super) client: Client,
    /// What a watch needs to open.
    pub(super) watching: Watching,
    /// The version of our resources that the cluster serves.
    pub(super) version: ServedVersion,
    pub(super) options: Arc<Options>,
    /// The kinds that push and that the cluster serves already: what they want must be known before anything is deleted for any of them.
    pub(super) awaited: Vec<&'static str>,
    /// Builds the providers.
    pub(super) providers: MakeProviders,
    pub(super) events: Recorder,
    pub(super) metrics: Metrics,
}

/// Starts the watches and returns the controllers when every watch has delivered its first list.
///
/// State comes first, because the watches update it, then the watches, then the controllers, which use both.
///
/// # Errors
/// [`SetupError`], if the providers cannot be made.
pub(super) async fn controllers(parts: Parts) -> Result<Vec<Arc<dyn Controller>>, SetupError> {
    let Parts { client, watching, version, options, awaited, providers, events, metrics } = parts;
    let state = Arc::new(external_secret::state::State::default());
    let store_state = Arc::new(secret_store::state::State::default());
    let parents = Arc::new(cluster_external_secret::state::State::default());
    let pushing = PushStates::default();
    let readers: Vec<Arc<dyn StoreReaders>> = vec![Arc::clone(&state) as _, Arc::clone(&pushing.children) as _];
    let target_kinds = target_kinds(&watching, Arc::clone(&state));
    let generators = watched_generators(&watching, &state, &pushing.children);

    let service_accounts = secret_store::watches::service_accounts(&watching, &store_state);
    let secrets = external_secret::watches::secrets(&watching, &state);
    let namespaces = watched_namespaces(&watching, &options, &parents, &pushing.parents);
    let cluster_external_secrets = match options.cluster_external_secrets {
        Switch::On => {
            cluster_external_secret::watches::cluster_external_secrets(&watching, version, &parents, metrics.clone())
        }
        Switch::Off => nothing(version),
    };
    let pushing = pushing.watch(&watching, &options, &store_state, &metrics);
    let stores = Arc::new(watched_stores(&watching, version, &options, &store_state, &readers, &metrics));
    external_secret::watches::template_sources(&watching, &state);
    // What an ExternalSecret depends on must be known before the first of them is reconciled. Nothing else may wait for
    // these stores yet: a store wakes only one of two tasks that wait for it.
    let _ = secrets.wait_until_ready().await;
    namespaces.wait_until_ready().await;
    stores.wait_until_ready().await;
    let _ = cluster_external_secrets.wait_until_ready().await;
    pushing.wait_until_ready(&awaited).await;
    let external_secrets = external_secret::watches::external_secrets(
        &watching,
        version,
        &state,
        &target_kinds,
        metrics.clone(),
        cluster_external_secret::watches::on_external_secret(&parents),
    );
    let _ = external_secrets.wait_until_ready().await;

    let providers = providers(Arc::new(KubeReader::new(client.clone(), service_accounts)))?;
    let store_context = Arc::new(secret_store::context::Context {
        client: client.clone(),
        version,
        options: Arc::clone(&options),
        providers: providers.clone(),
        events: events.clone(),
        metrics: metrics.clone(),
        watched: Arc::clone(&stores),
        namespaces: namespaces.clone(),
        readers,
        kept_fields: KeptFields::default(),
        state: store_state,
    });
    let cluster_external_secrets = cluster_external_secret::context::Context {
        client: client.clone(),
        version,
        events: events.clone(),
        metrics: metrics.clone(),
        objects: cluster_external_secrets,
        external_secrets: external_secrets.clone(),
        namespaces: namespaces.clone(),
        kept_fields: KeptFields::default(),
        state: parents,
    };
    let (push_secrets, cluster_push_secrets) = pushing.controllers(&PushParts {
        client: &client,
        options: &options,
        providers: &providers,
        events: &events,
        metrics: &metrics,
        namespaces: &namespaces,
        stores: &stores,
        generators: &generators,
    });
    let external_secrets = external_secret::context::Context {
        client,
        version,
        templates: Templates::new(options.template_delimiters.clone()),
        options: Arc::clone(&options),
        providers,
        events,
        metrics,
        watched: external_secret::context::Watched { external_secrets, secrets, namespaces, stores, generators },
        kept_fields: KeptFields::default(),
        target_kinds,
        state,
    };
    let store_controller = |of| Arc::new(StoreController { of, context: Arc::clone(&store_context) });
    let mut controllers: Vec<Arc<dyn Controller>> = vec![
        Arc::new(external_secrets),
        Arc::new(cluster_external_secrets),
        Arc::new(push_secrets),
        Arc::new(cluster_push_secrets),
        store_controller(StoreKind::SecretStore),
        store_controller(StoreKind::ClusterSecretStore),
    ];
    let worked_on = worked_on(&options);
    controllers.retain(|controller| worked_on.contains(&controller.works_on()));
    Ok(controllers)
}

/// The kinds of targets other than Secrets. A change of a target wakes the ExternalSecrets that write it.
fn target_kinds(watching: &Watching, state: Arc<external_secret::state::State>) -> Arc<TargetKinds> {
    let changed = move |kind: &_, meta: &_, version: Option<&_>| state.target_changed(Some(kind), meta, version);
    Arc::new(TargetKinds::new(watching.clone(), changed))
}

/// Only the conditions of ClusterSecretStores, ClusterExternalSecrets and ClusterPushSecrets ask for namespaces.
fn watched_namespaces(
    watching: &Watching,
    options: &Options,
    external_secrets: &Arc<cluster_external_secret::state::State>,
    push_secrets: &Arc<cluster_push_secret::state::State>,
) -> Namespaces {
    let switches = [options.cluster_secret_stores, options.cluster_external_secrets, options.cluster_push_secrets];
    if !switches.contains(&Switch::On) {
        return Namespaces::unwatched();
    }
    let mut of_external_secrets = cluster_external_secret::watches::on_namespace(external_secrets);
    let of_push_secrets = Arc::clone(push_secrets);
    Namespaces::watch(watching, move |change| {
        of_external_secrets(change);
        of_push_secrets.namespace_changed();
    })
}

/// A change of a generator wakes those that use it.
fn watched_generators(
    watching: &Watching,
    external_secrets: &Arc<external_secret::state::State>,
    push_secrets: &Arc<push_secret::state::State>,
) -> Arc<WatchedGenerators> {
    let (external_secrets, push_secrets) = (Arc::clone(external_secrets), Arc::clone(push_secrets));
    let on_change = move |generator: &GeneratorKey| {
        external_secrets.generator_changed(generator);
        push_secrets.generator_changed(generator);
    };
    Arc::new(WatchedGenerators::new(watching.clone(), on_change))
}

fn watched_stores(
    watching: &Watching,
    version: ServedVersion,
    options: &Options,
    state: &Arc<secret_store::state::State>,
    readers: &[Arc<dyn StoreReaders>],
    metrics: &Metrics,
) -> WatchedStores {
    let stores = |kind, switch| match switch {
        Switch::On => secret_store::watches::stores(kind, watching, version, state, readers.to_vec(), metrics.clone()),
        Switch::Off => secret_store::watches::unwatched(kind, version),
    };
    WatchedStores {
        version,
        secret_stores: stores(StoreKind::SecretStore, options.secret_stores),
        cluster_secret_stores: stores(StoreKind::ClusterSecretStore, options.cluster_secret_stores),
        state: Arc::clone(state),
    }
}

/// What is remembered of the kinds that push.
#[derive(Default)]
struct PushStates {
    children: Arc<push_secret::state::State>,
    parents: Arc<cluster_push_secret::state::State>,
}

impl PushStates {
    fn watch(
        self,
        watching: &Watching,
        options: &Options,
        store_state: &Arc<secret_store::state::State>,
        metrics: &Metrics,
    ) -> Pushing {
        let push_secrets = match options.push_secrets {
            Switch::On => {
                push_secret::watches::sources(watching, &self.children);
                let stores = Arc::clone(store_state);
                let on_hold = move |store: &StoreKey| stores.wake(store);
                let parents = Arc::clone(&self.parents);
                let others = move |object: &PushSecret| parents.push_secret_changed(object);
                push_secret::watches::push_secrets(watching, &self.children, metrics.clone(), on_hold, others)
            }
            Switch::Off => nothing(()),
        };
        let cluster_push_secrets = match options.cluster_push_secrets {
            Switch::On => cluster_push_secret::watches::cluster_push_secrets(watching, &self.parents, metrics.clone()),
            Switch::Off => nothing(()),
        };
        Pushing { states: self, push_secrets, cluster_push_secrets }
    }
}

/// The kinds that push, watched.
struct Pushing {
    states: PushStates,
    push_secrets: Store<PushSecret>,
    cluster_push_secrets: Store<ClusterPushSecret>,
}

/// What the kinds that push work with.
struct PushParts<'a> {
    client: &'a Client,
    options: &'a Arc<Options>,
    providers: &'a Providers,
    events: &'a Recorder,
    metrics: &'a Metrics,
    namespaces: &'a Namespaces,
    stores: &'a Arc<WatchedStores>,
    generators: &'a Arc<WatchedGenerators>,
}

impl Pushing {
    /// Waits for the first list of these kinds.
    async fn wait_until_ready(&self, awaited: &[&str]) {
        let has_children = awaited.contains(&PushSecret::PLURAL);
        if has_children && awaited.contains(&ClusterPushSecret::PLURAL) {
            let _ = self.cluster_push_secrets.wait_until_ready().await;
        }
        if has_children {
            let _ = self.push_secrets.wait_until_ready().await;
        }
    }

    fn controllers(
        self,
        parts: &PushParts<'_>,
    ) -> (push_secret::context::Context, cluster_push_secret::context::Context) {
        let PushParts { client, options, providers, events, metrics, namespaces, stores, generators } = *parts;
        let parents = cluster_push_secret::context::Context {
            client: client.clone(),
            events: events.clone(),
            metrics: metrics.clone(),
            objects: self.cluster_push_secrets,
            kept_fields: KeptFields::default(),
            push_secrets: self.push_secrets.clone(),
            namespaces: namespaces.clone(),
            state: self.states.parents,
        };
        let children = push_secret::context::Context {
            client: client.clone(),
            options: Arc::clone(options),
            providers: providers.clone(),
            templates: Templates::new(options.template_delimiters.clone()),
            events: events.clone(),
            metrics: metrics.clone(),
            objects: self.push_secrets,
            kept_fields: KeptFields::default(),
            namespaces: namespaces.clone(),
            stores: Arc::clone(stores) as _,
            generators: Arc::clone(generators),
            state: self.states.children,
        };
        (children, parents)
    }
}
