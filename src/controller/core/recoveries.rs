//! Failed reads that are worthwhile again at a time that only the provider knows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

use crate::controller::core::key::ObjectKey;
use crate::controller::external_secret::state::State;
use crate::provider::Recovery;

/// Who waits for a provider to recover.
#[derive(Debug, Default)]
pub struct Recoveries(Mutex<HashMap<ObjectKey, Waiting>>);

/// An ExternalSecret that waits. The provider goes on trying as long as the recovery is held, so it is, until the next
/// read has failed or succeeded.
#[derive(Debug)]
struct Waiting {
    _recovery: Recovery,
    task: AbortHandle,
}

impl Recoveries {
    /// Asks for a reconcile of an ExternalSecret when its provider has recovered, in place of what it waited for before.
    pub fn wait(&self, key: &ObjectKey, recovery: &Recovery, state: &Arc<State>) {
        let (told, woken, state) = (recovery.clone(), key.clone(), Arc::downgrade(state));
        let task = tokio::spawn(async move {
            told.recovered().await;
            if let Some(state) = state.upgrade() {
                state.wake_external_secret(&woken);
            }
        });
        let waiting = Waiting { _recovery: recovery.clone(), task: task.abort_handle() };
        self.waiting().insert(key.clone(), waiting);
    }

    /// An ExternalSecret waits no more.
    pub fn end(&self, key: &ObjectKey) {
        self.waiting().remove(key);
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<ObjectKey, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.task.abort();
    }
}
