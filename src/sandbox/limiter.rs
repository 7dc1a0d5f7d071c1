//! Key Vault's limit: a number of served requests in any ten seconds.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// How many requests a vault serves.
///
/// Source: Azure, "Key Vault service limits": requests per 10 seconds, per vault and region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limit {
    /// Served requests in any window of ten seconds. Refused ones are not counted.
    pub served: usize,
    /// The `Retry-After` of a refusal, in seconds; `None` leaves the header out, as Key Vault does at
    /// times.
    #[serde(default = "default_retry_after")]
    pub retry_after: Option<u64>,
}

/// The length of the window, in seconds.
const WINDOW_SECONDS: i64 = 10;

#[allow(clippy::unnecessary_wraps, reason = "serde wants the field's own type")]
const fn default_retry_after() -> Option<u64> {
    Some(2)
}

impl Limit {
    /// Serves so many requests in any ten seconds, and refuses the others with `Retry-After: 2`.
    #[must_use]
    pub const fn per_ten_seconds(served: usize) -> Self {
        Self { served, retry_after: default_retry_after() }
    }
}

/// Refused, with this `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) retry_after: Option<u64>,
}

/// A vault's limit and the requests that count against it.
#[derive(Debug, Default)]
pub(crate) struct Limiter(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    limit: Option<Limit>,
    served: VecDeque<Timestamp>,
}

impl Limiter {
    /// Sets or, with `None`, lifts the limit.
    pub(crate) fn set(&self, limit: Option<Limit>) {
        let mut state = self.0.lock();
        state.limit = limit;
        state.served.clear();
    }

    /// Serves a request or refuses it.
    pub(crate) fn admit(&self, now: Timestamp) -> Result<(), Refused> {
        let mut state = self.0.lock();
        let Some(limit) = state.limit else { return Ok(()) };
        let window = SignedDuration::from_secs(WINDOW_SECONDS);
        while state.served.front().is_some_and(|served| now.duration_since(*served) >= window) {
            state.served.pop_front();
        }
        if state.served.len() >= limit.served {
            return Err(Refused { retry_after: limit.retry_after });
        }
        state.served.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn without_a_limit_everything_is_served() {
        let limiter = Limiter::default();
        assert!((0..100).all(|_| limiter.admit(at(0)).is_ok()));
    }

    #[test]
    fn no_window_of_ten_seconds_holds_more_than_the_limit() {
        let limiter = Limiter::default();
        limiter.set(Some(Limit::per_ten_seconds(3)));
        assert!(limiter.admit(at(0)).is_ok());
        assert!(limiter.admit(at(5)).is_ok());
        assert!(limiter.admit(at(5)).is_ok());
        assert_eq!(limiter.admit(at(9)), Err(Refused { retry_after: Some(2) }));
        assert!(limiter.admit(at(10)).is_ok(), "the request of second 0 has left the window");
        assert!(limiter.admit(at(10)).is_err());
        assert!(limiter.admit(at(15)).is_ok());
    }

    #[test]
    fn a_refused_request_does_not_count() {
        let limiter = Limiter::default();
        limiter.set(Some(Limit::per_ten_seconds(1)));
        assert!(limiter.admit(at(0)).is_ok());
        assert!((1..10).all(|second| limiter.admit(at(second)).is_err()));
        assert!(limiter.admit(at(10)).is_ok());
    }
}
