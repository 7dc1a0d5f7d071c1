//! What the store controllers remember between validations, and how a validation is requested.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::fingerprint::{fingerprint, service_account};
use crate::api::v1::secret_store::SecretStoreStatus;
use crate::api::v1::{SecretStore, StoreKind};
use crate::controller::core::key::ObjectKey;
use crate::controller::core::memos::Memos;
use crate::controller::core::status::Ahead;
use crate::controller::core::work_queue::Requests;
use crate::controller::store_access::key::StoreKey;

/// What the store controllers remember between validations. The watches update it, so it is created before they are.
#[derive(Debug, Default)]
pub(crate) struct State {
    secret_stores: Arc<Requests<ObjectKey>>,
    cluster_secret_stores: Arc<Requests<ObjectKey>>,
    memos: Mutex<Memos<StoreKey, StoreMemo>>,
}

/// What is remembered of one store between validations.
#[derive(Debug, Default)]
pub(crate) struct StoreMemo {
    /// A hash of the parts of the object that matter.
    fingerprint: u64,
    /// Failed validations in a row.
    failures: u32,
    /// When the event `Valid` was last published.
    valid_event: Option<Timestamp>,
    /// The service account whose token the store exchanges, if it names one.
    service_account: Option<ObjectKey>,
    /// The last written status, until the watch shows it.
    ahead: Ahead<SecretStoreStatus>,
}

impl StoreMemo {
    /// The watch shows the store. Returns whether a part that matters has changed.
    fn shown(&mut self, object: &SecretStore, key: &StoreKey) -> bool {
        self.ahead.shown(object.metadata.resource_version.as_deref());
        // A clone, so that the parsed spec is not kept with the watched object.
        self.service_account = service_account(&object.clone(), key);
        let fingerprint = fingerprint(object);
        std::mem::replace(&mut self.fingerprint, fingerprint) != fingerprint
    }

    /// The last written status, until the watch shows it.
    #[must_use]
    pub(crate) const fn ahead(&self) -> &Ahead<SecretStoreStatus> {
        &self.ahead
    }

    /// A status was written on top of the version that the watch shows.
    pub(crate) fn status_written(&mut self, base: Option<&str>, status: &SecretStoreStatus) {
        self.ahead.wrote(base, status);
    }

    /// A validation found the store valid.
    pub(crate) fn valid(&mut self) {
        self.failures = 0;
    }

    /// A validation failed. Returns how many did in a row.
    pub(crate) fn not_valid(&mut self) -> u32 {
        self.failures = self.failures.saturating_add(1);
        self.failures
    }

    /// When the event `Valid` was last published.
    #[must_use]
    pub(crate) const fn valid_event(&self) -> Option<Timestamp> {
        self.valid_event
    }

    /// The event `Valid` was published.
    pub(crate) fn valid_event_published(&mut self, now: Timestamp) {
        self.valid_event = Some(now);
    }
}

impl State {
    /// The queue of validations of a kind.
    #[must_use]
    pub(crate) const fn requests(&self, kind: StoreKind) -> &Arc<Requests<ObjectKey>> {
        match kind {
            StoreKind::SecretStore => &self.secret_stores,
            StoreKind::ClusterSecretStore => &self.cluster_secret_stores,
        }
    }

    /// Queues a validation of a store.
    pub(crate) fn wake(&self, key: &StoreKey) {
        self.requests(key.kind).ask(&key.object);
    }

    /// Queues a validation of the stores that exchange the token of a service account.
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

    /// The watch shows a store. Queues a validation if a part that matters has changed.
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
