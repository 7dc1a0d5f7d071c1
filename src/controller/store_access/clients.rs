//! From the name of a store to a client for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use kube::core::SelectorExt;

use super::error::Error;
use super::key::StoreKey;
use crate::api::v1::condition::READY;
use crate::api::v1::secret_store::ClusterSecretStoreCondition;
use crate::api::v1::{ConditionStatus, SecretStore, SecretStoreSpec, StoreKind};
use crate::controller::core::api_call::ApiError;
use crate::controller::core::conditions;
use crate::controller::options::{FloodGate, Options, Switch};
use crate::provider::{Caller, Class, ProviderError, Providers, SecretsClient, StoreView, Writer};
use crate::validate::secret_store;

/// Which stores a controller handles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ControllerClass<'a> {
    /// The name that `spec.controller` must have, if a store sets it.
    pub(crate) name: &'a str,
    /// Whether SecretStores are handled.
    pub(crate) secret_stores: Switch,
    /// Whether ClusterSecretStores are handled.
    pub(crate) cluster_secret_stores: Switch,
}

impl<'a> ControllerClass<'a> {
    /// The stores that a controller with these settings handles.
    #[must_use]
    pub(crate) fn of(options: &'a Options) -> Self {
        let Options { controller_class: name, secret_stores, cluster_secret_stores, .. } = options;
        Self { name, secret_stores: *secret_stores, cluster_secret_stores: *cluster_secret_stores }
    }

    /// Whether stores of a kind are worked on.
    #[must_use]
    pub(crate) fn works_on(self, kind: StoreKind) -> bool {
        let reconciler = match kind {
            StoreKind::SecretStore => self.secret_stores,
            StoreKind::ClusterSecretStore => self.cluster_secret_stores,
        };
        reconciler == Switch::On
    }
}

/// Looks up stores and the namespaces that they admit. `None` means that an object certainly does not exist.
#[async_trait]
pub(crate) trait StoreLookup: Send + Sync {
    /// A store with its status.
    async fn store(&self, key: &StoreKey) -> Result<Option<Arc<SecretStore>>, ApiError>;

    /// A namespace's labels.
    async fn namespace_labels(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, ApiError>;
}

/// Whether an object that reads these stores belongs to another controller: any of them has another class, or is of a
/// kind that is disabled here.
///
/// # Errors
/// [`Error::Unreadable`]
pub(crate) async fn is_of_another_class(
    keys: &[StoreKey],
    class: ControllerClass<'_>,
    stores: &dyn StoreLookup,
) -> Result<bool, Error> {
    for key in keys {
        if !class.works_on(key.kind) {
            return Ok(true);
        }
        if store(key, stores).await?.is_some_and(|store| !is_ours(&store, class.name)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a store has this controller's class.
#[must_use]
pub(crate) fn is_ours(store: &SecretStore, class: &str) -> bool {
    let named = store.spec.get().ok().and_then(|spec| spec.controller.as_deref());
    named.is_none_or(|named| named.is_empty() || named == class)
}

/// What is needed to create clients for stores.
#[derive(Clone, Copy)]
pub(crate) struct Access<'a> {
    /// Looks them up.
    pub(crate) stores: &'a dyn StoreLookup,
    pub(crate) providers: &'a Providers,
    /// Which stores may be tried.
    pub(crate) flood_gate: FloodGate,
}

impl Access<'_> {
    /// A client for a store, on behalf of an object in `namespace`.
    ///
    /// # Errors
    /// [`Error`]
    pub(crate) async fn client(
        self,
        store: &StoreKey,
        namespace: &str,
        caller: Caller<'_>,
    ) -> Result<Arc<dyn SecretsClient>, Error> {
        let object = self.usable(store).await?;
        let spec = self.admitted(&object, store, namespace).await?;
        let unusable = |error: ProviderError| Error::Client { store: store.clone(), error: Box::new(error) };
        let provider = self.providers.of(spec).map_err(unusable)?;
        provider.client(view(store, spec), caller).await.map_err(unusable)
    }

    /// What writes to a store, for work in a namespace.
    ///
    /// # Errors
    /// [`Error`]
    pub(crate) async fn writer(self, store: &StoreKey, namespace: &str) -> Result<Arc<dyn Writer>, Error> {
        let object = self.usable(store).await?;
        let spec = self.admitted(&object, store, namespace).await?;
        let unusable = |error: ProviderError| Error::Client { store: store.clone(), error: Box::new(error) };
        let provider = self.providers.of(spec).map_err(unusable)?;
        provider.writer(view(store, spec), Caller::PushSecret { namespace }).await.map_err(unusable)
    }

    /// The spec of a store, if it may be used from a namespace.
    async fn admitted<'a>(
        self,
        object: &'a SecretStore,
        store: &StoreKey,
        namespace: &str,
    ) -> Result<&'a SecretStoreSpec, Error> {
        let unusable = |error: ProviderError| Error::Client { store: store.clone(), error: Box::new(error) };
        let spec = object
            .spec
            .get()
            .map_err(|field| unusable(ProviderError::new(Class::InvalidStore, "InvalidSpec", field.to_string())))?;
        if !self.admits(spec, store, namespace).await? {
            return Err(Error::NamespaceExcluded { store: store.clone(), namespace: namespace.to_owned() });
        }
        Ok(spec)
    }

    /// The store, if it exists and the flood gate admits it.
    async fn usable(self, key: &StoreKey) -> Result<Arc<SecretStore>, Error> {
        let store = store(key, self.stores).await?.ok_or_else(|| Error::NotFound(key.clone()))?;
        if self.flood_gate == FloodGate::Open {
            return Ok(store);
        }
        let conditions = store.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        match conditions::find(conditions, READY) {
            None if self.flood_gate == FloodGate::OpenToUnvalidated => Ok(store),
            None => Err(Error::NotValidated(key.clone())),
            Some(ready) if ready.status == ConditionStatus::True => Ok(store),
            Some(ready) => {
                let message = ready.message.clone().unwrap_or_default();
                Err(Error::NotReady { store: key.clone(), message })
            }
        }
    }

    /// Whether a ClusterSecretStore may be used from a namespace: any of its conditions matches, or it has none.
    async fn admits(self, spec: &SecretStoreSpec, store: &StoreKey, namespace: &str) -> Result<bool, Error> {
        let is_by_label = spec.conditions.iter().any(|condition| condition.namespace_selector.is_some());
        let labels = if store.kind == StoreKind::ClusterSecretStore && is_by_label {
            self.stores.namespace_labels(namespace).await.map_err(|error| unreadable("Namespace", namespace, error))?
        } else {
            None
        };
        Ok(admits(spec, store.kind, namespace, labels.as_ref()))
    }
}

/// Whether a store may be used from a namespace with these labels: a ClusterSecretStore by any of its conditions, or if it has none.
#[must_use]
pub(crate) fn admits(
    spec: &SecretStoreSpec,
    kind: StoreKind,
    namespace: &str,
    labels: Option<&BTreeMap<String, String>>,
) -> bool {
    kind == StoreKind::SecretStore
        || spec.conditions.is_empty()
        || spec.conditions.iter().any(|condition| matches(condition, namespace, labels))
}

async fn store(key: &StoreKey, stores: &dyn StoreLookup) -> Result<Option<Arc<SecretStore>>, Error> {
    stores.store(key).await.map_err(|error| Error::Unreadable {
        kind: key.kind.name(),
        name: key.object.name.clone(),
        error,
    })
}

fn unreadable(kind: &'static str, name: &str, error: ApiError) -> Error {
    Error::Unreadable { kind, name: name.to_owned(), error }
}

/// A store as a provider sees it.
#[must_use]
pub(crate) fn view<'a>(key: &'a StoreKey, spec: &'a SecretStoreSpec) -> StoreView<'a> {
    StoreView {
        kind: key.kind,
        namespace: (key.kind == StoreKind::SecretStore).then_some(key.object.namespace.as_str()),
        name: &key.object.name,
        spec,
    }
}

fn matches(
    condition: &ClusterSecretStoreCondition,
    namespace: &str,
    labels: Option<&BTreeMap<String, String>>,
) -> bool {
    let by_name = condition.namespaces.iter().any(|name| name == namespace);
    let by_label = || {
        let (Some(selector), Some(labels)) = (&condition.namespace_selector, labels) else { return false };
        kube::core::Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(labels))
    };
    by_name || secret_store::names_namespace(condition, namespace) || by_label()
}
