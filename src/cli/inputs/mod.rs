//! What `render` and `plan` work on: the cluster as the controller would see it after the manifests were applied.
//! Manifests override objects of the cluster, if there is one, and values from a file replace what stores hold.

pub(super) mod cluster;
pub(super) mod document;
pub(super) mod files;
pub(super) mod manifests;
mod text;
pub(super) mod values;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{DynamicObject, Selector, SelectorExt as _};
use secrecy::{SecretSlice, SecretString};

use crate::api::generators::Generator;
use crate::api::v1::external_secret::ManifestReference;
use crate::api::v1::{SecretStore, StoreKind};
use crate::controller::core::api_call::ApiError;
use crate::controller::core::key::ObjectKey;
use crate::controller::external_secret::cluster_view::ClusterView;
use crate::controller::external_secret::kind_discovery::{KindError, TargetKind};
use crate::controller::generators::error::Error as GeneratorError;
use crate::controller::generators::key::GeneratorKey;
use crate::controller::generators::lookup::GeneratorLookup;
use crate::controller::push_secret::view::View;
use crate::controller::store_access::clients::StoreLookup;
use crate::controller::store_access::key::StoreKey;
use crate::provider::azure::given::{GivenObjects, GivenVault};
use crate::provider::{ClusterReadError, ClusterReader, CredentialValue, Providers, SecretValue, ServiceAccount};
use crate::sync::target;
use cluster::Cluster;
use manifests::Manifests;

/// What `render` and `plan` work on.
pub(super) struct Inputs {
    pub(super) manifests: Manifests,
    /// Values that replace the content of every vault.
    values: Option<Arc<GivenObjects>>,
    /// The source of everything that is not in the manifests.
    pub(super) cluster: Option<Cluster>,
}

impl Inputs {
    /// From manifests and, optionally, a file of values and a cluster.
    pub(super) fn new(
        manifests: Manifests,
        values: Option<&Path>,
        cluster: Option<Cluster>,
    ) -> Result<Self, values::Error> {
        Ok(Self { manifests, values: values.map(values::read).transpose()?.map(Arc::new), cluster })
    }

    /// The providers. If there are values from a file, they replace every vault.
    pub(super) fn in_place_of_vaults(&self, providers: Providers) -> Providers {
        match &self.values {
            Some(values) => Providers { azurekv: Arc::new(GivenVault(Arc::clone(values))), ..providers },
            None => providers,
        }
    }

    /// The providers, with no vault at all: of one that is not given, nothing is there.
    pub(super) fn without_vaults(&self, providers: Providers) -> Providers {
        let objects = self.values.clone().unwrap_or_default();
        Providers { azurekv: Arc::new(GivenVault(objects)), ..providers }
    }

    async fn known_store(&self, key: &StoreKey) -> Result<Option<Arc<SecretStore>>, ApiError> {
        match (self.manifests.stores.get(key), &self.cluster) {
            (Some(store), _) => Ok(Some(Arc::clone(store))),
            (None, Some(cluster)) => cluster.store(key).await,
            (None, None) => Ok(None),
        }
    }
}

#[async_trait]
impl StoreLookup for Inputs {
    async fn store(&self, key: &StoreKey) -> Result<Option<Arc<SecretStore>>, ApiError> {
        if self.values.is_none() {
            return self.known_store(key).await;
        }
        // If there are values from a file, the store may be missing or unreadable.
        Ok(Some(values::store(self.known_store(key).await.ok().flatten().as_deref())))
    }

    async fn namespace_labels(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, ApiError> {
        let given = self.manifests.namespaces.get(name).map(|namespace| namespace.metadata.labels.clone());
        let present = match &self.cluster {
            Some(cluster) => cluster.namespace_labels(name).await?,
            None => None,
        };
        if given.is_none() && present.is_none() {
            return Ok(None);
        }
        let mut labels = present.unwrap_or_default();
        labels.extend(given.flatten().unwrap_or_default());
        // The API server sets this label.
        labels.insert("kubernetes.io/metadata.name".to_owned(), name.to_owned());
        Ok(Some(labels))
    }
}

#[async_trait]
impl GeneratorLookup for Inputs {
    async fn generator(&self, key: &GeneratorKey) -> Result<Option<Arc<Generator>>, GeneratorError> {
        match (self.manifests.generators.get(key), &self.cluster) {
            (Some(generator), _) => Ok(Some(Arc::clone(generator))),
            (None, Some(cluster)) => cluster.generator(key).await,
            (None, None) => Ok(None),
        }
    }
}

#[async_trait]
impl ClusterView for Inputs {
    async fn config_map(&self, key: &ObjectKey) -> Result<Option<ConfigMap>, ApiError> {
        match (self.manifests.config_map(key), &self.cluster) {
            (Some(object), _) => Ok(Some(object.clone())),
            (None, Some(cluster)) => cluster.config_map(key).await,
            (None, None) => Ok(None),
        }
    }

    async fn secret(&self, key: &ObjectKey) -> Result<Option<Secret>, ApiError> {
        let present = match &self.cluster {
            Some(cluster) => cluster.secret(key).await?,
            None => None,
        };
        let Some(mut given) = self.manifests.secret(key).cloned() else { return Ok(present) };
        if let Some(mut present) = present {
            // An object that is applied keeps its UID.
            given.metadata.uid = given.metadata.uid.or_else(|| present.metadata.uid.take());
            target::wipe(&mut present);
        }
        Ok(Some(given))
    }

    /// A target is always read from the cluster, where the controller writes it.
    async fn target_secret(&self, key: &ObjectKey) -> Result<Option<Secret>, ApiError> {
        let present = match &self.cluster {
            Some(cluster) => cluster.secret(key).await?,
            None => None,
        };
        Ok(present.or_else(|| self.manifests.secret(key).cloned()))
    }

    async fn target_kind(&self, manifest: &ManifestReference, namespace: &str) -> Result<Arc<TargetKind>, KindError> {
        match &self.cluster {
            Some(cluster) => cluster.target_kind(manifest, namespace).await,
            None => Err(KindError::NotServed(manifest.clone())),
        }
    }

    /// Only the cluster has such targets; manifests of their kinds are not read.
    async fn target_object(&self, kind: &TargetKind, key: &ObjectKey) -> Result<Option<DynamicObject>, ApiError> {
        match &self.cluster {
            Some(cluster) => cluster.target_object(kind, key).await,
            None => Ok(None),
        }
    }

    async fn secrets_labeled(&self, namespace: &str, selector: &str) -> Result<Vec<ObjectMeta>, ApiError> {
        match &self.cluster {
            Some(cluster) => cluster.secrets_labeled(namespace, selector).await,
            None => Ok(Vec::new()),
        }
    }
}

#[async_trait]
impl View for Inputs {
    async fn source(&self, key: &ObjectKey) -> Result<Option<Secret>, ApiError> {
        self.secret(key).await
    }

    async fn template_source(&self, key: &ObjectKey) -> Result<Option<ConfigMap>, ApiError> {
        self.config_map(key).await
    }

    async fn selected(&self, namespace: &str, labels: &Selector, most: usize) -> Result<Vec<String>, ApiError> {
        let mut names = match &self.cluster {
            Some(cluster) => cluster.selected_secrets(namespace, labels, most).await?,
            None => Vec::new(),
        };
        // With the labels that are given.
        names.retain(|name| self.manifests.secret(&ObjectKey::new(namespace, name)).is_none());
        let none = BTreeMap::new();
        let given = self.manifests.secrets_of(namespace).map(|secret| &secret.metadata);
        let selected = given.filter(|meta| labels.matches(meta.labels.as_ref().unwrap_or(&none)));
        names.extend(selected.filter_map(|meta| meta.name.clone()));
        Ok(names)
    }

    async fn stores(&self, kind: StoreKind, namespace: &str) -> Result<Vec<Arc<SecretStore>>, ApiError> {
        let present = match &self.cluster {
            Some(cluster) => cluster.stores(kind, namespace).await?,
            None => Vec::new(),
        };
        let key_of = |store: &SecretStore| StoreKey { kind, object: ObjectKey::of(&store.metadata) };
        let is_near = |key: &StoreKey| {
            key.kind == kind && (kind == StoreKind::ClusterSecretStore || key.object.namespace == namespace)
        };
        let given = self.manifests.stores.iter().filter(|(key, _)| is_near(key)).map(|(_, store)| Arc::clone(store));
        let others = present.into_iter().filter(|store| !self.manifests.stores.contains_key(&key_of(store)));
        Ok(others.map(Arc::new).chain(given).collect())
    }
}

/// What providers read from.
#[async_trait]
impl ClusterReader for Inputs {
    async fn service_account(&self, namespace: &str, name: &str) -> Result<Option<ServiceAccount>, ClusterReadError> {
        let present = match &self.cluster {
            Some(cluster) => cluster.reader.service_account(namespace, name).await?,
            None => None,
        };
        let given = self.manifests.service_accounts.get(&ObjectKey::new(namespace, name));
        let annotations = given.map(|account| account.metadata.annotations.clone().unwrap_or_default());
        Ok(match (present, annotations) {
            (Some(mut account), given) => {
                account.annotations.extend(given.unwrap_or_default());
                Some(account)
            }
            (None, Some(annotations)) => Some(ServiceAccount { uid: String::new(), annotations }),
            (None, None) => None,
        })
    }

    async fn service_account_token(
        &self,
        namespace: &str,
        name: &str,
        audiences: &[String],
    ) -> Result<SecretString, ClusterReadError> {
        match &self.cluster {
            Some(cluster) => cluster.reader.service_account_token(namespace, name, audiences).await,
            None => Err(ClusterReadError::Unavailable {
                object: format!("a token of service account {name:?} in namespace {namespace:?}"),
                reason: "no cluster is asked here; give the values by --values, read the vault as yourself with \
                         --azure-identity=caller, or use `external-secrets plan`"
                    .to_owned(),
            }),
        }
    }

    async fn secret_key(&self, namespace: &str, name: &str, key: &str) -> Result<CredentialValue, ClusterReadError> {
        let Some(secret) = self.manifests.secret(&ObjectKey::new(namespace, name)) else {
            return match &self.cluster {
                Some(cluster) => cluster.reader.secret_key(namespace, name, key).await,
                None => Err(ClusterReadError::NotFound {
                    object: format!("Secret {name:?} in namespace {namespace:?}, among the manifests,"),
                }),
            };
        };
        let value = secret.data.as_ref().and_then(|data| data.get(key)).ok_or_else(|| ClusterReadError::NotFound {
            object: format!("key {key:?} of Secret {name:?} in namespace {namespace:?}, as given,"),
        })?;
        let value = SecretValue::new(SecretSlice::from(value.0.clone()));
        Ok(CredentialValue { value, uid: String::new(), resource_version: String::new() })
    }
}
