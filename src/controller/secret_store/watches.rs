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

/// Watches service accounts.
pub(crate) fn service_accounts(watching: &Watching, state: &Arc<State>) -> Store<MetadataOf<ServiceAccount>> {
    let state = Arc::clone(state);
    let strip = |account: &mut MetadataOf<ServiceAccount>| {
        strip_metadata(&mut account.metadata);
        account.metadata.labels = None;
        account.metadata.owner_references = None;
    };
    // A changed annotation may mean another identity: validate the stores that use the account again.
    let on_change = move |change: Change<'_, MetadataOf<ServiceAccount>>| {
        let (Change::Applied(account) | Change::Deleted(account)) = change;
        state.service_account_changed(&ObjectKey::of(&account.metadata));
    };
    watch::objects(watching.namespaced("serviceaccounts", watcher::Config::default()), (), strip, on_change)
}
