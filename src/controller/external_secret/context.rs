//! What the reconcilers share.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::Client;
use kube::runtime::reflector::{ObjectRef, Store};

use crate::answers::{MetadataOf, Objects, reason};
use crate::api::v1::secret_store::StoreType;
use crate::api::v1::{ExternalSecret, SecretStore, StoreKind};
use crate::controller::core::events::Recorder;
use crate::controller::core::key::{ObjectKey, StoreKey};
use crate::controller::external_secret::cluster_view::ApiServer;
use crate::controller::external_secret::state::State;
use crate::controller::external_secret::templates::Templates;
use crate::controller::external_secret::{Memo, Subject};
use crate::controller::options::Options;
use crate::controller::store_access::{Access, ControllerClass};
use crate::provider::Providers;
use crate::runtime::api_health::ApiHealth;
use crate::runtime::metrics::Metrics;

/// How long the API server may take to answer.
const API_DEADLINE: Duration = Duration::from_secs(30);

/// What the reconcilers share.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// What is known of the connection to it.
    pub api_health: ApiHealth,
    /// The operator's settings.
    pub options: Options,
    /// Where values come from.
    pub providers: Providers,
    /// What renders templates.
    pub templates: Templates,
    /// Where events go.
    pub events: Recorder,
    /// Where metrics go.
    pub metrics: Metrics,
    /// What is watched.
    pub watched: Watched,
    /// What is remembered.
    pub state: Arc<State>,
}

/// What is watched.
pub struct Watched {
    /// ExternalSecrets.
    pub external_secrets: Store<ExternalSecret>,
    /// Target Secrets, without their content.
    pub secrets: Store<MetadataOf<Secret>>,
    /// Namespaces, with their labels.
    pub namespaces: Store<MetadataOf<Namespace>>,
    /// Stores of a namespace.
    pub secret_stores: Store<SecretStore>,
    /// Stores of the cluster.
    pub cluster_secret_stores: Store<SecretStore>,
}

/// A call of the API server that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// It refused, or could not be reached, or its answer could not be read.
    #[error("{}", reason(.0))]
    Kube(#[from] kube::Error),
    /// It did not answer in time.
    #[error("the API server did not answer within {} s", API_DEADLINE.as_secs())]
    Timeout,
}

impl ApiError {
    /// The HTTP status, where the API server answered.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Kube(kube::Error::Api(status)) => Some(status.code),
            _ => None,
        }
    }

    /// The API server's own words, without what differs from one answer to the next.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Kube(kube::Error::Api(status)) => status.message.clone(),
            Self::Kube(error @ (kube::Error::SerdeError(_) | kube::Error::FromUtf8(_))) => reason(error),
            Self::Kube(_) => "it cannot be reached".to_owned(),
            Self::Timeout => self.to_string(),
        }
    }

    /// Whether the API server is away or overloaded, rather than unwilling. It may then be said of all that was sent.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Kube(kube::Error::Api(status)) => matches!(status.code, 429 | 502 | 503 | 504),
            // What was sent did not arrive, or the answer did not come.
            Self::Kube(kube::Error::Service(_) | kube::Error::HyperError(_)) | Self::Timeout => true,
            Self::Kube(_) => false,
        }
    }
}

/// Waits for the API server, but not for ever.
///
/// # Errors
/// [`ApiError`]
pub async fn bounded<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, ApiError> {
    match tokio::time::timeout(API_DEADLINE, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(ApiError::Timeout),
    }
}

impl Context {
    /// Which stores are worked on.
    #[must_use]
    pub fn class(&self) -> ControllerClass<'_> {
        let Options { controller_class: name, secret_stores, cluster_secret_stores, .. } = &self.options;
        ControllerClass { name, secret_stores: *secret_stores, cluster_secret_stores: *cluster_secret_stores }
    }

    /// What clients for stores are made from.
    #[must_use]
    pub fn access(&self) -> Access<'_> {
        Access { cluster: self, providers: &self.providers, flood_gate: self.options.flood_gate }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// ExternalSecrets of a namespace, at the API server.
    #[must_use]
    pub fn external_secrets(&self, namespace: &str) -> Objects<ExternalSecret> {
        Objects::namespaced(self.client.clone(), namespace, &self.state.version)
    }

    /// Secrets of a namespace, at the API server.
    #[must_use]
    pub fn secrets(&self, namespace: &str) -> Objects<Secret> {
        Objects::namespaced(self.client.clone(), namespace, &())
    }

    /// Stores of the kind and namespace of `key`, at the API server.
    #[must_use]
    pub fn stores(&self, key: &StoreKey) -> Objects<SecretStore> {
        self.api_server().stores(key)
    }

    /// The API server, past the watches.
    #[must_use]
    pub fn api_server(&self) -> ApiServer {
        ApiServer { client: self.client.clone(), version: self.state.version }
    }

    /// An ExternalSecret, as it is watched.
    #[must_use]
    pub fn watched_external_secret(&self, key: &ObjectKey) -> Option<Arc<ExternalSecret>> {
        let reference = ObjectRef::new_with(&key.name, self.state.version).within(&key.namespace);
        self.watched.external_secrets.get(&reference)
    }

    /// Whether an ExternalSecret is there as far as the watch has seen: neither deleted nor made anew.
    #[must_use]
    pub fn shows(&self, subject: Subject<'_>) -> bool {
        self.watched_external_secret(subject.key).is_some_and(|shown| shown.metadata.uid.as_deref() == subject.uid())
    }

    /// Looks at what is remembered of an ExternalSecret.
    pub fn recall<T>(&self, subject: Subject<'_>, look: impl FnOnce(&Memo) -> T) -> Option<T> {
        self.state.memos().get(subject.key, subject.uid()).map(look)
    }

    /// Changes what is remembered of an ExternalSecret, unless another of its name has taken its place.
    pub fn remember<T>(&self, subject: Subject<'_>, change: impl FnOnce(&mut Memo) -> T) -> Option<T> {
        self.state.memos().get_mut(subject.key, subject.uid()).map(change)
    }

    /// A store, as it is watched.
    #[must_use]
    pub fn watched_store(&self, key: &StoreKey) -> Option<Arc<SecretStore>> {
        let dyntype = StoreType { kind: key.kind, version: self.state.version };
        let reference = ObjectRef::new_with(&key.object.name, dyntype);
        match key.kind {
            StoreKind::SecretStore => self.watched.secret_stores.get(&reference.within(&key.object.namespace)),
            StoreKind::ClusterSecretStore => self.watched.cluster_secret_stores.get(&reference),
        }
    }
}
