//! Memory that namespaces share without being able to take it from each other.
//!
//! A namespace may hold at most as much as stays free. A single one gets half, two get a third each, and however many
//! take all they can, the next can still get as much as each of them has. Nobody waits while holding something: what is
//! not free now is refused, and a refused caller returns what it has before it tries again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often a waiting caller checks again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// An amount of bytes or places, shared by all namespaces.
#[derive(Debug)]
pub struct Shares {
    capacity: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    used: usize,
    held: HashMap<Arc<str>, usize>,
}

/// What a namespace holds. Dropping it returns it.
#[derive(Debug)]
pub struct Share {
    of: Arc<Shares>,
    namespace: Arc<str>,
    amount: usize,
}

impl Shares {
    /// A namespace alone may hold half of it.
    #[must_use]
    pub fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { capacity, inner: Mutex::default() })
    }

    /// An empty share for a namespace; see [`Share::try_grow`].
    #[must_use]
    pub fn none(self: &Arc<Self>, namespace: &Arc<str>) -> Share {
        Share { of: Arc::clone(self), namespace: Arc::clone(namespace), amount: 0 }
    }

    /// This much, if the namespace may have it now.
    #[must_use]
    pub fn try_take(self: &Arc<Self>, namespace: &Arc<str>, amount: usize) -> Option<Share> {
        let mut share = self.none(namespace);
        share.try_grow(amount).then_some(share)
    }

    /// This much, as soon as the namespace may have it, within `patience`. The caller should hold nothing of the same
    /// kind while it waits.
    pub async fn take_within(
        self: &Arc<Self>,
        namespace: &Arc<str>,
        amount: usize,
        patience: Duration,
    ) -> Option<Share> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(share) = self.try_take(namespace, amount) {
                return Some(share);
            }
            if Instant::now() >= deadline {
                return None;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Takes this much more, if the namespace may have it now.
    #[must_use]
    pub fn try_grow(&mut self, amount: usize) -> bool {
        let mut inner = self.of.inner();
        let held = inner.held.get(&self.namespace).copied().unwrap_or_default();
        let (held, used) = (held.saturating_add(amount), inner.used.saturating_add(amount));
        if self.of.capacity.checked_sub(used).is_none_or(|free| held > free) {
            return false;
        }
        inner.used = used;
        inner.held.insert(Arc::clone(&self.namespace), held);
        self.amount += amount;
        true
    }

    /// An empty share of the same kind and namespace.
    #[must_use]
    pub fn of_none(&self) -> Self {
        self.of.none(&self.namespace)
    }

    /// Returns what exceeds `amount`.
    pub fn shrink_to(&mut self, amount: usize) {
        let over = self.amount.saturating_sub(amount);
        let mut inner = self.of.inner();
        inner.used -= over;
        if let Some(held) = inner.held.get_mut(&self.namespace) {
            *held -= over;
            if *held == 0 {
                inner.held.remove(&self.namespace);
            }
        }
        self.amount -= over;
    }

    /// The namespace on whose behalf it is held.
    #[must_use]
    pub const fn namespace(&self) -> &Arc<str> {
        &self.namespace
    }

    /// The amount.
    #[must_use]
    pub const fn amount(&self) -> usize {
        self.amount
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn however_much_others_take_something_is_left_for_the_next_caller() {
        let shares = Shares::new(1000);
        let mut taken = Vec::new();
        for number in 0..9 {
            let namespace: Arc<str> = number.to_string().into();
            let mut share = shares.none(&namespace);
            while share.try_grow(1) {}
            taken.push(share);
        }
        assert_eq!(taken[0].amount(), 500, "one alone gets half");
        assert_eq!(taken[1].amount(), 250);
        assert!(shares.try_take(&"late".into(), 0).is_some());
        drop(taken);
        assert_eq!(shares.inner().used, 0);
        assert!(shares.inner().held.is_empty());
    }

    #[test]
    fn all_shares_of_a_namespace_count_together() {
        let shares = Shares::new(100);
        let one: Arc<str> = "one".into();
        let first = shares.try_take(&one, 40);
        assert!(shares.try_take(&one, 11).is_none());
        assert!(shares.try_take(&one, 10).is_some());
        drop(first);
        assert!(shares.try_take(&one, 50).is_some());
    }

    #[tokio::test]
    async fn a_waiting_caller_gets_what_another_puts_back() {
        let shares = Shares::new(100);
        let one: Arc<str> = "one".into();
        let first = shares.try_take(&one, 50);
        assert!(shares.take_within(&one, 1, Duration::from_millis(60)).await.is_none());
        let mut waiting = Box::pin(shares.take_within(&one, 50, Duration::from_secs(30)));
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        drop(first);
        assert!(waiting.await.is_some());
    }

    proptest! {
        #[test]
        fn never_more_is_held_than_there_is(steps in prop::collection::vec((0u8..4, 0usize..60, 0u8..3), 1..200)) {
            let shares = Shares::new(100);
            let mut held: Vec<Share> = Vec::new();
            for (namespace, amount, what) in steps {
                match what {
                    0 if !held.is_empty() => drop(held.swap_remove(amount % held.len())),
                    1 if !held.is_empty() => {
                        let at = amount % held.len();
                        let _ = held[at].try_grow(amount);
                    }
                    _ => held.extend(shares.try_take(&namespace.to_string().into(), amount)),
                }
                let sum: usize = held.iter().map(Share::amount).sum();
                prop_assert_eq!(shares.inner().used, sum);
                prop_assert!(sum <= 100);
            }
            drop(held);
            prop_assert_eq!(shares.inner().used, 0);
        }
    }
}
