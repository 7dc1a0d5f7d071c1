//! Limits how much each of many speakers may say: so much at once, and one more each time some time has passed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Speakers that are remembered. The ones that said least are forgotten first, and get a full allowance again.
const MOST: usize = 50_000;

/// What each speaker may still say.
#[derive(Debug)]
pub struct Allowances {
    burst: f64,
    refill: Duration,
    /// By a hash of the speaker.
    left: HashMap<u64, Left>,
    /// How many speakers are remembered when those with a full allowance are next looked for.
    next_look: usize,
}

#[derive(Clone, Copy, Debug)]
struct Left {
    tokens: f64,
    at: Instant,
}

impl Left {
    fn now(self, burst: f64, refill: Duration, now: Instant) -> f64 {
        let refilled = now.saturating_duration_since(self.at).as_secs_f64() / refill.as_secs_f64();
        (self.tokens + refilled).min(burst)
    }
}

impl Allowances {
    /// Each speaker may say `burst` things at once, and one more each time `refill` has passed.
    #[must_use]
    pub fn new(burst: u16, refill: Duration) -> Self {
        Self { burst: f64::from(burst), refill, left: HashMap::new(), next_look: 0 }
    }

    /// Whether a speaker may say one more thing. If so, it is counted.
    pub fn take(&mut self, speaker: u64, now: Instant) -> bool {
        self.forget(now);
        let left = self.left.entry(speaker).or_insert(Left { tokens: self.burst, at: now });
        let tokens = left.now(self.burst, self.refill, now);
        let may = tokens >= 1.0;
        *left = Left { tokens: if may { tokens - 1.0 } else { tokens }, at: now };
        may
    }

    /// Forgets the speakers that have their full allowance again and, if too many are left, those that said least.
    fn forget(&mut self, now: Instant) {
        if self.left.len() < self.next_look.max(1_000) {
            return;
        }
        let mut full = self.burst;
        while full > 0.0 {
            self.left.retain(|_, left| left.now(self.burst, self.refill, now) < full);
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

    fn allowances() -> Allowances {
        Allowances::new(25, Duration::from_mins(5))
    }

    #[test]
    fn a_speaker_says_25_things_at_once_and_then_one_every_five_minutes() {
        let (mut allowances, began) = (allowances(), Instant::now());
        let said = |allowances: &mut Allowances, speaker, at| (0..100).filter(|_| allowances.take(speaker, at)).count();
        assert_eq!(said(&mut allowances, 1, began), 25);
        assert_eq!(said(&mut allowances, 1, began + Duration::from_mins(4)), 0);
        assert_eq!(said(&mut allowances, 2, began), 25, "another has its own");
        assert_eq!(said(&mut allowances, 1, began + Duration::from_mins(6)), 1);
        assert_eq!(said(&mut allowances, 1, began + Duration::from_hours(24)), 25);
    }

    #[test]
    fn speakers_that_come_and_go_are_forgotten_before_one_that_says_much() {
        let (mut allowances, now) = (allowances(), Instant::now());
        while allowances.take(0, now) {}
        for other in 1..200_000 {
            assert!(allowances.take(other, now));
        }
        assert!(allowances.left.len() <= MOST);
        assert!(!allowances.take(0, now));
    }
}
