//! PushSecrets and ClusterPushSecrets. They are watched and waited for together: what all of them want must be known before
//! anything is deleted for any of them.

use std::sync::Arc;

use kube::Client;
use kube::runtime::reflector::Store;

use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};
use crate::controller::core::events::Recorder;
use crate::controller::core::kept_fields::KeptFields;
use crate::controller::core::repeated_writes::RepeatedWrites;
use crate::controller::core::watching::{Watching, nothing};
use crate::controller::generators::watched::WatchedGenerators;
use crate::controller::namespaces::Namespaces;
use crate::controller::options::{Options, Switch};
use crate::controller::secret_store::watched::WatchedStores;
use crate::controller::store_access::key::StoreKey;
use crate::controller::template_engines::Templates;
use crate::controller::{cluster_push_secret, push_secret, secret_store};
use crate::provider::Providers;
use crate::runtime::metrics::Metrics;

/// What is remembered of the kinds that push.
#[derive(Default)]
pub(super) struct PushStates {
    pub(super) children: Arc<push_secret::state::State>,
    pub(super) parents: Arc<cluster_push_secret::state::State>,
}

impl PushStates {
    /// Opens their watches.
    pub(super) fn watch(
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
pub(super) struct Pushing {
    states: PushStates,
    push_secrets: Store<PushSecret>,
    cluster_push_secrets: Store<ClusterPushSecret>,
}

/// What the kinds that push work with.
pub(super) struct PushParts<'a> {
    pub(super) client: &'a Client,
    pub(super) options: &'a Arc<Options>,
    pub(super) providers: &'a Providers,
    pub(super) events: &'a Recorder,
    pub(super) metrics: &'a Metrics,
    pub(super) namespaces: &'a Namespaces,
    pub(super) stores: &'a Arc<WatchedStores>,
    pub(super) generators: &'a Arc<WatchedGenerators>,
    pub(super) repeated_writes: &'a RepeatedWrites,
}

impl Pushing {
    /// Waits for the first list of these kinds.
    pub(super) async fn wait_until_ready(&self, awaited: &[&str]) {
        let has_children = awaited.contains(&PushSecret::PLURAL);
        if has_children && awaited.contains(&ClusterPushSecret::PLURAL) {
            let _ = self.cluster_push_secrets.wait_until_ready().await;
        }
        if has_children {
            let _ = self.push_secrets.wait_until_ready().await;
        }
    }

    /// What their controllers work with.
    pub(super) fn controllers(
        self,
        parts: &PushParts<'_>,
    ) -> (push_secret::context::Context, cluster_push_secret::context::Context) {
        let PushParts { client, options, providers, events, metrics, namespaces, stores, generators, repeated_writes } =
            *parts;
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
            repeated_writes: repeated_writes.clone(),
            namespaces: namespaces.clone(),
            stores: Arc::clone(stores) as _,
            generators: Arc::clone(generators),
            state: self.states.children,
        };
        (children, parents)
    }
}
