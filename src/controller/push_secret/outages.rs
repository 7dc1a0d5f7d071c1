//! Stores that fail for all objects of a pass.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::controller::store_access::key::StoreKey;
use crate::provider::{Class, ProviderError};

/// How many objects of a store must fail, and none succeed, before the others are skipped: one object's fault is not the store's.
const TELLING: u32 = 8;

/// The stores that fail for all objects of a pass. A pass must not wait for an unavailable provider once per object.
#[derive(Default)]
pub(super) struct Outages {
    stores: Mutex<BTreeMap<StoreKey, Trials>>,
}

#[derive(Default)]
struct Trials {
    failed: u32,
    has_succeeded: bool,
    last: Option<ProviderError>,
}

impl Outages {
    fn with<T>(&self, store: &StoreKey, change: impl FnOnce(&mut Trials) -> T) -> T {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        change(stores.entry(store.clone()).or_default())
    }

    /// The error that a request to a store would return, if it is known.
    pub(super) fn known(&self, store: &StoreKey) -> Option<ProviderError> {
        self.with(store, |trials| trials.last.clone().filter(|_| trials.failed >= TELLING && !trials.has_succeeded))
    }

    /// Records how a request to a store ended.
    pub(super) fn note<T>(&self, store: &StoreKey, result: &Result<T, ProviderError>) {
        self.with(store, |trials| match result {
            Err(error) if matches!(error.class, Class::Unreachable | Class::Unauthenticated | Class::Throttled) => {
                trials.failed += 1;
                trials.last = Some(error.clone());
            }
            _ => trials.has_succeeded = true,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::v1::StoreKind;

    #[test]
    fn a_store_that_fails_for_all_is_not_asked_again_and_one_that_answers_is() {
        let (down, half) = (
            StoreKey::referenced(StoreKind::SecretStore, "a", "down"),
            StoreKey::referenced(StoreKind::SecretStore, "a", "half"),
        );
        let outages = Outages::default();
        let failed: Result<(), _> = Err(ProviderError::new(Class::Unreachable, "VaultFailed", "no"));
        outages.note(&half, &Ok(()));
        for _ in 0..TELLING {
            assert!(outages.known(&down).is_none());
            outages.note(&down, &failed);
            outages.note(&half, &failed);
        }
        assert_eq!(outages.known(&down), failed.err());
        assert!(outages.known(&half).is_none());
    }
}
