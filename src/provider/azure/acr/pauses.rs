//! Registries that are not asked for a while, because they asked to slow down or are failing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::diagnose::{Cause, Diagnosis};
use crate::provider::fair_map::FairMap;

/// Waits, in seconds, after refusals in a row that do not say how long to wait.
const BACKOFF: [u64; 5] = [1, 2, 4, 8, 16];

/// The most registries that are remembered. Beyond that, the namespace that has found most of them paused forgets one, which is asked
/// again at once.
const MOST: usize = 1000;

/// How long a registry is remembered whose pause is over.
const KEPT: Duration = Duration::from_hours(1);

/// Which registries are paused. Each belongs to the namespace that found it so last.
pub(super) struct Pauses(Mutex<FairMap<String, Pause>>);

struct Pause {
    until: Instant,
    in_a_row: usize,
    reason: Diagnosis,
}

impl Default for Pauses {
    fn default() -> Self {
        Self(Mutex::new(FairMap::new(MOST, KEPT)))
    }
}

impl Pauses {
    /// Whether a registry may be asked.
    ///
    /// # Errors
    /// Why the registry is paused, and for how much longer.
    pub(super) fn check(&self, host: &str) -> Result<(), Diagnosis> {
        self.check_at(host, Instant::now())
    }

    /// Records the result of an exchange for a namespace.
    pub(super) fn note(&self, namespace: &Arc<str>, host: &str, reason: Option<&Diagnosis>) {
        self.note_at(namespace, host, reason, Instant::now(), rand::random());
    }

    fn check_at(&self, host: &str, now: Instant) -> Result<(), Diagnosis> {
        match self.lock().get(host, now) {
            Some(pause) if now < pause.until => Err(pause.reason.clone().retry_after(Some(pause.until - now))),
            _ => Ok(()),
        }
    }

    fn note_at(&self, namespace: &Arc<str>, host: &str, reason: Option<&Diagnosis>, now: Instant, jitter: f64) {
        let mut pauses = self.lock();
        let Some(reason) = reason else {
            pauses.remove(host);
            return;
        };
        if !pauses_registry(reason.cause) {
            return;
        }
        let in_a_row = pauses.get(host, now).map_or(0, |pause| pause.in_a_row + 1);
        let own = Duration::from_secs(BACKOFF[in_a_row.min(BACKOFF.len() - 1)]).mul_f64(1.0 + jitter / 5.0);
        let until = now + reason.retry_after.map_or(own, |asked| asked.max(own));
        pauses.insert(namespace, host.to_owned(), Pause { until, in_a_row, reason: reason.clone() }, now);
    }

    fn lock(&self) -> MutexGuard<'_, FairMap<String, Pause>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a failure applies to the whole registry, so that others need not find out by themselves.
const fn pauses_registry(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::RegistryThrottled
            | Cause::RegistryFailed
            | Cause::HostNotFound
            | Cause::DnsUnavailable
            | Cause::ConnectionRefused
            | Cause::Timeout
            | Cause::ProxyFailed
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttled(seconds: Option<u64>) -> Diagnosis {
        Diagnosis::new(Cause::RegistryThrottled, "busy").retry_after(seconds.map(Duration::from_secs))
    }

    #[test]
    fn a_registry_is_left_alone_as_long_as_it_asks_and_longer_from_one_refusal_to_the_next() {
        let (pauses, mut now) = (Pauses::default(), Instant::now());
        pauses.note_at(&"a".into(), "r", Some(&throttled(Some(20))), now, 0.0);
        let told = pauses.check_at("r", now + Duration::from_secs(19)).unwrap_err();
        assert_eq!((told.cause, told.retry_after), (Cause::RegistryThrottled, Some(Duration::from_secs(1))));
        assert!(pauses.check_at("other", now).is_ok());
        for seconds in [2, 4, 8, 16, 16] {
            now += Duration::from_secs(20);
            assert!(pauses.check_at("r", now).is_ok());
            pauses.note_at(&"a".into(), "r", Some(&throttled(None)), now, 0.0);
            assert!(pauses.check_at("r", now + Duration::from_millis(seconds * 1000 - 1)).is_err(), "{seconds}");
            assert!(pauses.check_at("r", now + Duration::from_secs(seconds)).is_ok(), "{seconds}");
        }
        pauses.note_at(&"a".into(), "r", None, now, 0.0);
        assert!(pauses.check_at("r", now).is_ok());
    }

    #[test]
    fn a_refusal_of_one_identity_says_nothing_of_the_registry() {
        let pauses = Pauses::default();
        let refused = Diagnosis::new(Cause::RegistryUnauthorized, "no");
        pauses.note_at(&"a".into(), "r", Some(&refused), Instant::now(), 0.0);
        assert!(pauses.check("r").is_ok());
    }

    #[test]
    fn a_namespace_with_very_many_registries_that_throttle_does_not_end_the_pauses_of_others() {
        let (pauses, now) = (Pauses::default(), Instant::now());
        let note = |namespace: &str, host: &str| {
            pauses.note_at(&namespace.into(), host, Some(&throttled(Some(60))), now, 0.0);
        };
        note("early", "of-early");
        for number in 0..3 * MOST {
            note("attacker", &format!("r{number}"));
        }
        note("late", "of-late");
        assert_eq!(pauses.lock().len(), MOST);
        assert!(pauses.check_at("of-early", now).is_err() && pauses.check_at("of-late", now).is_err());
    }
}
