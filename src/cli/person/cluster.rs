//! Our objects in a cluster, as far as a person may read them.

use std::sync::Arc;

use kube::Client;
use kube::api::ListParams;

use crate::answers::Objects;
use crate::api::ServedVersion;
use crate::api::v1::secret_store::StoreType;
use crate::api::v1::{ExternalSecret, SecretStore, StoreKind};
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};
use crate::controller::core::api_call::{ApiError, bounded, none_if_not_served};
use crate::controller::core::key::ObjectKey;
use crate::controller::store_access::key::StoreKey;

/// Objects per page of a list.
const PAGE: u32 = 500;

/// A cluster that serves our kinds.
pub(in crate::cli) struct Cluster {
    pub(in crate::cli) client: Client,
    pub(in crate::cli) version: ServedVersion,
}

impl Cluster {
    /// The ExternalSecrets of a namespace, or of all namespaces, sorted by namespace and name.
    pub(in crate::cli) async fn external_secrets(
        &self,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Vec<ExternalSecret>, ApiError> {
        let params = ListParams { label_selector: selector.map(str::to_owned), ..ListParams::default() };
        let mut objects = bounded(self.api_of(namespace).list_in_pages(&params, PAGE)).await?;
        objects.sort_by_key(|object| ObjectKey::of(&object.metadata));
        Ok(objects)
    }

    /// One ExternalSecret.
    pub(in crate::cli) async fn external_secret(&self, key: &ObjectKey) -> Result<Option<ExternalSecret>, ApiError> {
        bounded(self.api_of(Some(&key.namespace)).get_opt(&key.name)).await
    }

    /// ExternalSecrets of a namespace, or of all namespaces.
    pub(in crate::cli) fn api_of(&self, namespace: Option<&str>) -> Objects<ExternalSecret> {
        Objects::within(self.client.clone(), namespace, &self.version)
    }

    /// The PushSecrets of a namespace, or of all namespaces, sorted by namespace and name; none if they are not served.
    pub(in crate::cli) async fn push_secrets(
        &self,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Vec<PushSecret>, ApiError> {
        let api: Objects<PushSecret> = Objects::within(self.client.clone(), namespace, &());
        let params = ListParams { label_selector: selector.map(str::to_owned), ..ListParams::default() };
        let mut objects = none_if_not_served(bounded(api.list_in_pages(&params, PAGE)).await)?;
        objects.sort_by_key(|object| ObjectKey::of(&object.metadata));
        Ok(objects)
    }

    /// One PushSecret.
    pub(in crate::cli) async fn push_secret(&self, key: &ObjectKey) -> Result<Option<PushSecret>, ApiError> {
        let api: Objects<PushSecret> = Objects::namespaced(self.client.clone(), &key.namespace, &());
        bounded(api.get_opt(&key.name)).await
    }

    /// The ClusterPushSecrets, sorted by name; none if they are not served.
    pub(in crate::cli) async fn cluster_push_secrets(&self) -> Result<Vec<ClusterPushSecret>, ApiError> {
        let api: Objects<ClusterPushSecret> = Objects::all(self.client.clone(), &());
        let mut objects = none_if_not_served(bounded(api.list_in_pages(&ListParams::default(), PAGE)).await)?;
        objects.sort_by_key(|object| ObjectKey::of(&object.metadata));
        Ok(objects)
    }

    /// One ClusterPushSecret.
    pub(in crate::cli) async fn cluster_push_secret(&self, name: &str) -> Result<Option<ClusterPushSecret>, ApiError> {
        let api: Objects<ClusterPushSecret> = Objects::all(self.client.clone(), &());
        bounded(api.get_opt(name)).await
    }

    /// The stores of a kind in a namespace, or in all namespaces, sorted by namespace and name; none if the kind is not
    /// served.
    pub(in crate::cli) async fn stores(
        &self,
        kind: StoreKind,
        namespace: Option<&str>,
    ) -> Result<Vec<(StoreKey, SecretStore)>, ApiError> {
        let api = self.stores_of(kind, namespace);
        let objects = none_if_not_served(bounded(api.list_in_pages(&ListParams::default(), PAGE)).await)?;
        let keyed = objects.into_iter().map(|object| {
            let key = StoreKey { kind, object: ObjectKey::of(&object.metadata) };
            (key, object)
        });
        let mut keyed: Vec<_> = keyed.collect();
        keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(keyed)
    }

    /// One store.
    pub(in crate::cli) async fn store(&self, key: &StoreKey) -> Result<Option<Arc<SecretStore>>, ApiError> {
        let api = self.stores_of(key.kind, Some(&key.object.namespace));
        Ok(bounded(api.get_opt(&key.object.name)).await?.map(Arc::new))
    }

    /// The stores of a kind.
    pub(in crate::cli) fn stores_of(&self, kind: StoreKind, namespace: Option<&str>) -> Objects<SecretStore> {
        let dyntype = StoreType { kind, version: self.version };
        match (kind, namespace) {
            (StoreKind::SecretStore, Some(namespace)) => Objects::namespaced(self.client.clone(), namespace, &dyntype),
            _ => Objects::all(self.client.clone(), &dyntype),
        }
    }
}
