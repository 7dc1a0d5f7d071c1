//! What the controller of PushSecrets needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Client;
use kube::api::ListParams;
use kube::core::Selector;
use kube::runtime::reflector::{ObjectRef, Store};

use super::state::State;
use super::subject::Subject;
use super::view::{Tools, View};
use crate::answers::Objects;
use crate::api::generators::Generator;
use crate::api::v1::{SecretStore, StoreKind};
use crate::api::v1alpha1::PushSecret;
use crate::controller::core::api_call::{ApiError, bounded};
use crate::controller::core::events::Recorder;
use crate::controller::core::kept_fields::KeptFields;
use crate::controller::core::key::ObjectKey;
use crate::controller::core::repeated_writes::RepeatedWrites;
use crate::controller::generators::error::Error as GeneratorError;
use crate::controller::generators::key::GeneratorKey;
use crate::controller::generators::lookup::GeneratorLookup;
use crate::controller::generators::watched::WatchedGenerators;
use crate::controller::namespaces::Namespaces;
use crate::controller::options::Options;
use crate::controller::store_access::clients::{self, ControllerClass, StoreLookup};
use crate::controller::store_access::key::StoreKey;
use crate::controller::store_access::roles::Stores;
use crate::controller::template_engines::Templates;
use crate::provider::Providers;
use crate::runtime::metrics::Metrics;

/// How many of the selected Secrets are listed first, when the length of their metadata is not known yet.
const FIRST_PAGE: u32 = 5;
/// The bytes that a further page aims at, judged by the page before.
const PAGE_BYTES: usize = 256 << 10;
/// The most Secrets in a page.
const LARGEST_PAGE: u32 = 500;

/// What the controller of PushSecrets needs.
pub(crate) struct Context {
    /// The API server.
    pub(crate) client: Client,
    /// The operator's settings.
    pub(crate) options: Arc<Options>,
    /// The providers.
    pub(crate) providers: Providers,
    /// Renders templates.
    pub(crate) templates: Templates,
    /// Publishes events.
    pub(crate) events: Recorder,
    /// The metrics.
    pub(crate) metrics: Metrics,
    /// The watch cache of PushSecrets.
    pub(crate) objects: Store<PushSecret>,
    /// The fields of a status that the API server keeps.
    pub(crate) kept_fields: KeptFields,
    /// The share of the API server for statuses that are written again.
    pub(crate) repeated_writes: RepeatedWrites,
    /// Namespaces with their labels.
    pub(crate) namespaces: Namespaces,
    /// Stores.
    pub(crate) stores: Arc<dyn Stores>,
    /// Generators.
    pub(crate) generators: Arc<WatchedGenerators>,
    /// The state kept between passes.
    pub(crate) state: Arc<State>,
}

impl Context {
    /// What is needed to determine objects.
    pub(super) fn tools(&self) -> Tools<'_> {
        Tools {
            view: self,
            providers: &self.providers,
            templates: &self.templates,
            class: self.class(),
            token_secrets: self.options.push_token_secrets,
        }
    }

    /// Which stores this controller reconciles.
    pub(super) fn class(&self) -> ControllerClass<'_> {
        ControllerClass::of(&self.options)
    }

    /// Whether a store belongs to another controller: of another class, or of a kind that is switched off here.
    pub(super) fn is_of_others(&self, key: &StoreKey) -> bool {
        let class = self.class();
        !class.works_on(key.kind) || self.stores.watched(key).is_some_and(|store| !clients::is_ours(&store, class.name))
    }

    /// The API of the PushSecrets of a namespace.
    pub(super) fn push_secrets(&self, namespace: &str) -> Objects<PushSecret> {
        Objects::namespaced(self.client.clone(), namespace, &())
    }

    /// The API of the Secrets of a namespace.
    fn secrets(&self, namespace: &str) -> Objects<Secret> {
        Objects::namespaced(self.client.clone(), namespace, &())
    }

    /// A PushSecret from the watch cache.
    pub(super) fn watched(&self, key: &ObjectKey) -> Option<Arc<PushSecret>> {
        self.objects.get(&ObjectRef::new_with(&key.name, ()).within(&key.namespace))
    }

    /// Whether a PushSecret exists and is not being deleted.
    pub(super) fn stays(&self, key: &ObjectKey) -> bool {
        self.watched(key).is_some_and(|object| object.metadata.deletion_timestamp.is_none())
    }

    /// Whether a PushSecret is older than another.
    pub(super) fn is_older(&self, key: &ObjectKey, than: Subject<'_>) -> bool {
        let since = |object: &PushSecret| object.metadata.creation_timestamp.as_ref().map(|time| time.0);
        let since = self.watched(key).and_then(|object| since(&object)).unwrap_or_default();
        (since, key) < (than.since(), than.key)
    }

    /// Whether the watch still shows this PushSecret, neither deleted nor recreated.
    pub(super) fn shows(&self, subject: Subject<'_>) -> bool {
        self.watched(subject.key).is_some_and(|shown| shown.metadata.uid.as_deref() == subject.uid())
    }
}

/// Stores and namespaces are watched.
#[async_trait]
impl StoreLookup for Context {
    async fn store(&self, key: &StoreKey) -> Result<Option<Arc<SecretStore>>, ApiError> {
        Ok(self.stores.watched(key))
    }

    async fn namespace_labels(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, ApiError> {
        Ok(self.namespaces.labels(name))
    }
}

/// Generators are watched.
#[async_trait]
impl GeneratorLookup for Context {
    async fn generator(&self, key: &GeneratorKey) -> Result<Option<Arc<Generator>>, GeneratorError> {
        self.generators.get(key).await
    }
}

/// Secrets and ConfigMaps are read at the API server.
#[async_trait]
impl View for Context {
    async fn source(&self, key: &ObjectKey) -> Result<Option<Secret>, ApiError> {
        bounded(self.secrets(&key.namespace).get_opt(&key.name)).await
    }

    async fn template_source(&self, key: &ObjectKey) -> Result<Option<ConfigMap>, ApiError> {
        let config_maps: Objects<ConfigMap> = Objects::namespaced(self.client.clone(), &key.namespace, &());
        bounded(config_maps.get_opt(&key.name)).await
    }

    async fn selected(&self, namespace: &str, labels: &Selector, most: usize) -> Result<Vec<String>, ApiError> {
        let (api, mut names) = (self.secrets(namespace), Vec::new());
        let mut params = ListParams::default().labels_from(labels).limit(FIRST_PAGE);
        loop {
            let page = bounded(api.list_metadata_page(&params)).await?;
            let count = page.items.len();
            names.extend(page.items.into_iter().filter_map(|secret| secret.metadata.name));
            let Some(next) = page.next.filter(|_| names.len() < most) else { return Ok(names) };
            let each = page.bytes / count.max(1);
            let limit = u32::try_from(PAGE_BYTES / each.max(1)).unwrap_or(u32::MAX).clamp(1, LARGEST_PAGE);
            params = params.limit(limit).continue_token(&next);
        }
    }

    async fn stores(&self, kind: StoreKind, namespace: &str) -> Result<Vec<Arc<SecretStore>>, ApiError> {
        Ok(self.stores.all(kind, namespace))
    }
}
