//! From the store that an ExternalSecret names to a client for it.

use std::sync::Arc;

use kube::core::SelectorExt;
use kube::runtime::reflector::ObjectRef;

use super::{Error, is_out_of_patience};
use crate::api::v1::condition::READY;
use crate::api::v1::secret_store::ClusterSecretStoreCondition;
use crate::api::v1::{ConditionStatus, ExternalSecretSpec, SecretStore, SecretStoreSpec, StoreKind};
use crate::controller::conditions;
use crate::controller::context::Context;
use crate::controller::index::{store_key, stores_of};
use crate::controller::key::{ObjectKey, StoreKey};
use crate::controller::options::{FloodGate, Reconciler};
use crate::provider::{Caller, Class, ProviderError, SecretsClient, StoreView};

/// The clients for the stores of one ExternalSecret.
pub struct Clients {
    store: StoreKey,
    client: Arc<dyn SecretsClient>,
}

impl Clients {
    /// The store and the client of an entry of `data`.
    #[must_use]
    pub fn of_data(&self, _index: usize) -> (&StoreKey, &dyn SecretsClient) {
        (&self.store, self.client.as_ref())
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
    let store = spec
        .secret_store_ref
        .as_ref()
        .and_then(|reference| store_key(reference, &key.namespace))
        .ok_or_else(|| Error::StoreNotNamed { field: "spec.secretStoreRef".to_owned() })?;
    let object = match usable(&store, context) {
        Ok(object) => object,
        Err(Error::StoreNotFound(_) | Error::StoreNotValidated(_)) if !is_out_of_patience(key, context) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let invalid = |error: ProviderError| Error::Store { store: store.clone(), error: Box::new(error) };
    let spec = object.spec.get().map_err(|field| {
        invalid(ProviderError {
            class: Class::InvalidStore,
            cause: "InvalidSpec",
            message: field.to_string(),
            hint: None,
            retry_after: None,
        })
    })?;
    if !admits(spec, &store, &key.namespace, context) {
        return Err(Error::NamespaceExcluded { store, namespace: key.namespace.clone() });
    }
    let view = view(&store, spec);
    let provider = context.providers.of(spec).map_err(invalid)?;
    let client = provider.client(view, Caller::ExternalSecretIn(&key.namespace)).await.map_err(invalid)?;
    Ok(Some(Clients { store, client }))
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
