//! What the controllers remember between reconciles, and how they ask for one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::channel::mpsc::UnboundedSender;
use kube::runtime::controller::ReconcileRequest;
use kube::runtime::reflector::ObjectRef;
use tokio_util::sync::CancellationToken;

use super::external_secret::Memo;
use super::index::Index;
use super::key::{ObjectKey, StoreKey};
use super::observe::Controller;
use super::recoveries::Recoveries;
use super::requeue::Next;
use super::secret_store::StoreMemo;
use super::target_kinds::TargetKinds;
use crate::api::ServedVersion;
use crate::api::v1::secret_store::StoreType;
use crate::api::v1::{ExternalSecret, SecretStore, StoreKind};

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
    /// Boxed, since half of a table is empty where it has just grown.
    memos: Mutex<HashMap<ObjectKey, Box<Memo>>>,
    store_memos: Mutex<HashMap<StoreKey, StoreMemo>>,
}

/// Where to ask for a reconcile.
#[derive(Debug)]
pub struct Queues {
    /// Of ExternalSecrets.
    pub external_secrets: UnboundedSender<ReconcileRequest<ExternalSecret>>,
    /// Of SecretStores.
    pub secret_stores: UnboundedSender<ReconcileRequest<SecretStore>>,
    /// Of ClusterSecretStores.
    pub cluster_secret_stores: UnboundedSender<ReconcileRequest<SecretStore>>,
}

impl State {
    /// Nothing remembered yet.
    #[must_use]
    pub fn new(version: ServedVersion, queues: Queues) -> Self {
        Self {
            version,
            queues,
            index: Index::default(),
            recoveries: Recoveries::default(),
            templates_used: CancellationToken::new(),
            target_kinds: TargetKinds::default(),
            memos: Mutex::default(),
            store_memos: Mutex::default(),
        }
    }

    /// Asks for a reconcile of an ExternalSecret.
    pub fn wake_external_secret(&self, key: &ObjectKey) {
        let now = Instant::now();
        self.queue(Controller::ExternalSecrets, key, |due| Some(due.map_or(now, |due| due.min(now))));
        let reference = ObjectRef::new_with(&key.name, self.version).within(&key.namespace);
        // The receiver is gone only when the process stops.
        let _ = self.queues.external_secrets.unbounded_send(reference.into());
    }

    /// Asks for a validation of a store.
    pub fn wake_store(&self, key: &StoreKey) {
        let now = Instant::now();
        self.queue(Controller::Stores(key.kind), &key.object, |due| Some(due.map_or(now, |due| due.min(now))));
        let dyntype = StoreType { kind: key.kind, version: self.version };
        let reference = ObjectRef::new_with(&key.object.name, dyntype);
        let _ = match key.kind {
            StoreKind::SecretStore => {
                self.queues.secret_stores.unbounded_send(reference.within(&key.object.namespace).into())
            }
            StoreKind::ClusterSecretStore => self.queues.cluster_secret_stores.unbounded_send(reference.into()),
        };
    }

    /// Ends the watches of the kinds of targets that no ExternalSecret uses any more.
    pub fn release_target_kinds(&self) {
        self.target_kinds.keep(|manifest| self.index.is_written(manifest));
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

    /// A reconcile begins; gives how long its object has waited in the queue.
    pub fn begins(&self, controller: Controller, key: &ObjectKey) -> Option<Duration> {
        let mut waited = None;
        self.queue(controller, key, |due| {
            waited = due.map(|due| due.elapsed());
            None
        });
        waited
    }

    /// A reconcile has ended, and its object comes back.
    pub fn ended(&self, controller: Controller, key: &ObjectKey, next: Next) {
        let again = match next {
            Next::OnChange => None,
            Next::After(wait) => Instant::now().checked_add(wait),
        };
        // It may have been asked for meanwhile.
        self.queue(controller, key, |due| due.into_iter().chain(again).min());
    }

    /// How many objects wait for their turn in the queue of a controller.
    #[must_use]
    pub fn waiting(&self, controller: Controller) -> usize {
        let now = Instant::now();
        let waits = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        match controller {
            Controller::ExternalSecrets => self.memos().values().filter(|memo| waits(memo.queued)).count(),
            Controller::Stores(kind) => {
                let memos = self.store_memos();
                memos.iter().filter(|(key, memo)| key.kind == kind && waits(memo.queued)).count()
            }
        }
    }

    /// Changes when the next reconcile of an object is due. One that is gone has none.
    fn queue(&self, controller: Controller, key: &ObjectKey, change: impl FnOnce(Option<Instant>) -> Option<Instant>) {
        match controller {
            Controller::ExternalSecrets => {
                if let Some(memo) = self.memos().get_mut(key) {
                    memo.queued = change(memo.queued);
                }
            }
            Controller::Stores(kind) => {
                if let Some(memo) = self.store_memos().get_mut(&StoreKey { kind, object: key.clone() }) {
                    memo.queued = change(memo.queued);
                }
            }
        }
    }

    /// Ends all queues, so that the controllers finish what they have begun and stop.
    pub fn close_queues(&self) {
        self.queues.external_secrets.close_channel();
        self.queues.secret_stores.close_channel();
        self.queues.cluster_secret_stores.close_channel();
    }

    /// What is remembered of ExternalSecrets. Never held across an await.
    pub fn memos(&self) -> MutexGuard<'_, HashMap<ObjectKey, Box<Memo>>> {
        self.memos.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of stores. Never held across an await.
    pub fn store_memos(&self) -> MutexGuard<'_, HashMap<StoreKey, StoreMemo>> {
        self.store_memos.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
