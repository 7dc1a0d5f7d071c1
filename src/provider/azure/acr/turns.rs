//! How often one namespace asks one registry for tokens. A registry slows down everybody who asks for too many.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many exchanges a namespace may begin at once.
const AT_ONCE: u32 = 60;

/// After that, one more in this time.
const ONE_MORE: Duration = Duration::from_secs(1);

/// How many registries a namespace may ask at the same time. Beyond that it waits until one exchange is a second old.
const REGISTRIES: usize = 100;

/// With fewer namespaces than this, those that have asked for nothing lately are remembered.
const FEW: usize = 1000;

/// The exchanges of each namespace with each registry: until when it has used up its turns there.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<Box<str>, Used>>);

/// By the registry's host.
type Used = HashMap<Box<str>, Instant>;

impl Turns {
    /// Begins an exchange, if the namespace may begin one now.
    ///
    /// # Errors
    /// How long it has to wait.
    pub(super) fn take(&self, namespace: &str, host: &str) -> Result<(), Duration> {
        self.take_at(namespace, host, Instant::now())
    }

    fn take_at(&self, namespace: &str, host: &str, now: Instant) -> Result<(), Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= FEW && !all.contains_key(namespace) {
            all.retain(|_, used| used.values().any(|until| now < *until));
        }
        let used = all.entry(namespace.into()).or_default();
        used.retain(|_, until| now < *until);
        if used.len() >= REGISTRIES && !used.contains_key(host) {
            return Err(used.values().min().map_or(ONE_MORE, |first| first.duration_since(now)));
        }
        // Each exchange uses up `ONE_MORE` of time, and a namespace may be `AT_ONCE` of them ahead.
        let until = used.entry(host.into()).or_insert(now);
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
    fn a_namespace_that_asks_many_registries_at_the_same_time_waits_and_no_other_does() {
        let (turns, now) = (Turns::default(), Instant::now());
        for number in 0..REGISTRIES {
            turns.take_at("greedy", &format!("r{number}"), now).unwrap();
        }
        assert_eq!(turns.take_at("greedy", "one-more", now), Err(ONE_MORE));
        assert_eq!(turns.take_at("greedy", "r0", now), Ok(()), "those that it has asked have their own turns");
        assert_eq!(turns.take_at("victim", "one-more", now), Ok(()));
        assert_eq!(turns.take_at("greedy", "one-more", now + ONE_MORE), Ok(()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (turns, now) = (Turns::default(), Instant::now());
        let sum = |turns: &Turns| turns.0.lock().unwrap().values().map(HashMap::len).sum::<usize>();
        for number in 0..50_000 {
            let _ = turns.take_at("greedy", &format!("r{number}"), now);
        }
        assert_eq!(sum(&turns), REGISTRIES);
        for number in 0..2 * FEW {
            let at = now + ONE_MORE * u32::try_from(number).unwrap();
            turns.take_at(&format!("n{number}"), "r", at).unwrap();
        }
        assert!(turns.0.lock().unwrap().len() <= FEW);
    }
}
