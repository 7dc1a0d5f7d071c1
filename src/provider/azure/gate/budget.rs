//! How many requests of one kind may be sent to a vault: what the operator allows, and what the vault has served.
//!
//! All users of a vault share its limit, and a refusal does not say what is left of it. So the first
//! refusal sets the limit to what the vault served within the window before it. From then on a request leaves only when
//! one that was served has left the window, which uses every window fully and is refused only when somebody else
//! takes more. From time to time a single request beyond the limit tests whether there is room for more.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How finely sent requests are counted. Coarser means less memory, and requests held back up to this much longer than
/// the window asks for; never more requests than the budget.
const SENT_SLOT: Duration = Duration::from_millis(100);

/// How finely served requests are counted; finer, since a throttled vault's windows follow each other exactly.
const SERVED_SLOT: Duration = Duration::from_millis(10);

/// The longest time between two tests whether there is room for more.
const LONGEST_BETWEEN_TESTS: Duration = Duration::from_secs(30);

/// The least that a first refusal sets the limit to, and the same as a part of the budget: the vault may have served
/// others until then, whose place is ours in the next window.
const LEAST_LEARNED: u32 = 8;
const LEAST_PART_LEARNED: u32 = 100;

/// How much a limit grows after a test, at the most, as a part of it.
const LARGEST_STEP: u32 = 10;

/// The budget for one kind of object.
#[derive(Debug)]
pub(super) struct Budget {
    configured: u32,
    window: Duration,
    sent: Window,
    served: Window,
    in_flight: u32,
    learned: Option<Learned>,
}

/// What the vault was seen to serve.
#[derive(Debug)]
struct Learned {
    limit: u32,
    /// By how much the next successful test raises the limit.
    step: u32,
    /// When the next request beyond the limit may find out whether there is room.
    test_at: Instant,
    /// Whether such a request is in progress.
    testing: bool,
    /// Tests that were refused since the last that was served.
    refused: u32,
}

/// Whether there is room for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// There is.
    Now(Purpose),
    /// At this time, or when a request ends.
    At(Instant),
    /// When a request ends.
    WhenOneEnds,
}

/// What a request tests in addition to its purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Nothing.
    Answer,
    /// It finds out whether a pause is over.
    Probe,
    /// It is one more than the vault has served.
    Test,
}

impl Budget {
    /// At most this many requests within a window.
    pub(super) fn new(configured: u32, window: Duration) -> Self {
        let configured = configured.max(1);
        let (sent, served) = (Window::new(SENT_SLOT, window), Window::new(SERVED_SLOT, window));
        Self { configured, window, sent, served, in_flight: 0, learned: None }
    }

    /// Whether one more request may be sent now.
    pub(super) fn room(&mut self, now: Instant) -> Room {
        if self.sent.count(now) >= self.configured {
            return self.sent.free_at().map_or(Room::WhenOneEnds, Room::At);
        }
        let Some(learned) = &self.learned else { return Room::Now(Purpose::Answer) };
        if self.served.count(now) + self.in_flight < learned.limit {
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

    /// Counts a request that is sent.
    pub(super) fn send(&mut self, now: Instant, purpose: Purpose) {
        self.sent.add(now);
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

    /// The vault refused a request because there were too many, and asked to wait this long.
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
            // Nothing was sent since the refusal before it, so it says nothing new of the rate.
            Purpose::Probe => learned.test_at = learned.test_at.max(now + wait),
            Purpose::Answer => {
                // Never to less than half at once: the refusal may have come when few of ours were in the window.
                learned.limit = count.max(learned.limit / 2).clamp(1, learned.limit);
                learned.test_at = learned.test_at.max(now + window.max(wait));
            }
        }
    }

    /// A request was abandoned. The vault may have served it, so it counts in the window.
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

    /// The vault refused a request for another reason than the number of them, or together with one that counted.
    pub(super) fn failed(&mut self, purpose: Purpose) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.end_test(purpose);
    }

    /// What may pass in a window: what was learned, or else what an operator allows.
    pub(super) fn effective(&self) -> u32 {
        self.learned.as_ref().map_or(self.configured, |learned| learned.limit)
    }

    /// How many requests were sent within the window.
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

    /// How many there were within the window before `now`. A slot counts until all of it is out of the window.
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

    /// When the next of them leaves the window.
    fn free_at(&self) -> Option<Instant> {
        self.slots.front().map(|(began, _)| *began + self.slot + self.length)
    }
}
