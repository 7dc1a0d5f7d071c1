//! The queue of waiting requests.
//!
//! Namespaces take turns, and in each its stores, so that one with thousands of ExternalSecrets does not starve one with
//! three, and a hundred stores of one namespace get no more than one. First syncs go before periodic refreshes, but every
//! few of them one refresh goes, so that these are not starved. Callers that are refused again and again go last, and so
//! do deletions.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::super::object::ObjectKind;
use crate::provider::Priority;

/// First syncs after which one refresh is sent.
const FIRSTS_IN_A_ROW: u32 = 7;

/// Other requests after which one is sent that is likely to be refused.
const OTHERS_IN_A_ROW: u32 = 15;

/// How many kinds of requests there are.
pub(super) const KINDS: usize = 4;

/// The kinds of requests that a vault limits apart from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::provider::azure) enum Traffic {
    /// All for secrets but new versions.
    Secrets,
    /// All for keys but imports.
    Keys,
    /// All for certificates but imports.
    Certificates,
    /// New versions of secrets, and imports of keys and certificates, which share one limit.
    Writes,
}

impl From<ObjectKind> for Traffic {
    fn from(kind: ObjectKind) -> Self {
        match kind {
            ObjectKind::Secret => Self::Secrets,
            ObjectKind::Key => Self::Keys,
            ObjectKind::Certificate => Self::Certificates,
        }
    }
}

/// On whose behalf a request is sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::provider::azure) struct Requester {
    /// The reading namespace: that of the ExternalSecret, or that of the store during its validation. Empty for the
    /// validation of a ClusterSecretStore.
    pub(in crate::provider::azure) namespace: Arc<str>,
    /// The store, as `namespace/name`.
    pub(in crate::provider::azure) store: Arc<str>,
}

#[cfg(test)]
impl Requester {
    /// The only store of a namespace.
    pub(super) fn of_test(namespace: &str) -> Self {
        Self { namespace: namespace.into(), store: format!("{namespace}/store").into() }
    }
}

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::provider::azure) enum Rank {
    /// Somebody is waiting for it.
    First,
    /// A periodic refresh.
    Refresh,
    /// Nobody waits for it: a deletion, or a request of an identity that was refused many times in a row.
    Last,
}

impl From<Priority> for Rank {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::First => Self::First,
            Priority::Refresh => Self::Refresh,
            Priority::CleanUp => Self::Last,
        }
    }
}

/// A request's position, which it keeps if it must be sent again.
#[derive(Clone, Debug)]
pub(in crate::provider::azure) struct Ticket {
    id: u64,
    pub(super) kind: Traffic,
    rank: Rank,
    requester: Requester,
}

impl Ticket {
    /// The namespace on whose behalf the request is sent.
    pub(super) const fn namespace(&self) -> &Arc<str> {
        &self.requester.namespace
    }
}

/// All waiters.
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
    often_refused: Lane<T>,
    firsts_in_a_row: u32,
    others_in_a_row: u32,
}

/// The waiters of one rank: namespaces take turns, and within each its stores.
type Lane<T> = Rounds<Rounds<Places<T>>>;

/// The namespace whose turn it is, and its waiter.
type Turn<T> = (Arc<str>, T);

/// The waiters of one store, in the order of their tickets.
type Places<T> = VecDeque<(u64, T)>;

/// Members that take turns. None is empty.
#[derive(Debug)]
struct Rounds<M> {
    members: HashMap<Arc<str>, M>,
    turns: VecDeque<Arc<str>>,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self { kinds: std::array::from_fn(|_| Lanes::new()), next_id: 0, waiting: 0 }
    }

    /// A place behind all others of the same requester.
    pub(super) fn ticket(&mut self, kind: Traffic, rank: Rank, requester: &Requester) -> Ticket {
        self.next_id += 1;
        Ticket { id: self.next_id, kind, rank, requester: requester.clone() }
    }

    /// Takes the position.
    pub(super) fn push(&mut self, ticket: &Ticket, waiter: T) {
        let Requester { namespace, store } = &ticket.requester;
        let lane = self.kinds[ticket.kind as usize].lane(ticket.rank);
        let places = lane.member(namespace).member(store);
        let at = places.partition_point(|(other, _)| *other < ticket.id);
        places.insert(at, (ticket.id, waiter));
        self.waiting += 1;
    }

    /// Leaves the position, if it is still taken.
    pub(super) fn leave(&mut self, ticket: &Ticket) -> Option<T> {
        let Requester { namespace, store } = &ticket.requester;
        let lane = self.kinds[ticket.kind as usize].lane(ticket.rank);
        let stores = lane.members.get_mut(namespace)?;
        let places = stores.members.get_mut(store)?;
        let at = places.binary_search_by_key(&ticket.id, |(other, _)| *other).ok()?;
        let (_, waiter) = places.remove(at)?;
        if places.is_empty() {
            stores.remove(store);
        }
        if stores.is_empty() {
            lane.remove(namespace);
        }
        self.waiting -= 1;
        Some(waiter)
    }

    /// The one whose turn it is to send a request of this kind, among the namespaces that may.
    pub(super) fn pop(&mut self, kind: Traffic, may: impl Fn(&str) -> bool) -> Option<Turn<T>> {
        let turn = self.kinds[kind as usize].pop(&may)?;
        self.waiting -= 1;
        Some(turn)
    }

    /// Whether somebody waits to send a request of this kind.
    pub(super) fn has(&self, kind: Traffic) -> bool {
        let Lanes { first, refresh, often_refused, .. } = &self.kinds[kind as usize];
        [first, refresh, often_refused].into_iter().any(|lane| !lane.is_empty())
    }

    /// The number of waiters.
    pub(super) const fn len(&self) -> usize {
        self.waiting
    }
}

impl<T> Lanes<T> {
    fn new() -> Self {
        Self {
            first: Rounds::default(),
            refresh: Rounds::default(),
            often_refused: Rounds::default(),
            firsts_in_a_row: 0,
            others_in_a_row: 0,
        }
    }

    fn lane(&mut self, rank: Rank) -> &mut Lane<T> {
        match rank {
            Rank::First => &mut self.first,
            Rank::Refresh => &mut self.refresh,
            Rank::Last => &mut self.often_refused,
        }
    }

    fn pop(&mut self, may: &impl Fn(&str) -> bool) -> Option<Turn<T>> {
        if self.others_in_a_row < OTHERS_IN_A_ROW
            && let Some(turn) = self.pop_of_others(may)
        {
            self.others_in_a_row += 1;
            return Some(turn);
        }
        self.others_in_a_row = 0;
        next_of(&mut self.often_refused, may).or_else(|| self.pop_of_others(may))
    }

    /// The next one that has not been refused often.
    fn pop_of_others(&mut self, may: &impl Fn(&str) -> bool) -> Option<Turn<T>> {
        if self.firsts_in_a_row < FIRSTS_IN_A_ROW
            && let Some(turn) = next_of(&mut self.first, may)
        {
            self.firsts_in_a_row += 1;
            return Some(turn);
        }
        self.firsts_in_a_row = 0;
        next_of(&mut self.refresh, may).or_else(|| next_of(&mut self.first, may))
    }
}

/// The first waiter of the next store of the next namespace that may.
fn next_of<T>(lane: &mut Lane<T>, may: &impl Fn(&str) -> bool) -> Option<Turn<T>> {
    let (namespace, waiter) = lane.next(may, |stores| {
        let next =
            stores.next(&|_: &str| true, |places| (places.pop_front().map(|(_, waiter)| waiter), places.is_empty()));
        (next.and_then(|(_, waiter)| waiter), stores.is_empty())
    })?;
    Some((namespace, waiter?))
}

impl<M> Default for Rounds<M> {
    fn default() -> Self {
        Self { members: HashMap::new(), turns: VecDeque::new() }
    }
}

impl<M> Rounds<M> {
    fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// The member with this name. A new one gets the last turn.
    fn member(&mut self, name: &Arc<str>) -> &mut M
    where
        M: Default,
    {
        if !self.members.contains_key(name) {
            self.turns.push_back(Arc::clone(name));
        }
        self.members.entry(Arc::clone(name)).or_default()
    }

    fn remove(&mut self, name: &Arc<str>) {
        self.members.remove(name);
        self.turns.retain(|other| other != name);
    }

    /// The next member that may have a turn, and what `take` returns for it; `take` also says whether that member is
    /// empty now.
    fn next<T>(
        &mut self,
        may: &impl Fn(&str) -> bool,
        take: impl FnOnce(&mut M) -> (T, bool),
    ) -> Option<(Arc<str>, T)> {
        let place = self.turns.iter().position(|name| may(name))?;
        let name = self.turns.remove(place)?;
        let (taken, is_empty) = take(self.members.get_mut(&name)?);
        if is_empty {
            self.members.remove(&name);
        } else {
            self.turns.push_back(Arc::clone(&name));
        }
        Some((name, taken))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn requester(namespace: &str, store: &str) -> Requester {
        Requester { namespace: namespace.into(), store: store.into() }
    }

    fn popped<T>(queue: &mut Queue<T>, kind: Traffic) -> Option<T> {
        queue.pop(kind, |_| true).map(|(_, waiter)| waiter)
    }

    fn push(queue: &mut Queue<&'static str>, namespace: &'static str, rank: Rank) -> Ticket {
        let ticket = queue.ticket(Traffic::Secrets, rank, &requester(namespace, "store"));
        queue.push(&ticket, namespace);
        ticket
    }

    #[test]
    fn a_namespace_with_thousands_does_not_starve_one_with_three() {
        let mut queue = Queue::new();
        for _ in 0..5000 {
            push(&mut queue, "large", Rank::First);
        }
        for _ in 0..3 {
            push(&mut queue, "small", Rank::First);
        }
        let first: Vec<_> = (0..6).filter_map(|_| popped(&mut queue, Traffic::Secrets)).collect();
        assert_eq!(first.iter().filter(|store| **store == "small").count(), 3, "{first:?}");
    }

    #[test]
    fn first_syncs_go_before_refreshes_which_do_not_wait_for_ever() {
        let mut queue = Queue::new();
        push(&mut queue, "refresh", Rank::Refresh);
        for _ in 0..20 {
            push(&mut queue, "first", Rank::First);
        }
        let order: Vec<_> = (0..20).filter_map(|_| popped(&mut queue, Traffic::Secrets)).collect();
        assert_eq!(order.iter().position(|waiter| *waiter == "refresh"), Some(7));
    }

    #[test]
    fn a_hundred_stores_of_one_namespace_get_the_share_of_one_namespace() {
        let mut queue = Queue::new();
        for store in 0..100 {
            for _ in 0..10 {
                let ticket = queue.ticket(Traffic::Secrets, Rank::First, &requester("many", &store.to_string()));
                queue.push(&ticket, "many");
            }
        }
        for _ in 0..10 {
            push(&mut queue, "one", Rank::First);
        }
        let order: Vec<_> = (0..20).filter_map(|_| popped(&mut queue, Traffic::Secrets)).collect();
        assert_eq!(order.iter().filter(|namespace| **namespace == "one").count(), 10, "{order:?}");
    }

    #[test]
    fn the_stores_of_a_namespace_take_turns() {
        let mut queue = Queue::new();
        for store in ["large", "large", "large", "small"] {
            let ticket = queue.ticket(Traffic::Secrets, Rank::First, &requester("one", store));
            queue.push(&ticket, store);
        }
        let order: Vec<_> = (0..4).filter_map(|_| popped(&mut queue, Traffic::Secrets)).collect();
        assert_eq!(order, ["large", "small", "large", "large"]);
    }

    #[test]
    fn who_is_refused_often_goes_last_but_goes() {
        let mut queue = Queue::new();
        for _ in 0..40 {
            push(&mut queue, "refused", Rank::Last);
            push(&mut queue, "refresh", Rank::Refresh);
        }
        let order: Vec<_> = (0..32).filter_map(|_| popped(&mut queue, Traffic::Secrets)).collect();
        let refused: Vec<_> =
            order.iter().enumerate().filter(|(_, who)| **who == "refused").map(|(at, _)| at).collect();
        assert_eq!(refused, [15, 31]);
    }

    #[test]
    fn who_must_send_again_keeps_its_place() {
        let mut queue = Queue::new();
        let ticket = push(&mut queue, "store", Rank::First);
        popped(&mut queue, Traffic::Secrets);
        push(&mut queue, "store", Rank::First);
        queue.push(&ticket, "again");
        assert_eq!(popped(&mut queue, Traffic::Secrets), Some("again"));
    }

    #[test]
    fn a_turn_goes_to_the_next_namespace_that_may_have_one() {
        let mut queue = Queue::new();
        for namespace in ["heavy", "light", "heavy", "light"] {
            push(&mut queue, namespace, Rank::First);
        }
        let mut light =
            || queue.pop(Traffic::Secrets, |namespace| namespace == "light").map(|(namespace, _)| namespace);
        assert_eq!([light(), light(), light()], [Some("light".into()), Some("light".into()), None]);
        assert_eq!(queue.len(), 2);
    }

    proptest! {
        /// Every waiter that stays is served exactly once, and no waiter that left is served.
        #[test]
        fn all_callers_that_stay_get_their_turn_once(
            steps in prop::collection::vec((0usize..3, 0usize..4, 0usize..3, 0u8..4), 1..200)
        ) {
            let mut queue = Queue::new();
            let (mut staying, mut served) = (std::collections::BTreeMap::new(), Vec::new());
            for (number, (kind, store, rank, what)) in steps.into_iter().enumerate() {
                let kind = [Traffic::Secrets, Traffic::Keys, Traffic::Certificates][kind];
                match what {
                    0 => served.extend(popped(&mut queue, kind)),
                    1 => {
                        if let Some((number, ticket)) = staying.pop_first()
                            && queue.leave(&ticket).is_none()
                        {
                            prop_assert!(served.contains(&number));
                        }
                    }
                    _ => {
                        let rank = [Rank::First, Rank::Refresh, Rank::Last][rank];
                        let (namespace, name) = [("a", "x"), ("a", "y"), ("b", "x"), ("c", "z")][store];
                        let ticket = queue.ticket(kind, rank, &requester(namespace, name));
                        queue.push(&ticket, number);
                        staying.insert(number, ticket);
                    }
                }
            }
            for kind in [Traffic::Secrets, Traffic::Keys, Traffic::Certificates] {
                while let Some(number) = popped(&mut queue, kind) {
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
