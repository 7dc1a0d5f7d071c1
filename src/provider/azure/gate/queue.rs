//! Who waits, and whose turn it is.
//!
//! Stores take turns, so that one with thousands of ExternalSecrets does not starve one with three. First syncs go before
//! periodic refreshes, but every few of them one refresh goes, so that these do not wait for ever.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::super::object::ObjectKind;
use crate::provider::Priority;

/// After so many first syncs one refresh goes.
const FIRSTS_IN_A_ROW: u32 = 7;

/// How many kinds of objects there are.
pub(super) const KINDS: usize = 3;

/// A request's place. It keeps its place when it must be sent again.
#[derive(Clone, Debug)]
pub(in crate::provider::azure) struct Ticket {
    id: u64,
    pub(super) kind: ObjectKind,
    priority: Priority,
    store: Arc<str>,
}

/// All who wait.
#[derive(Debug)]
pub(super) struct Queue<T> {
    kinds: [Lanes<T>; KINDS],
    next_id: u64,
    waiting: usize,
}

#[derive(Debug)]
struct Lanes<T> {
    first: Lane<T>,
    refresh: Lane<T>,
    firsts_in_a_row: u32,
}

/// Who waits with one priority.
#[derive(Debug)]
struct Lane<T> {
    stores: HashMap<Arc<str>, VecDeque<(u64, T)>>,
    turns: VecDeque<Arc<str>>,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self { kinds: std::array::from_fn(|_| Lanes::new()), next_id: 0, waiting: 0 }
    }

    /// A place behind all others of the store.
    pub(super) fn ticket(&mut self, kind: ObjectKind, priority: Priority, store: &Arc<str>) -> Ticket {
        self.next_id += 1;
        Ticket { id: self.next_id, kind, priority, store: Arc::clone(store) }
    }

    /// Takes the place.
    pub(super) fn push(&mut self, ticket: &Ticket, waiter: T) {
        self.kinds[ticket.kind as usize].lane(ticket.priority).push(&ticket.store, ticket.id, waiter);
        self.waiting += 1;
    }

    /// Leaves the place, if it is still taken.
    pub(super) fn leave(&mut self, ticket: &Ticket) -> Option<T> {
        let waiter = self.kinds[ticket.kind as usize].lane(ticket.priority).remove(&ticket.store, ticket.id)?;
        self.waiting -= 1;
        Some(waiter)
    }

    /// The one whose turn it is to send a request for an object of this kind.
    pub(super) fn pop(&mut self, kind: ObjectKind) -> Option<T> {
        let waiter = self.kinds[kind as usize].pop()?;
        self.waiting -= 1;
        Some(waiter)
    }

    /// Whether somebody waits for an object of this kind.
    pub(super) fn has(&self, kind: ObjectKind) -> bool {
        let lanes = &self.kinds[kind as usize];
        !lanes.first.turns.is_empty() || !lanes.refresh.turns.is_empty()
    }

    /// How many wait.
    pub(super) const fn len(&self) -> usize {
        self.waiting
    }
}

impl<T> Lanes<T> {
    fn new() -> Self {
        Self { first: Lane::new(), refresh: Lane::new(), firsts_in_a_row: 0 }
    }

    fn lane(&mut self, priority: Priority) -> &mut Lane<T> {
        match priority {
            Priority::First => &mut self.first,
            Priority::Refresh => &mut self.refresh,
        }
    }

    fn pop(&mut self) -> Option<T> {
        if self.firsts_in_a_row < FIRSTS_IN_A_ROW
            && let Some(waiter) = self.first.pop()
        {
            self.firsts_in_a_row += 1;
            return Some(waiter);
        }
        self.firsts_in_a_row = 0;
        self.refresh.pop().or_else(|| self.first.pop())
    }
}

impl<T> Lane<T> {
    fn new() -> Self {
        Self { stores: HashMap::new(), turns: VecDeque::new() }
    }

    fn push(&mut self, store: &Arc<str>, id: u64, waiter: T) {
        let places = self.stores.entry(Arc::clone(store)).or_default();
        if places.is_empty() {
            self.turns.push_back(Arc::clone(store));
        }
        let at = places.partition_point(|(other, _)| *other < id);
        places.insert(at, (id, waiter));
    }

    fn remove(&mut self, store: &Arc<str>, id: u64) -> Option<T> {
        let places = self.stores.get_mut(store)?;
        let at = places.binary_search_by_key(&id, |(other, _)| *other).ok()?;
        let (_, waiter) = places.remove(at)?;
        if places.is_empty() {
            self.stores.remove(store);
            self.turns.retain(|other| other != store);
        }
        Some(waiter)
    }

    fn pop(&mut self) -> Option<T> {
        let store = self.turns.pop_front()?;
        let places = self.stores.get_mut(&store)?;
        let waiter = places.pop_front().map(|(_, waiter)| waiter);
        if places.is_empty() {
            self.stores.remove(&store);
        } else {
            self.turns.push_back(store);
        }
        waiter
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn push(queue: &mut Queue<&'static str>, store: &'static str, priority: Priority) -> Ticket {
        let ticket = queue.ticket(ObjectKind::Secret, priority, &Arc::from(store));
        queue.push(&ticket, store);
        ticket
    }

    #[test]
    fn a_store_with_thousands_does_not_starve_one_with_three() {
        let mut queue = Queue::new();
        for _ in 0..5000 {
            push(&mut queue, "large", Priority::First);
        }
        for _ in 0..3 {
            push(&mut queue, "small", Priority::First);
        }
        let first: Vec<_> = (0..6).filter_map(|_| queue.pop(ObjectKind::Secret)).collect();
        assert_eq!(first.iter().filter(|store| **store == "small").count(), 3, "{first:?}");
    }

    #[test]
    fn first_syncs_go_before_refreshes_which_do_not_wait_for_ever() {
        let mut queue = Queue::new();
        push(&mut queue, "refresh", Priority::Refresh);
        for _ in 0..20 {
            push(&mut queue, "first", Priority::First);
        }
        let order: Vec<_> = (0..20).filter_map(|_| queue.pop(ObjectKind::Secret)).collect();
        assert_eq!(order.iter().position(|waiter| *waiter == "refresh"), Some(7));
    }

    #[test]
    fn who_must_send_again_keeps_its_place() {
        let mut queue = Queue::new();
        let ticket = push(&mut queue, "store", Priority::First);
        queue.pop(ObjectKind::Secret);
        push(&mut queue, "store", Priority::First);
        queue.push(&ticket, "again");
        assert_eq!(queue.pop(ObjectKind::Secret), Some("again"));
    }

    proptest! {
        /// Whoever comes and goes, all who stay get their turn, and none of those who left.
        #[test]
        fn all_who_stay_get_their_turn_once(
            steps in prop::collection::vec((0usize..3, 0usize..4, prop::bool::ANY, 0u8..4), 1..200)
        ) {
            let mut queue = Queue::new();
            let (mut staying, mut served) = (std::collections::BTreeMap::new(), Vec::new());
            for (number, (kind, store, first, what)) in steps.into_iter().enumerate() {
                let kind = [ObjectKind::Secret, ObjectKind::Key, ObjectKind::Certificate][kind];
                match what {
                    0 => served.extend(queue.pop(kind)),
                    1 => {
                        if let Some((number, ticket)) = staying.pop_first()
                            && queue.leave(&ticket).is_none()
                        {
                            prop_assert!(served.contains(&number));
                        }
                    }
                    _ => {
                        let priority = if first { Priority::First } else { Priority::Refresh };
                        let ticket = queue.ticket(kind, priority, &Arc::from(["a", "b", "c", "d"][store]));
                        queue.push(&ticket, number);
                        staying.insert(number, ticket);
                    }
                }
            }
            for kind in [ObjectKind::Secret, ObjectKind::Key, ObjectKind::Certificate] {
                while let Some(number) = queue.pop(kind) {
                    prop_assert!(staying.contains_key(&number), "it left");
                    served.push(number);
                }
                prop_assert!(!queue.has(kind));
            }
            prop_assert_eq!(queue.len(), 0);
            prop_assert!(staying.keys().all(|number| served.contains(number)));
            let count = served.len();
            served.sort_unstable();
            served.dedup();
            prop_assert_eq!(count, served.len());
        }
    }
}
