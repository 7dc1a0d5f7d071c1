//! What the controllers remember between reconciles, and how they ask for one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::api::ServedVersion;
use crate::api::v1::StoreKind;
use crate::controller::core::key::{ObjectKey, StoreKey};
use crate::controller::core::memos::Memos;
use crate::controller::core::observe::Controller;
use crate::controller::core::recoveries::Recoveries;
use crate::controller::core::work_queue::Requests;
use crate::controller::external_secret::Memo;
use crate::controller::external_secret::index::Index;
use crate::controller::external_secret::target_kinds::TargetKinds;
use crate::controller::secret_store::StoreMemo;

/// What the controllers remember between reconciles. The watches feed it, so it exists before them.
#[derive(Debug)]
pub struct State {
    /// The version of our resources that the cluster serves.
    pub version: ServedVersion,
    /// Who uses what.
    pub index: Index,
    /// Who waits for a provider to recover.
    pub recoveries: Recoveries,
    /// Cancelled when the first ExternalSecret appears that takes templates from an object.
    pub templates_used: CancellationToken,
    /// The kinds of objects besides Secrets that are written.
    pub target_kinds: TargetKinds,
    queues: Queues,
    memos: Mutex<Memos<ObjectKey, Memo>>,
    store_memos: Mutex<Memos<StoreKey, StoreMemo>>,
}

/// Where to ask for a reconcile.
#[derive(Debug, Default)]
struct Queues {
    external_secrets: Requests,
    secret_stores: Requests,
    cluster_secret_stores: Requests,
}

impl State {
    /// Nothing remembered yet.
    #[must_use]
    pub fn new(version: ServedVersion) -> Self {
        Self {
            version,
            queues: Queues::default(),
            index: Index::default(),
            recoveries: Recoveries::default(),
            templates_used: CancellationToken::new(),
            target_kinds: TargetKinds::default(),
            memos: Mutex::default(),
            store_memos: Mutex::default(),
        }
    }

    /// Where a controller is asked for reconciles.
    #[must_use]
    pub const fn requests(&self, controller: Controller) -> &Requests {
        match controller {
            Controller::ExternalSecrets => &self.queues.external_secrets,
            Controller::Stores(StoreKind::SecretStore) => &self.queues.secret_stores,
            Controller::Stores(StoreKind::ClusterSecretStore) => &self.queues.cluster_secret_stores,
        }
    }

    /// Asks for a reconcile of an ExternalSecret.
    pub fn wake_external_secret(&self, key: &ObjectKey) {
        self.requests(Controller::ExternalSecrets).ask(key);
    }

    /// Asks for a validation of a store.
    pub fn wake_store(&self, key: &StoreKey) {
        self.requests(Controller::Stores(key.kind)).ask(&key.object);
    }

    /// Ends the watches of the kinds of targets that no ExternalSecret uses any more.
    pub fn release_target_kinds(&self) {
        self.target_kinds.keep(|manifest, namespace| self.index.is_written_in(manifest, namespace));
    }

    /// Asks for a reconcile of all ExternalSecrets that use a store.
    pub fn wake_readers_of(&self, store: &StoreKey) {
        for key in self.index.readers_of(store) {
            self.wake_external_secret(&key);
        }
    }

    /// Asks for a reconcile of all ExternalSecrets that failed while the API server was away.
    pub fn wake_who_await_api_server(&self) {
        let waiting: Vec<_> = {
            let memos = self.memos();
            memos.iter().filter(|(_, memo)| memo.awaits_api_server).map(|(key, _)| key.clone()).collect()
        };
        for key in &waiting {
            self.wake_external_secret(key);
        }
    }

    /// The stores that exchange the token of a service account.
    #[must_use]
    pub fn stores_with_service_account(&self, account: &ObjectKey) -> Vec<StoreKey> {
        let memos = self.store_memos();
        let using = memos.iter().filter(|(_, memo)| memo.service_account.as_ref() == Some(account));
        using.map(|(key, _)| key.clone()).collect()
    }

    /// Ends all queues, so that the controllers finish what they have begun and stop.
    pub fn close_queues(&self) {
        for controller in Controller::ALL {
            self.requests(controller).close();
        }
    }

    /// What is remembered of ExternalSecrets. Never held across an await.
    pub fn memos(&self) -> MutexGuard<'_, Memos<ObjectKey, Memo>> {
        self.memos.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of stores. Never held across an await.
    pub fn store_memos(&self) -> MutexGuard<'_, Memos<StoreKey, StoreMemo>> {
        self.store_memos.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
