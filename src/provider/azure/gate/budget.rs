//! How many requests of one kind may be sent to a vault: as many as the operator allows and the vault has served.
//!
//! All users of a vault share its limit, and a refusal does not say how much of it is left. The first refusal therefore
//! sets the limit to what the vault served in the window before it. From then on a request is sent only when an earlier
//! one has left the window. That uses every window fully, and a request is refused only if somebody else takes more.
//! From time to time, a single request beyond the limit tests whether there is more room.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::shares::Shares;

/// The granularity of counting sent requests. A coarser one takes less memory, and holds requests back up to this much
/// longer than the window requires. It never sends more requests than the budget.
const SENT_SLOT: Duration = Duration::from_millis(100);

/// The granularity of counting served requests. It is finer, because a throttled vault's windows follow each other
/// exactly.
const SERVED_SLOT: Duration = Duration::from_millis(10);

/// The longest time between two tests for more room.
const LONGEST_BETWEEN_TESTS: Duration = Duration::from_secs(30);

/// The least limit that a first refusal sets, also as a fraction of the budget: the vault may have served others until
/// then, whose share is ours in the next window.
const LEAST_LEARNED: u32 = 8;
const LEAST_PART_LEARNED: u32 = 100;

/// The most by which a limit grows after a test, as a fraction of it.
const LARGEST_STEP: u32 = 10;

/// The part of a budget that only namespaces which have used little of the window may use.
const RESERVED_PART: u32 = 32;

/// How many such namespaces the reserve is for, if each uses as much of it as it may.
const RESERVED_FOR: u32 = 4;

/// The budget for one kind of object.
#[derive(Debug)]
pub(super) struct Budget {
    configured: u32,
    window: Duration,
    sent: Window,
    served: Window,
    shares: Shares,
    in_flight: u32,
    learned: Option<Learned>,
}

/// How much of the window a namespace has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usage {
    /// So little that it may use the reserve.
    Light,
    /// More than that.
    Heavy,
}

/// What the vault has been seen to serve.
#[derive(Debug)]
struct Learned {
    limit: u32,
    /// How much the next successful test raises the limit.
    step: u32,
    /// When the next request beyond the limit may test whether there is room.
    test_at: Instant,
    /// Whether such a request is in progress.
    testing: bool,
    /// Tests refused since the last successful one.
    refused: u32,
}

/// Whether there is room for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Yes.
    Now(Purpose),
    /// At this time, or when a request ends.
    At(Instant),
    /// When a request ends.
    WhenOneEnds,
}

/// What a request finds out besides its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Nothing.
    Answer,
    /// Whether a pause is over.
    Probe,
    /// Whether the vault serves one more than it has.
    Test,
}

impl Usage {
    /// The part of a limit that may be used.
    const fn part_of(self, limit: u32) -> u32 {
        match self {
            Self::Light => limit,
            Self::Heavy => limit - limit / RESERVED_PART,
        }
    }
}

impl Budget {
    /// At most this many requests within a window.
    pub(super) fn new(configured: u32, window: Duration) -> Self {
        let configured = configured.max(1);
        let (sent, served) = (Window::new(SENT_SLOT, window), Window::new(SERVED_SLOT, window));
        Self { configured, window, sent, served, shares: Shares::new(window), in_flight: 0, learned: None }
    }

    /// Whether one more request may be sent now, by a namespace that has used so much.
    pub(super) fn room(&mut self, now: Instant, usage: Usage) -> Room {
        self.shares.expire(now);
        if self.sent.count(now) >= usage.part_of(self.configured) {
            return self.sent.free_at().map_or(Room::WhenOneEnds, Room::At);
        }
        let Some(learned) = &self.learned else { return Room::Now(Purpose::Answer) };
        // A test asks for one more than the limit, so that what is below the limit must be in use.
        let limit = if now >= learned.test_at { learned.limit } else { usage.part_of(learned.limit) };
        if self.served.count(now) + self.in_flight < limit {
            return Room::Now(Purpose::Answer);
        }
        // A test runs alone, so that its result is meaningful.
        let may_test = self.in_flight == 0 && !learned.testing;
        if may_test && now >= learned.test_at {
            return Room::Now(Purpose::Test);
        }
        let test_at = may_test.then_some(learned.test_at);
        let times = self.served.free_at().into_iter().chain(test_at);
        times.min().map_or(Room::WhenOneEnds, Room::At)
    }

    /// How much of the window a namespace has used, as of the last call of [`Self::room`].
    pub(super) fn usage(&self, namespace: &str) -> Usage {
        let light = self.effective() / RESERVED_PART / RESERVED_FOR;
        if self.shares.of(namespace) < light.max(1) { Usage::Light } else { Usage::Heavy }
    }

    /// Counts a request that is being sent for a namespace.
    pub(super) fn send(&mut self, now: Instant, purpose: Purpose, namespace: &Arc<str>) {
        self.sent.add(now);
        self.shares.add(now, namespace);
        self.in_flight += 1;
        if let (Purpose::Test, Some(learned)) = (purpose, &mut self.learned) {
            learned.testing = true;
        }
    }

    /// A request was served.
    pub(super) fn served(&mut self, now: Instant, purpose: Purpose) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.served.add(now);
        let count = self.served.count(now);
        let Some(learned) = &mut self.learned else { return };
        if purpose == Purpose::Test {
            learned.limit = learned.limit.saturating_add(learned.step);
            learned.step = (learned.step * 2).min((learned.limit / LARGEST_STEP).max(1));
            (learned.testing, learned.refused, learned.test_at) = (false, 0, now);
        }
        learned.limit = learned.limit.max(count);
        if learned.limit >= self.configured {
            self.learned = None;
        }
    }

    /// The vault refused a request because there were too many, and asked for this wait.
    pub(super) fn refused(&mut self, now: Instant, purpose: Purpose, wait: Duration) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let count = self.served.count(now);
        let (configured, window) = (self.configured, self.window);
        let Some(learned) = &mut self.learned else {
            let limit = count.max(LEAST_LEARNED).max(configured / LEAST_PART_LEARNED).min(configured);
            self.learned = Some(Learned { limit, step: 1, test_at: now + wait, testing: false, refused: 0 });
            return;
        };
        learned.step = 1;
        match purpose {
            Purpose::Test => {
                let pause = window * 2_u32.saturating_pow(learned.refused.min(8));
                learned.testing = false;
                learned.refused += 1;
                learned.test_at = now + pause.min(LONGEST_BETWEEN_TESTS).max(wait);
            }
            // Nothing has been sent since the previous refusal, so this one reveals nothing about the rate.
            Purpose::Probe => learned.test_at = learned.test_at.max(now + wait),
            Purpose::Answer => {
                // At most halved at once: the refusal may have come when few of our requests were in the window.
                learned.limit = count.max(learned.limit / 2).clamp(1, learned.limit);
                learned.test_at = learned.test_at.max(now + window.max(wait));
            }
        }
    }

    /// A request was abandoned. The vault may have served it, so it counts.
    pub(super) fn abandoned(&mut self, now: Instant, purpose: Purpose) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.served.add(now);
        self.end_test(purpose);
    }

    /// A request was not sent after all.
    pub(super) fn unsent(&mut self, purpose: Purpose) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.sent.remove_newest();
        self.end_test(purpose);
    }

    /// The vault refused a request for a reason other than their number, or together with one that was counted.
    pub(super) fn failed(&mut self, purpose: Purpose) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.end_test(purpose);
    }

    /// The requests allowed per window: the learned limit, or else what the operator allows.
    pub(super) fn effective(&self) -> u32 {
        self.learned.as_ref().map_or(self.configured, |learned| learned.limit)
    }

    /// The requests sent within the window.
    #[cfg(test)]
    pub(super) fn sent(&mut self, now: Instant) -> u32 {
        self.sent.count(now)
    }

    fn end_test(&mut self, purpose: Purpose) {
        if let (Purpose::Test, Some(learned)) = (purpose, &mut self.learned) {
            learned.testing = false;
        }
    }
}

/// Requests within a window, counted in slots, oldest first.
#[derive(Debug)]
struct Window {
    slot: Duration,
    length: Duration,
    slots: VecDeque<(Instant, u32)>,
    total: u32,
}

impl Window {
    fn new(slot: Duration, length: Duration) -> Self {
        Self { slot, length, slots: VecDeque::new(), total: 0 }
    }

    fn add(&mut self, now: Instant) {
        self.count(now);
        self.total += 1;
        match self.slots.back_mut() {
            Some((began, count)) if now < *began + self.slot => *count += 1,
            _ => self.slots.push_back((now, 1)),
        }
    }

    fn remove_newest(&mut self) {
        if let Some((_, count)) = self.slots.back_mut() {
            *count -= 1;
            self.total -= 1;
            if *count == 0 {
                self.slots.pop_back();
            }
        }
    }

    /// The requests within the window before `now`. A slot counts until all of it has left the window.
    fn count(&mut self, now: Instant) -> u32 {
        while let Some((began, count)) = self.slots.front() {
            if *began + self.slot + self.length > now {
                break;
            }
            self.total -= count;
            self.slots.pop_front();
        }
        self.total
    }

    /// When the next request leaves the window.
    fn free_at(&self) -> Option<Instant> {
        self.slots.front().map(|(began, _)| *began + self.slot + self.length)
    }
}
