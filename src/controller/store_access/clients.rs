//! From the store that an ExternalSecret names to a client for it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kube::core::SelectorExt;

use crate::api::v1::condition::READY;
use crate::api::v1::external_secret::SourceRef;
use crate::api::v1::secret_store::ClusterSecretStoreCondition;
use crate::api::v1::{ConditionStatus, ExternalSecretSpec, SecretStore, SecretStoreSpec, StoreKind};
use crate::budget::Budget;
use crate::controller::core::conditions;
use crate::controller::core::key::{ObjectKey, StoreKey};
use crate::controller::external_secret::Error;
use crate::controller::external_secret::cluster_view::ClusterView;
use crate::controller::external_secret::context::ApiError;
use crate::controller::external_secret::index::{store_key, stores_of};
use crate::controller::options::{FloodGate, Reconciler};
use crate::provider::{self, Caller, ProviderError, Providers, ReadBudget, SecretsClient, StoreView, ValueMemory};
use crate::validate::secret_store;

/// The clients for the stores of one ExternalSecret: one for each entry of `data` and of `dataFrom`.
pub struct Clients {
    data: Vec<Source>,
    data_from: Vec<Source>,
    memory: ValueMemory,
    namespace: String,
}

/// A store, and a client for it.
#[derive(Clone)]
pub struct Source {
    /// The store.
    pub store: StoreKey,
    /// Reads it.
    pub client: Arc<dyn SecretsClient>,
}

impl Clients {
    /// The sources of the entries of `data`.
    #[must_use]
    pub fn data(&self) -> &[Source] {
        &self.data
    }

    /// The sources of the entries of `dataFrom`.
    #[must_use]
    pub fn data_from(&self) -> &[Source] {
        &self.data_from
    }

    /// What may be read by them in one pass.
    #[must_use]
    pub fn budget(&self) -> ReadBudget {
        ReadBudget::new(&self.memory, &self.namespace)
    }
}

/// Which stores a controller works on.
#[derive(Clone, Copy, Debug)]
pub struct ControllerClass<'a> {
    /// The name that `spec.controller` of a store gives, where it gives one.
    pub name: &'a str,
    /// Whether SecretStores are worked on.
    pub secret_stores: Reconciler,
    /// Whether ClusterSecretStores are worked on.
    pub cluster_secret_stores: Reconciler,
}

impl ControllerClass<'_> {
    fn works_on(self, kind: StoreKind) -> bool {
        let reconciler = match kind {
            StoreKind::SecretStore => self.secret_stores,
            StoreKind::ClusterSecretStore => self.cluster_secret_stores,
        };
        reconciler == Reconciler::Enabled
    }
}

/// Whether an ExternalSecret belongs to another controller: any of its stores is of another class, or
/// of a kind that is switched off here.
///
/// # Errors
/// [`Error::Unreadable`]
pub async fn is_of_another_class(
    spec: &ExternalSecretSpec,
    key: &ObjectKey,
    class: ControllerClass<'_>,
    cluster: &dyn ClusterView,
) -> Result<bool, Error> {
    for key in stores_of(spec, &key.namespace) {
        if !class.works_on(key.kind) {
            return Ok(true);
        }
        if store(&key, cluster).await?.is_some_and(|store| !is_ours(&store, class.name)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a store is of this controller's class.
#[must_use]
pub fn is_ours(store: &SecretStore, class: &str) -> bool {
    let named = store.spec.get().ok().and_then(|spec| spec.controller.as_deref());
    named.is_none_or(|named| named.is_empty() || named == class)
}

/// What clients are made from.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    /// Where the stores are.
    pub cluster: &'a dyn ClusterView,
    /// What reads them.
    pub providers: &'a Providers,
    /// Which of them may be tried.
    pub flood_gate: FloodGate,
}

impl Access<'_> {
    /// The clients that an ExternalSecret needs. What they compute is taken from `budget`.
    ///
    /// # Errors
    /// The first store, in the order of the manifest, that cannot be used.
    pub async fn clients(
        self,
        spec: &ExternalSecretSpec,
        key: &ObjectKey,
        budget: &Arc<Budget>,
    ) -> Result<Clients, Error> {
        let (data_stores, data_from_stores) = stores(spec, key)?;
        let mut known = HashMap::new();
        let data = self.sources(data_stores, &mut known, key, budget).await?;
        let data_from = self.sources(data_from_stores, &mut known, key, budget).await?;
        let (memory, namespace) = (self.providers.memory.clone(), key.namespace.clone());
        Ok(Clients { data, data_from, memory, namespace })
    }

    async fn sources(
        self,
        stores: Vec<StoreKey>,
        known: &mut HashMap<StoreKey, Arc<dyn SecretsClient>>,
        key: &ObjectKey,
        budget: &Arc<Budget>,
    ) -> Result<Vec<Source>, Error> {
        let mut sources = Vec::with_capacity(stores.len());
        for store in stores {
            let client = match known.get(&store) {
                Some(client) => Arc::clone(client),
                None => self.client(&store, key, budget).await?,
            };
            known.insert(store.clone(), Arc::clone(&client));
            sources.push(Source { store, client });
        }
        Ok(sources)
    }

    async fn client(
        self,
        store: &StoreKey,
        key: &ObjectKey,
        budget: &Arc<Budget>,
    ) -> Result<Arc<dyn SecretsClient>, Error> {
        let object = self.usable(store).await?;
        let invalid = |error: ProviderError| Error::Store { store: store.clone(), error: Box::new(error) };
        let spec = object.spec.get().map_err(|field| {
            invalid(ProviderError {
                class: provider::Class::InvalidStore,
                cause: "InvalidSpec",
                message: field.to_string(),
                hint: None,
                retry_after: None,
                recovery: None,
            })
        })?;
        if !self.admits(spec, store, &key.namespace).await? {
            return Err(Error::NamespaceExcluded { store: store.clone(), namespace: key.namespace.clone() });
        }
        let provider = self.providers.of(spec).map_err(invalid)?;
        let caller = Caller::ExternalSecret { namespace: &key.namespace, budget };
        provider.client(view(store, spec), caller).await.map_err(invalid)
    }

    /// The store, if it is there and the flood gate lets it pass.
    async fn usable(self, key: &StoreKey) -> Result<Arc<SecretStore>, Error> {
        let store = store(key, self.cluster).await?.ok_or_else(|| Error::StoreNotFound(key.clone()))?;
        if self.flood_gate == FloodGate::Open {
            return Ok(store);
        }
        let conditions = store.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        match conditions::find(conditions, READY) {
            None if self.flood_gate == FloodGate::OpenToUnvalidated => Ok(store),
            None => Err(Error::StoreNotValidated(key.clone())),
            Some(ready) if ready.status == ConditionStatus::True => Ok(store),
            Some(ready) => {
                let message = ready.message.clone().unwrap_or_default();
                Err(Error::StoreNotReady { store: key.clone(), message })
            }
        }
    }

    /// Whether a ClusterSecretStore may be used from a namespace: by any of its conditions, or if it has
    /// none.
    async fn admits(self, spec: &SecretStoreSpec, store: &StoreKey, namespace: &str) -> Result<bool, Error> {
        if store.kind == StoreKind::SecretStore || spec.conditions.is_empty() {
            return Ok(true);
        }
        let labels = if spec.conditions.iter().any(|condition| condition.namespace_selector.is_some()) {
            self.cluster.namespace_labels(namespace).await.map_err(|error| unreadable("Namespace", namespace, error))?
        } else {
            None
        };
        Ok(spec.conditions.iter().any(|condition| matches(condition, namespace, labels.as_ref())))
    }
}

async fn store(key: &StoreKey, cluster: &dyn ClusterView) -> Result<Option<Arc<SecretStore>>, Error> {
    cluster.store(key).await.map_err(|error| Error::Unreadable {
        kind: key.kind.name(),
        name: key.object.name.clone(),
        error,
    })
}

fn unreadable(kind: &'static str, name: &str, error: ApiError) -> Error {
    Error::Unreadable { kind, name: name.to_owned(), error }
}

/// The stores of the entries of `data`, and those of `dataFrom`.
fn stores(spec: &ExternalSecretSpec, key: &ObjectKey) -> Result<(Vec<StoreKey>, Vec<StoreKey>), Error> {
    let data = spec.data.iter().enumerate();
    let data = data.map(|(index, entry)| named(spec, entry.source_ref.as_deref(), &format!("spec.data[{index}]"), key));
    let data_from = spec.data_from.iter().enumerate();
    let data_from = data_from
        .map(|(index, entry)| named(spec, entry.source_ref.as_deref(), &format!("spec.dataFrom[{index}]"), key));
    Ok((data.collect::<Result<_, _>>()?, data_from.collect::<Result<_, _>>()?))
}

/// The store of an entry: that of its `sourceRef`, else that of the ExternalSecret.
fn named(
    spec: &ExternalSecretSpec,
    source: Option<&SourceRef>,
    entry: &str,
    key: &ObjectKey,
) -> Result<StoreKey, Error> {
    let own = source.and_then(|source| source.store_ref.as_ref());
    let field = if own.is_some() { format!("{entry}.sourceRef.storeRef") } else { "spec.secretStoreRef".to_owned() };
    own.or(spec.secret_store_ref.as_ref())
        .and_then(|reference| store_key(reference, &key.namespace))
        .ok_or(Error::StoreNotNamed { field })
}

/// A store as a provider sees it.
#[must_use]
pub fn view<'a>(key: &'a StoreKey, spec: &'a SecretStoreSpec) -> StoreView<'a> {
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
