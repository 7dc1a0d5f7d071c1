//! Limits the events per object as client-go's spam filter does: 25 at once, and one more every five minutes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Events that one object may publish at once.
const BURST: f64 = 25.0;
/// Time until one more is allowed.
const REFILL: Duration = Duration::from_mins(5);
/// Objects that are remembered. The ones that published least are forgotten first, and get a full allowance again.
const MOST: usize = 50_000;

/// What each object may still publish.
#[derive(Debug, Default)]
pub(super) struct Allowances {
    /// By source and object.
    left: HashMap<u64, Left>,
    /// How many objects are remembered when those with a full allowance are next looked for.
    next_look: usize,
}

#[derive(Clone, Copy, Debug)]
struct Left {
    tokens: f64,
    at: Instant,
}

impl Left {
    fn now(self, now: Instant) -> f64 {
        let refilled = now.saturating_duration_since(self.at).as_secs_f64() / REFILL.as_secs_f64();
        (self.tokens + refilled).min(BURST)
    }
}

impl Allowances {
    /// Whether one more event is allowed. If so, it is counted.
    pub(super) fn take(&mut self, speaker: u64, now: Instant) -> bool {
        self.forget(now);
        let left = self.left.entry(speaker).or_insert(Left { tokens: BURST, at: now });
        let tokens = left.now(now);
        let may = tokens >= 1.0;
        *left = Left { tokens: if may { tokens - 1.0 } else { tokens }, at: now };
        may
    }

    /// Forgets the objects that have their full allowance again and, if too many are left, those that published least.
    fn forget(&mut self, now: Instant) {
        if self.left.len() < self.next_look.max(1_000) {
            return;
        }
        let mut full = BURST;
        while full > 0.0 {
            self.left.retain(|_, left| left.now(now) < full);
            if self.left.len() <= MOST / 2 {
                break;
            }
            full -= 1.0;
        }
        self.next_look = (self.left.len() * 2).min(MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_publishes_25_events_at_once_and_then_one_every_five_minutes() {
        let (mut allowances, began) = (Allowances::default(), Instant::now());
        let said = |allowances: &mut Allowances, speaker, at| (0..100).filter(|_| allowances.take(speaker, at)).count();
        assert_eq!(said(&mut allowances, 1, began), 25);
        assert_eq!(said(&mut allowances, 1, began + Duration::from_mins(4)), 0);
        assert_eq!(said(&mut allowances, 2, began), 25, "another has its own");
        assert_eq!(said(&mut allowances, 1, began + Duration::from_mins(6)), 1);
        assert_eq!(said(&mut allowances, 1, began + Duration::from_hours(24)), 25);
    }

    #[test]
    fn objects_that_come_and_go_are_forgotten_before_one_that_says_much() {
        let (mut allowances, now) = (Allowances::default(), Instant::now());
        while allowances.take(0, now) {}
        for other in 1..200_000 {
            assert!(allowances.take(other, now));
        }
        assert!(allowances.left.len() <= MOST);
        assert!(!allowances.take(0, now));
    }
}
