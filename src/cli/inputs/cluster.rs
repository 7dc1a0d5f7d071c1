//! A cluster that is only read.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::ListParams;
use kube::core::{DynamicObject, Selector};

use crate::answers::Objects;
use crate::api::ServedVersion;
use crate::api::generators::Generator;
use crate::api::v1::external_secret::ManifestReference;
use crate::api::v1::secret_store::StoreType;
use crate::api::v1::{ClusterExternalSecret, ExternalSecret, SecretStore, StoreKind};
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};
use crate::controller::cluster_reader::KubeReader;
use crate::controller::core::api_call::{ApiError, bounded, none_if_not_served};
use crate::controller::core::key::ObjectKey;
use crate::controller::external_secret::cluster_view::{ApiServer, ClusterView};
use crate::controller::external_secret::kind_discovery::{KindError, TargetKind};
use crate::controller::generators::error::Error as GeneratorError;
use crate::controller::generators::key::GeneratorKey;
use crate::controller::generators::lookup::GeneratorLookup;
use crate::controller::store_access::clients::StoreLookup;
use crate::controller::store_access::key::StoreKey;

/// A cluster that is only read; nothing here writes.
pub(in crate::cli) struct Cluster {
    server: ApiServer,
    /// Whether it serves our resources.
    pub(in crate::cli) crds: Crds,
    /// What providers read from.
    pub(super) reader: KubeReader,
    /// Stores that were read. Each is read once.
    stores: Mutex<HashMap<StoreKey, Option<Arc<SecretStore>>>>,
}

/// Whether a cluster serves our resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Crds {
    Installed,
    /// It does not, so it has neither stores nor ExternalSecrets.
    Missing,
}

impl Cluster {
    /// A cluster that serves our resources in `version`, if at all.
    pub(in crate::cli) fn new(client: Client, version: Option<ServedVersion>) -> Self {
        Self {
            reader: KubeReader::of_person(client.clone()),
            server: ApiServer { client, version: version.unwrap_or_default() },
            crds: if version.is_some() { Crds::Installed } else { Crds::Missing },
            stores: Mutex::default(),
        }
    }

    /// The version in which it serves our resources, or would serve them if they were installed.
    pub(in crate::cli) const fn version(&self) -> ServedVersion {
        self.server.version
    }

    /// The ExternalSecrets of a namespace, or of all namespaces.
    pub(in crate::cli) async fn external_secrets(
        &self,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Vec<ExternalSecret>, ApiError> {
        let api: Objects<ExternalSecret> = Objects::within(self.server.client.clone(), namespace, &self.server.version);
        let params = ListParams { label_selector: selector.map(str::to_owned), ..ListParams::default() };
        let mut objects = bounded(api.list(&params)).await?;
        objects.iter_mut().for_each(ExternalSecret::read_managed_fields);
        Ok(objects)
    }

    /// One ExternalSecret.
    pub(in crate::cli) async fn external_secret(&self, key: &ObjectKey) -> Result<Option<ExternalSecret>, ApiError> {
        if self.crds == Crds::Missing {
            return Ok(None);
        }
        let api: Objects<ExternalSecret> =
            Objects::namespaced(self.server.client.clone(), &key.namespace, &self.server.version);
        bounded(api.get_opt(&key.name)).await
    }
}

#[async_trait]
impl StoreLookup for Cluster {
    async fn store(&self, key: &StoreKey) -> Result<Option<Arc<SecretStore>>, ApiError> {
        if self.crds == Crds::Missing {
            return Ok(None);
        }
        let known = self.stores.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        if let Some(store) = known {
            return Ok(store);
        }
        let store = self.server.store(key).await?;
        self.stores.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), store.clone());
        Ok(store)
    }

    async fn namespace_labels(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, ApiError> {
        self.server.namespace_labels(name).await
    }
}

impl Cluster {
    /// All ClusterExternalSecrets; none if the kind is not served.
    pub(in crate::cli) async fn cluster_external_secrets(&self) -> Result<Vec<ClusterExternalSecret>, ApiError> {
        let api: Objects<ClusterExternalSecret> = Objects::all(self.server.client.clone(), &self.server.version);
        none_if_not_served(bounded(api.list(&ListParams::default())).await)
    }

    /// One ClusterExternalSecret.
    pub(in crate::cli) async fn cluster_external_secret(
        &self,
        name: &str,
    ) -> Result<Option<ClusterExternalSecret>, ApiError> {
        let api: Objects<ClusterExternalSecret> = Objects::all(self.server.client.clone(), &self.server.version);
        bounded(api.get_opt(name)).await
    }

    /// The PushSecrets of a namespace, or of all; none where there is no such kind.
    pub(in crate::cli) async fn push_secrets(
        &self,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Vec<PushSecret>, ApiError> {
        let api: Objects<PushSecret> = Objects::within(self.server.client.clone(), namespace, &());
        let params = ListParams { label_selector: selector.map(str::to_owned), ..ListParams::default() };
        let mut objects = none_if_not_served(bounded(api.list(&params)).await)?;
        objects.iter_mut().for_each(PushSecret::read_managed_fields);
        Ok(objects)
    }

    /// One PushSecret.
    pub(in crate::cli) async fn push_secret(&self, key: &ObjectKey) -> Result<Option<PushSecret>, ApiError> {
        let api: Objects<PushSecret> = Objects::namespaced(self.server.client.clone(), &key.namespace, &());
        bounded(api.get_opt(&key.name)).await
    }

    /// All ClusterPushSecrets; none where there is no such kind.
    pub(in crate::cli) async fn cluster_push_secrets(&self) -> Result<Vec<ClusterPushSecret>, ApiError> {
        let api: Objects<ClusterPushSecret> = Objects::all(self.server.client.clone(), &());
        none_if_not_served(bounded(api.list(&ListParams::default())).await)
    }

    /// One ClusterPushSecret.
    pub(in crate::cli) async fn cluster_push_secret(&self, name: &str) -> Result<Option<ClusterPushSecret>, ApiError> {
        let api: Objects<ClusterPushSecret> = Objects::all(self.server.client.clone(), &());
        bounded(api.get_opt(name)).await
    }

    /// The stores of a kind: of a namespace, or of the cluster.
    pub(super) async fn stores(&self, kind: StoreKind, namespace: &str) -> Result<Vec<SecretStore>, ApiError> {
        if self.crds == Crds::Missing {
            return Ok(Vec::new());
        }
        let dyntype = StoreType { kind, version: self.server.version };
        let api: Objects<SecretStore> = match kind {
            StoreKind::SecretStore => Objects::namespaced(self.server.client.clone(), namespace, &dyntype),
            StoreKind::ClusterSecretStore => Objects::all(self.server.client.clone(), &dyntype),
        };
        bounded(api.list(&ListParams::default())).await
    }

    /// The names of the Secrets of a namespace that labels select.
    pub(super) async fn selected_secrets(
        &self,
        namespace: &str,
        labels: &Selector,
        most: usize,
    ) -> Result<Vec<String>, ApiError> {
        let api: Objects<Secret> = Objects::namespaced(self.server.client.clone(), namespace, &());
        let params = ListParams::default().labels_from(labels).limit(u32::try_from(most).unwrap_or(u32::MAX));
        let found = bounded(api.list_metadata(&params)).await?;
        Ok(found.into_iter().filter_map(|secret| secret.metadata.name).collect())
    }

    /// The metadata of all namespaces.
    pub(in crate::cli) async fn namespaces(&self) -> Result<Vec<ObjectMeta>, ApiError> {
        let api: Objects<Namespace> = Objects::all(self.server.client.clone(), &());
        let namespaces = bounded(api.list_metadata(&ListParams::default())).await?;
        Ok(namespaces.into_iter().map(|namespace| namespace.metadata).collect())
    }
}

#[async_trait]
impl GeneratorLookup for Cluster {
    async fn generator(&self, key: &GeneratorKey) -> Result<Option<Arc<Generator>>, GeneratorError> {
        self.server.generator(key).await
    }
}

#[async_trait]
impl ClusterView for Cluster {
    async fn config_map(&self, key: &ObjectKey) -> Result<Option<ConfigMap>, ApiError> {
        self.server.config_map(key).await
    }

    async fn secret(&self, key: &ObjectKey) -> Result<Option<Secret>, ApiError> {
        self.server.secret(key).await
    }

    async fn target_kind(&self, manifest: &ManifestReference, namespace: &str) -> Result<Arc<TargetKind>, KindError> {
        self.server.target_kind(manifest, namespace).await
    }

    async fn target_object(&self, kind: &TargetKind, key: &ObjectKey) -> Result<Option<DynamicObject>, ApiError> {
        self.server.target_object(kind, key).await
    }

    async fn secrets_labeled(&self, namespace: &str, selector: &str) -> Result<Vec<ObjectMeta>, ApiError> {
        self.server.secrets_labeled(namespace, selector).await
    }
}
