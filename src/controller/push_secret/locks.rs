//! Locks that allow one write at a time to an object.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::MutexGuard;

use super::claims::RemoteObject;

/// Above this number, locks that nobody holds are dropped.
const MANY: usize = 1000;

/// The locks of all objects that passes are working on.
#[derive(Debug, Default)]
pub(super) struct Locks {
    all: Mutex<HashMap<RemoteObject, Weak<ObjectLock>>>,
}

/// The lock of one object. It counts the writes, so that a pass that read the object before can tell whether that is outdated.
#[derive(Debug, Default)]
pub(super) struct ObjectLock {
    lock: tokio::sync::Mutex<()>,
    writes: AtomicU64,
}

impl Locks {
    /// The lock of an object.
    pub(super) fn of(&self, object: &RemoteObject) -> Arc<ObjectLock> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = all.get(object).and_then(Weak::upgrade) {
            return lock;
        }
        if all.len() > MANY {
            all.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::new(ObjectLock::default());
        all.insert(object.clone(), Arc::downgrade(&lock));
        lock
    }
}

impl ObjectLock {
    /// The number of writes since the lock was created.
    pub(super) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Acquire)
    }

    /// Waits until nobody else is writing the object.
    pub(super) async fn hold(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().await
    }

    /// The object was written, or may have been.
    pub(super) fn wrote(&self) {
        self.writes.fetch_add(1, Ordering::AcqRel);
    }
}
