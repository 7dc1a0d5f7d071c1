//! The time in the emulated services.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// A source of time. Cheap to clone; clones share the same source.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// The machine's clock plus an offset that a test controls, so that a token expires or a soft-deleted object is
    /// purged without waiting.
    #[must_use]
    pub fn adjustable() -> (Self, ClockOffset) {
        let offset = ClockOffset(Arc::new(AtomicI64::new(0)));
        let shared = offset.clone();
        (Self(Arc::new(move || shared.apply(Timestamp::now()))), offset)
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }

    /// Now, in whole seconds since 1970.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        self.now().as_second()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// Moves the clock that [`Clock::adjustable`] returned with it.
#[derive(Clone, Debug)]
pub struct ClockOffset(Arc<AtomicI64>);

impl ClockOffset {
    /// Moves the clock forward by whole seconds; negative moves it back.
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    fn apply(&self, time: Timestamp) -> Timestamp {
        let offset = SignedDuration::from_secs(self.0.load(Ordering::SeqCst));
        time.saturating_add(offset).unwrap_or(time)
    }
}
