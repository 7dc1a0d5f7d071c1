//! What the controller of ExternalSecrets works with.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::core::DynamicObject;
use kube::runtime::reflector::{ObjectRef, Store};

use super::cluster_view::{ApiServer, ClusterView, Shown};
use super::kind_discovery::{KindError, TargetKind};
use super::large_specs::LargeSpecs;
use super::memo::Memo;
use super::state::State;
use super::steps::Settings;
use super::subject::Subject;
use super::target_kinds::TargetKinds;
use crate::answers::{MetadataOf, Objects};
use crate::api::ServedVersion;
use crate::api::generators::Generator;
use crate::api::v1::external_secret::ManifestReference;
use crate::api::v1::{ExternalSecret, SecretStore};
use crate::controller::core::api_call::ApiError;
use crate::controller::core::events::Recorder;
use crate::controller::core::kept_fields::KeptFields;
use crate::controller::core::key::{ObjectKey, ObjectVersion};
use crate::controller::core::repeated_writes::RepeatedWrites;
use crate::controller::generators::error::Error as GeneratorError;
use crate::controller::generators::key::GeneratorKey;
use crate::controller::generators::lookup::GeneratorLookup;
use crate::controller::generators::watched::WatchedGenerators;
use crate::controller::namespaces::Namespaces;
use crate::controller::options::Options;
use crate::controller::store_access::clients::{Access, ControllerClass, StoreLookup};
use crate::controller::store_access::key::StoreKey;
use crate::controller::store_access::roles::Stores;
use crate::controller::template_engines::Templates;
use crate::provider::{Providers, ReadBudget};
use crate::runtime::metrics::Metrics;

/// What the controller of ExternalSecrets works with.
pub(crate) struct Context {
    pub(crate) client: Client,
    /// The version in which the cluster serves our resources.
    pub(crate) version: ServedVersion,
    pub(crate) options: Arc<Options>,
    /// Where values come from.
    pub(crate) providers: Providers,
    /// Renders templates.
    pub(crate) templates: Templates,
    pub(crate) events: Recorder,
    pub(crate) metrics: Metrics,
    /// The watches' stores.
    pub(crate) watched: Watched,
    /// The status fields that the API server stores.
    pub(crate) kept_fields: KeptFields,
    /// The share of the API server for statuses that are written again.
    pub(crate) repeated_writes: RepeatedWrites,
    /// The kinds of targets other than Secret.
    pub(crate) target_kinds: Arc<TargetKinds>,
    /// The memory for passes over large specs.
    pub(crate) large_specs: LargeSpecs,
    /// What is remembered.
    pub(crate) state: Arc<State>,
}

/// The watches' stores.
pub(crate) struct Watched {
    pub(crate) external_secrets: Store<ExternalSecret>,
    /// Target Secrets, without their content.
    pub(crate) secrets: Store<MetadataOf<Secret>>,
    /// Namespaces with their labels.
    pub(crate) namespaces: Namespaces,
    pub(crate) stores: Arc<dyn Stores>,
    /// Generators of the kinds in use.
    pub(crate) generators: Arc<WatchedGenerators>,
}

impl Context {
    /// The settings that affect which step is next.
    #[must_use]
    pub(crate) fn settings(&self) -> Settings<'_> {
        Settings { class: ControllerClass::of(&self.options), generic_targets: self.options.generic_targets }
    }

    /// What is needed to create clients for stores.
    #[must_use]
    pub(crate) fn access(&self) -> Access<'_> {
        Access { stores: self, providers: &self.providers, flood_gate: self.options.flood_gate }
    }

    /// The ExternalSecrets of a namespace, at the API server.
    #[must_use]
    pub(crate) fn external_secrets(&self, namespace: &str) -> Objects<ExternalSecret> {
        Objects::namespaced(self.client.clone(), namespace, &self.version)
    }

    /// The Secrets of a namespace, at the API server.
    #[must_use]
    pub(crate) fn secrets(&self, namespace: &str) -> Objects<Secret> {
        Objects::namespaced(self.client.clone(), namespace, &())
    }

    /// The API server itself, without the watches.
    fn api_server(&self) -> ApiServer {
        ApiServer { client: self.client.clone(), version: self.version }
    }

    /// An ExternalSecret from the watch.
    #[must_use]
    pub(crate) fn watched(&self, key: &ObjectKey) -> Option<Arc<ExternalSecret>> {
        let reference = ObjectRef::new_with(&key.name, self.version).within(&key.namespace);
        self.watched.external_secrets.get(&reference)
    }

    /// Whether the watch still shows this ExternalSecret, neither deleted nor recreated.
    #[must_use]
    pub(crate) fn shows(&self, subject: Subject<'_>) -> bool {
        self.watched(subject.key).is_some_and(|shown| shown.metadata.uid.as_deref() == subject.uid())
    }

    /// Reads what is remembered of an ExternalSecret.
    pub(crate) fn recall<T>(&self, subject: Subject<'_>, look: impl FnOnce(&Memo) -> T) -> Option<T> {
        self.state.memos().get(subject.key, subject.uid()).map(look)
    }

    /// Changes what is remembered of an ExternalSecret, unless another of the same name has replaced it.
    pub(crate) fn remember<T>(&self, subject: Subject<'_>, change: impl FnOnce(&mut Memo) -> T) -> Option<T> {
        self.state.memos().get_mut(subject.key, subject.uid()).map(change)
    }
}

/// Stores and namespaces come from watches, everything else from the API server.
#[async_trait]
impl StoreLookup for Context {
    async fn store(&self, key: &StoreKey) -> Result<Option<Arc<SecretStore>>, ApiError> {
        Ok(self.watched.stores.watched(key))
    }

    async fn namespace_labels(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, ApiError> {
        Ok(self.watched.namespaces.labels(name))
    }
}

#[async_trait]
impl GeneratorLookup for Context {
    async fn generator(&self, key: &GeneratorKey) -> Result<Option<Arc<Generator>>, GeneratorError> {
        self.watched.generators.get(key).await
    }
}

#[async_trait]
impl ClusterView for Context {
    async fn config_map(&self, key: &ObjectKey) -> Result<Option<ConfigMap>, ApiError> {
        self.api_server().config_map(key).await
    }

    async fn secret(&self, key: &ObjectKey) -> Result<Option<Secret>, ApiError> {
        self.api_server().secret(key).await
    }

    fn watched_secret(&self, key: &ObjectKey) -> Shown {
        match self.watched.secrets.get(&ObjectRef::new(&key.name).within(&key.namespace)) {
            Some(secret) => Shown::At(ObjectVersion::of(&secret.metadata)),
            None => Shown::Absent,
        }
    }

    async fn target_kind(&self, manifest: &ManifestReference, namespace: &str) -> Result<Arc<TargetKind>, KindError> {
        self.target_kinds.get(manifest, namespace).await
    }

    async fn target_object(&self, kind: &TargetKind, key: &ObjectKey) -> Result<Option<DynamicObject>, ApiError> {
        self.api_server().target_object(kind, key).await
    }

    async fn secrets_labeled(&self, namespace: &str, selector: &str) -> Result<Vec<ObjectMeta>, ApiError> {
        self.api_server().secrets_labeled(namespace, selector).await
    }

    fn budget(&self, namespace: &str) -> ReadBudget {
        ReadBudget::new(&self.providers.memory, namespace)
    }
}
