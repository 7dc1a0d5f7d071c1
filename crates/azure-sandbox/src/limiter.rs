//! Key Vault's limits: a number of served requests in any ten seconds, for a vault and for each kind of object.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::keyvault::object::ObjectKind;

/// How many requests a vault serves.
///
/// Source: Azure, "Key Vault service limits": requests per 10 seconds, per vault and region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limit {
    /// Served requests in any window of ten seconds. Refused ones do not count.
    pub served: usize,
    /// The `Retry-After` of a refusal, in seconds; `None` omits the header, as Key Vault sometimes does.
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
    /// Serves this many requests in any ten seconds, and refuses others with `Retry-After: 2`.
    #[must_use]
    pub const fn per_ten_seconds(served: usize) -> Self {
        Self { served, retry_after: default_retry_after() }
    }
}

/// A refusal, with this `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) retry_after: Option<u64>,
}

/// A vault's limits, and the requests that count against them.
#[derive(Debug, Default)]
pub(crate) struct Limiter(Mutex<State>);

/// What a request makes, as far as that has a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Makes {
    /// No new version.
    Nothing,
    /// A new version of a secret, or an import of a key or certificate.
    Version,
}

#[derive(Debug, Default)]
struct State {
    all: Window,
    kinds: HashMap<ObjectKind, Window>,
    /// New versions of secrets, and imports of keys and certificates.
    writes: Window,
}

/// A limit and the requests that were served in the last ten seconds.
#[derive(Debug, Default)]
struct Window {
    limit: Option<Limit>,
    served: VecDeque<Timestamp>,
}

impl Window {
    fn with(limit: Option<Limit>) -> Self {
        Self { limit, served: VecDeque::new() }
    }

    /// Checks whether there is room for one more.
    fn check(&mut self, now: Timestamp) -> Result<(), Refused> {
        let Some(limit) = self.limit else { return Ok(()) };
        let window = SignedDuration::from_secs(WINDOW_SECONDS);
        while self.served.front().is_some_and(|served| now.duration_since(*served) >= window) {
            self.served.pop_front();
        }
        if self.served.len() >= limit.served { Err(Refused { retry_after: limit.retry_after }) } else { Ok(()) }
    }

    fn count(&mut self, now: Timestamp) {
        if self.limit.is_some() {
            self.served.push_back(now);
        }
    }
}

impl Limiter {
    /// Sets the limit of all requests; `None` removes it.
    pub(crate) fn set(&self, limit: Option<Limit>) {
        self.0.lock().all = Window::with(limit);
    }

    /// Sets the limit of requests for one kind of object; `None` removes it.
    pub(crate) fn set_of(&self, kind: ObjectKind, limit: Option<Limit>) {
        self.0.lock().kinds.insert(kind, Window::with(limit));
    }

    /// Sets or, with `None`, lifts the limit that new versions of secrets and imports of keys and certificates share.
    pub(crate) fn set_of_writes(&self, limit: Option<Limit>) {
        self.0.lock().writes = Window::with(limit);
    }

    /// Serves a request or refuses it. A refused one counts against no limit.
    pub(crate) fn admit(&self, kind: Option<ObjectKind>, makes: Makes, now: Timestamp) -> Result<(), Refused> {
        let State { all, kinds, writes } = &mut *self.0.lock();
        let mut of_kind = kind.and_then(|kind| kinds.get_mut(&kind));
        all.check(now)?;
        if makes == Makes::Version {
            writes.check(now)?;
        }
        if let Some(window) = &mut of_kind {
            window.check(now)?;
            window.count(now);
        }
        if makes == Makes::Version {
            writes.count(now);
        }
        all.count(now);
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
        assert!((0..100).all(|_| limiter.admit(None, Makes::Nothing, at(0)).is_ok()));
    }

    #[test]
    fn no_window_of_ten_seconds_holds_more_than_the_limit() {
        let limiter = Limiter::default();
        limiter.set(Some(Limit::per_ten_seconds(3)));
        assert!(limiter.admit(None, Makes::Nothing, at(0)).is_ok());
        assert!(limiter.admit(None, Makes::Nothing, at(5)).is_ok());
        assert!(limiter.admit(None, Makes::Nothing, at(5)).is_ok());
        assert_eq!(limiter.admit(None, Makes::Nothing, at(9)), Err(Refused { retry_after: Some(2) }));
        assert!(limiter.admit(None, Makes::Nothing, at(10)).is_ok(), "the request of second 0 has left the window");
        assert!(limiter.admit(None, Makes::Nothing, at(10)).is_err());
        assert!(limiter.admit(None, Makes::Nothing, at(15)).is_ok());
    }

    #[test]
    fn a_refused_request_does_not_count() {
        let limiter = Limiter::default();
        limiter.set(Some(Limit::per_ten_seconds(1)));
        assert!(limiter.admit(None, Makes::Nothing, at(0)).is_ok());
        assert!((1..10).all(|second| limiter.admit(None, Makes::Nothing, at(second)).is_err()));
        assert!(limiter.admit(None, Makes::Nothing, at(10)).is_ok());
    }
    #[test]
    fn a_limit_of_one_kind_leaves_the_others_alone_and_both_limits_hold() {
        let limiter = Limiter::default();
        limiter.set_of(ObjectKind::Key, Some(Limit::per_ten_seconds(1)));
        limiter.set(Some(Limit::per_ten_seconds(2)));
        assert!(limiter.admit(Some(ObjectKind::Key), Makes::Nothing, at(0)).is_ok());
        assert!(limiter.admit(Some(ObjectKind::Key), Makes::Nothing, at(0)).is_err());
        assert!(
            limiter.admit(Some(ObjectKind::Secret), Makes::Nothing, at(1)).is_ok(),
            "what the one refused did not count"
        );
        assert!(limiter.admit(Some(ObjectKind::Secret), Makes::Nothing, at(1)).is_err());
        assert!(limiter.admit(Some(ObjectKind::Key), Makes::Nothing, at(10)).is_ok());
    }
}
