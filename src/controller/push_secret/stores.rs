//! The stores that a PushSecret writes to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::error::Error;
use super::view::Tools;
use crate::api::v1::{SecretStore, StoreKind};
use crate::api::v1alpha1::PushSecretSpec;
use crate::api::v1alpha1::push_secret::PushSecretStoreRef;
use crate::controller::core::api_call::ApiError;
use crate::controller::core::key::ObjectKey;
use crate::controller::store_access::clients;
use crate::controller::store_access::error::Error as StoreError;
use crate::controller::store_access::key::StoreKey;
use crate::sync::push::StoreFacts;
use crate::sync::push::expand::fits;

/// The stores that a spec selects.
pub(super) struct Found {
    /// The stores to write to.
    pub(super) usable: BTreeMap<StoreKey, Arc<SecretStore>>,
    /// The stores that are being deleted. What was written there stays as long as the spec selects them.
    pub(super) leaving: BTreeSet<StoreKey>,
}

/// The stores that a spec selects; `None` if all of them belong to another controller.
pub(super) async fn find(spec: &PushSecretSpec, namespace: &str, tools: Tools<'_>) -> Result<Option<Found>, Error> {
    check_data_to(spec)?;
    let mut stores = BTreeMap::new();
    let mut others = 0;
    for reference in &spec.secret_store_refs {
        if !tools.class.works_on(reference.kind.unwrap_or_default()) {
            others += 1;
            continue;
        }
        stores.extend(found(reference, namespace, tools).await?);
    }
    stores.retain(|_, store| {
        let is_of_others = !clients::is_ours(store, tools.class.name);
        others += usize::from(is_of_others);
        !is_of_others
    });
    if stores.is_empty() && others > 0 {
        return Ok(None);
    }
    let is_leaving = |store: &Arc<SecretStore>| store.metadata.deletion_timestamp.is_some();
    let leaving: BTreeSet<_> =
        stores.iter().filter(|(_, store)| is_leaving(store)).map(|(key, _)| key.clone()).collect();
    stores.retain(|_, store| !is_leaving(store));
    if stores.is_empty() {
        return Err(Error::NoStore);
    }
    check_labels_of_data_to(spec, &stores)?;
    Ok(Some(Found { usable: stores, leaving }))
}

async fn found(
    reference: &PushSecretStoreRef,
    namespace: &str,
    tools: Tools<'_>,
) -> Result<Vec<(StoreKey, Arc<SecretStore>)>, Error> {
    let kind = reference.kind.unwrap_or_default();
    if reference.label_selector.is_some() {
        let all = tools.view.stores(kind, namespace).await.map_err(|error| unreadable(kind, namespace, "", error))?;
        let of = |store: Arc<SecretStore>| (StoreKey { kind, object: ObjectKey::of(&store.metadata) }, store);
        return Ok(all.into_iter().map(of).filter(|(key, store)| fits(reference, facts(key, store))).collect());
    }
    let name = reference.name.as_deref().filter(|name| !name.is_empty());
    let name = name.ok_or(Error::StoreUnnamed)?;
    let key = StoreKey::referenced(kind, namespace, name);
    match tools.view.store(&key).await.map_err(|error| unreadable(kind, namespace, name, error))? {
        Some(store) => Ok(vec![(key, store)]),
        None => Err(Error::Store { error: Box::new(StoreError::NotFound(key.clone())), store: key }),
    }
}

fn unreadable(kind: StoreKind, namespace: &str, name: &str, error: ApiError) -> Error {
    let store = StoreKey::referenced(kind, namespace, name);
    let error = StoreError::Unreadable { kind: kind.name(), name: name.to_owned(), error };
    Error::Store { store, error: Box::new(error) }
}

static NO_LABELS: BTreeMap<String, String> = BTreeMap::new();

/// The parts of a store that decide which entries it gets.
pub(super) fn facts<'a>(key: &'a StoreKey, store: &'a SecretStore) -> StoreFacts<'a> {
    let labels = store.metadata.labels.as_ref().unwrap_or(&NO_LABELS);
    StoreFacts { kind: key.kind, name: &key.object.name, labels }
}

/// As in ESO, `secretStoreRefs` must name every store that `dataTo` names.
fn check_data_to(spec: &PushSecretSpec) -> Result<(), Error> {
    let named: BTreeSet<_> = spec.secret_store_refs.iter().filter_map(|reference| reference.name.as_deref()).collect();
    for (index, set) in spec.data_to.iter().enumerate() {
        let problem = match &set.store_ref {
            None => "storeRef is required".to_owned(),
            Some(reference) if reference.label_selector.is_some() => continue,
            Some(reference) => match reference.name.as_deref().filter(|name| !name.is_empty()) {
                None => "storeRef must have name or labelSelector".to_owned(),
                Some(name) if !named.contains(name) => format!("storeRef {name:?} not found in secretStoreRefs"),
                Some(_) => continue,
            },
        };
        return Err(Error::DataToStore(format!("dataTo[{index}]: {problem}")));
    }
    Ok(())
}

fn check_labels_of_data_to(spec: &PushSecretSpec, stores: &BTreeMap<StoreKey, Arc<SecretStore>>) -> Result<(), Error> {
    for (index, set) in spec.data_to.iter().enumerate() {
        let Some(reference) = set.store_ref.as_ref().filter(|reference| reference.label_selector.is_some()) else {
            continue;
        };
        if !stores.iter().any(|(key, store)| fits(reference, facts(key, store))) {
            let problem = "labelSelector does not match any store in secretStoreRefs";
            return Err(Error::DataToStore(format!("dataTo[{index}]: {problem}")));
        }
    }
    Ok(())
}
