//! The kinds of objects that have controllers. No other file names all of them; `CONTRIBUTING.md` has the steps to add
//! one.

mod pushing;

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::Client;
use kube::runtime::reflector::Store;

use super::cluster_reader::KubeReader;
use super::core::controllers::Controller;
use super::core::events::Recorder;
use super::core::kept_fields::KeptFields;
use super::core::kind::Kind;
use super::core::repeated_writes::RepeatedWrites;
use super::core::watching::{Watching, nothing};
use super::external_secret::target_kinds::TargetKinds;
use super::generators::key::GeneratorKey;
use super::generators::watched::WatchedGenerators;
use super::namespaces::Namespaces;
use super::options::{Options, Switch};
use super::secret_store::reconcile::StoreController;
use super::secret_store::watched::WatchedStores;
use super::store_access::roles::StoreReaders;
use super::template_engines::Templates;
use super::{cluster_external_secret, cluster_push_secret, external_secret, push_secret, secret_store};
use crate::answers::MetadataOf;
use crate::api::ServedVersion;
use crate::api::v1::{ClusterExternalSecret, ExternalSecret, StoreKind};
use crate::provider::azure::SetupError;
use crate::provider::{ClusterReader, Providers};
use crate::runtime::metrics::Metrics;

use pushing::{PushParts, PushStates, Pushing};

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
    let states = States::default();
    let opened = Opened::open(&states, &parts);
    opened.wait_until_ready(&parts.awaited).await;
    // What an ExternalSecret depends on is known before the first of them is reconciled.
    let external_secrets = external_secret::watches::external_secrets(
        &parts.watching,
        parts.version,
        &states.external_secrets,
        &opened.target_kinds,
        parts.metrics.clone(),
        cluster_external_secret::watches::on_external_secret(&states.cluster_external_secrets),
    );
    let _ = external_secrets.wait_until_ready().await;
    let worked_on = worked_on(&parts.options);
    let mut controllers = assembled(parts, states, opened, external_secrets)?;
    controllers.retain(|controller| worked_on.contains(&controller.works_on()));
    Ok(controllers)
}

/// What is remembered of the kinds that do not push.
#[derive(Default)]
struct States {
    external_secrets: Arc<external_secret::state::State>,
    cluster_external_secrets: Arc<cluster_external_secret::state::State>,
    stores: Arc<secret_store::state::State>,
}

/// The watches of everything but ExternalSecrets.
struct Opened {
    readers: Vec<Arc<dyn StoreReaders>>,
    target_kinds: Arc<TargetKinds>,
    generators: Arc<WatchedGenerators>,
    service_accounts: Store<MetadataOf<ServiceAccount>>,
    secrets: Store<MetadataOf<Secret>>,
    namespaces: Namespaces,
    cluster_external_secrets: Store<ClusterExternalSecret>,
    pushing: Pushing,
    stores: Arc<WatchedStores>,
}

impl Opened {
    fn open(states: &States, parts: &Parts) -> Self {
        let Parts { watching, version, options, metrics, .. } = parts;
        let States { external_secrets, cluster_external_secrets: parents, stores } = states;
        let pushing = PushStates::default();
        let readers: Vec<Arc<dyn StoreReaders>> =
            vec![Arc::clone(external_secrets) as _, Arc::clone(&pushing.children) as _];
        external_secret::watches::template_sources(watching, external_secrets);
        Self {
            target_kinds: target_kinds(watching, Arc::clone(external_secrets)),
            generators: watched_generators(watching, external_secrets, &pushing.children),
            service_accounts: secret_store::watches::service_accounts(watching, stores),
            secrets: external_secret::watches::secrets(watching, external_secrets),
            namespaces: watched_namespaces(watching, options, parents, &pushing.parents),
            cluster_external_secrets: match options.cluster_external_secrets {
                Switch::On => {
                    let metrics = metrics.clone();
                    cluster_external_secret::watches::cluster_external_secrets(watching, *version, parents, metrics)
                }
                Switch::Off => nothing(*version),
            },
            stores: Arc::new(watched_stores(watching, *version, options, stores, &readers, metrics)),
            pushing: pushing.watch(watching, options, stores, metrics),
            readers,
        }
    }

    /// Waits for the first lists. Nothing else may wait for these stores yet: a store wakes only one of two tasks that wait
    /// for it.
    async fn wait_until_ready(&self, awaited: &[&str]) {
        let _ = self.secrets.wait_until_ready().await;
        self.namespaces.wait_until_ready().await;
        self.stores.wait_until_ready().await;
        let _ = self.cluster_external_secrets.wait_until_ready().await;
        self.pushing.wait_until_ready(awaited).await;
    }
}

/// The controllers of all kinds, including those that are switched off.
fn assembled(
    parts: Parts,
    states: States,
    opened: Opened,
    external_secrets: Store<ExternalSecret>,
) -> Result<Vec<Arc<dyn Controller>>, SetupError> {
    let Parts { client, version, options, providers, events, metrics, .. } = parts;
    let Opened { readers, target_kinds, generators, secrets, namespaces, stores, .. } = opened;
    let providers = providers(Arc::new(KubeReader::new(client.clone(), opened.service_accounts)))?;
    let repeated_writes = RepeatedWrites::default();
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
        repeated_writes: repeated_writes.clone(),
        state: states.stores,
    });
    let cluster_external_secrets = cluster_external_secret::context::Context {
        client: client.clone(),
        version,
        events: events.clone(),
        metrics: metrics.clone(),
        objects: opened.cluster_external_secrets,
        external_secrets: external_secrets.clone(),
        namespaces: namespaces.clone(),
        kept_fields: KeptFields::default(),
        state: states.cluster_external_secrets,
    };
    let (push_secrets, cluster_push_secrets) = opened.pushing.controllers(&PushParts {
        client: &client,
        options: &options,
        providers: &providers,
        events: &events,
        metrics: &metrics,
        namespaces: &namespaces,
        stores: &stores,
        generators: &generators,
        repeated_writes: &repeated_writes,
    });
    let external_secrets = external_secret::context::Context {
        client,
        version,
        templates: Templates::new(options.template_delimiters.clone()),
        options,
        providers,
        events,
        metrics,
        watched: external_secret::context::Watched { external_secrets, secrets, namespaces, stores, generators },
        kept_fields: KeptFields::default(),
        repeated_writes,
        target_kinds,
        large_specs: external_secret::large_specs::LargeSpecs::default(),
        state: states.external_secrets,
    };
    let store_controller = |of| Arc::new(StoreController { of, context: Arc::clone(&store_context) });
    Ok(vec![
        Arc::new(external_secrets),
        Arc::new(cluster_external_secrets),
        Arc::new(push_secrets),
        Arc::new(cluster_push_secrets),
        store_controller(StoreKind::SecretStore),
        store_controller(StoreKind::ClusterSecretStore),
    ])
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
