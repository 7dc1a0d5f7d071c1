//! The kinds of objects that have controllers. No other file names all of them; `CONTRIBUTING.md` has the steps to add
//! one.

use std::sync::Arc;

use kube::Client;

use super::cluster_reader::KubeReader;
use super::core::controllers::Controller;
use super::core::events::Recorder;
use super::core::kept_fields::KeptFields;
use super::core::kind::Kind;
use super::core::watching::{Watching, nothing};
use super::external_secret::target_kinds::TargetKinds;
use super::external_secret::templates::Templates;
use super::generators::watched::WatchedGenerators;
use super::namespaces::Namespaces;
use super::options::{Options, Switch};
use super::secret_store::reconcile::StoreController;
use super::secret_store::watched::WatchedStores;
use super::store_access::roles::StoreReaders;
use super::{cluster_external_secret, external_secret, secret_store};
use crate::api::ServedVersion;
use crate::api::v1::StoreKind;
use crate::provider::azure::SetupError;
use crate::provider::{ClusterReader, Providers};
use crate::runtime::metrics::Metrics;

/// Builds the providers as soon as the cluster can be read.
pub(crate) type MakeProviders = Box<dyn FnOnce(Arc<dyn ClusterReader>) -> Result<Providers, SetupError> + Send>;

/// All kinds, and whether each is enabled.
fn all(options: &Options) -> [(Kind, Switch); 4] {
    [
        (external_secret::KIND, Switch::On),
        (cluster_external_secret::KIND, options.cluster_external_secrets),
        (secret_store::kind(StoreKind::SecretStore), options.secret_stores),
        (secret_store::kind(StoreKind::ClusterSecretStore), options.cluster_secret_stores),
    ]
}

/// The kinds that are enabled.
pub(super) fn worked_on(options: &Options) -> Vec<Kind> {
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
    let Parts { client, watching, version, options, providers, events, metrics } = parts;
    let state = Arc::new(external_secret::state::State::default());
    let store_state = Arc::new(secret_store::state::State::default());
    let parents = Arc::new(cluster_external_secret::state::State::default());
    let readers: Vec<Arc<dyn StoreReaders>> = vec![Arc::clone(&state) as _];
    let target_kinds = target_kinds(&watching, Arc::clone(&state));
    let generators = {
        let state = Arc::clone(&state);
        WatchedGenerators::new(watching.clone(), move |generator| state.generator_changed(generator))
    };

    let service_accounts = secret_store::watches::service_accounts(&watching, &store_state);
    let secrets = external_secret::watches::secrets(&watching, &state);
    // Only ClusterExternalSecrets and the conditions of ClusterSecretStores need namespaces.
    let namespaces = match (options.cluster_secret_stores, options.cluster_external_secrets) {
        (Switch::Off, Switch::Off) => Namespaces::unwatched(),
        _ => Namespaces::watch(&watching, cluster_external_secret::watches::on_namespace(&parents)),
    };
    let cluster_external_secrets = match options.cluster_external_secrets {
        Switch::On => {
            cluster_external_secret::watches::cluster_external_secrets(&watching, version, &parents, metrics.clone())
        }
        Switch::Off => nothing(version),
    };
    let stores = |kind, switch| match switch {
        Switch::On => {
            secret_store::watches::stores(kind, &watching, version, &store_state, readers.clone(), metrics.clone())
        }
        Switch::Off => secret_store::watches::unwatched(kind, version),
    };
    let stores = Arc::new(WatchedStores {
        version,
        secret_stores: stores(StoreKind::SecretStore, options.secret_stores),
        cluster_secret_stores: stores(StoreKind::ClusterSecretStore, options.cluster_secret_stores),
        state: Arc::clone(&store_state),
    });
    external_secret::watches::template_sources(&watching, &state);
    // What an ExternalSecret depends on must be known before the first of them is reconciled. Nothing else may wait for
    // these stores yet: a store wakes only one of two tasks that wait for it.
    let _ = secrets.wait_until_ready().await;
    namespaces.wait_until_ready().await;
    stores.wait_until_ready().await;
    let _ = cluster_external_secrets.wait_until_ready().await;
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
