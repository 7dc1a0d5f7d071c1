//! Limits how often an object is reconciled because somebody changed what it reads or writes: the target of an
//! ExternalSecret, a source of its templates, a Secret that a PushSecret pushes.
//!
//! Without a limit, two ExternalSecrets whose templates read each other's target, or that write the same key of one
//! Secret, would wake each other forever.

use std::time::{Duration, Instant};

/// Passes allowed at once.
const BURST: u32 = 20;
/// Time until one more is allowed.
const REFILL: Duration = Duration::from_secs(5);

/// How many more of these passes are allowed.
#[derive(Debug, Default)]
pub(crate) struct Reactions {
    /// When the full burst is available again.
    whole_at: Option<Instant>,
}

impl Reactions {
    /// Takes one. Returns how long to wait if none is left.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let whole_at = self.whole_at.map_or(now, |at| at.max(now));
        let taken = whole_at.duration_since(now);
        match taken.checked_sub(REFILL * (BURST - 1)) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                self.whole_at = Some(whole_at + REFILL);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_at_once_and_then_one_every_five_seconds() {
        let (mut reactions, began) = (Reactions::default(), Instant::now());
        for _ in 0..20 {
            assert_eq!(reactions.take(began), Ok(()));
        }
        let later = began + Duration::from_secs(4);
        assert_eq!(reactions.take(later), Err(Duration::from_secs(1)));
        let due = began + Duration::from_secs(5);
        assert_eq!(reactions.take(due), Ok(()));
        assert_eq!(reactions.take(due), Err(Duration::from_secs(5)));
        let calm = began + Duration::from_secs(500);
        assert_eq!((0..100).filter(|_| reactions.take(calm).is_ok()).count(), 20);
    }
}
