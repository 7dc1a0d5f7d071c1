//! From the store that an ExternalSecret names to a client for it.

use std::collections::HashMap;
use std::sync::Arc;

use kube::core::SelectorExt;
use kube::runtime::reflector::ObjectRef;

use super::{Error, is_out_of_patience};
use crate::api::v1::condition::READY;
use crate::api::v1::external_secret::SourceRef;
use crate::api::v1::secret_store::ClusterSecretStoreCondition;
use crate::api::v1::{ConditionStatus, ExternalSecretSpec, SecretStore, SecretStoreSpec, StoreKind};
use crate::controller::conditions;
use crate::controller::context::Context;
use crate::controller::index::{store_key, stores_of};
use crate::controller::key::{ObjectKey, StoreKey};
use crate::controller::options::{FloodGate, Reconciler};
use crate::provider::{Caller, Class, ProviderError, SecretsClient, StoreView};

/// The clients for the stores of one ExternalSecret: one for each entry of `data` and of `dataFrom`.
pub struct Clients {
    data: Vec<Source>,
    data_from: Vec<Source>,
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
    /// Of the sources of each entry of `data` and of `dataFrom`.
    #[must_use]
    pub const fn new(data: Vec<Source>, data_from: Vec<Source>) -> Self {
        Self { data, data_from }
    }

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
}

/// Whether an ExternalSecret belongs to another controller: any of its stores is of another class, or
/// of a kind that is switched off here.
#[must_use]
pub fn is_of_another_class(spec: &ExternalSecretSpec, key: &ObjectKey, context: &Context) -> bool {
    stores_of(spec, &key.namespace).iter().any(|store| {
        let switched_off = store.kind == StoreKind::ClusterSecretStore
            && context.options.cluster_secret_stores == Reconciler::Disabled;
        switched_off
            || context.watched_store(store).is_some_and(|store| !is_ours(&store, &context.options.controller_class))
    })
}

/// Whether a store is of this controller's class.
#[must_use]
pub fn is_ours(store: &SecretStore, class: &str) -> bool {
    let named = store.spec.get().ok().and_then(|spec| spec.controller.as_deref());
    named.is_none_or(|named| named.is_empty() || named == class)
}

/// The clients that an ExternalSecret needs; `None` while a store that was just made is not validated
/// yet.
pub(super) async fn clients(
    spec: &ExternalSecretSpec,
    key: &ObjectKey,
    context: &Context,
) -> Result<Option<Clients>, Error> {
    let (data_stores, data_from_stores) = stores(spec, key)?;
    let mut known = HashMap::new();
    let Some(data) = sources(data_stores, &mut known, key, context).await? else { return Ok(None) };
    let Some(data_from) = sources(data_from_stores, &mut known, key, context).await? else { return Ok(None) };
    Ok(Some(Clients { data, data_from }))
}

/// The stores of the entries of `data`, and those of `dataFrom`.
///
/// # Errors
/// [`Error::StoreNotNamed`]
pub fn stores(spec: &ExternalSecretSpec, key: &ObjectKey) -> Result<(Vec<StoreKey>, Vec<StoreKey>), Error> {
    let data = spec.data.iter().enumerate();
    let data = data.map(|(index, entry)| named(spec, entry.source_ref.as_ref(), &format!("spec.data[{index}]"), key));
    let data_from = spec.data_from.iter().enumerate();
    let data_from =
        data_from.map(|(index, entry)| named(spec, entry.source_ref.as_ref(), &format!("spec.dataFrom[{index}]"), key));
    Ok((data.collect::<Result<_, _>>()?, data_from.collect::<Result<_, _>>()?))
}

async fn sources(
    stores: Vec<StoreKey>,
    known: &mut HashMap<StoreKey, Arc<dyn SecretsClient>>,
    key: &ObjectKey,
    context: &Context,
) -> Result<Option<Vec<Source>>, Error> {
    let mut sources = Vec::with_capacity(stores.len());
    for store in stores {
        let Some(source) = source(store, known, key, context).await? else { return Ok(None) };
        sources.push(source);
    }
    Ok(Some(sources))
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

/// The store with a client for it; `None` while it is to be waited for.
async fn source(
    store: StoreKey,
    known: &mut HashMap<StoreKey, Arc<dyn SecretsClient>>,
    key: &ObjectKey,
    context: &Context,
) -> Result<Option<Source>, Error> {
    if let Some(client) = known.get(&store) {
        return Ok(Some(Source { client: Arc::clone(client), store }));
    }
    let object = match usable(&store, context) {
        Ok(object) => object,
        Err(Error::StoreNotFound(_) | Error::StoreNotValidated(_)) if !is_out_of_patience(key, context) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let client = client(&store, &object, key, context).await?;
    known.insert(store.clone(), Arc::clone(&client));
    Ok(Some(Source { store, client }))
}

async fn client(
    store: &StoreKey,
    object: &SecretStore,
    key: &ObjectKey,
    context: &Context,
) -> Result<Arc<dyn SecretsClient>, Error> {
    let invalid = |error: ProviderError| Error::Store { store: store.clone(), error: Box::new(error) };
    let spec = object.spec.get().map_err(|field| {
        invalid(ProviderError {
            class: Class::InvalidStore,
            cause: "InvalidSpec",
            message: field.to_string(),
            hint: None,
            retry_after: None,
            recovery: None,
        })
    })?;
    if !admits(spec, store, &key.namespace, context) {
        return Err(Error::NamespaceExcluded { store: store.clone(), namespace: key.namespace.clone() });
    }
    let provider = context.providers.of(spec).map_err(invalid)?;
    provider.client(view(store, spec), Caller::ExternalSecretIn(&key.namespace)).await.map_err(invalid)
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

/// The store, if it is there and Ready, or the flood gate is open.
fn usable(key: &StoreKey, context: &Context) -> Result<Arc<SecretStore>, Error> {
    let store = context.watched_store(key).ok_or_else(|| Error::StoreNotFound(key.clone()))?;
    if context.options.flood_gate == FloodGate::Open {
        return Ok(store);
    }
    let conditions = store.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    match conditions::find(conditions, READY) {
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
fn admits(spec: &SecretStoreSpec, store: &StoreKey, namespace: &str, context: &Context) -> bool {
    if store.kind == StoreKind::SecretStore || spec.conditions.is_empty() {
        return true;
    }
    spec.conditions.iter().any(|condition| matches(condition, namespace, context))
}

fn matches(condition: &ClusterSecretStoreCondition, namespace: &str, context: &Context) -> bool {
    let by_name = condition.namespaces.iter().any(|name| name == namespace);
    let by_expression = || {
        let expressions = condition.namespace_regexes.iter();
        expressions.filter_map(|expression| regex::Regex::new(expression).ok()).any(|regex| regex.is_match(namespace))
    };
    let by_label = || {
        let Some(selector) = &condition.namespace_selector else { return false };
        let Some(object) = context.watched.namespaces.get(&ObjectRef::new(namespace)) else { return false };
        let labels = object.metadata.labels.clone().unwrap_or_default();
        kube::core::Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(&labels))
    };
    by_name || by_expression() || by_label()
}
