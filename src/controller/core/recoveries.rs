//! Failures that are worth retrying at a time that only a provider knows.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

use crate::provider::Recovery;

/// What is waiting for a provider to recover.
#[derive(Debug)]
pub(crate) struct Recoveries<K>(Mutex<HashMap<K, Waiting>>);

/// One that waits. The provider keeps probing as long as somebody holds the recovery, so it is held until the next
/// attempt has succeeded or failed.
#[derive(Debug)]
struct Waiting {
    _recovery: Recovery,
    task: AbortHandle,
}

impl<K> Default for Recoveries<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash> Recoveries<K> {
    /// Calls `wake` when the provider has recovered. Replaces what `key` was waiting for before.
    pub(crate) fn wait(&self, key: &K, recovery: &Recovery, wake: impl FnOnce() + Send + 'static) {
        let recovering = recovery.clone();
        let task = tokio::spawn(async move {
            recovering.recovered().await;
            wake();
        });
        let waiting = Waiting { _recovery: recovery.clone(), task: task.abort_handle() };
        self.waiting().insert(key.clone(), waiting);
    }

    /// Stops waiting.
    pub(crate) fn end(&self, key: &K) {
        self.waiting().remove(key);
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<K, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.task.abort();
    }
}
