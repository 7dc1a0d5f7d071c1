//! Locks that allow one write at a time to an object.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::MutexGuard;

use super::remote_object::RemoteObject;

/// With fewer locks than this, those that nobody uses are kept.
const FEW: usize = 1000;

/// The locks of all objects that passes are working on.
#[derive(Debug, Default)]
pub(super) struct Locks {
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    by_object: HashMap<RemoteObject, Weak<ObjectLock>>,
    /// How many were in use when the others were last dropped.
    used: usize,
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
        if let Some(lock) = all.by_object.get(object).and_then(Weak::upgrade) {
            return lock;
        }
        // Only once their number has doubled, so that the cost of a lock does not grow with their number.
        if all.by_object.len() >= FEW.max(2 * all.used) {
            all.by_object.retain(|_, lock| lock.strong_count() > 0);
            all.used = all.by_object.len();
        }
        let lock = Arc::new(ObjectLock::default());
        all.by_object.insert(object.clone(), Arc::downgrade(&lock));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::ObjectName;

    fn object(number: usize) -> RemoteObject {
        RemoteObject { vault: "v".to_owned(), name: ObjectName::new(format!("secret/x{number}")) }
    }

    #[test]
    fn two_passes_share_the_lock_of_an_object() {
        let locks = Locks::default();
        let one = locks.of(&object(0));
        one.wrote();
        assert_eq!(locks.of(&object(0)).writes(), 1);
    }

    #[test]
    fn locks_that_nobody_uses_are_dropped_and_those_in_use_stay() {
        let locks = Locks::default();
        let used: Vec<_> = (0..3 * FEW).map(|number| locks.of(&object(number))).collect();
        for number in 0..20 * FEW {
            drop(locks.of(&object(10 * FEW + number)));
        }
        assert!(locks.all.lock().unwrap().by_object.len() <= 2 * used.len());
        used[0].wrote();
        assert_eq!(locks.of(&object(0)).writes(), 1);
    }
}
