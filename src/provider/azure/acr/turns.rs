//! How often one namespace asks one registry for tokens. A registry slows down everybody who asks for too many.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many exchanges a namespace may begin at once.
const AT_ONCE: u32 = 60;

/// After that, one more in this time.
const ONE_MORE: Duration = Duration::from_secs(1);

/// The most pairs of namespace and registry that are remembered; beyond that, those that may begin all at once again
/// are forgotten.
const MOST: usize = 1000;

/// A namespace and the host of a registry.
type Pair = (Box<str>, Box<str>);

/// The exchanges of each namespace with each registry.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<Pair, Instant>>);

impl Turns {
    /// Begins an exchange, if the namespace may begin one now.
    ///
    /// # Errors
    /// How long it has to wait.
    pub(super) fn take(&self, namespace: &str, host: &str) -> Result<(), Duration> {
        self.take_at(namespace, host, Instant::now())
    }

    fn take_at(&self, namespace: &str, host: &str, now: Instant) -> Result<(), Duration> {
        // Each exchange uses up `ONE_MORE` of time, and a namespace may be `AT_ONCE` of them ahead.
        let mut used_until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used_until.len() >= MOST {
            used_until.retain(|_, until| now < *until);
        }
        let until = used_until.entry((namespace.into(), host.into())).or_insert(now);
        let next = now.max(*until) + ONE_MORE;
        let ahead = next.duration_since(now);
        match ahead.checked_sub(ONE_MORE * AT_ONCE) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                *until = next;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_that_asks_for_too_many_tokens_waits_and_no_other_does() {
        let (turns, now) = (Turns::default(), Instant::now());
        for _ in 0..AT_ONCE {
            assert_eq!(turns.take_at("greedy", "r", now), Ok(()));
        }
        assert_eq!(turns.take_at("greedy", "r", now), Err(ONE_MORE));
        assert_eq!(turns.take_at("greedy", "other", now), Ok(()));
        assert_eq!(turns.take_at("victim", "r", now), Ok(()));
        let later = now + ONE_MORE;
        assert_eq!(turns.take_at("greedy", "r", later), Ok(()));
        assert_eq!(turns.take_at("greedy", "r", later), Err(ONE_MORE));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (turns, now) = (Turns::default(), Instant::now());
        for number in 0..2 * MOST {
            let at = now + ONE_MORE * u32::try_from(number).unwrap();
            turns.take_at("greedy", &format!("r{number}"), at).unwrap();
        }
        assert!(turns.0.lock().unwrap().len() <= MOST);
    }
}
