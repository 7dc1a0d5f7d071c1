//! The watches of stores and of the service accounts that they use.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;

use super::fingerprint::usability;
use super::reconcile::subsystem;
use super::state::State;
use crate::answers::MetadataOf;
use crate::api::ServedVersion;
use crate::api::v1::secret_store::StoreType;
use crate::api::v1::{SecretStore, StoreKind};
use crate::controller::core::key::ObjectKey;
use crate::controller::core::watch::{self, Change, strip_metadata};
use crate::controller::core::watching::{Watching, nothing};
use crate::controller::store_access::key::StoreKey;
use crate::controller::store_access::roles::StoreReaders;
use crate::provider::azure::ACCOUNT_ANNOTATIONS;
use crate::runtime::metrics::Metrics;

/// Watches the stores of a kind. Wakes `readers` if a store may have become usable or unusable.
pub(crate) fn stores(
    kind: StoreKind,
    watching: &Watching,
    version: ServedVersion,
    state: &Arc<State>,
    readers: Vec<Arc<dyn StoreReaders>>,
    metrics: Metrics,
) -> Store<SecretStore> {
    let state = Arc::clone(state);
    let dyntype = StoreType { kind, version };
    let mut usable = HashMap::new();
    let on_change = move |change: Change<'_, SecretStore>| match change {
        Change::Applied(object) => {
            let key = StoreKey { kind, object: ObjectKey::of(&object.metadata) };
            let is_now = usability(object);
            if usable.insert(key.clone(), is_now) != Some(is_now) {
                for readers in &readers {
                    readers.wake(&key);
                }
            }
            state.applied(object, &key);
        }
        Change::Deleted(object) => {
            let key = StoreKey { kind, object: ObjectKey::of(&object.metadata) };
            usable.remove(&key);
            state.memos().forget(&key);
            metrics.stores().deleted(subsystem(kind), &key.object.namespace, &key.object.name);
        }
    };
    let watch = match kind {
        StoreKind::SecretStore => watching.ours(kind.plural(), &dyntype),
        StoreKind::ClusterSecretStore => watching.of_cluster(kind.plural(), &dyntype, watcher::Config::default()),
    };
    watch::objects(watch, dyntype, |object| strip_metadata(&mut object.metadata), on_change)
}

/// An empty store for a kind that is disabled. It is not watched, since the controller may lack the right to.
#[must_use]
pub(crate) fn unwatched(kind: StoreKind, version: ServedVersion) -> Store<SecretStore> {
    nothing(StoreType { kind, version })
}

/// Service accounts per page of a list, each of which may have 250 KB of annotations.
const PAGE: u32 = 20;

/// The longest annotation of a service account that is kept. A client ID has 36 bytes, a tenant's domain at most 253.
const LONGEST_ANNOTATION: usize = 1024;

/// Whether an annotation of a service account is kept.
fn is_kept(name: &str, value: &str) -> bool {
    ACCOUNT_ANNOTATIONS.contains(&name) && value.len() <= LONGEST_ANNOTATION
}

/// Watches service accounts.
pub(crate) fn service_accounts(watching: &Watching, state: &Arc<State>) -> Store<MetadataOf<ServiceAccount>> {
    let state = Arc::clone(state);
    let strip = |account: &mut MetadataOf<ServiceAccount>| {
        strip_metadata(&mut account.metadata);
        account.metadata.labels = None;
        account.metadata.owner_references = None;
        account.metadata.finalizers = None;
        // All service accounts of the cluster are kept, and anybody may annotate one with 250 KB.
        if let Some(annotations) = &mut account.metadata.annotations {
            annotations.retain(|name, value| is_kept(name, value));
        }
    };
    // A changed annotation may mean another identity: validate the stores that use the account again.
    let on_change = move |change: Change<'_, MetadataOf<ServiceAccount>>| {
        let (Change::Applied(account) | Change::Deleted(account)) = change;
        state.service_account_changed(&ObjectKey::of(&account.metadata));
    };
    let config = watcher::Config::default().page_size(PAGE);
    watch::objects(watching.namespaced("serviceaccounts", config), (), strip, on_change)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_names_an_identity_is_kept_of_a_service_account() {
        assert!(ACCOUNT_ANNOTATIONS.iter().all(|name| is_kept(name, "00000000-0000-0000-0000-000000000000")));
        assert!(!is_kept("a", "b") && !is_kept(ACCOUNT_ANNOTATIONS[0], &"x".repeat(250_000)));
    }
}
