//! What a sync reads from the cluster. The trait hides whether that is the controller's watches, a cluster that is only
//! read, or manifests that were never applied.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::ListParams;
use kube::core::DynamicObject;

use super::kind_discovery::{KindError, TargetKind};
use crate::answers::Objects;
use crate::api::ServedVersion;
use crate::api::generators::Generator;
use crate::api::v1::external_secret::ManifestReference;
use crate::api::v1::secret_store::StoreType;
use crate::api::v1::{SecretStore, StoreKind};
use crate::controller::core::api_call::{ApiError, bounded};
use crate::controller::core::key::{ObjectKey, ObjectVersion};
use crate::controller::generators::error::Error as GeneratorError;
use crate::controller::generators::key::GeneratorKey;
use crate::controller::generators::lookup::GeneratorLookup;
use crate::controller::store_access::clients::StoreLookup;
use crate::controller::store_access::key::StoreKey;
use crate::provider::ReadBudget;

/// What a sync reads from the cluster. `None` means that an object certainly does not exist.
#[async_trait]
pub(crate) trait ClusterView: StoreLookup + GeneratorLookup {
    async fn config_map(&self, key: &ObjectKey) -> Result<Option<ConfigMap>, ApiError>;

    /// A Secret with its content. The caller must wipe it.
    async fn secret(&self, key: &ObjectKey) -> Result<Option<Secret>, ApiError>;

    /// A target Secret with its content.
    async fn target_secret(&self, key: &ObjectKey) -> Result<Option<Secret>, ApiError> {
        self.secret(key).await
    }

    /// What a watch shows of a target Secret.
    fn watched_secret(&self, _key: &ObjectKey) -> Shown {
        Shown::Unknown
    }

    /// A kind of target other than Secret, for use in a namespace.
    async fn target_kind(&self, manifest: &ManifestReference, namespace: &str) -> Result<Arc<TargetKind>, KindError>;

    /// An object of such a kind, with its content. The caller must wipe it.
    async fn target_object(&self, kind: &TargetKind, key: &ObjectKey) -> Result<Option<DynamicObject>, ApiError>;

    /// The metadata of the Secrets in a namespace that match a label selector.
    async fn secrets_labeled(&self, namespace: &str, selector: &str) -> Result<Vec<ObjectMeta>, ApiError>;

    /// How much may be read for one ExternalSecret of a namespace, apart from values. Only in the controller do others
    /// read at the same time.
    fn budget(&self, _namespace: &str) -> ReadBudget {
        ReadBudget::alone()
    }
}

/// What a watch shows of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Nothing: there is no watch, or it has only just started.
    Unknown,
    /// The object does not exist.
    Absent,
    /// The object has this version.
    At(ObjectVersion),
}

/// The API server, which is asked each time.
pub(crate) struct ApiServer {
    pub(crate) client: Client,
    /// The version in which it serves our resources.
    pub(crate) version: ServedVersion,
}

#[async_trait]
impl StoreLookup for ApiServer {
    async fn store(&self, key: &StoreKey) -> Result<Option<Arc<SecretStore>>, ApiError> {
        let dyntype = StoreType { kind: key.kind, version: self.version };
        let stores: Objects<SecretStore> = match key.kind {
            StoreKind::SecretStore => Objects::namespaced(self.client.clone(), &key.object.namespace, &dyntype),
            StoreKind::ClusterSecretStore => Objects::all(self.client.clone(), &dyntype),
        };
        Ok(bounded(stores.get_opt(&key.object.name)).await?.map(Arc::new))
    }

    async fn namespace_labels(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, ApiError> {
        let api: Objects<Namespace> = Objects::all(self.client.clone(), &());
        let namespace = bounded(api.get_metadata_opt(name)).await?;
        Ok(namespace.map(|namespace| namespace.metadata.labels.unwrap_or_default()))
    }
}

#[async_trait]
impl GeneratorLookup for ApiServer {
    async fn generator(&self, key: &GeneratorKey) -> Result<Option<Arc<Generator>>, GeneratorError> {
        let api: Objects<Generator> = if key.kind.is_of_cluster() {
            Objects::all(self.client.clone(), &key.kind)
        } else {
            Objects::namespaced(self.client.clone(), &key.object.namespace, &key.kind)
        };
        let found = bounded(api.get_opt(&key.object.name)).await;
        let found = found.map_err(|error| GeneratorError::Unreadable { kind: key.kind, error })?;
        Ok(found.map(Arc::new))
    }
}

#[async_trait]
impl ClusterView for ApiServer {
    async fn config_map(&self, key: &ObjectKey) -> Result<Option<ConfigMap>, ApiError> {
        let api: Objects<ConfigMap> = Objects::namespaced(self.client.clone(), &key.namespace, &());
        bounded(api.get_opt(&key.name)).await
    }

    async fn secret(&self, key: &ObjectKey) -> Result<Option<Secret>, ApiError> {
        let api: Objects<Secret> = Objects::namespaced(self.client.clone(), &key.namespace, &());
        bounded(api.get_opt(&key.name)).await
    }

    async fn target_kind(&self, manifest: &ManifestReference, _namespace: &str) -> Result<Arc<TargetKind>, KindError> {
        Ok(Arc::new(TargetKind::unwatched(&self.client, manifest).await?))
    }

    async fn target_object(&self, kind: &TargetKind, key: &ObjectKey) -> Result<Option<DynamicObject>, ApiError> {
        bounded(kind.api(&self.client, &key.namespace).get_opt(&key.name)).await
    }

    async fn secrets_labeled(&self, namespace: &str, selector: &str) -> Result<Vec<ObjectMeta>, ApiError> {
        let api: Objects<Secret> = Objects::namespaced(self.client.clone(), namespace, &());
        let found = bounded(api.list_metadata(&ListParams::default().labels(selector))).await?;
        Ok(found.into_iter().map(|secret| secret.metadata).collect())
    }
}
