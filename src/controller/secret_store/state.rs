//! What the controllers of stores remember between validations, and how they are asked for one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::fingerprint::{fingerprint, service_account};
use crate::api::v1::{SecretStore, StoreKind};
use crate::controller::core::key::ObjectKey;
use crate::controller::core::memos::Memos;
use crate::controller::core::work_queue::Requests;
use crate::controller::store_access::key::StoreKey;

/// What the controllers of stores remember between validations. The watches feed it, so it exists before them.
#[derive(Debug, Default)]
pub(crate) struct State {
    secret_stores: Arc<Requests<ObjectKey>>,
    cluster_secret_stores: Arc<Requests<ObjectKey>>,
    memos: Mutex<Memos<StoreKey, StoreMemo>>,
}

/// What is remembered of a store between validations.
#[derive(Debug, Default)]
pub(crate) struct StoreMemo {
    /// Of the parts of the object that matter.
    fingerprint: u64,
    /// Validations in a row that did not find the store valid.
    failures: u32,
    /// When the event `Valid` was last published.
    valid_event: Option<Timestamp>,
    /// The service account whose token the store exchanges, where it names one.
    service_account: Option<ObjectKey>,
}

impl StoreMemo {
    /// The watch shows the store. Returns whether anything has changed that matters.
    fn shown(&mut self, object: &SecretStore, key: &StoreKey) -> bool {
        // What is parsed goes with the clone.
        self.service_account = service_account(&object.clone(), key);
        let fingerprint = fingerprint(object);
        std::mem::replace(&mut self.fingerprint, fingerprint) != fingerprint
    }

    /// A validation found the store valid.
    pub(crate) fn valid(&mut self) {
        self.failures = 0;
    }

    /// A validation did not find the store valid. Returns how many did not in a row.
    pub(crate) fn not_valid(&mut self) -> u32 {
        self.failures = self.failures.saturating_add(1);
        self.failures
    }

    /// When the event `Valid` was last published.
    #[must_use]
    pub(crate) const fn valid_event(&self) -> Option<Timestamp> {
        self.valid_event
    }

    /// The event `Valid` is published.
    pub(crate) fn valid_event_published(&mut self, now: Timestamp) {
        self.valid_event = Some(now);
    }
}

impl State {
    /// Where validations of stores of a kind are asked for.
    #[must_use]
    pub(crate) const fn requests(&self, kind: StoreKind) -> &Arc<Requests<ObjectKey>> {
        match kind {
            StoreKind::SecretStore => &self.secret_stores,
            StoreKind::ClusterSecretStore => &self.cluster_secret_stores,
        }
    }

    /// Asks for a validation of a store.
    pub(crate) fn wake(&self, key: &StoreKey) {
        self.requests(key.kind).ask(&key.object);
    }

    /// Asks for a validation of the stores that exchange the token of a service account.
    pub(crate) fn service_account_changed(&self, account: &ObjectKey) {
        let using: Vec<_> = {
            let memos = self.memos();
            let using = memos.iter().filter(|(_, memo)| memo.service_account.as_ref() == Some(account));
            using.map(|(key, _)| key.clone()).collect()
        };
        for store in &using {
            self.wake(store);
        }
    }

    /// The watch shows a store: asks for a validation where anything has changed that matters.
    pub(crate) fn applied(&self, object: &SecretStore, key: &StoreKey) {
        let changed = self.memos().now(key, object.metadata.uid.as_deref()).shown(object, key);
        if changed {
            self.wake(key);
        }
    }

    /// What is remembered of stores. Never held across an await.
    pub(crate) fn memos(&self) -> MutexGuard<'_, Memos<StoreKey, StoreMemo>> {
        self.memos.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
