//! Whose turn it is. Each tenant has a lane, in which its tasks are queued. Of the lanes that may run, the one whose
//! tenant has computed least comes first; one task per lane is polled at a time. A lane that was idle is treated as if
//! it had computed as much as the lane whose turn it is, so that nobody can save up turns.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::account::Account;

/// At least this many empty lanes are kept, so that their tenants' accounts are not forgotten.
const KEPT: usize = 256;

/// The lanes of all tenants, with tasks of type `T`.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    of_tenant: HashMap<Arc<str>, Lane<T>>,
    ready: BTreeSet<Turn>,
    resting: BTreeSet<(Instant, Arc<str>)>,
    last: u64,
    /// What the lane of the last turn had computed.
    clock: Duration,
}

#[derive(Debug)]
struct Lane<T> {
    account: Account,
    /// How much its tenant counts as having computed when turns are decided.
    computed: Duration,
    runnable: VecDeque<T>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It is empty.
    Idle,
    /// It waits for a thread, or for its tenant's pause to end.
    Waiting,
    /// One of its tasks is being polled.
    Polled,
}

/// The order in which lanes run.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    computed: Duration,
    number: u64,
    tenant: Arc<str>,
}

impl<T> Lanes<T> {
    pub(super) fn new() -> Self {
        Self {
            of_tenant: HashMap::new(),
            ready: BTreeSet::new(),
            resting: BTreeSet::new(),
            last: 0,
            clock: Duration::ZERO,
        }
    }

    /// A task of a tenant wants to be polled.
    pub(super) fn push(&mut self, tenant: &Arc<str>, task: T, now: Instant) {
        if !self.of_tenant.contains_key(tenant) {
            self.forget_idle(now);
            let account = Account::new(now);
            let lane = Lane { account, computed: self.clock, runnable: VecDeque::new(), stage: Stage::Idle };
            self.of_tenant.insert(Arc::clone(tenant), lane);
        }
        let Some(lane) = self.of_tenant.get_mut(tenant) else { return };
        lane.runnable.push_back(task);
        if lane.stage == Stage::Idle {
            lane.computed = lane.computed.max(self.clock);
            self.wait(tenant, now);
        }
    }

    /// The task to poll now. No other task of its lane runs until [`Self::polled`].
    pub(super) fn take(&mut self, now: Instant) -> Option<(Arc<str>, T)> {
        self.rested(now);
        let turn = self.ready.pop_first()?;
        self.clock = self.clock.max(turn.computed);
        let lane = self.of_tenant.get_mut(&turn.tenant)?;
        lane.stage = Stage::Polled;
        let task = lane.runnable.pop_front()?;
        Some((turn.tenant, task))
    }

    /// A task was polled, which took this much CPU time.
    pub(super) fn polled(&mut self, tenant: &Arc<str>, computed: Duration, now: Instant) {
        let Some(lane) = self.of_tenant.get_mut(tenant) else { return };
        lane.account.charge(computed, now);
        lane.computed += computed;
        lane.stage = Stage::Idle;
        if !lane.runnable.is_empty() {
            self.wait(tenant, now);
        }
    }

    /// Whether a task can be polled now.
    pub(super) fn is_ready(&mut self, now: Instant) -> bool {
        self.rested(now);
        !self.ready.is_empty()
    }

    /// Whether a tenant is pausing because it has computed for long.
    pub(super) fn rests(&self) -> bool {
        !self.resting.is_empty()
    }

    fn wait(&mut self, tenant: &Arc<str>, now: Instant) {
        let Some(lane) = self.of_tenant.get_mut(tenant) else { return };
        lane.stage = Stage::Waiting;
        if let Some(until) = lane.account.rests_until(now) {
            self.resting.insert((until, Arc::clone(tenant)));
        } else {
            self.last += 1;
            self.ready.insert(Turn { computed: lane.computed, number: self.last, tenant: Arc::clone(tenant) });
        }
    }

    /// Resumes the lanes whose pause is over.
    fn rested(&mut self, now: Instant) {
        while self.resting.first().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, tenant)) = self.resting.pop_first() {
                self.wait(&tenant, now);
            }
        }
    }

    fn forget_idle(&mut self, now: Instant) {
        // Only when the table would grow, which is seldom.
        if self.of_tenant.len() >= KEPT && self.of_tenant.len() == self.of_tenant.capacity() {
            self.of_tenant.retain(|_, lane| lane.stage != Stage::Idle || !lane.account.level(now).is_zero());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> Arc<str> {
        Arc::from(name)
    }

    /// Lets tasks take turns of `length` for `turns` turns on one thread, queueing each again at once. Returns how many
    /// turns each had.
    fn turns(tenants: &[(&str, usize)], length: impl Fn(&str) -> Duration, turns: usize) -> HashMap<String, Duration> {
        let (mut lanes, mut now) = (Lanes::new(), Instant::now());
        for (name, tasks) in tenants {
            for task in 0..*tasks {
                lanes.push(&tenant(name), task, now);
            }
        }
        let mut computed = HashMap::new();
        for _ in 0..turns {
            let Some((name, task)) = lanes.take(now) else {
                now += Duration::from_millis(10);
                continue;
            };
            let took = length(&name);
            now += took;
            *computed.entry(name.to_string()).or_insert(Duration::ZERO) += took;
            lanes.push(&name, task, now);
            lanes.polled(&name, took, now);
        }
        computed
    }

    #[test]
    fn tenants_have_equal_shares_however_many_tasks_they_have_and_however_long_these_take() {
        let length = |name: &str| Duration::from_millis(if name == "long" { 50 } else { 2 });
        let computed = turns(&[("many", 500), ("few", 1), ("long", 20)], length, 10_000);
        let (most, least) = (computed.values().max().unwrap(), computed.values().min().unwrap());
        assert!(computed.len() == 3 && *most < 2 * *least, "{computed:?}");
    }

    #[test]
    fn a_tenant_that_did_not_compute_goes_before_those_that_did() {
        let (mut lanes, now) = (Lanes::new(), Instant::now());
        for name in ["a", "b"] {
            lanes.push(&tenant(name), 1, now);
            lanes.push(&tenant(name), 2, now);
            let (polled, _) = lanes.take(now).unwrap();
            lanes.polled(&polled, Duration::from_millis(1), now);
        }
        lanes.push(&tenant("victim"), 1, now);
        assert_eq!(lanes.take(now), Some((tenant("victim"), 1)));
    }

    #[test]
    fn a_tenant_computes_one_thing_at_a_time() {
        let (mut lanes, now) = (Lanes::new(), Instant::now());
        lanes.push(&tenant("a"), 1, now);
        lanes.push(&tenant("a"), 2, now);
        assert!(lanes.take(now).is_some());
        assert_eq!(lanes.take(now), None);
        lanes.push(&tenant("a"), 3, now);
        assert!(!lanes.is_ready(now));
        lanes.polled(&tenant("a"), Duration::ZERO, now);
        assert_eq!(lanes.take(now), Some((tenant("a"), 2)));
    }

    #[test]
    fn a_tenant_that_computed_for_long_waits_and_then_goes_on() {
        let (mut lanes, now) = (Lanes::new(), Instant::now());
        lanes.push(&tenant("a"), 1, now);
        lanes.push(&tenant("a"), 2, now);
        assert!(lanes.take(now).is_some());
        let (end, took) = (now + Duration::from_secs(10), Duration::from_secs(10));
        lanes.polled(&tenant("a"), took, end);
        assert!(lanes.rests() && lanes.take(end + Duration::from_secs(8)).is_none());
        assert_eq!(lanes.take(end + took), Some((tenant("a"), 2)));
    }

    #[test]
    fn tenants_that_are_gone_are_forgotten() {
        let (mut lanes, mut now) = (Lanes::new(), Instant::now());
        for number in 0..100_000 {
            let name = tenant(&number.to_string());
            lanes.push(&name, 1, now);
            lanes.take(now);
            lanes.polled(&name, Duration::from_millis(1), now);
            now += Duration::from_millis(10);
        }
        assert!(lanes.of_tenant.len() < 2_000, "{}", lanes.of_tenant.len());
    }
}
