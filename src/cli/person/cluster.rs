//! Our objects in a cluster, as far as a person may read them.

use std::sync::Arc;

use kube::api::ListParams;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;

use crate::answers::Objects;
use crate::api::ServedVersion;
use crate::api::v1::secret_store::StoreType;
use crate::api::v1::{ClusterExternalSecret, ExternalSecret, SecretStore, StoreKind};
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};
use crate::cli::person::kind::Kind;
use crate::controller::core::api_call::{ApiError, bounded, none_if_not_served};
use crate::controller::core::key::ObjectKey;
use crate::controller::store_access::key::StoreKey;

/// Objects per page of a list.
const PAGE: u32 = 500;
/// How many names to read of one kind.
const MOST_NAMES: u32 = 5_000;

/// A cluster that serves our kinds.
pub(in crate::cli) struct Cluster {
    pub(in crate::cli) client: Client,
    pub(in crate::cli) version: ServedVersion,
}

impl Cluster {
    /// The objects of a kind in a namespace, or in all namespaces, sorted by namespace and name.
    async fn listed<K: Resource + DeserializeOwned>(
        &self,
        namespace: Option<&str>,
        dyntype: &K::DynamicType,
        selector: Option<&str>,
    ) -> Result<Vec<K>, ApiError> {
        let api: Objects<K> = Objects::within(self.client.clone(), namespace, dyntype);
        let params = ListParams { label_selector: selector.map(str::to_owned), ..ListParams::default() };
        let mut objects = bounded(api.list_in_pages(&params, PAGE)).await?;
        objects.sort_by_key(|object| ObjectKey::of(object.meta()));
        Ok(objects)
    }

    /// One object of a kind; no namespace if the kind has none.
    async fn one<K: Resource + DeserializeOwned>(
        &self,
        key: &ObjectKey,
        dyntype: &K::DynamicType,
    ) -> Result<Option<K>, ApiError> {
        let namespace = Some(key.namespace.as_str()).filter(|namespace| !namespace.is_empty());
        let api: Objects<K> = Objects::within(self.client.clone(), namespace, dyntype);
        bounded(api.get_opt(&key.name)).await
    }

    /// The ExternalSecrets of a namespace, or of all namespaces.
    pub(in crate::cli) async fn external_secrets(
        &self,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Vec<ExternalSecret>, ApiError> {
        self.listed(namespace, &self.version, selector).await
    }

    /// One ExternalSecret.
    pub(in crate::cli) async fn external_secret(&self, key: &ObjectKey) -> Result<Option<ExternalSecret>, ApiError> {
        self.one(key, &self.version).await
    }

    /// The ClusterExternalSecrets; none if they are not served.
    pub(in crate::cli) async fn cluster_external_secrets(
        &self,
        selector: Option<&str>,
    ) -> Result<Vec<ClusterExternalSecret>, ApiError> {
        none_if_not_served(self.listed(None, &self.version, selector).await)
    }

    /// One ClusterExternalSecret.
    pub(in crate::cli) async fn cluster_external_secret(
        &self,
        name: &str,
    ) -> Result<Option<ClusterExternalSecret>, ApiError> {
        self.one(&ObjectKey::new("", name), &self.version).await
    }

    /// The PushSecrets of a namespace, or of all namespaces; none if they are not served.
    pub(in crate::cli) async fn push_secrets(
        &self,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Vec<PushSecret>, ApiError> {
        none_if_not_served(self.listed(namespace, &(), selector).await)
    }

    /// One PushSecret.
    pub(in crate::cli) async fn push_secret(&self, key: &ObjectKey) -> Result<Option<PushSecret>, ApiError> {
        self.one(key, &()).await
    }

    /// The ClusterPushSecrets; none if they are not served.
    pub(in crate::cli) async fn cluster_push_secrets(
        &self,
        selector: Option<&str>,
    ) -> Result<Vec<ClusterPushSecret>, ApiError> {
        none_if_not_served(self.listed(None, &(), selector).await)
    }

    /// One ClusterPushSecret.
    pub(in crate::cli) async fn cluster_push_secret(&self, name: &str) -> Result<Option<ClusterPushSecret>, ApiError> {
        self.one(&ObjectKey::new("", name), &()).await
    }

    /// The stores of a kind in a namespace, or in all namespaces; none if the kind is not served.
    pub(in crate::cli) async fn stores(
        &self,
        kind: StoreKind,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Vec<(StoreKey, SecretStore)>, ApiError> {
        let namespace = namespace.filter(|_| kind == StoreKind::SecretStore);
        let listed = self.listed(namespace, &self.store_type(kind), selector).await;
        let keyed = none_if_not_served(listed)?.into_iter().map(|object: SecretStore| {
            let key = StoreKey { kind, object: ObjectKey::of(&object.metadata) };
            (key, object)
        });
        Ok(keyed.collect())
    }

    /// One store.
    pub(in crate::cli) async fn store(&self, key: &StoreKey) -> Result<Option<Arc<SecretStore>>, ApiError> {
        Ok(self.one(&key.object, &self.store_type(key.kind)).await?.map(Arc::new))
    }

    /// Names of objects of a kind in a namespace, or of those that have none: the first ones, if there are very many.
    pub(in crate::cli) async fn names(&self, kind: Kind, namespace: &str) -> Result<Vec<String>, ApiError> {
        match kind {
            Kind::ExternalSecret => self.names_of::<ExternalSecret>(kind, namespace, &self.version).await,
            Kind::ClusterExternalSecret => self.names_of::<ClusterExternalSecret>(kind, namespace, &self.version).await,
            Kind::PushSecret => self.names_of::<PushSecret>(kind, namespace, &()).await,
            Kind::ClusterPushSecret => self.names_of::<ClusterPushSecret>(kind, namespace, &()).await,
            Kind::Store(of) => self.names_of::<SecretStore>(kind, namespace, &self.store_type(of)).await,
        }
    }

    async fn names_of<K: Resource>(
        &self,
        kind: Kind,
        namespace: &str,
        dyntype: &K::DynamicType,
    ) -> Result<Vec<String>, ApiError> {
        let namespace = Some(namespace).filter(|_| !kind.is_of_cluster());
        let api: Objects<K> = Objects::within(self.client.clone(), namespace, dyntype);
        let page = bounded(api.list_metadata_page(&ListParams::default().limit(MOST_NAMES))).await?;
        Ok(page.items.into_iter().filter_map(|object| object.metadata.name).collect())
    }

    /// A kind of stores in the version that is served.
    pub(in crate::cli) const fn store_type(&self, kind: StoreKind) -> StoreType {
        StoreType { kind, version: self.version }
    }
}
